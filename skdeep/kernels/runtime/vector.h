// Vectors of the instruction set that a source is compiled for, on GCC's and Clang's
// vector extensions. SKDEEP_ISA names the namespace, SKDEEP_VECTOR_BYTES the width.
//
// No templates of the standard library here, and everything in the namespace of the
// instruction set: the linker merges functions of equal names.
#pragma once

#include "operation.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define SKDEEP_INLINE inline __attribute__((always_inline))

namespace skdeep {
namespace SKDEEP_ISA {

SKDEEP_INLINE long smaller(long a, long b) { return a < b ? a : b; }
SKDEEP_INLINE long larger(long a, long b) { return a > b ? a : b; }
SKDEEP_INLINE long divide_up(long a, long b) { return (a + b - 1) / b; }

template <class T>
struct Lanes;

template <>
struct Lanes<float> {
  typedef float Vector __attribute__((vector_size(SKDEEP_VECTOR_BYTES)));
  typedef int Integers __attribute__((vector_size(SKDEEP_VECTOR_BYTES)));
};

template <>
struct Lanes<double> {
  typedef double Vector __attribute__((vector_size(SKDEEP_VECTOR_BYTES)));
  typedef long long Integers __attribute__((vector_size(SKDEEP_VECTOR_BYTES)));
};

#if SKDEEP_VECTOR_BYTES > 16
// Half as many lanes, which some processors do in half the time.
template <class T>
struct HalfLanes;
template <>
struct HalfLanes<float> {
  typedef float Vector __attribute__((vector_size(SKDEEP_VECTOR_BYTES / 2)));
};
template <>
struct HalfLanes<double> {
  typedef double Vector __attribute__((vector_size(SKDEEP_VECTOR_BYTES / 2)));
};

template <class T>
using HalfVector = typename HalfLanes<T>::Vector;
#endif

template <class T>
using Vector = typename Lanes<T>::Vector;
template <class T>
using Integers = typename Lanes<T>::Integers;
template <class T>
constexpr int width = SKDEEP_VECTOR_BYTES / sizeof(T);

template <class T>
SKDEEP_INLINE Vector<T> broadcast(T value) {
  return value - Vector<T>{};
}

template <class T>
SKDEEP_INLINE Vector<T> load(const T* p) {
  Vector<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
SKDEEP_INLINE void store(T* p, Vector<T> v) {
  __builtin_memcpy(p, &v, sizeof v);
}

#if defined(__AVX2__) && !defined(__AVX512F__)
// Eight of all bits, and eight of none: from a place of these on, masks of the first lanes
constexpr int first_lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
#endif

// The first `count` lanes; the others are `rest`.
template <class T>
SKDEEP_INLINE Vector<T> load_part(const T* p, int count, T rest) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    return (Vector<T>)_mm512_mask_loadu_ps((__m512)broadcast(rest), (1u << count) - 1, p);
  } else {
    return (Vector<T>)_mm512_mask_loadu_pd((__m512d)broadcast(rest), (1u << count) - 1, p);
  }
#elif defined(__AVX2__)
  const Integers<T> first = (Integers<T>)_mm256_loadu_si256(
      (const __m256i*)(first_lanes + (8 - count * (int)(sizeof(T) / 4))));
  if constexpr (sizeof(T) == 4) {
    const Vector<T> v = (Vector<T>)_mm256_maskload_ps(p, (__m256i)first);
    return first ? v : broadcast(rest);
  } else {
    const Vector<T> v = (Vector<T>)_mm256_maskload_pd(p, (__m256i)first);
    return first ? v : broadcast(rest);
  }
#else
  T lanes[width<T>];
  for (int l = 0; l < width<T>; ++l) lanes[l] = rest;
  for (int l = 0; l < count; ++l) lanes[l] = p[l];
  return load(lanes);
#endif
}

template <class T>
SKDEEP_INLINE void store_part(T* p, Vector<T> v, int count) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_ps(p, (1u << count) - 1, (__m512)v);
  } else {
    _mm512_mask_storeu_pd(p, (1u << count) - 1, (__m512d)v);
  }
#else
  T lanes[width<T>];
  store(lanes, v);
  for (int l = 0; l < count; ++l) p[l] = lanes[l];
#endif
}

// NaN in the first argument stays, as in NumPy's maximum and minimum.
template <class V, class B>
SKDEEP_INLINE V at_least(V v, B bound) {
  return v < bound ? V{} + bound : v;
}
template <class V, class B>
SKDEEP_INLINE V at_most(V v, B bound) {
  return v > bound ? V{} + bound : v;
}

template <class T>
SKDEEP_INLINE Vector<T> absolute(Vector<T> v) {
  constexpr auto sign = (Integers<T>){} + (sizeof(T) == 4 ? 0x7fffffffLL : ~(1LL << 63));
  return (Vector<T>)((Integers<T>)v & sign);
}

template <class T>
SKDEEP_INLINE Vector<T> sign(Vector<T> v) {
  const Vector<T> one = broadcast((T)1);
  return v > (T)0 ? one : v < (T)0 ? -one : v;  // zero and NaN stay
}

template <class T>
SKDEEP_INLINE Vector<T> square_root(Vector<T> v) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    return (Vector<T>)_mm512_sqrt_ps((__m512)v);
  } else {
    return (Vector<T>)_mm512_sqrt_pd((__m512d)v);
  }
#else
  for (int l = 0; l < width<T>; ++l) {
    if constexpr (sizeof(T) == 4) {
      v[l] = __builtin_sqrtf(v[l]);
    } else {
      v[l] = __builtin_sqrt(v[l]);
    }
  }
  return v;
#endif
}

template <class T>
SKDEEP_INLINE T sum_lanes(Vector<T> v) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return _mm512_reduce_add_ps((__m512)v);
  else return _mm512_reduce_add_pd((__m512d)v);
#else
  T lanes[width<T>];
  store(lanes, v);
  for (int step = width<T> / 2; step; step /= 2) {
    for (int l = 0; l < step; ++l) lanes[l] += lanes[l + step];
  }
  return lanes[0];
#endif
}

// The sums of the lanes of four vectors, in fewer steps than one after the other
template <class T>
SKDEEP_INLINE void sum_lanes_of_four(Vector<T> a, Vector<T> b, Vector<T> c, Vector<T> d,
                                     T* sums) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    const auto low = [](auto v, auto w) { return _mm512_unpacklo_ps((__m512)v, (__m512)w); };
    const auto high = [](auto v, auto w) { return _mm512_unpackhi_ps((__m512)v, (__m512)w); };
    const __m512 ac = low(a, c) + high(a, c), bd = low(b, d) + high(b, d);
    const __m512 four = low(ac, bd) + high(ac, bd);  // of each quarter
    const __m256 half = _mm512_castps512_ps256(four) + _mm512_extractf32x8_ps(four, 1);
    _mm_storeu_ps(sums, _mm256_castps256_ps128(half) + _mm256_extractf128_ps(half, 1));
    return;
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    const __m256 ab = _mm256_hadd_ps((__m256)a, (__m256)b);
    const __m256 cd = _mm256_hadd_ps((__m256)c, (__m256)d);
    const __m256 four = _mm256_hadd_ps(ab, cd);
    _mm_storeu_ps(sums, _mm256_castps256_ps128(four) + _mm256_extractf128_ps(four, 1));
    return;
  }
#endif
  sums[0] = sum_lanes<T>(a);
  sums[1] = sum_lanes<T>(b);
  sums[2] = sum_lanes<T>(c);
  sums[3] = sum_lanes<T>(d);
}

template <class T>
SKDEEP_INLINE T largest_lane(Vector<T> v) {
#if defined(__AVX512F__)
  // these drop NaN: what is subtracted from it stays NaN
  if constexpr (sizeof(T) == 4) return _mm512_reduce_max_ps((__m512)v);
  else return _mm512_reduce_max_pd((__m512d)v);
#else
  T lanes[width<T>];
  store(lanes, v);
  for (int step = width<T> / 2; step; step /= 2) {
    for (int l = 0; l < step; ++l) {
      lanes[l] = lanes[l] < lanes[l + step] ? lanes[l + step] : lanes[l];
    }
  }
  return lanes[0];
#endif
}

// Whether any lane is above a bound.
template <class T>
SKDEEP_INLINE bool any_above(Vector<T> v, T bound) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    return _mm512_cmp_ps_mask((__m512)v, (__m512)broadcast(bound), _CMP_GT_OQ);
  } else {
    return _mm512_cmp_pd_mask((__m512d)v, (__m512d)broadcast(bound), _CMP_GT_OQ);
  }
#else
  const auto above = v > bound;
  long long words[sizeof above / sizeof(long long)], any = 0;
  __builtin_memcpy(words, &above, sizeof above);
  for (long long word : words) any |= word;
  return any;
#endif
}

// A place in arrays that all have the same length: a full vector, or the last part.
template <class T>
struct Full {
  long offset;
  SKDEEP_INLINE Vector<T> load(const T* p, T = 0) const {
    return SKDEEP_ISA::load(p + offset);
  }
  SKDEEP_INLINE void store(T* p, Vector<T> v) const { SKDEEP_ISA::store(p + offset, v); }
  SKDEEP_INLINE Vector<T> only(Vector<T> v) const { return v; }
};

template <class T>
struct Part {
  long offset;
  int count;
  SKDEEP_INLINE Vector<T> load(const T* p, T rest = 0) const {
    return load_part(p + offset, count, rest);
  }
  SKDEEP_INLINE void store(T* p, Vector<T> v) const { store_part(p + offset, v, count); }
  // zero in the lanes that stand for nothing, for sums
  SKDEEP_INLINE Vector<T> only(Vector<T> v) const {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) {
      return (Vector<T>)_mm512_maskz_mov_ps((1u << count) - 1, (__m512)v);
    } else {
      return (Vector<T>)_mm512_maskz_mov_pd((1u << count) - 1, (__m512d)v);
    }
#else
    T lanes[width<T>] = {};
    store_part(lanes, v, count);
    return SKDEEP_ISA::load(lanes);
#endif
  }
};

// Call body(place) for every vector of arrays of `count` numbers.
template <class T, class Body>
SKDEEP_INLINE void each_vector(long begin, long end, Body body) {
  long i = begin;
  for (; i + width<T> <= end; i += width<T>) body(Full<T>{i});
  if (i < end) body(Part<T>{i, (int)(end - i)});
}

// The sum of f(row, offset of the row) over all rows, in blocks to lose fewer digits
template <class T, class Function>
SKDEEP_INLINE Vector<T> sum_over_rows(long rows, long columns, Function f) {
  constexpr long block = 64;
  Vector<T> total{};
  for (long start = 0; start < rows; start += block) {
    const long stop = start + block < rows ? start + block : rows;
    Vector<T> sum{};
    for (long i = start; i < stop; ++i) sum += f(i, i * columns);
    total += sum;
  }
  return total;
}

// --- the arguments of an operation ----------------------------------------------------

template <class T>
SKDEEP_INLINE T* array(const Operation& operation, int i) {
  return (T*)operation.argument[i].data;
}

template <class T>
SKDEEP_INLINE T number(const Operation& operation, int i) {
  return (T)operation.argument[i].number;
}

}  // namespace SKDEEP_ISA
}  // namespace skdeep
