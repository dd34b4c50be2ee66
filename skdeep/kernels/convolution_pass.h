// Convolution forwards, and back to the gradient of its inputs.
#pragma once

#include "convolution_shape.h"
#include "implicit_product.h"

namespace skdeep {
namespace SKDEEP_ISA {

// A row of places that look at regular places of another image through the same numbers
// of the kernel: all outputs, or every stride-th input.
struct Phase {
  long first, step, count;   // places: first, first + step, ...
  long source, source_step;  // what place they look at through an offset of zero
  // through number k of the window: by (k * dilation - residue) / modulus * sign, where
  // that is a whole number, and else not at all
  long dilation, residue, modulus, sign;

  SKDEEP_INLINE bool sees(long k) const { return (k * dilation - residue) % modulus == 0; }
  SKDEEP_INLINE long offset(long k) const {
    return (k * dilation - residue) / modulus * sign;
  }
};

inline Phase phase_of_outputs(const Axis& axis, Range outputs) {
  return {outputs.begin, 1, outputs.size(), outputs.begin * axis.stride - axis.padding,
          axis.stride, axis.dilation, 0, 1, 1};
}

// The inputs i of a range with (i + padding) % stride == residue
inline Phase phase_of_inputs(const Axis& axis, Range inputs, long residue) {
  const long s = axis.stride;
  const long skipped = ((residue - inputs.begin - axis.padding) % s + s) % s;
  const long first = inputs.begin + skipped;
  const long count = first < inputs.end ? divide_up(inputs.end - first, s) : 0;
  return {first, s, count, (first + axis.padding - residue) / s, 1, axis.dilation, residue,
          s, -1};
}

// What the two passes have in common: target = source, seen through the kernel
template <class T>
struct Pass {
  const T* source;
  ImageSize source_size;
  long source_channels;  // of a group
  T* target;
  ImageSize target_size;
  long target_channels;
  const T* kernel;
  const T* bias;
  bool backward;
  Convolution shape;

  Extent extent() const {
    const long bytes = slice() * (long)sizeof(T);
    return extent_of(shape.rows, shape.columns, target_size.rows, target_size.columns,
                     bytes, 1L << 40, backward ? outputs_for : inputs_for);
  }
  long slice() const {
    return shape.is_depthwise() ? source_size.channels
                                : slice_of(source_channels, shape.places());
  }
  long panel_numbers() const { return shape.places() * slice() * 2 * width<T>; }
  long scratch() const {
    const Extent e = extent();
    const auto seen = backward ? outputs_for : inputs_for;
    const long patch = e.images * seen(shape.rows, e.rows) *
                       seen(shape.columns, e.columns) * slice();
    const long depth = shape.places() * slice(), lines = e.images * e.rows;
    return (patch + 4 * width<T> + panel_numbers()) * (long)sizeof(T) +
           lines * (long)(sizeof(int) + sizeof(long)) +
           (depth + shape.places()) * (long)sizeof(int) + 64 * 6;
  }
};

template <class T>
Pass<T> forward_pass(const Operation& o) {
  const Convolution c = forward_of(o);
  return {array<T>(o, 0),
          {c.rows.in, c.columns.in, c.channels},
          c.group_channels(),
          array<T>(o, 6),
          {c.rows.out, c.columns.out, c.filters},
          c.group_filters(),
          array<T>(o, 1),
          array<T>(o, 2),
          false,
          c};
}

template <class T>
Pass<T> backward_pass(const Operation& o) {
  const Convolution c = backward_input_of(o);
  return {array<T>(o, 0),
          {c.rows.out, c.columns.out, c.filters},
          c.group_filters(),
          array<T>(o, 5),
          {c.rows.in, c.columns.in, c.channels},
          c.group_channels(),
          array<T>(o, 1),
          nullptr,
          true,
          c};
}

// The tables of a phase: offsets of the places of the window (and which they are), and
// of the lines.
struct Tables {
  int* places;   // number of the place in the window
  int* offsets;  // of each place
  int* lines;
  long* target_lines;
  int* steps;
  long n_places;
};

template <class T>
SKDEEP_INLINE void fill_tables(const Pass<T>& pass, const Patch<T>& patch, long images,
                               const Phase& y, const Phase& x, Tables& tables) {
  long n = 0;
  for (long k = 0; k < pass.shape.rows.window; ++k) {
    if (!y.sees(k)) continue;
    for (long l = 0; l < pass.shape.columns.window; ++l) {
      if (!x.sees(l)) continue;
      tables.places[n] = (int)(k * pass.shape.columns.window + l);
      tables.offsets[n++] = (int)(y.offset(k) * patch.row + x.offset(l) * patch.place);
    }
  }
  tables.n_places = n;
  const ImageSize& size = pass.target_size;
  for (long i = 0, line = 0; i < images; ++i) {
    for (long r = 0; r < y.count; ++r, ++line) {
      tables.lines[line] =
          (int)(i * patch.image + (y.source + r * y.source_step - patch.first_row) * patch.row +
                (x.source - patch.first_column) * patch.place);
      tables.target_lines[line] =
          ((i * size.rows + y.first + r * y.step) * size.columns + x.first) * size.channels;
    }
  }
}

// Call body(patch, first image, images, y, x) with the source of every block at hand, for
// every phase.
template <class T, class Body>
SKDEEP_INLINE void each_phase(const Pass<T>& pass, long channel, long channels, long image,
                              long images, Range rows, Range columns, T* copy, Body body) {
  const Convolution& shape = pass.shape;
  const ImageSize size = pass.source_size;
  const Range seen_rows = pass.backward ? outputs_seeing(shape.rows, rows)
                                        : inputs_seen(shape.rows, rows);
  const Range seen_columns = pass.backward ? outputs_seeing(shape.columns, columns)
                                           : inputs_seen(shape.columns, columns);
  const T* source = pass.source + image * size.rows * size.columns * size.channels;
  Patch<T> patch;
  if (channels == size.channels && inside(seen_rows, size.rows) &&
      inside(seen_columns, size.columns)) {
    patch = {source, size.rows * size.columns * channels, size.columns * channels, channels,
             0, 0};
  } else {
    patch = copy_patch(source, images, size, channel, channels, seen_rows, seen_columns,
                       copy);
  }
  if (!pass.backward) {
    body(patch, phase_of_outputs(shape.rows, rows),
         phase_of_outputs(shape.columns, columns));
    return;
  }
  for (long r = 0; r < shape.rows.stride; ++r) {
    const Phase y = phase_of_inputs(shape.rows, rows, r);
    for (long s = 0; s < shape.columns.stride && y.count; ++s) {
      const Phase x = phase_of_inputs(shape.columns, columns, s);
      if (x.count) body(patch, y, x);
    }
  }
}

// Copy what the numbers of a phase's places are multiplied with, for up to two vectors of
// columns.
template <class T>
SKDEEP_INLINE void pack_kernel(const Pass<T>& pass, const Tables& tables, long group,
                               long channel, long channels, long j, int columns, T* panel) {
  const long filters = pass.shape.filters, group_channels = pass.shape.group_channels();
  const int panel_columns = columns > width<T> ? 2 * width<T> : width<T>;
  const T* kernel = pass.kernel + group * pass.shape.group_filters();
  for (long n = 0; n < tables.n_places; ++n, panel += channels * panel_columns) {
    const T* place = kernel + tables.places[n] * group_channels * filters;
    if (pass.backward) {
      pack_panel(place + j * filters + channel, 1, filters, channels, columns,
                 panel_columns, panel);
    } else {
      pack_panel(place + channel * filters + j, filters, 1, channels, columns,
                 panel_columns, panel);
    }
  }
}

template <class T>
SKDEEP_INLINE void take_tables(const Pass<T>& pass, Extent extent, long channels,
                               Scratch& scratch, Tables& tables) {
  tables.places = scratch.take<int>(pass.shape.places());
  tables.offsets = scratch.take<int>(pass.shape.places());
  tables.lines = scratch.take<int>(extent.images * extent.rows);
  tables.target_lines = scratch.take<long>(extent.images * extent.rows);
  tables.steps = scratch.take<int>(pass.shape.places() * channels);
}

template <class T>
void multiply_windows(const Pass<T>& pass, Worker& worker, long begin, long end) {
  const Extent extent = pass.extent();
  const long slice = pass.slice(), filters = pass.shape.filters;
  Scratch scratch = {(char*)worker.scratch};
  Tables tables;
  take_tables(pass, extent, slice, scratch, tables);
  T* const panel = scratch.take<T>(pass.panel_numbers());
  T* const copy = (T*)scratch.next;
  const ImageSize size = pass.target_size;
  each_block(extent, begin, end, size.rows, size.columns, [&](long image, long images,
                                                              Range rows, Range columns) {
    T* target = pass.target + image * size.rows * size.columns * size.channels;
    for (long group = 0; group < pass.shape.groups; ++group) {
      for (long c = 0; c < pass.source_channels; c += slice) {
        const long channels = smaller(slice, pass.source_channels - c);
        each_phase(
            pass, group * pass.source_channels + c, channels, image, images, rows, columns,
            copy, [&](const Patch<T>& patch, const Phase& y, const Phase& x) {
              fill_tables(pass, patch, images, y, x, tables);
              const long depth = tables.n_places * channels;
              for (long n = 0, p = 0; n < tables.n_places; ++n) {
                for (long k = 0; k < channels; ++k) {
                  tables.steps[p++] = tables.offsets[n] + (int)k;
                }
              }
              ImplicitProduct<T> m;
              m.a = patch.data;
              m.a_lines = tables.lines;
              m.a_row = x.source_step * patch.place;
              m.steps = tables.steps;
              m.depth = depth;
              m.c_lines = tables.target_lines;
              m.c_row = x.step * size.channels;
              m.line_length = x.count;
              m.accumulates = c > 0;
              for (long j = 0; j < pass.target_channels; j += 2 * width<T>) {
                const int wide = (int)smaller(2 * width<T>, pass.target_channels - j);
                const bool direct = !pass.backward && wide % width<T> == 0 &&
                                    channels == pass.source_channels &&
                                    filters * (long)sizeof(T) <= 640;
                const long first = group * pass.target_channels + j;
                if (direct) {
                  m.b = pass.kernel + first;
                  m.b_row = filters;
                } else {
                  pack_kernel(pass, tables, group, c, channels, j, wide, panel);
                  m.b = panel;
                  m.b_row = wide > width<T> ? 2 * width<T> : width<T>;
                }
                m.c = target + first;
                m.initial = pass.bias && c == 0 ? pass.bias + first : nullptr;
                multiply_implicit(m, 0, images * y.count * x.count, wide);
              }
            });
      }
    }
  });
}

// --- depthwise ------------------------------------------------------------------------

// `N` places, a vector of channels
template <class T, int N, class At>
SKDEEP_INLINE void depthwise_tile(At at, const T* a, long a_row, const Tables& tables,
                                  const T* kernel, long channels, const T* bias, T* c,
                                  long c_row) {
  Vector<T> sum[N];
  for (int i = 0; i < N; ++i) sum[i] = bias ? at.load(bias) : Vector<T>{};
  for (long n = 0; n < tables.n_places; ++n) {
    const Vector<T> weight = at.load(kernel + tables.places[n] * channels);
    const T* from = a + tables.offsets[n];
#pragma GCC unroll 8
    for (int i = 0; i < N; ++i) sum[i] += at.load(from + i * a_row) * weight;
  }
  for (int i = 0; i < N; ++i) at.store(c + i * c_row, sum[i]);
}

template <class T>
void multiply_by_channel(const Pass<T>& pass, Worker& worker, long begin, long end) {
  const Extent extent = pass.extent();
  const ImageSize size = pass.target_size;
  const long channels = size.channels;
  Scratch scratch = {(char*)worker.scratch};
  Tables tables;
  take_tables(pass, extent, 1, scratch, tables);
  T* const copy = (T*)scratch.next;
  each_block(extent, begin, end, size.rows, size.columns, [&](long image, long images,
                                                              Range rows, Range columns) {
    T* target = pass.target + image * size.rows * size.columns * channels;
    each_phase(pass, 0, channels, image, images, rows, columns, copy,
               [&](const Patch<T>& patch, const Phase& y, const Phase& x) {
                 fill_tables(pass, patch, images, y, x, tables);
                 const long a_row = x.source_step * patch.place, c_row = x.step * channels;
                 each_vector<T>(0, channels, [&](auto at) {
                   for (long line = 0; line < images * y.count; ++line) {
                     const T* a = patch.data + tables.lines[line];
                     T* c = target + tables.target_lines[line];
                     long i = 0;
                     for (; i + 8 <= x.count; i += 8) {
                       depthwise_tile<T, 8>(at, a + i * a_row, a_row, tables, pass.kernel,
                                            channels, pass.bias, c + i * c_row, c_row);
                     }
                     for (; i + 4 <= x.count; i += 4) {
                       depthwise_tile<T, 4>(at, a + i * a_row, a_row, tables, pass.kernel,
                                            channels, pass.bias, c + i * c_row, c_row);
                     }
                     for (; i < x.count; ++i) {
                       depthwise_tile<T, 1>(at, a + i * a_row, a_row, tables, pass.kernel,
                                            channels, pass.bias, c + i * c_row, c_row);
                     }
                   }
                 });
               });
  });
}

}  // namespace SKDEEP_ISA
}  // namespace skdeep
