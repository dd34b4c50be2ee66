// Winograd's minimal filtering: a convolution of 3 x 3 windows as 36 products of matrices;
// winograd.py has the formulas.
//
// Tiles of all images are numbered one after the other, and worked on in blocks: what is
// transformed stays in the second cache until it is multiplied, and the products until
// they are transformed back. No tile depends on which others are in its block.
#include "gemm.h"
#include "scratch_memory.h"
#include "winograd_transform.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

// Images and their tiles: those of the outputs
struct Tiling {
  ImageSize in, out;
  long padding[2];
  long rows, columns;  // of tiles

  long tiles() const { return rows * columns; }
};

Tiling tiling_of(const Operation& o, int x, int padding, int out) {
  const long *in = o.argument[x].shape, *size = o.argument[out].shape;
  const long* before = o.argument[padding].shape;
  return {{in[1], in[2], in[3]},
          {size[1], size[2], size[3]},
          {before[0], before[1]},
          divide_up(size[1], tile_outputs),
          divide_up(size[2], tile_outputs)};
}

// Call body(number in the block, image, row, column) for tiles; rows and columns are those
// of the outputs.
template <class Body>
SKDEEP_INLINE void each_tile(const Tiling& g, long begin, long end, Body body) {
  long image = begin / g.tiles(), y = begin % g.tiles() / g.columns, x = begin % g.columns;
  for (long t = 0; t < end - begin; ++t) {
    body(t, image, y * tile_outputs, x * tile_outputs);
    if (++x == g.columns) x = 0, ++y;
    if (y == g.rows) y = 0, ++image;
  }
}

// Call body(first tile, end of the tiles) for blocks of as equal a size as can be.
template <class Body>
SKDEEP_INLINE void each_block_of_tiles(long tiles, long most, Body body) {
  const long blocks = divide_up(tiles, most);
  for (long i = 0; i < blocks; ++i) body(tiles * i / blocks, tiles * (i + 1) / blocks);
}

// From the matrix of a position to the next: an odd number of cache lines, so that the
// positions of a tile do not take each other's place in the cache.
template <class T>
long stride_of(long tiles, long channels) {
  constexpr long line = 64 / sizeof(T);
  return (divide_up(tiles * channels, line) | 1) * line;
}

// --- outputs ------------------------------------------------------------------------------

// Tiles at a time: all positions of them, and of their products, are to be in the second
// cache. Where the weights are not, they are read for every block: of more tiles then.
constexpr long block_of_outputs_bytes = 768 * 1024, near_weights_bytes = 512 * 1024;
constexpr long largest_block_of_outputs_bytes = 8 * 1024 * 1024;

template <class T>
long tiles_of_outputs(const Tiling& g) {
  const long channels = g.in.channels, filters = g.out.channels;
  const long bytes = positions * (channels + filters) * (long)sizeof(T);
  const long weights = positions * channels * filters * (long)sizeof(T);
  const long wanted = weights <= near_weights_bytes ? 28 : 112;
  const long allowed = larger(28, largest_block_of_outputs_bytes / bytes);
  const long tiles = larger(block_of_outputs_bytes / bytes, smaller(wanted, allowed));
  return tiles / tile_rows * tile_rows;
}

template <class T>
long outputs_scratch(const Tiling& g) {
  const long tiles = tiles_of_outputs<T>(g);
  const long inputs = positions * stride_of<T>(tiles, g.in.channels);
  const long products = positions * stride_of<T>(tiles, g.out.channels);
  const long zeros = tile_inputs * g.in.channels;
  return scratch_bytes + (inputs + products + zeros) * (long)sizeof(T) + 64 * 3;
}

template <class T>
void winograd_convolution(const Operation& o, Worker& worker, long begin, long end) {
  const Tiling g = tiling_of(o, 0, 3, 4);
  const long channels = g.in.channels, filters = g.out.channels;
  const T* x = array<T>(o, 0) + begin * o.argument[0].columns;
  const T *weights = array<T>(o, 1), *bias = array<T>(o, 2);
  const long position = o.argument[1].columns;
  T* out = array<T>(o, 4) + begin * o.argument[4].columns;
  const long most = tiles_of_outputs<T>(g);
  Scratch scratch = {(char*)worker.scratch + scratch_bytes};
  T* const zeros = scratch.take<T>(tile_inputs * channels);
  T* const inputs = scratch.take<T>(positions * stride_of<T>(most, channels));
  T* const products = scratch.take<T>(positions * stride_of<T>(most, filters));
  fill_zeros(zeros, tile_inputs * channels);
  each_block_of_tiles((end - begin) * g.tiles(), most, [&](long first, long last) {
    const long tiles = last - first;
    const long stride = stride_of<T>(tiles, channels);
    const long product_stride = stride_of<T>(tiles, filters);
    each_tile(g, first, last, [&](long t, long image, long r, long c) {
      const TileRows<T, 6> tile =
          rows_of_tile<T, 6>(x + image * o.argument[0].columns, g.in, r - g.padding[0],
                             c - g.padding[1], zeros);
      T* to = inputs + t * channels;
      transform_pair<T, 6, 0>(tile, channels, to, 0, 5, stride);
      transform_pair<T, 6, 1>(tile, channels, to, 1, 2, stride);
      transform_pair<T, 6, 2>(tile, channels, to, 3, 4, stride);
    });
    for (long n = 0; n < positions; ++n) {
      multiply<T>({inputs + n * stride, channels, 1,              //
                   weights + n * position, filters, 1,            //
                   products + n * product_stride, filters,        //
                   tiles, filters, channels, nullptr},
                  worker.scratch);
    }
    each_tile(g, first, last, [&](long t, long image, long r, long c) {
      const TileOutputs<T> to = {
          out + image * o.argument[4].columns + (r * g.out.columns + c) * filters,
          smaller(tile_outputs, g.out.rows - r), smaller(tile_outputs, g.out.columns - c),
          g.out.columns * filters, filters};
      each_full_vector<T>(filters, [&](long f) {
        const T* from = products + t * filters + f;
        const Vector<T> b = bias ? load(bias + f) : Vector<T>{};
        transform_products<T, false>(from, product_stride, b, to, f);
        transform_products<T, true>(from, product_stride, b, to, f);
      });
    });
  });
}

// --- weights ------------------------------------------------------------------------------

// Nine vectors of weights at all positions; place (i, j) is at g + (3 * i + j) * place.
template <class T>
SKDEEP_INLINE void transform_weights(const T* g, long place, T* to, long stride) {
  Vector<T> rows[3][6];
#pragma GCC unroll 3
  for (int j = 0; j < 3; ++j) {
    const Vector<T> column[3] = {load(g + j * place), load(g + (3 + j) * place),
                                 load(g + (6 + j) * place)};
    weights_at_points<T>(column, rows[j]);
  }
#pragma GCC unroll 6
  for (int i = 0; i < 6; ++i) {
    const Vector<T> row[3] = {rows[0][i], rows[1][i], rows[2][i]};
    Vector<T> w[6];
    weights_at_points<T>(row, w);
    for (int j = 0; j < 6; ++j) store(to + (6 * i + j) * stride, w[j]);
  }
}

// All positions of a row of up to `most` numbers, which are written together: the positions
// lie in pages of their own, and to find a page takes longer than to write a vector.
template <class T>
struct WeightsOfRow {
  static constexpr long most = 128;
  T numbers[positions * most];

  // g is the row at the first of nine places
  SKDEEP_INLINE void transform(const T* g, long place, long count) {
    each_full_vector<T>(count, [&](long i) {
      transform_weights(g + i, place, numbers + i, most);
    });
  }
  SKDEEP_INLINE void write(T* to, long position, long count) const {
    for (long n = 0; n < positions; ++n) {
      copy_numbers(numbers + n * most, count, to + n * position);
    }
  }
  // from several parts
  SKDEEP_INLINE void add_up(const T* from, long position, long part, long parts,
                            long count) {
    for (long n = 0; n < positions; ++n) {
      each_full_vector<T>(count, [&](long i) {
        const T* first = from + n * position + i;
        Vector<T> sum = load(first);
        for (long p = 1; p < parts; ++p) sum += load(first + p * part);
        store(numbers + n * most + i, sum);
      });
    }
  }
};

// Call body(first, count) for parts of a row, each at least a vector wide; the last may take
// some numbers of the one before it again.
template <class T, class Body>
SKDEEP_INLINE void each_part_of_row(long length, Body body) {
  constexpr long most = WeightsOfRow<T>::most;
  for (long i = 0; i < length; i += most) {
    const long count = smaller(most, length - i);
    if (count < width<T>) {
      body(length - width<T>, (long)width<T>);
    } else {
      body(i, count);
    }
  }
}

// For the channels from begin to end
template <class T>
void winograd_weights(const Operation& o, Worker&, long begin, long end) {
  const T* kernel = array<T>(o, 0);
  T* weights = array<T>(o, 1);
  const long filters = o.argument[0].shape[3];
  const long place = o.argument[0].shape[2] * filters, position = o.argument[1].columns;
  WeightsOfRow<T> row;
  for (long c = begin; c < end; ++c) {
    each_part_of_row<T>(filters, [&](long f, long count) {
      const long offset = c * filters + f;
      row.transform(kernel + offset, place, count);
      row.write(weights + offset, position, count);
    });
  }
}

// For the filters from begin to end: the weights of what goes back, turned around, with
// filters in the place of channels
template <class T>
void winograd_weights_backward(const Operation& o, Worker& worker, long begin, long end) {
  constexpr long at_a_time = 16, most = WeightsOfRow<T>::most;
  const T* kernel = array<T>(o, 0);
  T* weights = array<T>(o, 1);
  const long channels = o.argument[0].shape[2], filters = o.argument[0].shape[3];
  const long place = channels * filters, position = o.argument[1].columns;
  T* const turned = (T*)worker.scratch;
  static_assert(9 * at_a_time * most * sizeof(T) <= scratch_bytes);
  WeightsOfRow<T> row;
  for (long f = begin; f < end; f += at_a_time) {
    const long rows = smaller(at_a_time, end - f);
    each_part_of_row<T>(channels, [&](long c, long count) {
      for (long n = 0; n < 9; ++n) {
        transpose(kernel + (8 - n) * place + c * filters + f, filters, rows, (int)count,
                  turned + n * rows * most, (int)most);
      }
      for (long r = 0; r < rows; ++r) {
        row.transform(turned + r * most, rows * most, count);
        row.write(weights + (f + r) * channels + c, position, count);
      }
    });
  }
}

// --- the gradient of the kernel --------------------------------------------------------------

// Images are summed in parts, so that several threads find work; each is as many tasks as
// there are pairs of rows of positions.
constexpr long unit = unit_of_columns;
// What is transformed leaves the second cache; but the sums, which are more, go through it
// once for each block.
constexpr long block_of_sums_bytes = 4 * 1024 * 1024, longest_block = 208;

template <class T>
long tiles_of_sums(const Tiling& g) {
  const long bytes = 12 * (g.in.channels + g.out.channels) * (long)sizeof(T);
  return larger(16, smaller(longest_block, block_of_sums_bytes / bytes));
}

template <class T>
long sums_scratch(const Tiling& g) {
  const long tiles = tiles_of_sums<T>(g);
  const long inputs = 12 * stride_of<T>(tiles, g.in.channels);
  const long gradients = 12 * stride_of<T>(tiles, g.out.channels);
  const long zeros = tile_inputs * larger(g.in.channels, g.out.channels);
  const long product = g.in.channels * g.out.channels;
  return scratch_bytes + (inputs + gradients + zeros + product) * (long)sizeof(T) + 64 * 4;
}

template <class T>
struct SumOfTiles {
  const T *x, *d_out;
  T* sums;  // of all positions, which lie so far apart
  long position;
  Tiling g;
  T *zeros, *inputs, *gradients, *product;
  void* scratch;

  // A pair of rows of positions, for a block of tiles
  template <int Pair>
  void add(long first, long last, bool is_first) const {
    const long channels = g.in.channels, filters = g.out.channels;
    const long stride = stride_of<T>(last - first, channels);
    const long d_stride = stride_of<T>(last - first, filters);
    const long in_image = g.in.rows * g.in.columns * channels;
    const long out_image = g.out.rows * g.out.columns * filters;
    each_tile(g, first, last, [&](long t, long image, long r, long c) {
      const auto seen = rows_of_tile<T, 6>(x + image * in_image, g.in, r - g.padding[0],
                                           c - g.padding[1], zeros);
      transform_pair<T, 6, Pair>(seen, channels, inputs + t * channels, 0, 1, stride);
      const auto tile = rows_of_tile<T, 4>(d_out + image * out_image, g.out, r, c, zeros);
      transform_pair<T, 4, Pair>(tile, filters, gradients + t * filters, 0, 1, d_stride);
    });
    for (long n = 0; n < 12; ++n) {
      T* sum = sums + (rows_of_pair[Pair][n / 6] * 6 + n % 6) * position;
      multiply<T>({inputs + n * stride, 1, channels,      //
                   gradients + n * d_stride, filters, 1,  //
                   is_first ? sum : product, filters,     //
                   channels, filters, last - first, nullptr},
                  scratch);
      if (is_first) continue;
      each_vector<T>(0, channels * filters, [&](auto at) {
        at.store(sum, at.load(sum) + at.load(product));
      });
    }
  }

  void add(long pair, long first, long last, bool is_first) const {
    if (pair == 0) add<0>(first, last, is_first);
    if (pair == 1) add<1>(first, last, is_first);
    if (pair == 2) add<2>(first, last, is_first);
  }

  void fill(long pair) const {
    for (long row : rows_of_pair[pair]) {
      fill_zeros(sums + row * 6 * position, 6 * position);
    }
  }
};

template <class T>
void winograd_sums(const Operation& o, Worker& worker, long begin, long end) {
  const Tiling g = tiling_of(o, 0, 2, 1);
  const long channels = g.in.channels, filters = g.out.channels;
  const long images = o.argument[0].rows, parts = o.argument[3].rows;
  const long most = tiles_of_sums<T>(g);
  Scratch scratch = {(char*)worker.scratch + scratch_bytes};
  SumOfTiles<T> sum;
  sum.g = g;
  sum.position = o.argument[3].shape[2];
  sum.zeros = scratch.take<T>(tile_inputs * larger(channels, filters));
  sum.inputs = scratch.take<T>(12 * stride_of<T>(most, channels));
  sum.gradients = scratch.take<T>(12 * stride_of<T>(most, filters));
  sum.product = scratch.take<T>(channels * filters);
  sum.scratch = worker.scratch;
  fill_zeros(sum.zeros, tile_inputs * larger(channels, filters));
  const long first_task = begin / unit, end_of_tasks = divide_up(end, unit);
  for (long task = first_task; task < end_of_tasks;) {
    const long part = task / 3, next = smaller(end_of_tasks, 3 * part + 3);
    const long first = images * part / parts, last = images * (part + 1) / parts;
    sum.x = array<T>(o, 0) + first * o.argument[0].columns;
    sum.d_out = array<T>(o, 1) + first * o.argument[1].columns;
    sum.sums = array<T>(o, 3) + part * o.argument[3].columns;
    if (first == last) {
      for (long n = task; n < next; ++n) sum.fill(n % 3);
    }
    each_block_of_tiles((last - first) * g.tiles(), most, [&](long block, long stop) {
      for (long n = task; n < next; ++n) sum.add(n % 3, block, stop, block == 0);
    });
    task = next;
  }
}

// Nine vectors of gradients from those of all positions
template <class T>
SKDEEP_INLINE void transform_sums(const T* sums, long stride, T* g, long place) {
  Vector<T> rows[3][6];
#pragma GCC unroll 6
  for (int j = 0; j < 6; ++j) {
    Vector<T> column[6], w[3];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) column[i] = load(sums + (6 * i + j) * stride);
    gradients_of_weights<T>(column, w);
#pragma GCC unroll 3
    for (int k = 0; k < 3; ++k) rows[k][j] = w[k];
  }
#pragma GCC unroll 3
  for (int k = 0; k < 3; ++k) {
    Vector<T> w[3];
    gradients_of_weights<T>(rows[k], w);
#pragma GCC unroll 3
    for (int l = 0; l < 3; ++l) store(g + (3 * k + l) * place, w[l]);
  }
}

// For the channels from begin to end
template <class T>
void winograd_backward_kernel(const Operation& o, Worker&, long begin, long end) {
  const T* sums = array<T>(o, 0);
  T* d_kernel = array<T>(o, 1);
  const long parts = o.argument[0].rows, part = o.argument[0].columns;
  const long position = o.argument[0].shape[2], filters = o.argument[1].shape[3];
  const long place = o.argument[1].shape[2] * filters;
  WeightsOfRow<T> row;
  for (long c = begin; c < end; ++c) {
    each_part_of_row<T>(filters, [&](long f, long count) {
      const long offset = c * filters + f;
      row.add_up(sums + offset, position, part, parts, count);
      each_full_vector<T>(count, [&](long i) {
        transform_sums(row.numbers + i, row.most, d_kernel + offset + i, place);
      });
    });
  }
}

bool is_double(const Operation& o) { return o.argument[1].type == Type::float64; }

long scratch_of_convolution(const Operation& o) {
  const Tiling g = tiling_of(o, 0, 3, 4);
  return is_double(o) ? outputs_scratch<double>(g) : outputs_scratch<float>(g);
}
long scratch_of_sums(const Operation& o) {
  const Tiling g = tiling_of(o, 0, 2, 1);
  return is_double(o) ? sums_scratch<double>(g) : sums_scratch<float>(g);
}
long channels_of_weights(const Operation& o) { return o.argument[0].shape[2]; }
long filters_of_weights(const Operation& o) { return o.argument[0].shape[3]; }
long tasks_of_sums(const Operation& o) { return 3 * unit * o.argument[3].rows; }
long channels_of_gradient(const Operation& o) { return o.argument[1].shape[2]; }

constexpr KernelEntry entries[] = {
    {"winograd_convolution", Split::rows, 0, winograd_convolution<float>,
     winograd_convolution<double>, nullptr, scratch_of_convolution},
    {"winograd_weights", Split::columns, 0, winograd_weights<float>,
     winograd_weights<double>, channels_of_weights},
    {"winograd_weights_backward", Split::columns, 0, winograd_weights_backward<float>,
     winograd_weights_backward<double>, filters_of_weights},
    {"winograd_sums", Split::columns, 0, winograd_sums<float>, winograd_sums<double>,
     tasks_of_sums, scratch_of_sums},
    {"winograd_backward_kernel", Split::columns, 0, winograd_backward_kernel<float>,
     winograd_backward_kernel<double>, channels_of_gradient},
};

}  // namespace

extern const KernelFamily winograd_kernels = {entries, sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
