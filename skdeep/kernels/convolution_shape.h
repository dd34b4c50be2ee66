// What a convolution is, and the blocks that it is worked on in.
#pragma once

#include "image_window.h"
#include "scratch_memory.h"

namespace skdeep {
namespace SKDEEP_ISA {

struct Convolution {
  Axis rows, columns;
  long channels, filters, groups;

  long group_channels() const { return channels / groups; }
  long group_filters() const { return filters / groups; }
  long places() const { return rows.window * columns.window; }
  // every channel has a filter of its own
  bool is_depthwise() const { return groups == channels && filters == channels; }
  // a window is one place, so that a convolution is a product of matrices
  bool is_dense() const {
    return places() == 1 && groups == 1 && rows.stride == 1 && columns.stride == 1 &&
           rows.padding == 0 && columns.padding == 0 && rows.in == rows.out &&
           columns.in == columns.out;
  }
};

inline Convolution convolution_of(const Operation& o, int x, int kernel, int strides,
                                  int out) {
  const long *in = o.argument[x].shape, *window = o.argument[kernel].shape;
  const long *stride = o.argument[strides].shape, *size = o.argument[out].shape;
  const long *dilation = o.argument[strides + 1].shape;
  const long *padding = o.argument[strides + 2].shape;
  return {{in[1], size[1], window[0], stride[0], dilation[0], padding[0]},
          {in[2], size[2], window[1], stride[1], dilation[1], padding[1]},
          in[3],
          size[3],
          in[3] / window[2]};
}

inline Convolution forward_of(const Operation& o) {
  return convolution_of(o, 0, 1, 3, 6);
}
inline Convolution backward_input_of(const Operation& o) {
  return convolution_of(o, 5, 1, 2, 0);
}
inline Convolution backward_kernel_of(const Operation& o) {
  return convolution_of(o, 0, 5, 2, 1);
}

// --- blocks ---------------------------------------------------------------------------

// A copied block of this many bytes leaves room in the second cache for what it is
// multiplied with; a panel of the right matrix of this depth stays there too.
constexpr long patch_bytes = 192 * 1024, depth_limit = 640, positions_limit = 1024;

// What is worked on at a time: all of some images, some rows of one, or a part of a row.
struct Extent {
  long images, rows, columns;
};

// How much of `rows` by `columns` places fits, where `seen(axis, places)` numbers of
// another image are looked at for so many places along an axis, each of so many bytes.
template <class Seen>
Extent extent_of(const Axis& rows, const Axis& columns, long n_rows, long n_columns,
                 long bytes, long most_places, Seen seen) {
  const auto fits = [&](long r, long c) {
    return seen(rows, r) * seen(columns, c) * bytes <= patch_bytes && r * c <= most_places;
  };
  if (fits(n_rows, n_columns)) {
    const long one = seen(rows, n_rows) * seen(columns, n_columns) * bytes;
    const long by_places = most_places / larger(1, n_rows * n_columns);
    return {larger(1, smaller(patch_bytes / larger(1, one), by_places)), n_rows, n_columns};
  }
  long r = n_rows, c = n_columns;
  while (r > 1 && !fits(r, c)) r = divide_up(r, 2);
  while (c > 1 && !fits(r, c)) c = divide_up(c, 2);
  return {1, r, c};
}

inline long inputs_for(const Axis& axis, long outputs) {
  return (outputs - 1) * axis.stride + axis.reach() + 1;
}
inline long outputs_for(const Axis& axis, long inputs) {
  return (inputs - 1 + axis.reach()) / axis.stride + 2;
}

// Call body(first image, images, rows, columns) for every block of an extent.
template <class Body>
SKDEEP_INLINE void each_block(Extent extent, long begin, long end, long n_rows,
                              long n_columns, Body body) {
  for (long i = begin; i < end; i += extent.images) {
    const long images = smaller(extent.images, end - i);
    for (long y = 0; y < n_rows; y += extent.rows) {
      const Range rows = {y, smaller(y + extent.rows, n_rows)};
      for (long x = 0; x < n_columns; x += extent.columns) {
        body(i, images, rows, Range{x, smaller(x + extent.columns, n_columns)});
      }
    }
  }
}

// Channels that are multiplied at a time: all, unless there are so many that the right
// matrix does not stay in the cache
inline long slice_of(long channels, long places) {
  if (channels * places <= depth_limit + depth_limit / 4) return channels;
  const long slices = divide_up(channels * places, depth_limit);
  return smaller(channels, larger(1, divide_up(divide_up(channels, slices), 16) * 16));
}

}  // namespace SKDEEP_ISA
}  // namespace skdeep
