// Matrix products c = a b (+ initial): a register-blocked microkernel and the loops
// around it.
//
// A tile of c, up to `tile_rows` by two vectors, stays in registers while the depth is
// walked. The left matrix is read where it lies through a few base pointers; the right
// one is copied a panel at a time, unless its rows lie close enough together. Every
// element of c is one chain of additions in the order of the depth, cut at places that
// depend on the depth alone: no result depends on how rows or columns were shared out.
#pragma once

#include "transpose.h"

namespace skdeep {
namespace SKDEEP_ISA {

// Two accumulators a row, two vectors of b and one broadcast must fit the registers.
#if SKDEEP_REGISTERS == 32
constexpr int tile_rows = 14;
#else
constexpr int tile_rows = 6;
#endif

// A panel of this many bytes stays in the first cache beside the left matrix's rows, and
// a block of the left matrix of this many in the second.
constexpr long panel_bytes = 26 * 1024, block_bytes = 256 * 1024;
// Where the left matrix has several blocks, they read so many bytes of panels in turn.
constexpr long packed_bytes = 640 * 1024;
static_assert(block_bytes + packed_bytes <= scratch_bytes);

template <class T>
struct Product {
  const T* a;  // a(i, p) = a[i * a_row + p * a_step]; one of the two steps is 1
  long a_row, a_step;
  const T* b;  // b(p, j) = b[p * b_row + j * b_column]; one of the two steps is 1
  long b_row, b_column;
  T* c;  // c(i, j) = c[i * c_row + j]
  long c_row;
  long rows, columns, depth;
  const T* initial;  // what every row of c starts from, or null for zeros
};

// Lines are fetched ahead for so many steps at a time.
constexpr int fetched = 16;

template <class T>
struct Tile {
  const T* a;
  long a_stride;
  const T* b;
  long b_stride, depth;
  T* c;
  long c_stride;
  const T* initial;
  bool accumulates;  // start from what c holds
  int last_columns;  // columns of the last vector
  const T* ahead;    // what will be read next, a line for two steps, or null
  long ahead_row;
};

// The first lanes of a vector, as many as another type has
template <class To, class From>
SKDEEP_INLINE To resized(From from) {
  To to{};
  __builtin_memcpy(&to, &from, sizeof to < sizeof from ? sizeof to : sizeof from);
  return to;
}

// V is a vector, or half of one where the tile has no more columns
template <class T, class V, int Rows, int Vectors, bool ByColumns>
void multiply_tile(const Tile<T>& tile) {
  constexpr int W = width<T>, groups = (Rows + 2) / 3;
  const bool whole = tile.last_columns == W;
  V sum[Rows][Vectors];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      const T* start = tile.accumulates ? tile.c + i * tile.c_stride : tile.initial;
      const bool full = whole || v < Vectors - 1;
      sum[i][v] = !start ? V{}
                  : full ? resized<V>(load(start + v * W))
                         : resized<V>(load_part(start + v * W, tile.last_columns, (T)0));
    }
  }
  const T* b = tile.b;
  [[maybe_unused]] const T* ahead = tile.ahead;
  // Rows a, a + s and a + 2 s are addressed from one pointer.
  const T* a[groups];
  const long s = tile.a_stride;
#pragma GCC unroll 8
  for (int g = 0; g < groups; ++g) a[g] = tile.a + (ByColumns ? 0 : 3 * g * s);
  // where registers are few, a tile by columns is so short that it pays for the chunks
  constexpr bool fetches = Vectors == 2 && (SKDEEP_REGISTERS == 32 || !ByColumns);
  const long chunk = fetches && ahead ? fetched : tile.depth;
  for (long p = 0; p < tile.depth;) {
    const long stop = p + chunk < tile.depth ? p + chunk : tile.depth;
    if (fetches && ahead) {
      for (int k = 0; k < fetched / 2; ++k, ahead += tile.ahead_row) {
        __builtin_prefetch(ahead, 0, 2);
      }
    }
    for (; p < stop; ++p) {
      V right[Vectors];
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) __builtin_memcpy(&right[v], b + v * W, sizeof(V));
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
        const T left = ByColumns ? a[0][i] : a[i / 3][(i % 3) * s];
#pragma GCC unroll 2
        for (int v = 0; v < Vectors; ++v) sum[i][v] += right[v] * left;
      }
      b += tile.b_stride;
      if constexpr (ByColumns) {
        a[0] += s;
      } else {
#pragma GCC unroll 8
        for (int g = 0; g < groups; ++g) {
          a[g] += 1;
          asm("" : "+r"(a[g]));  // keeps the compiler from making a pointer for each row
        }
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
    T* c = tile.c + i * tile.c_stride;
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      const Vector<T> result = resized<Vector<T>>(sum[i][v]);
      if (whole || v < Vectors - 1) {
        store(c + v * W, result);
      } else {
        store_part(c + v * W, result, tile.last_columns);
      }
    }
  }
}

template <class T>
using TileKernel = void (*)(const Tile<T>&);

// The kernels for every height, by vectors and by how the left matrix lies.
template <class T, class V, int Vectors, bool ByColumns, int... Rows>
struct TileKernels {
  static constexpr TileKernel<T> table[] = {
      multiply_tile<T, V, Rows, Vectors, ByColumns>...};
};

template <class T, int Vectors, bool ByColumns, class V = Vector<T>>
SKDEEP_INLINE TileKernel<T> tile_kernel(int rows) {
#if SKDEEP_REGISTERS == 32
  return TileKernels<T, V, Vectors, ByColumns, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
                     14>::table[rows - 1];
#else
  return TileKernels<T, V, Vectors, ByColumns, 1, 2, 3, 4, 5, 6>::table[rows - 1];
#endif
}

template <class T, bool ByColumns>
SKDEEP_INLINE TileKernel<T> tile_kernel(int rows, int vectors,
                                        [[maybe_unused]] int last_columns) {
  if (vectors == 2) return tile_kernel<T, 2, ByColumns>(rows);
#if SKDEEP_VECTOR_BYTES > 16
  if (last_columns <= width<T> / 2) {
    return tile_kernel<T, 1, ByColumns, HalfVector<T>>(rows);
  }
#endif
  return tile_kernel<T, 1, ByColumns>(rows);
}

// Copy depth by columns numbers of b to lie close together, filled up with zeros.
template <class T>
SKDEEP_INLINE void pack_panel(const T* b, long b_row, long b_column, long depth,
                              int columns, int panel_columns, T* panel) {
  if (b_column == 1 && columns == 2 * width<T> && columns == panel_columns) {
    for (long p = 0; p < depth; ++p, b += b_row, panel += 2 * width<T>) {
      const Vector<T> first = load(b), second = load(b + width<T>);
      store(panel, first);
      store(panel + width<T>, second);
    }
    return;
  }
  if (b_column == 1) {
    for (long p = 0; p < depth; ++p, b += b_row, panel += panel_columns) {
      int j = 0;
      for (; j + width<T> <= columns; j += width<T>) store(panel + j, load(b + j));
      if (j < columns) {
        store(panel + j, load_part(b + j, columns - j, (T)0));
        j += width<T>;
      }
      for (; j < panel_columns; j += width<T>) store(panel + j, Vector<T>{});
    }
    return;
  }
  transpose(b, b_column, depth, columns, panel, panel_columns);
  for (int j = (columns + width<T> - 1) / width<T> * width<T>; j < panel_columns;
       j += width<T>) {
    for (long p = 0; p < depth; ++p) store(panel + p * panel_columns + j, Vector<T>{});
  }
}

// Lines that are a multiple of a page apart take each other's place in the first cache
// while a tile reads them; those of a tile's columns, which are many, in the second, too.
template <class T>
SKDEEP_INLINE bool crowds_cache(const Product<T>& m) {
  const long row = m.a_row * (long)sizeof(T), step = m.a_step * (long)sizeof(T);
  return m.a_step == 1 ? row % 4096 == 0 : step % 2048 == 0;
}

// Copy depth by rows numbers of a so that they do not crowd the cache; change the
// product to read the copy.
template <class T>
SKDEEP_INLINE void copy_block(Product<T>& m, long start, long depth, T* block) {
  const bool by_columns = m.a_step != 1;
  const long lines = by_columns ? depth : m.rows, length = by_columns ? m.rows : depth;
  const long from_stride = by_columns ? m.a_step : m.a_row;
  long stride = length + 16;
  if (stride * (long)sizeof(T) % 1024 == 0) stride += 16;
  const T* from = m.a + start * m.a_step;
  for (long i = 0; i < lines; ++i) {
    __builtin_memcpy(block + i * stride, from + i * from_stride, length * sizeof(T));
  }
  (by_columns ? m.a_step : m.a_row) = stride;
  m.a = block - start * m.a_step;
}

// The rows of one block times the columns from j to stop, which lie in panels; the first
// tiles fetch what lies at `ahead`.
template <class T>
SKDEEP_INLINE void multiply_panels(const Product<T>& m, Tile<T> tile, long panel,
                                   long start, long j, long stop, const T* ahead) {
  constexpr int W = width<T>;
  const bool by_columns = m.a_step != 1;
  const long tiles = divide_up(m.rows, tile_rows);
  const T* const b = tile.b;
  tile.a_stride = by_columns ? m.a_step : m.a_row;
  tile.ahead_row = m.b_row;
  // heights that differ by one at most
  for (long t = 0; t < tiles; ++t) {
    const long i = m.rows * t / tiles;
    const int rows = (int)(m.rows * (t + 1) / tiles - i);
    tile.a = m.a + i * m.a_row + start * m.a_step;
    tile.b = b;
    tile.ahead = nullptr;
    if (ahead && t < 4) tile.ahead = ahead + t % 2 * W + t / 2 * (tile.depth / 2) * m.b_row;
    for (long k = j; k < stop; k += 2 * W, tile.b += panel) {
      const long columns = stop - k;
      const int vectors = columns > W ? 2 : 1;
      tile.last_columns = columns < 2 * W ? (int)columns - (vectors - 1) * W : W;
      tile.c = m.c + i * m.c_row + k;
      tile.initial = m.initial ? m.initial + k : nullptr;
      const TileKernel<T> kernel =
          by_columns ? tile_kernel<T, true>(rows, vectors, tile.last_columns)
                     : tile_kernel<T, false>(rows, vectors, tile.last_columns);
      kernel(tile);
    }
  }
}

// Panels of the columns from j to stop, all of the same width, one after the other
template <class T>
SKDEEP_INLINE void pack_panels(const Product<T>& m, long start, long depth, long j,
                               long stop, int wide, T* panels) {
  constexpr long at_a_time = 8;  // so many panels are written side by side
  const T* const b = m.b + start * m.b_row;
  // the numbers of a row lie close together: they are read in one go
  const bool many = stop - j >= 4 * wide && wide == 2 * width<T>;
  const long rows = m.b_column == 1 && many ? (stop - j) / wide : 0;
  for (long first = 0; first < rows; first += at_a_time) {
    const long last = smaller(first + at_a_time, rows);
    for (long p = 0; p < depth; ++p) {
      for (long n = first; n < last; ++n) {
        const T* from = b + p * m.b_row + j + n * wide;
        T* to = panels + (n * depth + p) * wide;
        const Vector<T> one = load(from), two = load(from + width<T>);
        store(to, one);
        store(to + width<T>, two);
      }
    }
  }
  for (long k = j + rows * wide; k < stop; k += wide) {
    pack_panel(b + k * m.b_column, m.b_row, m.b_column, depth,
               (int)smaller(stop - k, wide), wide, panels + (k - j) * depth);
  }
}

// One row of c: rows of b are added to it, so that b is read from its beginning to its end.
template <class T>
void multiply_row(const Product<T>& m) {
  constexpr long at_a_time = 4, near = 8 * 1024 / sizeof(T);
  for (long j = 0; j < m.columns; j += near) {
    const long stop = smaller(j + near, m.columns);
    each_vector<T>(j, stop, [&](auto at) {
      at.store(m.c, m.initial ? at.load(m.initial) : Vector<T>{});
    });
    long p = 0;
    for (; p + at_a_time <= m.depth; p += at_a_time) {
      const T *a = m.a + p * m.a_step, *b = m.b + p * m.b_row;
      each_vector<T>(j, stop, [&](auto at) {
        Vector<T> sum = at.load(m.c);
#pragma GCC unroll 4
        for (long k = 0; k < at_a_time; ++k) sum += at.load(b + k * m.b_row) * a[k * m.a_step];
        at.store(m.c, sum);
      });
    }
    for (; p < m.depth; ++p) {
      const T left = m.a[p * m.a_step], *b = m.b + p * m.b_row;
      each_vector<T>(j, stop, [&](auto at) {
        Vector<T> sum = at.load(m.c);
        sum += at.load(b) * left;
        at.store(m.c, sum);
      });
    }
  }
}

// Few steps: c takes longer to write than to compute, and is written row by row.
template <class T>
void multiply_steps(const Product<T>& m) {
  for (long i = 0; i < m.rows; ++i) {
    const T* a = m.a + i * m.a_row;
    each_vector<T>(0, m.columns, [&](auto at) {
      Vector<T> sum = m.initial ? at.load(m.initial) : Vector<T>{};
      for (long p = 0; p < m.depth; ++p) sum += at.load(m.b + p * m.b_row) * a[p * m.a_step];
      at.store(m.c + i * m.c_row, sum);
    });
  }
}

// How the left matrix is cut, so that a block of it stays in the second cache
struct LeftBlocks {
  long count;
  bool copies;
};

template <class T>
SKDEEP_INLINE LeftBlocks left_blocks(const Product<T>& m, long longest) {
  // lines of a copy are up to 32 numbers longer than what they hold
  const long fitting = m.a_step != 1 ? block_bytes / (longest * (long)sizeof(T)) - 32
                                     : block_bytes / ((longest + 32) * (long)sizeof(T));
  const long rows = fitting / tile_rows * tile_rows;
  if (rows < 4 * tile_rows) return {1, false};
  // a copy pays where several panels read it, and enough rows each panel
  const bool copies = crowds_cache(m) && m.columns > 4 * width<T> && m.rows > tile_rows;
  const bool cuts = copies || m.rows > 2 * rows;
  return {cuts ? divide_up(m.rows, rows) : 1, copies};
}

template <class T>
SKDEEP_INLINE Product<T> rows_of(Product<T> m, long begin, long end) {
  m.a += begin * m.a_row;
  m.c += begin * m.c_row;
  m.rows = end - begin;
  return m;
}

template <class T>
void multiply(const Product<T>& m, void* scratch) {
  constexpr int W = width<T>;
  constexpr long depth_limit = panel_bytes / (2 * SKDEEP_VECTOR_BYTES);
  if (m.rows <= 0 || m.columns <= 0) return;
  const bool by_rows = m.b_column == 1;
  const bool far = by_rows && m.columns * m.depth * (long)sizeof(T) > 256 * 1024;
  if (far && m.rows == 1) return multiply_row(m);
  // tiles of a small result stay in the first cache until their lines are whole
  const bool few_steps = by_rows && m.depth <= 4 && m.rows * m.columns > 64 * 1024;
  if (m.depth == 0 || few_steps) return multiply_steps(m);
  const long parts = divide_up(m.depth, depth_limit);
  const LeftBlocks blocks = left_blocks(m, divide_up(m.depth, parts));
  T* const block = (T*)scratch;
  T* const packed = (T*)((char*)scratch + block_bytes);
  // the first columns of b are read where they lie, if few tiles do, or its rows are near
  const bool near_rows = m.b_row * (long)sizeof(T) <= 640 || m.rows <= 4 * tile_rows;
  const long rest = m.columns % (2 * W);
  const long direct = !by_rows || !near_rows ? 0 : rest == W ? m.columns : m.columns - rest;
  const int wide = m.columns <= W ? W : 2 * W;  // a panel
  for (long part = 0; part < parts; ++part) {
    const long start = m.depth * part / parts;
    const long depth = m.depth * (part + 1) / parts - start;
    const T* const b = m.b + start * m.b_row;
    // so many columns of b stay in the first cache: rows of c are written as far as they go
    const long near = larger(wide, panel_bytes / (long)sizeof(T) / depth / wide * wide);
    // several blocks read the panels of so many columns, one alone those that are near
    const bool once = blocks.count == 1;
    const long chunk = once ? near : packed_bytes / (long)sizeof(T) / depth / wide * wide;
    Product<T> rows = m;
    if (once && blocks.copies) copy_block(rows, start, depth, block);
    for (long j = 0, stop; j < m.columns; j = stop) {
      const bool packs = j >= direct;
      stop = packs ? smaller(j + chunk, m.columns) : direct;
      if (packs) pack_panels(m, start, depth, j, stop, wide, packed);
      // beside the products, what the next copy reads is fetched
      const T* ahead = nullptr;
      if (packs && far && once) {
        if (stop < m.columns) ahead = b + stop;
        else if (part + 1 < parts) ahead = b + depth * m.b_row;
      }
      Tile<T> tile;
      tile.depth = depth;
      tile.c_stride = m.c_row;
      tile.accumulates = part > 0;
      tile.b_stride = packs ? wide : m.b_row;
      for (long n = 0; n < blocks.count; ++n) {
        if (!once) {
          rows = rows_of(m, m.rows * n / blocks.count, m.rows * (n + 1) / blocks.count);
          if (blocks.copies) copy_block(rows, start, depth, block);
        }
        for (long k = j; k < stop; k += near) {
          tile.b = packs ? packed + (k - j) * depth : b + k;
          multiply_panels(rows, tile, packs ? depth * wide : wide, start, k,
                          smaller(k + near, stop), ahead);
        }
      }
    }
  }
}

}  // namespace SKDEEP_ISA
}  // namespace skdeep
