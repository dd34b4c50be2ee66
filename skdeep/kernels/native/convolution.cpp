// Convolution of images, channels last, and its derivatives, as matrix products whose left
// matrix, of windows, is never stored; skdeep/kernels/reference/convolution.py has the
// formulas.
//
// The inputs of a block of outputs are copied into scratch memory with zeros around the
// images, a slice of the channels at a time. Where one reads the number at a place of the
// window, for some output, is then an offset of the output plus an offset of the place.
#include "image_window.h"
#include "implicit_product.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

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

Convolution convolution_of(const Operation& o, int x, int kernel, int strides, int out) {
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

Convolution forward_of(const Operation& o) { return convolution_of(o, 0, 1, 3, 6); }
Convolution backward_input_of(const Operation& o) { return convolution_of(o, 5, 1, 2, 0); }
Convolution backward_kernel_of(const Operation& o) {
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

long inputs_for(const Axis& axis, long outputs) {
  return (outputs - 1) * axis.stride + axis.reach() + 1;
}
long outputs_for(const Axis& axis, long inputs) {
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
long slice_of(long channels, long places) {
  if (channels * places <= depth_limit + depth_limit / 4) return channels;
  const long slices = divide_up(channels * places, depth_limit);
  return smaller(channels, larger(1, divide_up(divide_up(channels, slices), 16) * 16));
}

// Memory that is given out in pieces that begin where cache lines do
struct Scratch {
  char* next;

  template <class T>
  T* take(long count) {
    T* piece = (T*)next;
    next += divide_up(count * (long)sizeof(T), 64) * 64;
    return piece;
  }
};

// --- outputs from inputs, and gradients of inputs from those of outputs ------------------

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

Phase phase_of_outputs(const Axis& axis, Range outputs) {
  return {outputs.begin, 1, outputs.size(), outputs.begin * axis.stride - axis.padding,
          axis.stride, axis.dilation, 0, 1, 1};
}

// The inputs i of a range with (i + padding) % stride == residue
Phase phase_of_inputs(const Axis& axis, Range inputs, long residue) {
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

// --- gradients of kernels ---------------------------------------------------------------

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

// --- the kernels ------------------------------------------------------------------------

template <class T>
void convolution_forward(const Operation& o, Worker& worker, long begin, long end) {
  const Pass<T> pass = forward_pass<T>(o);
  if (pass.shape.is_dense()) {
    const long places = pass.shape.rows.in * pass.shape.columns.in;
    const long channels = pass.shape.channels, filters = pass.shape.filters;
    multiply<T>({pass.source + begin * places * channels, channels, 1,  //
                 pass.kernel, filters, 1,                               //
                 pass.target + begin * places * filters, filters,       //
                 (end - begin) * places, filters, channels, pass.bias},
                worker.scratch);
  } else if (pass.shape.is_depthwise()) {
    multiply_by_channel(pass, worker, begin, end);
  } else {
    multiply_windows(pass, worker, begin, end);
  }
}

template <class T>
void convolution_backward_input(const Operation& o, Worker& worker, long begin, long end) {
  const Pass<T> pass = backward_pass<T>(o);
  if (pass.shape.is_dense()) {
    const long places = pass.shape.rows.in * pass.shape.columns.in;
    const long channels = pass.shape.channels, filters = pass.shape.filters;
    multiply<T>({pass.source + begin * places * filters, filters, 1,  //
                 pass.kernel, 1, filters,                             //
                 pass.target + begin * places * channels, channels,   //
                 (end - begin) * places, channels, filters, nullptr},
                worker.scratch);
  } else if (pass.shape.is_depthwise()) {
    multiply_by_channel(pass, worker, begin, end);
  } else {
    multiply_windows(pass, worker, begin, end);
  }
}

// For the numbers of the window from begin to end; depthwise, for channels
template <class T>
void convolution_backward_kernel(const Operation& o, Worker& worker, long begin, long end) {
  const KernelPass<T> pass = kernel_pass<T>(o);
  if (pass.images == 0) {
    const long filters = pass.shape.filters;
    if (pass.shape.is_depthwise()) {
      for (long n = 0; n < pass.shape.places(); ++n) {
        fill_zeros(pass.d_kernel + n * filters + begin, end - begin);
      }
    } else {
      fill_zeros(pass.d_kernel + begin * filters, (end - begin) * filters);
    }
  } else if (pass.shape.is_dense()) {
    const long places = pass.shape.rows.in * pass.shape.columns.in;
    const long channels = pass.shape.channels, filters = pass.shape.filters;
    multiply<T>({pass.x + begin, 1, channels,                     //
                 pass.d_out, filters, 1,                          //
                 pass.d_kernel + begin * filters, filters,        //
                 end - begin, filters, pass.images * places, nullptr},
                worker.scratch);
  } else if (pass.shape.is_depthwise()) {
    sum_by_channel(pass, worker, begin, end);
  } else {
    multiply_outputs(pass, worker, begin, end);
  }
}

// Sums of columns over all places, in blocks of rows and blocks of those, to lose fewer
// digits; every vector of columns goes through a block while it is in the cache.
template <class T>
void convolution_backward_bias(const Operation& o, Worker& worker, long begin, long end) {
  constexpr long block = 64;
  constexpr long most = scratch_bytes / (long)sizeof(T);
  const T* d_out = array<T>(o, 0);
  T *d_bias = array<T>(o, 1), *part = (T*)worker.scratch;
  const long filters = o.argument[1].rows;
  const long places = o.argument[0].rows * o.argument[0].columns / larger(1, filters);
  for (long j = begin; j < end; j += most) {
    const long stop = smaller(j + most, end);
    fill_zeros(d_bias + j, stop - j);
    for (long start = 0; start < places; start += block * block) {
      fill_zeros(part, stop - j);
      const long end_of_part = smaller(start + block * block, places);
      for (long i = start; i < end_of_part; i += block) {
        const long last = smaller(i + block, end_of_part);
        each_vector<T>(j, stop, [=](auto at) {
          Vector<T> sum{};
          for (long k = i; k < last; ++k) sum += at.load(d_out + k * filters);
          at.store(part - j, at.load(part - j) + sum);
        });
      }
      each_vector<T>(j, stop, [=](auto at) {
        at.store(d_bias, at.load(d_bias) + at.load(part - j));
      });
    }
  }
}

bool is_double(const Operation& o) { return o.argument[1].type == Type::float64; }

long forward_scratch(const Operation& o) {
  return is_double(o) ? forward_pass<double>(o).scratch() : forward_pass<float>(o).scratch();
}
long backward_scratch(const Operation& o) {
  return is_double(o) ? backward_pass<double>(o).scratch()
                      : backward_pass<float>(o).scratch();
}
long kernel_scratch(const Operation& o) {
  return is_double(o) ? kernel_pass<double>(o).scratch() : kernel_pass<float>(o).scratch();
}
long kernel_length(const Operation& o) {
  const Convolution shape = backward_kernel_of(o);
  return shape.is_depthwise() ? shape.channels : shape.places() * shape.group_channels();
}

constexpr KernelEntry entries[] = {
    {"convolution_forward", Split::rows, 0, convolution_forward<float>,
     convolution_forward<double>, nullptr, forward_scratch},
    {"convolution_backward_kernel", Split::columns, 0, convolution_backward_kernel<float>,
     convolution_backward_kernel<double>, kernel_length, kernel_scratch},
    {"convolution_backward_bias", Split::columns, 1, convolution_backward_bias<float>,
     convolution_backward_bias<double>},
    {"convolution_backward_input", Split::rows, 0, convolution_backward_input<float>,
     convolution_backward_input<double>, nullptr, backward_scratch},
};

}  // namespace

extern const KernelFamily convolution_kernels = {entries, sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
