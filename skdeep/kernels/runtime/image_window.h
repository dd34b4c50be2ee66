// How windows slide over images, and copies of parts of images with zeros around them.
//
// The output at row r sees the input rows r * stride - padding + k * dilation for every
// row k of the window; columns are alike.
#pragma once

#include "vector.h"

namespace skdeep {
namespace SKDEEP_ISA {

// The quotient rounded down, for a positive divisor
SKDEEP_INLINE long divide_down(long a, long b) {
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}

struct Axis {
  long in, out, window, stride, dilation, padding;

  SKDEEP_INLINE long reach() const { return (window - 1) * dilation; }
};

struct Range {
  long begin, end;
  SKDEEP_INLINE long size() const { return end - begin; }
};

// The inputs that some outputs see, and the outputs that see some inputs; both may
// begin before the image and end after it.
SKDEEP_INLINE Range inputs_seen(const Axis& axis, Range outputs) {
  return {outputs.begin * axis.stride - axis.padding,
          (outputs.end - 1) * axis.stride - axis.padding + axis.reach() + 1};
}
SKDEEP_INLINE Range outputs_seeing(const Axis& axis, Range inputs) {
  return {divide_down(inputs.begin + axis.padding - axis.reach(), axis.stride),
          divide_down(inputs.end - 1 + axis.padding, axis.stride) + 1};
}

SKDEEP_INLINE bool inside(Range range, long size) {
  return range.begin >= 0 && range.end <= size;
}

// Images of some channels, where they lie: place (y, x) of image i begins at
// data + i * image + (y - first_row) * row + (x - first_column) * place.
template <class T>
struct Patch {
  const T* data;
  long image, row, place;
  long first_row, first_column;
};

template <class T>
SKDEEP_INLINE void copy_numbers(const T* from, long count, T* to) {
  long i = 0;
  for (; i + width<T> <= count; i += width<T>) store(to + i, load(from + i));
  for (; i < count; ++i) to[i] = from[i];
}

template <class T>
SKDEEP_INLINE void fill_zeros(T* to, long count) {
  __builtin_memset(to, 0, count * sizeof(T));
}

struct ImageSize {
  long rows, columns, channels;
};

// Copy rows and columns of images, for `count` channels from `channel`; zeros outside.
template <class T>
SKDEEP_INLINE Patch<T> copy_patch(const T* source, long images, ImageSize size, long channel,
                                  long count, Range rows, Range columns, T* copy) {
  const Patch<T> patch = {copy,  rows.size() * columns.size() * count,
                          columns.size() * count, count, rows.begin, columns.begin};
  const long left = larger(0, smaller(-columns.begin, columns.size()));
  const long start = columns.begin + left;
  const long middle = larger(0, smaller(size.columns, columns.end) - start);
  const long right = columns.size() - left - middle;
  T* to = copy;
  for (long i = 0; i < images; ++i) {
    const T* image = source + i * size.rows * size.columns * size.channels;
    for (long y = rows.begin; y < rows.end; ++y) {
      if (y < 0 || y >= size.rows || middle == 0) {
        fill_zeros(to, patch.row);
        to += patch.row;
        continue;
      }
      fill_zeros(to, left * count);
      to += left * count;
      const T* from = image + (y * size.columns + start) * size.channels + channel;
      if (count == size.channels) {
        copy_numbers(from, middle * count, to);
        to += middle * count;
      } else {
        for (long x = 0; x < middle; ++x, from += size.channels, to += count) {
          copy_numbers(from, count, to);
        }
      }
      fill_zeros(to, right * count);
      to += right * count;
    }
  }
  return patch;
}

}  // namespace SKDEEP_ISA
}  // namespace skdeep
