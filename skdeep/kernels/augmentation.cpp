// Random changes of images, each by itself; with the random numbers of the reference.
#include "image_window.h"
#include "philox.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

ImageSize image_size(const Argument& x) { return {x.shape[1], x.shape[2], x.shape[3]}; }

// Turn images around along axis 1 or 2, with a probability.
template <class T>
void flip_images(const Operation& o, Worker&, long begin, long end) {
  const ImageSize size = image_size(o.argument[0]);
  const Stream stream = stream_of(o, 1);
  const float probability = number<float>(o, 4);
  const bool across = number<double>(o, 5) == 2;
  const long numbers = o.argument[0].columns, line = size.columns * size.channels;
  for (long i = begin; i < end; ++i) {
    const T* x = array<T>(o, 0) + i * numbers;
    T* out = array<T>(o, 6) + i * numbers;
    if (!(stream.uniform(i) < probability)) {
      copy_numbers(x, numbers, out);
      continue;
    }
    for (long y = 0; y < size.rows; ++y) {
      const T* from = x + (across ? y : size.rows - 1 - y) * line;
      for (long c = 0; c < size.columns; ++c) {
        const long source = across ? size.columns - 1 - c : c;
        copy_numbers(from + source * size.channels, size.channels,
                     out + y * line + c * size.channels);
      }
    }
  }
}

// A whole number from -reach to reach
SKDEEP_INLINE long draw_shift(const Stream& stream, long i, long reach) {
  return (long)(stream.uniform(i) * (float)(2 * reach + 1)) - reach;
}

// Move images by whole places; what comes in from outside is zero, or the nearest place.
template <class T>
void shift_images(const Operation& o, Worker&, long begin, long end) {
  const ImageSize size = image_size(o.argument[0]);
  const Stream stream = stream_of(o, 1);
  const long* reach = o.argument[4].shape;
  const bool repeats = number<double>(o, 5) != 0;
  const long channels = size.channels;
  for (long i = begin; i < end; ++i) {
    const T* x = array<T>(o, 0) + i * o.argument[0].columns;
    T* out = array<T>(o, 6) + i * o.argument[0].columns;
    const long down = draw_shift(stream, 2 * i, reach[0]);
    const long right = draw_shift(stream, 2 * i + 1, reach[1]);
    for (long y = 0; y < size.rows; ++y) {
      const long row = larger(0, smaller(size.rows - 1, y + down));
      for (long c = 0; c < size.columns; ++c, out += channels) {
        const long column = larger(0, smaller(size.columns - 1, c + right));
        if (repeats || (row == y + down && column == c + right)) {
          copy_numbers(x + (row * size.columns + column) * channels, channels, out);
        } else {
          fill_zeros(out, channels);
        }
      }
    }
  }
}

// Put zeros in a rectangle of each image.
template <class T>
void cut_out(const Operation& o, Worker&, long begin, long end) {
  const ImageSize size = image_size(o.argument[0]);
  const Stream stream = stream_of(o, 1);
  const long* hole = o.argument[4].shape;
  const long numbers = o.argument[0].columns;
  for (long i = begin; i < end; ++i) {
    T* out = array<T>(o, 5) + i * numbers;
    copy_numbers(array<T>(o, 0) + i * numbers, numbers, out);
    const long top = (long)(stream.uniform(2 * i) * (float)size.rows) - hole[0] / 2;
    const long left = (long)(stream.uniform(2 * i + 1) * (float)size.columns) - hole[1] / 2;
    const Range rows = {larger(0, top), smaller(size.rows, top + hole[0])};
    const Range columns = {larger(0, left), smaller(size.columns, left + hole[1])};
    for (long y = rows.begin; y < rows.end && columns.size() > 0; ++y) {
      fill_zeros(out + (y * size.columns + columns.begin) * size.channels,
                 columns.size() * size.channels);
    }
  }
}

constexpr KernelEntry entries[] = {
    {"flip_images", Split::rows, 0, flip_images<float>, flip_images<double>},
    {"shift_images", Split::rows, 0, shift_images<float>, shift_images<double>},
    {"cut_out", Split::rows, 0, cut_out<float>, cut_out<double>},
};

}  // namespace

extern const KernelFamily augmentation_kernels = {entries,
                                                  sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
