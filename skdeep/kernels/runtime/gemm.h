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
static_assert(panel_bytes + block_bytes + 64 * 1024 <= scratch_bytes);

SKDEEP_INLINE long smaller_of(long a, long b) { return a < b ? a : b; }

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
  const long tiles = (m.rows + tile_rows - 1) / tile_rows;
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

template <class T>
SKDEEP_INLINE void multiply_block(const Product<T>& m, bool copies, void* scratch) {
  constexpr int W = width<T>;
  constexpr long depth_limit = panel_bytes / (2 * SKDEEP_VECTOR_BYTES);
  T* const packed = (T*)scratch;
  T* const block = (T*)((char*)scratch + 32 * 1024);
  long parts = (m.depth + depth_limit - 1) / depth_limit;
  if (parts == 0) parts = 1;  // nothing to add to the initial values
  // the first columns of b are read where they lie, if few tiles do, or its rows are near
  const bool near_rows = m.b_row * (long)sizeof(T) <= 640 || m.rows <= 4 * tile_rows;
  const long rest = m.columns % (2 * W);
  const long direct =
      m.b_column != 1 || !near_rows ? 0 : rest == W ? m.columns : m.columns - rest;
  const bool far = m.b_column == 1 && m.columns * m.depth * (long)sizeof(T) > 256 * 1024;
  const int wide = m.columns <= W ? W : 2 * W;  // a panel
  for (long part = 0; part < parts; ++part) {
    const long start = m.depth * part / parts;
    const long depth = m.depth * (part + 1) / parts - start;
    Product<T> source = m;
    if (copies) copy_block(source, start, depth, block);
    Tile<T> tile;
    tile.depth = depth;
    tile.c_stride = m.c_row;
    tile.accumulates = part > 0;
    // so many columns of b stay in the first cache: rows of c are written as far as they go
    const long panel = depth * wide, fitting = panel_bytes / (long)sizeof(T);
    const long near = panel && 2 * panel <= fitting ? fitting / panel * wide : wide;
    const T* b = m.b + start * m.b_row;
    tile.b_stride = m.b_row;
    for (long j = 0; j < direct; j += near) {
      tile.b = b + j;
      multiply_panels(source, tile, wide, start, j, smaller_of(j + near, direct),
                      (const T*)nullptr);
    }
    tile.b_stride = wide;
    tile.b = packed;
    for (long j = direct; j < m.columns; j += near) {
      const long stop = smaller_of(j + near, m.columns);
      for (long k = j; k < stop; k += wide) {
        pack_panel(b + k * m.b_column, m.b_row, m.b_column, depth,
                   (int)smaller_of(stop - k, wide), wide, packed + (k - j) * depth);
      }
      // beside the products, what the next copy reads is fetched
      const T* ahead = nullptr;
      if (far && stop < m.columns) ahead = b + stop;
      else if (far && part + 1 < parts) ahead = b + depth * m.b_row;
      multiply_panels(source, tile, panel, start, j, stop, ahead);
    }
  }
}

template <class T>
void multiply(const Product<T>& m, void* scratch) {
  constexpr long depth_limit = panel_bytes / (2 * SKDEEP_VECTOR_BYTES);
  if (m.rows <= 0 || m.columns <= 0) return;
  const bool by_columns = m.a_step != 1;
  // lines of a copy are up to 32 numbers longer than what they hold
  const long fitting = by_columns
                           ? block_bytes / (depth_limit * (long)sizeof(T)) - 32
                           : block_bytes / ((depth_limit + 32) * (long)sizeof(T));
  const long block_rows = fitting / tile_rows * tile_rows;
  // a copy pays where several panels read it, and enough rows each panel
  const bool copies = crowds_cache(m) && m.columns > 4 * width<T> &&
                      m.rows > tile_rows && block_rows >= 4 * tile_rows;
  const long blocks = copies ? (m.rows + block_rows - 1) / block_rows : 1;
  for (long i = 0; i < blocks; ++i) {
    const long begin = m.rows * i / blocks, end = m.rows * (i + 1) / blocks;
    Product<T> block = m;
    block.a += begin * m.a_row;
    block.c += begin * m.c_row;
    block.rows = end - begin;
    multiply_block(block, copies, scratch);
  }
}

}  // namespace SKDEEP_ISA
}  // namespace skdeep
