// The transforms of Winograd's minimal filtering, for a vector of channels at a time, and
// a row or two of a tile at a time, so that what they hold stays in registers.
#pragma once

#include "image_window.h"

namespace skdeep {
namespace SKDEEP_ISA {

// The points of winograd.py: 0, +-a, +-b and infinity. All but these are products of them.
template <class T>
struct Points {
  static constexpr T a = (T)0.625, b = (T)1.5;
  static constexpr T aa = a * a, bb = b * b, aaa = aa * a, bbb = bb * b;
  static constexpr T sum = aa + bb, product = aa * bb;
  // what a weight is divided by at 0, at +-a and at +-b
  static constexpr T at_zero = (T)(1.0 / product);
  static constexpr T at_a = (T)(0.5 / (aa * (aa - bb))), at_b = (T)(0.5 / (bb * (bb - aa)));
};

constexpr long tile_outputs = 4, tile_inputs = 6, positions = 36;

// Rows of a tile of N by N places, and which of its columns are inside of the image
template <class T, int N>
struct TileRows {
  const T* row[N];
  long first, last;  // columns
  long place;        // from a column to the next

  SKDEEP_INLINE bool is_whole() const { return first == 0 && last == N; }
};

// Rows outside of the image are `zeros`, N places long.
template <class T, int N>
SKDEEP_INLINE TileRows<T, N> rows_of_tile(const T* image, ImageSize size, long y, long x,
                                          const T* zeros) {
  TileRows<T, N> tile;
  for (long p = 0; p < N; ++p) {
    const bool inside = y + p >= 0 && y + p < size.rows;
    tile.row[p] = inside ? image + ((y + p) * size.columns + x) * size.channels : zeros;
  }
  tile.first = larger(0, -x);
  tile.last = smaller(N, size.columns - x);
  tile.place = size.channels;
  return tile;
}

// Call body(first channel) for vectors that cover all channels, of which there are at
// least as many as a vector has; the last may do some of the one before it again.
template <class T, class Body>
SKDEEP_INLINE void each_full_vector(long channels, Body body) {
  long c = 0;
  for (; c + width<T> <= channels; c += width<T>) body(c);
  if (c < channels) body(channels - width<T>);
}

// --- along one axis ---------------------------------------------------------------------

// Of a pair of positions, 0 and 5, 1 and 2, or 3 and 4, what both make of six inputs
template <class T, int Pair, class Read>
SKDEEP_INLINE void pair_of_inputs(Read d, Vector<T>& t, Vector<T>& u) {
  using P = Points<T>;
  if constexpr (Pair == 0) {
    t = d(4) - d(2) * P::sum + d(0) * P::product;
    u = d(5) - d(3) * P::sum + d(1) * P::product;
  } else {
    constexpr T square = Pair == 1 ? P::bb : P::aa, point = Pair == 1 ? P::a : P::b;
    const Vector<T> even = d(4) - d(2) * square, odd = d(3) - d(1) * square;
    t = even + odd * point;
    u = even - odd * point;
  }
}

// The same for the gradients of four outputs
template <class T, int Pair, class Read>
SKDEEP_INLINE void pair_of_gradients(Read d, Vector<T>& t, Vector<T>& u) {
  using P = Points<T>;
  if constexpr (Pair == 0) {
    t = d(0);
    u = d(3);
  } else {
    constexpr T square = Pair == 1 ? P::aa : P::bb, point = Pair == 1 ? P::a : P::b;
    const Vector<T> even = d(0) + d(2) * square, odd = d(1) + d(3) * square;
    t = even + odd * point;
    u = even - odd * point;
  }
}

// Of outputs 0 and 2, or 1 and 3, what six positions make
template <class T, bool Odd, class Read>
SKDEEP_INLINE void pair_of_outputs(Read m, Vector<T>& t, Vector<T>& u) {
  using P = Points<T>;
  if constexpr (Odd) {
    const Vector<T> a = m(1) - m(2), b = m(3) - m(4);
    t = a * P::a + b * P::b;
    u = m(5) + a * P::aaa + b * P::bbb;
  } else {
    const Vector<T> a = m(1) + m(2), b = m(3) + m(4);
    t = m(0) + a + b;
    u = a * P::aa + b * P::bb;
  }
}

// Three weights at the six positions
template <class T>
SKDEEP_INLINE void weights_at_points(const Vector<T>* g, Vector<T>* w) {
  using P = Points<T>;
  const Vector<T> even_a = g[0] + g[2] * P::aa, odd_a = g[1] * P::a;
  const Vector<T> even_b = g[0] + g[2] * P::bb, odd_b = g[1] * P::b;
  w[0] = g[0] * P::at_zero;
  w[1] = (even_a + odd_a) * P::at_a;
  w[2] = (even_a - odd_a) * P::at_a;
  w[3] = (even_b + odd_b) * P::at_b;
  w[4] = (even_b - odd_b) * P::at_b;
  w[5] = g[2];
}

// The gradients of three weights from those of the six positions
template <class T>
SKDEEP_INLINE void gradients_of_weights(const Vector<T>* w, Vector<T>* g) {
  using P = Points<T>;
  const Vector<T> even_a = (w[1] + w[2]) * P::at_a, odd_a = (w[1] - w[2]) * P::at_a;
  const Vector<T> even_b = (w[3] + w[4]) * P::at_b, odd_b = (w[3] - w[4]) * P::at_b;
  g[0] = w[0] * P::at_zero + even_a + even_b;
  g[1] = odd_a * P::a + odd_b * P::b;
  g[2] = w[5] + even_a * P::aa + even_b * P::bb;
}

// --- along both -------------------------------------------------------------------------

// Write a row of positions, six from N numbers: inputs, or gradients of outputs.
template <class T, int N>
SKDEEP_INLINE void store_row(const Vector<T>* t, T* to, long stride) {
  const auto number = [&](int p) { return t[p]; };
  const auto pair = [&](auto write, int first, int second) {
    Vector<T> v, w;
    write(v, w);
    store(to + first * stride, v);
    store(to + second * stride, w);
  };
  if constexpr (N == 6) {
    pair([&](auto& v, auto& w) { pair_of_inputs<T, 0>(number, v, w); }, 0, 5);
    pair([&](auto& v, auto& w) { pair_of_inputs<T, 1>(number, v, w); }, 1, 2);
    pair([&](auto& v, auto& w) { pair_of_inputs<T, 2>(number, v, w); }, 3, 4);
  } else {
    pair([&](auto& v, auto& w) { pair_of_gradients<T, 0>(number, v, w); }, 0, 5);
    pair([&](auto& v, auto& w) { pair_of_gradients<T, 1>(number, v, w); }, 1, 2);
    pair([&](auto& v, auto& w) { pair_of_gradients<T, 2>(number, v, w); }, 3, 4);
  }
}

// The two rows of positions of a pair, for a vector of channels; `to` is where the first
// position of each row is to be, and positions of a row lie `stride` apart.
template <class T, int N, int Pair, bool Whole>
SKDEEP_INLINE void transform_rows(const TileRows<T, N>& tile, long c, T* to_first,
                                  T* to_second, long stride) {
  Vector<T> t[N], u[N];
#pragma GCC unroll 6
  for (int q = 0; q < N; ++q) {
    if (Whole || (q >= tile.first && q < tile.last)) {
      const long offset = q * tile.place + c;
      const auto number = [&](int p) { return load(tile.row[p] + offset); };
      if constexpr (N == 6) {
        pair_of_inputs<T, Pair>(number, t[q], u[q]);
      } else {
        pair_of_gradients<T, Pair>(number, t[q], u[q]);
      }
    } else {
      t[q] = u[q] = Vector<T>{};
    }
  }
  store_row<T, N>(t, to_first, stride);
  store_row<T, N>(u, to_second, stride);
}

constexpr int rows_of_pair[3][2] = {{0, 5}, {1, 2}, {3, 4}};

// A pair of rows of positions of a tile, for all channels. Position (i, j) goes to
// to + (6 * rank of i + j) * stride, where the ranks of a pair's rows are `first` and
// `second`.
template <class T, int N, int Pair>
void transform_pair(const TileRows<T, N>& tile, long channels, T* to, long first,
                    long second, long stride) {
  T *one = to + 6 * first * stride, *two = to + 6 * second * stride;
  if (tile.is_whole()) {
    each_full_vector<T>(channels, [&](long c) {
      transform_rows<T, N, Pair, true>(tile, c, one + c, two + c, stride);
    });
  } else {
    each_full_vector<T>(channels, [&](long c) {
      transform_rows<T, N, Pair, false>(tile, c, one + c, two + c, stride);
    });
  }
}

// Which outputs of a tile there are, and where they go
template <class T>
struct TileOutputs {
  T* data;
  long rows, columns;  // up to 4
  long row, place;     // from one to the next
};

// Outputs 0 and 2, or 1 and 3, of the rows of a tile, for a vector of filters
template <class T, bool Odd>
SKDEEP_INLINE void transform_products(const T* m, long stride, Vector<T> bias,
                                      const TileOutputs<T>& out, long f) {
  Vector<T> t[6], u[6];
#pragma GCC unroll 6
  for (int j = 0; j < 6; ++j) {
    const auto product = [&](int i) { return load(m + (6 * i + j) * stride); };
    pair_of_outputs<T, Odd>(product, t[j], u[j]);
  }
  const auto write = [&](const Vector<T>* z, long k) {
    if (k >= out.rows) return;
    T* to = out.data + k * out.row + f;
    const auto number = [&](int j) { return z[j]; };
    Vector<T> y[4];
    pair_of_outputs<T, false>(number, y[0], y[2]);
    pair_of_outputs<T, true>(number, y[1], y[3]);
#pragma GCC unroll 4
    for (long l = 0; l < 4; ++l) {
      if (l < out.columns) store(to + l * out.place, y[l] + bias);
    }
  };
  write(t, Odd);
  write(u, Odd + 2);
}

}  // namespace SKDEEP_ISA
}  // namespace skdeep
