// Squares of numbers, as many rows as a vector has lanes, turned over in registers.
#pragma once

#include "vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace skdeep {
namespace SKDEEP_ISA {

#if defined(__x86_64__)
constexpr int quarters = SKDEEP_VECTOR_BYTES / 16;  // registers of 16 bytes in a vector

// The vector of 16 bytes from each of some rows, one after the other
template <class T>
SKDEEP_INLINE Vector<T> load_quarters(const T* from, long step) {
  const auto at = [=](int i) { return _mm_loadu_ps((const float*)(from + i * step)); };
#if SKDEEP_VECTOR_BYTES == 64
  __m512 v = _mm512_castps128_ps512(at(0));
  v = _mm512_insertf32x4(v, at(1), 1);
  v = _mm512_insertf32x4(v, at(2), 2);
  return (Vector<T>)_mm512_insertf32x4(v, at(3), 3);
#elif SKDEEP_VECTOR_BYTES == 32
  return (Vector<T>)_mm256_insertf128_ps(_mm256_castps128_ps256(at(0)), at(1), 1);
#else
  return (Vector<T>)at(0);
#endif
}

// Of every 16 bytes: the first halves of both, and the second, as numbers of 8 bytes
template <class V>
SKDEEP_INLINE V first_halves(V a, V b) {
#if SKDEEP_VECTOR_BYTES == 64
  return (V)_mm512_unpacklo_pd((__m512d)a, (__m512d)b);
#elif SKDEEP_VECTOR_BYTES == 32
  return (V)_mm256_unpacklo_pd((__m256d)a, (__m256d)b);
#else
  return (V)_mm_unpacklo_pd((__m128d)a, (__m128d)b);
#endif
}
template <class V>
SKDEEP_INLINE V second_halves(V a, V b) {
#if SKDEEP_VECTOR_BYTES == 64
  return (V)_mm512_unpackhi_pd((__m512d)a, (__m512d)b);
#elif SKDEEP_VECTOR_BYTES == 32
  return (V)_mm256_unpackhi_pd((__m256d)a, (__m256d)b);
#else
  return (V)_mm_unpackhi_pd((__m128d)a, (__m128d)b);
#endif
}

// The same, with the numbers of both taking turns, as numbers of 4 bytes
template <class V>
SKDEEP_INLINE V first_in_turn(V a, V b) {
#if SKDEEP_VECTOR_BYTES == 64
  return (V)_mm512_unpacklo_ps((__m512)a, (__m512)b);
#elif SKDEEP_VECTOR_BYTES == 32
  return (V)_mm256_unpacklo_ps((__m256)a, (__m256)b);
#else
  return (V)_mm_unpacklo_ps((__m128)a, (__m128)b);
#endif
}
template <class V>
SKDEEP_INLINE V second_in_turn(V a, V b) {
#if SKDEEP_VECTOR_BYTES == 64
  return (V)_mm512_unpackhi_ps((__m512)a, (__m512)b);
#elif SKDEEP_VECTOR_BYTES == 32
  return (V)_mm256_unpackhi_ps((__m256)a, (__m256)b);
#else
  return (V)_mm_unpackhi_ps((__m128)a, (__m128)b);
#endif
}

// to[p * to_row + j] = from[j * from_row + p] for all j below width<T>, and p below `rows`
template <class T>
SKDEEP_INLINE void transpose_square(const T* from, long from_row, T* to, long to_row,
                                    int rows = width<T>) {
  constexpr int per = 16 / sizeof(T);  // numbers of 16 bytes
  for (int q = 0; q < quarters; ++q) {
    if (q * per >= rows) return;
    // the rows j, j + per, ... of which a result has neighbours in its quarters
    Vector<T> v[per], turned[per];
#pragma GCC unroll 4
    for (int j = 0; j < per; ++j) {
      v[j] = load_quarters(from + j * from_row + q * per, per * from_row);
    }
    if constexpr (per == 2) {
      turned[0] = first_halves(v[0], v[1]);
      turned[1] = second_halves(v[0], v[1]);
    } else {
      const Vector<T> a = first_in_turn(v[0], v[1]), b = second_in_turn(v[0], v[1]);
      const Vector<T> c = first_in_turn(v[2], v[3]), d = second_in_turn(v[2], v[3]);
      turned[0] = first_halves(a, c);
      turned[1] = second_halves(a, c);
      turned[2] = first_halves(b, d);
      turned[3] = second_halves(b, d);
    }
#pragma GCC unroll 4
    for (int p = 0; p < per; ++p) {
      if (q * per + p < rows) store(to + (q * per + p) * to_row, turned[p]);
    }
  }
}
#else
template <class T>
SKDEEP_INLINE void transpose_square(const T* from, long from_row, T* to, long to_row,
                                    int rows = width<T>) {
  for (int p = 0; p < rows; ++p) {
    for (int j = 0; j < width<T>; ++j) to[p * to_row + j] = from[j * from_row + p];
  }
}
#endif

// The same of any number of rows and columns, which takes `columns` rows of `from`; what
// fills a last vector up are zeros. Nothing beyond is read.
template <class T>
SKDEEP_INLINE void transpose(const T* from, long from_row, long rows, long columns, T* to,
                             long to_row) {
  constexpr long W = width<T>;
  const int deep = rows < W ? (int)rows : (int)W;
  T corner[W * W];
  for (long j = 0; j < columns; j += W) {
    const int wide = columns - j < W ? (int)(columns - j) : (int)W;
    for (long p = 0; p < rows; p += W) {
      // the last square takes some rows of the one before again
      if (p + deep > rows) p = rows - deep;
      const T* square = from + j * from_row + p;
      if (wide == W && deep == W) {
        transpose_square(square, from_row, to + p * to_row + j, to_row);
        continue;
      }
      for (int i = 0; i < W; ++i) {
        store(corner + i * W,
              i < wide ? load_part(square + i * from_row, deep, (T)0) : Vector<T>{});
      }
      transpose_square(corner, W, to + p * to_row + j, to_row, deep);
    }
  }
}

}  // namespace SKDEEP_ISA
}  // namespace skdeep
