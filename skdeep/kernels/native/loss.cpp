// Losses; skdeep/kernels/reference/loss.py has the formulas. Each writes the loss of every
// row, unweighted, and the gradient with respect to the outputs, weighted.
#include "elementary.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

// A loss that is the mean over independent outputs. f(z, target, loss) sets the loss of
// an output and returns its derivative. Of losses with labels, an argument may weigh each:
// by its first row, plus its second times the target.
template <class T, bool WithLabels = false, class Function>
SKDEEP_INLINE void independent(const Operation& o, int n_settings, long begin, long end,
                               Function f) {
  const T *z = array<T>(o, 0), *target = array<T>(o, 1), *weight = array<T>(o, 2);
  const int results = 3 + n_settings + WithLabels;
  T *losses = array<T>(o, results), *d_z = array<T>(o, results + 1);
  const T* label_weight = WithLabels ? array<T>(o, results - 1) : nullptr;
  const long columns = o.argument[0].columns;
  if (columns == 1 && !label_weight) {  // vectors along the rows
    each_vector<T>(begin, end, [=](auto at) {
      Vector<T> loss;
      Vector<T> d = f(at.load(z), at.load(target), loss);
      at.store(losses, loss);
      at.store(d_z, d * at.load(weight));
    });
    return;
  }
  const T share = (T)1 / (T)columns;
  for (long i = begin; i < end; ++i) {
    Vector<T> sum{};
    const T scale = share * weight[i];
    const T *z_row = z + i * columns, *target_row = target + i * columns;
    T* d_row = d_z + i * columns;
    if (WithLabels && label_weight) {
      each_vector<T>(0, columns, [&](auto at) {
        Vector<T> loss;
        const Vector<T> t = at.load(target_row);
        const Vector<T> d = f(at.load(z_row), t, loss);
        const Vector<T> factor =
            at.load(label_weight) + at.load(label_weight + columns) * t;
        sum += at.only(loss * factor);
        at.store(d_row, d * factor * scale);
      });
    } else {
      each_vector<T>(0, columns, [&](auto at) {
        Vector<T> loss;
        Vector<T> d = f(at.load(z_row), at.load(target_row), loss);
        sum += at.only(loss);
        at.store(d_row, d * scale);
      });
    }
    losses[i] = sum_lanes<T>(sum) * share;
  }
}

template <class T>
SKDEEP_INLINE Vector<T> sign(Vector<T> v) {
  const Vector<T> one = broadcast((T)1);
  return v > (T)0 ? one : v < (T)0 ? -one : v;  // zero and NaN stay
}

// target log(target), zero for zero
template <class T>
SKDEEP_INLINE Vector<T> entropy(Vector<T> target) {
  return target == (T)0 ? Vector<T>{} : target * logarithm<T>(target);
}

#define INDEPENDENT(NAME, WITH_LABELS, N_SETTINGS, ...)                         \
  template <class T>                                                            \
  void NAME(const Operation& o, Worker&, long begin, long end) {                \
    using V = Vector<T>;                                                        \
    [[maybe_unused]] const T setting = N_SETTINGS ? number<T>(o, 3) : (T)0;     \
    independent<T, WITH_LABELS>(o, N_SETTINGS, begin, end,                      \
                                [=](V z, V target, V& loss) -> V __VA_ARGS__);  \
  }
#define LOSS_OF_LABELS(NAME, ...) INDEPENDENT(NAME, true, __VA_ARGS__)
#define LOSS(NAME, ...) INDEPENDENT(NAME, false, __VA_ARGS__)

LOSS_OF_LABELS(sigmoid_cross_entropy, 0, {
  loss = softplus<T>(z) - target * z;
  return logistic<T>(z) - target;
})

LOSS_OF_LABELS(sigmoid_focal, 1, {
  const T gamma = setting;
  V p = logistic<T>(z), q = logistic<T>(-z);
  V surprise_p = softplus<T>(-z), surprise_q = softplus<T>(z);  // -log p and -log q
  V right = target * power<T>(q, gamma), wrong = (1 - target) * power<T>(p, gamma);
  loss = right * surprise_p + wrong * surprise_q;
  return wrong * (gamma * q * surprise_q + p) - right * (gamma * p * surprise_p + q);
})

LOSS_OF_LABELS(hinge, 0, {
  V sign = target * (T)2 - 1;
  loss = at_least(1 - sign * z, (T)0);
  return loss > (T)0 ? -sign : V{};
})

LOSS_OF_LABELS(squared_hinge, 0, {
  V sign = target * (T)2 - 1;
  V margin = at_least(1 - sign * z, (T)0);
  loss = margin * margin;
  return sign * margin * (T)-2;
})

LOSS(squared_error, 0, {
  V error = z - target;
  loss = error * error * (T)0.5;
  return error;
})

LOSS(absolute_error, 0, {
  V error = z - target;
  loss = absolute<T>(error);
  return sign<T>(error);
})

LOSS(huber, 1, {
  V error = z - target;
  V cut = at_least(at_most(error, setting), -setting);
  loss = (error - cut * (T)0.5) * cut;
  return cut;
})

LOSS(log_cosh, 0, {
  V error = z - target;
  V distance = absolute<T>(error);
  loss = distance + log_one_plus<T>(exponential<T>(distance * (T)-2)) -
         (T)0.69314718055994530942;
  return hyperbolic_tangent<T>(error);
})

LOSS(quantile, 1, {
  V error = z - target;
  V slope = sign<T>(error) * (T)0.5 + (T)(0.5 - setting);
  loss = error * slope;
  return slope;
})

LOSS(poisson, 0, {
  V mean = exponential<T>(z);
  loss = mean - target * z + entropy<T>(target) - target;
  return mean - target;
})

// --- softmax --------------------------------------------------------------------------

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
        if constexpr (WithEntropy) product -= entropy<T>(t);
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
        if constexpr (WithEntropy) product -= entropy<T>(t);
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
      Vector<T> rest = -exponential_minus_one<T>(log_p);
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
    ROWS(sigmoid_cross_entropy),
    ROWS(sigmoid_focal),
    ROWS(hinge),
    ROWS(squared_hinge),
    ROWS(squared_error),
    ROWS(absolute_error),
    ROWS(huber),
    ROWS(log_cosh),
    ROWS(quantile),
    ROWS(poisson),
    ROWS(softmax_cross_entropy),
    ROWS(softmax_kl_divergence),
    ROWS(softmax_focal),
    {"sum_losses", Split::whole, 0, sum_losses<float>, sum_losses<double>},
};

}  // namespace

extern const KernelFamily loss_kernels = {entries, sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
