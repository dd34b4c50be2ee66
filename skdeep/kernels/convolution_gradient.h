// The gradient of a convolution's kernel.
#pragma once

#include "convolution_shape.h"
#include "implicit_product.h"

namespace skdeep {
namespace SKDEEP_ISA {

// Rows of the result are numbers of the window, and the depth is that of the outputs.
template <class T>
struct KernelPass {
  const T *x, *d_out;
  T* d_kernel;
  long images;
  Convolution shape;

  Extent extent() const {
    return extent_of(shape.rows, shape.columns, shape.rows.out, shape.columns.out,
                     copied_channels() * (long)sizeof(T), positions_limit, inputs_for);
  }
  long copied_channels() const {
    return shape.is_depthwise() ? shape.channels : shape.group_channels();
  }
  // one line for each row of the window where its numbers lie side by side
  bool has_long_lines(long copied) const {
    return shape.columns.dilation == 1 && copied == shape.group_channels();
  }
  long scratch() const {
    const Extent e = extent();
    const long patch = e.images * inputs_for(shape.rows, e.rows) *
                       inputs_for(shape.columns, e.columns) * copied_channels();
    const long depth = e.images * e.rows * e.columns;
    return (patch + 4 * width<T> + depth * 2 * width<T>) * (long)sizeof(T) +
           depth * (long)sizeof(int) +
           shape.places() * (long)(sizeof(int) + sizeof(long)) + 64 * 6;
  }
};

template <class T>
KernelPass<T> kernel_pass(const Operation& o) {
  return {array<T>(o, 0), array<T>(o, 1), array<T>(o, 5), o.argument[0].rows,
          backward_kernel_of(o)};
}

template <class T>
SKDEEP_INLINE Patch<T> patch_of_outputs(const KernelPass<T>& pass, long channel,
                                        long channels, long image, long images, Range rows,
                                        Range columns, T* copy) {
  const Convolution& shape = pass.shape;
  const ImageSize size = {shape.rows.in, shape.columns.in, shape.channels};
  const T* x = pass.x + image * size.rows * size.columns * size.channels;
  const Range seen_rows = inputs_seen(shape.rows, rows);
  const Range seen_columns = inputs_seen(shape.columns, columns);
  if (channels == size.channels && inside(seen_rows, size.rows) &&
      inside(seen_columns, size.columns)) {
    return {x, size.rows * size.columns * channels, size.columns * channels, channels, 0, 0};
  }
  return copy_patch(x, images, size, channel, channels, seen_rows, seen_columns, copy);
}

// The offset of each output of a block, in the order in which they are stored
template <class T>
SKDEEP_INLINE long fill_positions(const Convolution& shape, const Patch<T>& patch,
                                  long images, Range rows, Range columns, int* steps) {
  long p = 0;
  const Axis &y = shape.rows, &x = shape.columns;
  for (long i = 0; i < images; ++i) {
    for (long r = rows.begin; r < rows.end; ++r) {
      const long row = (r * y.stride - y.padding - patch.first_row) * patch.row;
      for (long c = columns.begin; c < columns.end; ++c) {
        const long place = (c * x.stride - x.padding - patch.first_column) * patch.place;
        steps[p++] = (int)(i * patch.image + row + place);
      }
    }
  }
  return p;
}

template <class T>
void multiply_outputs(const KernelPass<T>& pass, Worker& worker, long begin, long end) {
  const Convolution& shape = pass.shape;
  const Extent extent = pass.extent();
  const long channels = shape.group_channels(), filters = shape.filters;
  const long group_filters = shape.group_filters();
  Scratch scratch = {(char*)worker.scratch};
  int* const steps = scratch.take<int>(extent.images * extent.rows * extent.columns);
  int* const lines = scratch.take<int>(shape.places());
  long* const target_lines = scratch.take<long>(shape.places());
  T* const panel = scratch.take<T>(extent.images * extent.rows * extent.columns * 2 *
                                   width<T>);
  T* const copy = (T*)scratch.next;
  bool first_block = true;
  each_block(extent, 0, pass.images, shape.rows.out, shape.columns.out,
             [&](long image, long images, Range rows, Range columns) {
    for (long group = 0; group < shape.groups; ++group) {
      const Patch<T> patch = patch_of_outputs(pass, group * channels, channels, image,
                                              images, rows, columns, copy);
      ImplicitProduct<T> m;
      m.depth = fill_positions(shape, patch, images, rows, columns, steps);
      const bool long_lines = shape.columns.dilation == 1 && patch.place == channels;
      const long across = long_lines ? 1 : shape.columns.window;
      m.line_length = (long_lines ? shape.columns.window : 1) * channels;
      for (long k = 0, line = 0; k < shape.rows.window; ++k) {
        for (long l = 0; l < across; ++l, ++line) {
          lines[line] = (int)(k * shape.rows.dilation * patch.row +
                              l * shape.columns.dilation * patch.place);
          target_lines[line] = line * m.line_length * filters;
        }
      }
      m.a = patch.data;
      m.a_lines = lines;
      m.a_row = 1;
      m.steps = steps;
      m.c_lines = target_lines;
      m.c_row = filters;
      m.initial = nullptr;
      m.accumulates = !first_block;
      const long position =
          (image * shape.rows.out + rows.begin) * shape.columns.out + columns.begin;
      for (long j = 0; j < group_filters; j += 2 * width<T>) {
        const int wide = (int)smaller(2 * width<T>, group_filters - j);
        const long first = group * group_filters + j;
        m.b = pass.d_out + position * filters + first;
        m.b_row = filters;
        if (wide % width<T> != 0 ||
            (filters * (long)sizeof(T) > 640 && end - begin > 2 * tile_rows)) {
          const int panel_columns = wide > width<T> ? 2 * width<T> : width<T>;
          pack_panel(m.b, filters, 1, m.depth, wide, panel_columns, panel);
          m.b = panel;
          m.b_row = panel_columns;
        }
        m.c = pass.d_kernel + first;
        multiply_implicit(m, begin, end, wide);
      }
    }
    first_block = false;
  });
}

// Sums for `N` places of the window and a vector of channels
template <class T, int N, class At>
SKDEEP_INLINE void depthwise_sums(At at, const T* a, const int* places, const int* steps,
                                  long depth, const T* d_out, long channels,
                                  bool accumulates, T* d_kernel) {
  Vector<T> sum[N];
  for (int i = 0; i < N; ++i) sum[i] = Vector<T>{};
  long offset[N];
  for (int i = 0; i < N; ++i) offset[i] = places[i];
  for (long p = 0; p < depth; ++p) {
    const T* from = a + steps[p];
    const Vector<T> d = at.load(d_out + p * channels);
#pragma GCC unroll 9
    for (int i = 0; i < N; ++i) sum[i] += at.load(from + offset[i]) * d;
  }
  for (int i = 0; i < N; ++i) {
    T* to = d_kernel + i * channels;
    at.store(to, accumulates ? at.load(to) + sum[i] : sum[i]);
  }
}

template <class T>
void sum_by_channel(const KernelPass<T>& pass, Worker& worker, long begin, long end) {
  const Convolution& shape = pass.shape;
  const Extent extent = pass.extent();
  const long channels = shape.channels;
  Scratch scratch = {(char*)worker.scratch};
  int* const steps = scratch.take<int>(extent.images * extent.rows * extent.columns);
  int* const places = scratch.take<int>(shape.places());
  T* const copy = (T*)scratch.next;
  bool first_block = true;
  each_block(extent, 0, pass.images, shape.rows.out, shape.columns.out,
             [&](long image, long images, Range rows, Range columns) {
    Patch<T> patch = patch_of_outputs(pass, begin, end - begin, image, images, rows,
                                      columns, copy);
    const long depth = fill_positions(shape, patch, images, rows, columns, steps);
    for (long k = 0, n = 0; k < shape.rows.window; ++k) {
      for (long l = 0; l < shape.columns.window; ++l) {
        places[n++] = (int)(k * shape.rows.dilation * patch.row +
                            l * shape.columns.dilation * patch.place);
      }
    }
    const long position =
        (image * shape.rows.out + rows.begin) * shape.columns.out + columns.begin;
    const T* d_out = pass.d_out + position * channels + begin;
    each_vector<T>(0, end - begin, [&](auto at) {
      long n = 0;
      for (; n + 9 <= shape.places(); n += 9) {
        depthwise_sums<T, 9>(at, patch.data, places + n, steps, depth, d_out, channels,
                             !first_block, pass.d_kernel + n * channels + begin);
      }
      for (; n + 3 <= shape.places(); n += 3) {
        depthwise_sums<T, 3>(at, patch.data, places + n, steps, depth, d_out, channels,
                             !first_block, pass.d_kernel + n * channels + begin);
      }
      for (; n < shape.places(); ++n) {
        depthwise_sums<T, 1>(at, patch.data, places + n, steps, depth, d_out, channels,
                             !first_block, pass.d_kernel + n * channels + begin);
      }
    });
    first_block = false;
  });
}

}  // namespace SKDEEP_ISA
}  // namespace skdeep
