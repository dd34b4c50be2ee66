// Exponential, logarithm and their kin on vectors, accurate to a few units in the last
// place. Infinities and NaN come out as they do from the C library.
#pragma once

#include "vector.h"

namespace skdeep {
namespace SKDEEP_ISA {

template <class T>
struct Constants;

template <>
struct Constants<float> {
  static constexpr int mantissa_bits = 23, exponent_bias = 127;
  static constexpr float rounder = 12582912.0f;  // 1.5 * 2^23
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr float exp_lowest = -104.0f, exp_highest = 89.0f;
  static constexpr int exp_terms = 7, log_terms = 5;
  static constexpr float smallest_normal = 1.17549435e-38f, to_normal = 8388608.0f;
  static constexpr int one_half_bits = 0x3f000000, root_half_bits = 0x3f3504f3;
  static constexpr int trigonometric_terms = 4;
  static constexpr float half_pi[] = {1.5703125f, 4.837512969970703125e-4f,
                                      7.54953362047672271728515625e-8f,
                                      2.56334406825708960e-12f};
  static constexpr float most_angle = 12000.0f;
};

template <>
struct Constants<double> {
  static constexpr int mantissa_bits = 52, exponent_bias = 1023;
  static constexpr double rounder = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double ln2_high = 6.93147180369123816490e-01;
  static constexpr double ln2_low = 1.90821492927058770002e-10;
  static constexpr double exp_lowest = -746.0, exp_highest = 710.0;
  static constexpr int exp_terms = 13, log_terms = 11;
  static constexpr double smallest_normal = 2.2250738585072014e-308;
  static constexpr double to_normal = 4503599627370496.0;
  static constexpr long long one_half_bits = 0x3fe0000000000000;
  static constexpr long long root_half_bits = 0x3fe6a09e667f3bcd;
  static constexpr int trigonometric_terms = 8;
  static constexpr double half_pi[] = {0x1.921fb544p+0, 0x1.0b4611a6p-34,
                                       0x1.3198a2e037073p-69};
  static constexpr double most_angle = 1e6;
};

template <class T>
constexpr T infinity = (T)__builtin_inf();

// 2^n for the integers n of a vector, within the range of normal numbers
template <class T>
SKDEEP_INLINE Vector<T> power_of_two(Integers<T> n) {
  using C = Constants<T>;
  return (Vector<T>)((n + C::exponent_bias) << C::mantissa_bits);
}

// x = n ln 2 + r with |r| <= ln(2) / 2
template <class T>
SKDEEP_INLINE Vector<T> reduce_by_ln2(Vector<T> x, Integers<T>& n) {
  using C = Constants<T>;
  const T log2_e = (T)1.44269504088896340736;
  Vector<T> whole = (x * log2_e + C::rounder) - C::rounder;
  n = __builtin_convertvector(whole, Integers<T>);
  return (x - whole * C::ln2_high) - whole * C::ln2_low;
}

// (exp(r) - 1 - r) / r^2 by Taylor's series, for |r| <= ln(2) / 2
template <class T>
SKDEEP_INLINE Vector<T> exp_series(Vector<T> r) {
  T factorial = 1;
  T inverse[16];
  for (int i = 2; i <= Constants<T>::exp_terms; ++i) {
    factorial *= (T)i;
    inverse[i] = 1 / factorial;
  }
  Vector<T> sum = broadcast(inverse[Constants<T>::exp_terms]);
#pragma GCC unroll 16
  for (int i = Constants<T>::exp_terms - 1; i >= 2; --i) sum = sum * r + inverse[i];
  return sum;
}

template <class T>
SKDEEP_INLINE Vector<T> exponential(Vector<T> x) {
  using C = Constants<T>;
  x = at_least(at_most(x, C::exp_highest), C::exp_lowest);
  Integers<T> n;
  Vector<T> r = reduce_by_ln2<T>(x, n);
  Vector<T> p = (exp_series<T>(r) * r * r + r) + (T)1;
  // in two factors, so that results below the normal numbers are rounded once
  Integers<T> half = n >> 1;
  return p * power_of_two<T>(half) * power_of_two<T>(n - half);
}

// exp(x) - 1 for x <= 0, without cancellation near zero
template <class T>
SKDEEP_INLINE Vector<T> exponential_minus_one_of_negative(Vector<T> x) {
  x = at_least(x, (T)-50);
  Integers<T> n;
  Vector<T> r = reduce_by_ln2<T>(x, n);
  Vector<T> p = exp_series<T>(r) * r * r + r;
  Vector<T> scale = power_of_two<T>(n);
  return p * scale + (scale - 1);
}

// exp(x) - 1, without cancellation near zero
template <class T>
SKDEEP_INLINE Vector<T> exponential_minus_one(Vector<T> x) {
  const T far = 40;  // from there on the 1 is lost
  Vector<T> near = exponential_minus_one_of_negative<T>(at_most(x, far));
  return x > far ? exponential<T>(x) : near;
}

// log(1 + f) + k ln 2 for 1 + f in [1/sqrt 2, sqrt 2]; the formula of fdlibm
template <class T>
SKDEEP_INLINE Vector<T> log_reduced(Vector<T> f, Vector<T> k) {
  using C = Constants<T>;
  Vector<T> s = f / (f + 2), z = s * s;
  Vector<T> series = broadcast((T)2 / (2 * C::log_terms + 1));
#pragma GCC unroll 16
  for (int i = C::log_terms - 1; i >= 1; --i) series = series * z + (T)2 / (2 * i + 1);
  Vector<T> half_square = f * f * (T)0.5;
  return k * C::ln2_high -
         ((half_square - (s * (half_square + series * z) + k * C::ln2_low)) - f);
}

template <class T>
SKDEEP_INLINE Vector<T> logarithm(Vector<T> x) {
  using C = Constants<T>;
  Vector<T> k{}, y = x;
  auto small = x < C::smallest_normal;
  y = small ? x * C::to_normal : x;
  k = small ? broadcast((T)-C::mantissa_bits) : k;
  // the bits of y over sqrt(1/2) count powers of two from there
  Integers<T> bits = (Integers<T>)y - C::root_half_bits;
  Integers<T> exponent = bits >> C::mantissa_bits;
  k = k + __builtin_convertvector(exponent, Vector<T>);
  Vector<T> mantissa =
      (Vector<T>)((bits - (exponent << C::mantissa_bits)) + C::root_half_bits);
  Vector<T> result = log_reduced<T>(mantissa - 1, k);
  result = x == infinity<T> ? x : result;
  result = x == (T)0 ? broadcast(-infinity<T>) : result;
  return x >= (T)0 ? result : broadcast((T)__builtin_nan(""));
}

// x log(y), zero where x is
template <class T>
SKDEEP_INLINE Vector<T> x_log_y(Vector<T> x, Vector<T> y) {
  return x == (T)0 ? Vector<T>{} : x * logarithm<T>(y);
}

// log(1 + x) for x in [0, 1]
template <class T>
SKDEEP_INLINE Vector<T> log_one_plus_share(Vector<T> x) {
  auto far = x > (T)0.41421356237;
  Vector<T> f = far ? (x - 1) * (T)0.5 : x;
  Vector<T> k = far ? broadcast((T)1) : Vector<T>{};
  return log_reduced<T>(f, k);
}

// log(1 + x), without cancellation near zero: what rounding 1 + x lost is added
template <class T>
SKDEEP_INLINE Vector<T> log_one_plus(Vector<T> x) {
  const Vector<T> u = x + 1, result = logarithm<T>(u);
  const Vector<T> lost = (x - (u - 1)) / u;
  return absolute<T>(result) < infinity<T> ? result + lost : result;
}

// log(1 + exp(x))
template <class T>
SKDEEP_INLINE Vector<T> softplus(Vector<T> x) {
  return at_least(x, (T)0) + log_one_plus_share<T>(exponential<T>(-absolute<T>(x)));
}

// 1 / (1 + exp(-x))
template <class T>
SKDEEP_INLINE Vector<T> logistic(Vector<T> x) {
  Vector<T> e = exponential<T>(-absolute<T>(x));
  return (x < (T)0 ? e : broadcast((T)1)) / (e + 1);
}

template <class T>
SKDEEP_INLINE Vector<T> hyperbolic_tangent(Vector<T> x) {
  Vector<T> e = exponential_minus_one_of_negative<T>(absolute<T>(x) * (T)-2);
  Vector<T> y = -e / (e + 2);
  return x < (T)0 ? -y : y;
}

// The sum of (-z)^i / (first + 2 i)!, the series of sines and cosines from a term on
template <class T>
SKDEEP_INLINE Vector<T> trigonometric_series(Vector<T> z, int first) {
  constexpr int terms = Constants<T>::trigonometric_terms;
  T inverse[terms], factorial = 1;
  for (int n = 2; n <= first; ++n) factorial *= (T)n;
  for (int i = 0; i < terms; ++i) {
    inverse[i] = 1 / factorial;
    factorial *= (T)(-(first + 2 * i + 1) * (first + 2 * i + 2));
  }
  Vector<T> sum = broadcast(inverse[terms - 1]);
#pragma GCC unroll 16
  for (int i = terms - 2; i >= 0; --i) sum = sum * z + inverse[i];
  return sum;
}

// The same by the C library, for the lanes that are too far from zero. Those of the others
// stay: what is in a lane never depends on its neighbours.
template <class T>
__attribute__((noinline)) void sine_cosine_far_away(const T* x, T* sine, T* cosine) {
  for (int l = 0; l < width<T>; ++l) {
    if (__builtin_fabs((double)x[l]) <= Constants<T>::most_angle) continue;
    sine[l] = (T)__builtin_sin((double)x[l]);
    cosine[l] = (T)__builtin_cos((double)x[l]);
  }
}

// The sine and the cosine of x. Quarter turns are taken off in parts of pi / 2 (Cody and
// Waite 1980) that have so few bits that their products with the turns are exact.
template <class T>
SKDEEP_INLINE void sine_cosine(Vector<T> x, Vector<T>& sine, Vector<T>& cosine) {
  using C = Constants<T>;
  const T turns_of_one = (T)0.63661977236758134308;  // 2 / pi
  const Vector<T> rounded = x * turns_of_one + C::rounder, whole = rounded - C::rounder;
  Vector<T> r = x;
#pragma GCC unroll 4
  for (T part : C::half_pi) r = r - whole * part;
  const Vector<T> z = r * r;
  const Vector<T> s = r - r * z * trigonometric_series<T>(z, 3);
  const Vector<T> c = (T)1 - z * ((T)0.5 - z * trigonometric_series<T>(z, 4));
  // The last bits of what was rounded are those of the turns: an odd number swaps the two,
  // and the second bit is the sign of the sine, that of one turn more the cosine's.
  const Integers<T> turns = (Integers<T>)rounded;
  const auto swap = (turns & 1) != 0;
  const Vector<T> first = swap ? c : s, second = swap ? s : c;
  constexpr int to_sign = 8 * sizeof(T) - 2;
  sine = (Vector<T>)((Integers<T>)first ^ ((turns & 2) << to_sign));
  cosine = (Vector<T>)((Integers<T>)second ^ (((turns + 1) & 2) << to_sign));
  if (any_above<T>(absolute<T>(x), C::most_angle)) {
    T angles[width<T>], sines[width<T>], cosines[width<T>];
    store(angles, x);
    store(sines, sine);
    store(cosines, cosine);
    sine_cosine_far_away(angles, sines, cosines);
    sine = load(sines);
    cosine = load(cosines);
  }
}

template <class T>
SKDEEP_INLINE Vector<T> sine(Vector<T> x) {
  Vector<T> s, c;
  sine_cosine<T>(x, s, c);
  return s;
}

template <class T>
SKDEEP_INLINE Vector<T> cosine(Vector<T> x) {
  Vector<T> s, c;
  sine_cosine<T>(x, s, c);
  return c;
}

// The normal distribution function, and powers: lane by lane with the C library
// Of floats: with a = |x|, the share below -a is exp(-a^2 / 2) times a function that falls
// slowly. That, times a + 3.5, is a polynomial of t = (a - 3.5) / (a + 3.5), whose
// coefficients are those of its Chebyshev series of degree 11.
template <class T>
SKDEEP_INLINE Vector<T> normal_distribution_by_series(Vector<T> x) {
  constexpr T centre = (T)3.5;
  constexpr T coefficients[] = {
      (T)7.444160717033347e-1,  (T)-5.655618233193191e-1, (T)3.1542524216077267e-1,
      (T)-1.1605071953214766e-1, (T)1.7404597787308074e-2, (T)6.474478285278629e-3,
      (T)-3.174920410887872e-3, (T)-4.386794117195336e-4, (T)4.4806905673055997e-4,
      (T)5.537890830566996e-5,  (T)-4.792357049439034e-5, (T)-7.495211536934222e-6};
  const Vector<T> a = at_most(absolute<T>(x), (T)15);
  const Vector<T> share = 1 / (a + centre), t = (a - centre) * share;
  Vector<T> sum = broadcast(coefficients[11]);
#pragma GCC unroll 16
  for (int i = 10; i >= 0; --i) sum = sum * t + coefficients[i];
  // the square of a number of ten bits is exact, and a^2 would lose what exp makes large
  constexpr T rounder = Constants<T>::rounder / 64;
  const Vector<T> high = (a + rounder) - rounder;
  const Vector<T> rest = (a - high) * (a + high);
  const Vector<T> tail = exponential<T>(high * high * (T)-0.5) *
                         exponential<T>(rest * (T)-0.5) * (sum * share);
  return x > (T)0 ? 1 - tail : tail;
}

template <class T>
SKDEEP_INLINE Vector<T> normal_distribution(Vector<T> x) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return normal_distribution_by_series<T>(x);
  } else {
    T lanes[width<T>];
    store(lanes, x);
    for (int l = 0; l < width<T>; ++l) {
      lanes[l] = (T)(0.5 * __builtin_erfc(lanes[l] * -0.70710678118654752440));
    }
    return load(lanes);
  }
}

template <class T>
SKDEEP_INLINE Vector<T> power(Vector<T> x, Vector<T> exponent) {
  T lanes[width<T>], exponents[width<T>];
  store(lanes, x);
  store(exponents, exponent);
  for (int l = 0; l < width<T>; ++l) lanes[l] = (T)__builtin_pow(lanes[l], exponents[l]);
  return load(lanes);
}
template <class T>
SKDEEP_INLINE Vector<T> power(Vector<T> x, T exponent) {
  T lanes[width<T>];
  store(lanes, x);
  for (int l = 0; l < width<T>; ++l) lanes[l] = (T)__builtin_pow(lanes[l], exponent);
  return load(lanes);
}

}  // namespace SKDEEP_ISA
}  // namespace skdeep
