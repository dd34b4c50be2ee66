// Matrix products whose left matrix is not stored: its numbers are found by adding an
// offset of the row to an offset of the step. Convolution is such a product, of image
// positions by places under the kernel.
//
// As in gemm.h, a tile of the result stays in registers, and every element is one chain
// of additions in the order of the depth: no result depends on how rows were shared out.
#pragma once

#include "gemm.h"

namespace skdeep {
namespace SKDEEP_ISA {

// Rows lie in lines of equal length: row r is place r % line_length of line
// r / line_length.
template <class T>
struct ImplicitProduct {
  const T* a;  // a(r, p) = a[a_lines[line] + place * a_row + steps[p]]
  const int* a_lines;
  long a_row;
  const int* steps;
  long depth;
  const T* b;  // b(p, j) = b[p * b_row + j], of whole vectors
  long b_row;
  T* c;  // c(r, j) = c[c_lines[line] + place * c_row + j]
  const long* c_lines;
  long c_row;
  long line_length;
  const T* initial;  // what every row starts from, or null for zeros
  bool accumulates;  // add to what c holds
};

template <class T>
struct ImplicitTile {
  const T* a;
  const int* rows;  // offsets, where they are not regular
  long a_row;
  const int* steps;
  long depth;
  const T* b;
  long b_row;
  T* c;
  const long* c_rows;
  long c_row;
  const T* initial;
  bool accumulates;
  int last_columns;  // columns of the last vector
};

enum class Rows { adjacent, regular, scattered };

template <class T, int N, int Vectors, Rows Lie>
void implicit_tile(const ImplicitTile<T>& tile) {
  constexpr int W = width<T>;
  const bool whole = tile.last_columns == W;
  Vector<T> sum[N][Vectors];
#pragma GCC unroll 2
  for (int v = 0; v < Vectors; ++v) {
    Vector<T> start{};
    if (tile.initial) {
      start = whole || v < Vectors - 1
                  ? load(tile.initial + v * W)
                  : load_part(tile.initial + v * W, tile.last_columns, (T)0);
    }
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) sum[i][v] = start;
  }
  const T* b = tile.b;
  const long s = tile.a_row, s3 = 3 * s;
  long offset[N];
  if constexpr (Lie == Rows::scattered) {
    for (int i = 0; i < N; ++i) offset[i] = tile.rows[i];
  }
  for (long p = 0; p < tile.depth; ++p) {
    const T* a = tile.a + tile.steps[p];
    Vector<T> right[Vectors];
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) right[v] = load(b + v * W);
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) {
      if constexpr (Lie == Rows::regular) {
        // three rows are addressed from one pointer
        if (i && i % 3 == 0) {
          a += s3;
          asm("" : "+r"(a));
        }
      }
      const T left = Lie == Rows::adjacent  ? a[i]
                     : Lie == Rows::regular ? a[(i % 3) * s]
                                            : a[offset[i]];
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) sum[i][v] += right[v] * left;
    }
    b += tile.b_row;
  }
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i) {
    T* c = tile.c + (Lie == Rows::scattered ? tile.c_rows[i] : i * tile.c_row);
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      if (whole || v < Vectors - 1) {
        store(c + v * W, tile.accumulates ? load(c + v * W) + sum[i][v] : sum[i][v]);
      } else {
        const int n = tile.last_columns;
        store_part(c + v * W,
                   tile.accumulates ? load_part(c + v * W, n, (T)0) + sum[i][v] : sum[i][v],
                   n);
      }
    }
  }
}

template <class T>
using ImplicitTileKernel = void (*)(const ImplicitTile<T>&);

template <class T, int Vectors, Rows Lie, int... N>
struct ImplicitTileKernels {
  static constexpr ImplicitTileKernel<T> table[] = {implicit_tile<T, N, Vectors, Lie>...};
};

template <class T, int Vectors, Rows Lie>
SKDEEP_INLINE ImplicitTileKernel<T> implicit_tile_kernel(int rows) {
#if SKDEEP_REGISTERS == 32
  return ImplicitTileKernels<T, Vectors, Lie, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
                             14>::table[rows - 1];
#else
  return ImplicitTileKernels<T, Vectors, Lie, 1, 2, 3, 4, 5, 6>::table[rows - 1];
#endif
}

template <class T, int Vectors>
SKDEEP_INLINE ImplicitTileKernel<T> implicit_tile_kernel(int rows, Rows lie) {
  return lie == Rows::adjacent  ? implicit_tile_kernel<T, Vectors, Rows::adjacent>(rows)
         : lie == Rows::regular ? implicit_tile_kernel<T, Vectors, Rows::regular>(rows)
                                : implicit_tile_kernel<T, Vectors, Rows::scattered>(rows);
}

// The rows from begin to end of a product, for up to two vectors of columns.
template <class T>
void multiply_implicit(const ImplicitProduct<T>& m, long begin, long end, int columns) {
  const int vectors = columns > width<T> ? 2 : 1;
  const long length = m.line_length;
  int rows[tile_rows];
  long c_rows[tile_rows];
  ImplicitTile<T> tile = {m.a,     rows,   m.a_row,   m.steps,       m.depth,
                          m.b,     m.b_row, m.c,      c_rows,        m.c_row,
                          m.initial, m.accumulates, columns - (vectors - 1) * width<T>};
  // Tiles within lines have their addresses by rule; where that makes many small ones,
  // tiles of full height take rows from several lines.
  const long per_line = (length + tile_rows - 1) / tile_rows;
  const bool within = 4 * length >= 3 * per_line * tile_rows;
  const long all = end - begin, tiles = (all + tile_rows - 1) / tile_rows;
  long r = begin;
  for (long t = 0; r < end; ++t) {
    const long line = r / length, place = r % length;
    long stop;
    if (within) {
      // heights that differ by one at most
      const long k = ((place + 1) * per_line - 1) / length;
      stop = line * length + length * (k + 1) / per_line;
      if (stop <= r) stop = line * length + length * (k + 2) / per_line;
      if (stop > end) stop = end;
    } else {
      stop = begin + all * (t + 1) / tiles;
    }
    const int n = (int)(stop - r);
    Rows lie;
    if (place + n <= length) {
      lie = m.a_row == 1 ? Rows::adjacent : Rows::regular;
      tile.a = m.a + m.a_lines[line] + place * m.a_row;
      tile.c = m.c + m.c_lines[line] + place * m.c_row;
    } else {
      lie = Rows::scattered;
      tile.a = m.a;
      tile.c = m.c;
      for (long i = 0, l = line, x = place; i < n; ++i) {
        rows[i] = m.a_lines[l] + (int)(x * m.a_row);
        c_rows[i] = m.c_lines[l] + x * m.c_row;
        if (++x == length) x = 0, ++l;
      }
    }
    const ImplicitTileKernel<T> kernel = vectors == 2
                                             ? implicit_tile_kernel<T, 2>(n, lie)
                                             : implicit_tile_kernel<T, 1>(n, lie);
    kernel(tile);
    r = stop;
  }
}

}  // namespace SKDEEP_ISA
}  // namespace skdeep
