// Losses of outputs that depend on each other; loss.py has the formulas. Each writes the
// loss of every row, unweighted, and the gradient with respect to the outputs, weighted.
#include "elementary.h"

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

// The loss is log(sum) * sum_k t_k - sum_k t_k (z_k - shift): log(sum) is kept apart from
// the shift, which would swallow its digits, and taken for a vector of rows at a time.
template <class T, bool WithEntropy>
SKDEEP_INLINE void softmax_rows(const Operation& o, long begin, long end) {
  const long columns = o.argument[0].columns;
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
      if (columns <= width<T>) {  // few classes: all in one vector
        const Part<T> at{0, (int)columns};
        const Vector<T> outputs = at.load(z, -infinity<T>), t = at.load(target);
        const T shift = largest_lane<T>(outputs);
        // not exp(-inf) in the lanes that stand for nothing: tiny numbers are slow
        const Vector<T> shifted = at.load(z, shift) - shift;
        const Vector<T> e = at.only(exponential<T>(shifted));
        Vector<T> product = t * shifted;
        if constexpr (WithEntropy) product -= x_log_y<T>(t, t);
        sums[l] = sum_lanes<T>(e);
        shares[l] = sum_lanes<T>(t);
        products[l] = sum_lanes<T>(product);
        at.store(d_z, (e * (1 / sums[l]) - t) * weight[i]);
        continue;
      }
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
