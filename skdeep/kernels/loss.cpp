// Losses of outputs that depend on each other; loss.py has the formulas. Each writes the
// loss of every row, unweighted, and the gradient with respect to the outputs, weighted.
#include "elementary.h"
#include "transpose.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

// The softmax of a row is exp(z - shift) / sum: writes exp(z - shift) to e.
template <class T>
struct Normalizer {
  T shift, sum;
};

template <class T>
SKDEEP_INLINE Normalizer<T> exponentials(const T* z, long columns, T* e) {
  Vector<T> largest = broadcast(-infinity<T>);
  each_vector<T>(0, columns, [&](auto at) {
    Vector<T> v = at.load(z, -infinity<T>);
    largest = v < largest ? largest : v;
  });
  const T shift = largest_lane<T>(largest);
  Vector<T> sum{};
  each_vector<T>(0, columns, [&](auto at) {
    Vector<T> power = at.only(exponential<T>(at.load(z, shift) - shift));
    at.store(e, power);
    sum += power;
  });
  return {shift, sum_lanes<T>(sum)};
}

// So few outputs are turned over, so that each lane has a row of its own: vectors of a
// row's outputs would be mostly empty, and their lanes would have to be summed.
constexpr long few_columns = 32;

// A vector's lanes of rows that lie one after the other, as to[column * lanes + row]
template <class T>
SKDEEP_INLINE void rows_to_lanes(const T* rows, long columns, long count, T* to) {
  transpose(rows, columns, columns, count, to, width<T>);
}

// The way back; `from` has whole squares of columns.
template <class T>
SKDEEP_INLINE void lanes_to_rows(const T* from, long columns, long count, T* rows) {
  constexpr long W = width<T>;
  T square[W * W];
  for (long k = 0; k < columns; k += W) {
    transpose_square(from + k * W, W, square, W);
    for (long i = 0; i < count; ++i) {
      T* to = rows + i * columns + k;
      const Vector<T> v = load(square + i * W);
      if (k + W <= columns) store(to, v);
      else store_part(to, v, (int)(columns - k));
    }
  }
}

// The loss is log(sum) * sum_k t_k - sum_k t_k (z_k - shift): log(sum) is kept apart from
// the shift, which would swallow its digits.
template <class T, bool WithEntropy>
SKDEEP_INLINE void softmax_lanes(const Operation& o, long begin, long end) {
  constexpr long W = width<T>;
  const long columns = o.argument[0].columns;
  T e[few_columns * W] = {}, t[few_columns * W];
  for (long i = begin; i < end; i += W) {
    const long count = end - i < W ? end - i : W;
    rows_to_lanes(array<T>(o, 0) + i * columns, columns, count, e);
    rows_to_lanes(array<T>(o, 1) + i * columns, columns, count, t);
    Vector<T> shift = load(e);
    for (long k = 1; k < columns; ++k) {
      const Vector<T> z = load(e + k * W);
      shift = shift < z ? z : shift;
    }
    Vector<T> sum{}, share{}, product{};
    for (long k = 0; k < columns; ++k) {
      const Vector<T> shifted = load(e + k * W) - shift, target = load(t + k * W);
      const Vector<T> power = exponential<T>(shifted);
      sum += power;
      share += target;
      product += target * shifted;
      if constexpr (WithEntropy) product -= x_log_y<T>(target, target);
      store(e + k * W, power);
    }
    const Vector<T> inverse = (T)1 / sum;
    const Part<T> place{i, (int)count};
    const Vector<T> weight = place.load(array<T>(o, 2));
    for (long k = 0; k < columns; ++k) {
      store(e + k * W, (load(e + k * W) * inverse - load(t + k * W)) * weight);
    }
    lanes_to_rows(e, columns, count, array<T>(o, 4) + i * columns);
    place.store(array<T>(o, 3), logarithm<T>(sum) * share - product);
  }
}

// The same where a row has many outputs; the logarithms are taken for a vector of rows at
// a time.
template <class T, bool WithEntropy>
SKDEEP_INLINE void softmax_rows(const Operation& o, long begin, long end) {
  const long columns = o.argument[0].columns;
  if (columns <= few_columns) return softmax_lanes<T, WithEntropy>(o, begin, end);
  const T* weight = array<T>(o, 2);
  T* losses = array<T>(o, 3);
  each_vector<T>(begin, end, [&](auto place) {
    T sums[width<T>], shares[width<T>], products[width<T>];
    for (int l = 0; l < width<T>; ++l) sums[l] = 1, shares[l] = 0, products[l] = 0;
    for (int l = 0; l < width<T> && place.offset + l < end; ++l) {
      const long i = place.offset + l;
      const T* z = array<T>(o, 0) + i * columns;
      const T* target = array<T>(o, 1) + i * columns;
      T* d_z = array<T>(o, 4) + i * columns;
      const Normalizer<T> row = exponentials<T>(z, columns, d_z);
      const T inverse = 1 / row.sum, scale = weight[i];
      Vector<T> share{}, product{};
      each_vector<T>(0, columns, [&](auto at) {
        // lanes that stand for nothing have target zero
        Vector<T> t = at.load(target);
        share += t;
        product += t * (at.load(z) - row.shift);
        if constexpr (WithEntropy) product -= x_log_y<T>(t, t);
        at.store(d_z, (at.load(d_z) * inverse - t) * scale);
      });
      sums[l] = row.sum;
      shares[l] = sum_lanes<T>(share);
      products[l] = sum_lanes<T>(product);
    }
    place.store(losses, logarithm<T>(load(sums)) * load(shares) - load(products));
  });
}

template <class T>
void softmax_cross_entropy(const Operation& o, Worker&, long begin, long end) {
  softmax_rows<T, false>(o, begin, end);
}

template <class T>
void softmax_kl_divergence(const Operation& o, Worker&, long begin, long end) {
  softmax_rows<T, true>(o, begin, end);
}

template <class T>
void softmax_focal(const Operation& o, Worker&, long begin, long end) {
  const long columns = o.argument[0].columns;
  const T* weight = array<T>(o, 2);
  const T gamma = number<T>(o, 3);
  T* losses = array<T>(o, 4);
  for (long i = begin; i < end; ++i) {
    const T* z = array<T>(o, 0) + i * columns;
    const T* target = array<T>(o, 1) + i * columns;
    T* d_z = array<T>(o, 5) + i * columns;
    const Normalizer<T> row = exponentials<T>(z, columns, d_z);
    const T log_sum = logarithm<T>(broadcast(row.sum))[0], scale = weight[i];
    Vector<T> sum{}, sum_g{};
    each_vector<T>(0, columns, [&](auto at) {
      Vector<T> log_p = at_most((at.load(z) - row.shift) - log_sum, (T)0);
      Vector<T> rest = -exponential_minus_one_of_negative<T>(log_p);
      Vector<T> right = power<T>(rest, gamma) * at.load(target);
      Vector<T> divisor = at_least(rest, Constants<T>::smallest_normal);
      sum -= right * log_p;
      Vector<T> g =
          right * (gamma * (log_p * exponential<T>(log_p)) / divisor - (T)1);
      sum_g += g;
      at.store(d_z, g);
    });
    losses[i] = sum_lanes<T>(sum);
    const T total_g = sum_lanes<T>(sum_g);
    each_vector<T>(0, columns, [&](auto at) {
      Vector<T> p = exponential<T>((at.load(z) - row.shift) - log_sum);
      at.store(d_z, (at.load(d_z) - p * total_g) * scale);
    });
  }
}

// Add the batch's mean loss, times its rows, to the sum of the epoch.
template <class T>
void sum_losses(const Operation& o, Worker&, long, long) {
  const T *losses = array<T>(o, 0), *weight = array<T>(o, 1);
  const long rows = o.argument[0].rows;
  double sum = 0;
  for (long i = 0; i < rows; ++i) sum += (double)losses[i] * (double)weight[i];
  *array<double>(o, 2) += (double)rows * sum;
}

#define ROWS(NAME) {#NAME, Split::rows, 0, NAME<float>, NAME<double>}
constexpr KernelEntry entries[] = {
    ROWS(softmax_cross_entropy),
    ROWS(softmax_kl_divergence),
    ROWS(softmax_focal),
    {"sum_losses", Split::whole, 0, sum_losses<float>, sum_losses<double>},
};

}  // namespace

extern const KernelFamily loss_kernels = {entries, sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
