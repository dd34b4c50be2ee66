// One step of each optimizer on ranges of the flat vectors, and what acts before and
// after it; skdeep/kernels/reference/optimizer.py has the formulas. Unlike there, the
// gradient is only read.
#include "vector.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

SKDEEP_INLINE double learning_rate(const Operation& o, int i) {
  return *array<double>(o, i);
}
SKDEEP_INLINE double step_number(const Operation& o, int i) {
  return (double)*array<long long>(o, i);
}

#define KERNEL(NAME) \
  template <class T> \
  void NAME(const Operation& o, Worker&, long begin, long end)

// gradient += rate * parameters
KERNEL(add_weight_decay) {
  const T* parameters = array<T>(o, 0);
  T* gradient = array<T>(o, 1);
  const T rate = number<T>(o, 2);
  each_vector<T>(begin, end, [=](auto at) {
    at.store(gradient, at.load(gradient) + at.load(parameters) * rate);
  });
}

// gradient += rate * sign of the parameters
KERNEL(add_l1_penalty) {
  const T* parameters = array<T>(o, 0);
  T* gradient = array<T>(o, 1);
  const T rate = number<T>(o, 2);
  each_vector<T>(begin, end, [=](auto at) {
    const Vector<T> w = at.load(parameters), zero{}, up = zero + rate;
    Vector<T> slope = w > zero ? up : (w < zero ? -up : w);  // zeros and NaN stay
    at.store(gradient, at.load(gradient) + slope);
  });
}

// Loshchilov and Hutter 2019
KERNEL(decay_parameters) {
  T* parameters = array<T>(o, 0);
  const T factor = (T)(1 - learning_rate(o, 1) * number<double>(o, 2));
  each_vector<T>(begin, end,
                 [=](auto at) { at.store(parameters, at.load(parameters) * factor); });
}

KERNEL(clip_by_value) {
  T* gradient = array<T>(o, 0);
  const T limit = number<T>(o, 1);
  each_vector<T>(begin, end, [=](auto at) {
    at.store(gradient, at_least(at_most(at.load(gradient), limit), -limit));
  });
}

// The sum of (scale g)^2, in blocks to lose fewer digits
template <class T>
SKDEEP_INLINE double scaled_square(const T* gradient, long n, T scale) {
  constexpr long block = 4096;
  double square = 0;
  for (long start = 0; start < n; start += block) {
    Vector<T> sum{};
    each_vector<T>(start, start + block < n ? start + block : n, [&](auto at) {
      Vector<T> g = at.load(gradient) * scale;
      sum += g * g;
    });
    square += (double)sum_lanes<T>(sum);
  }
  return square;
}

template <class T>
SKDEEP_INLINE double norm_of(const T* gradient, long n) {
  const double square = scaled_square<T>(gradient, n, 1);
  if (square < __builtin_inf()) return __builtin_sqrt(square);
  // squares may overflow where the norm does not
  const T scale = sizeof(T) == 4 ? (T)0x1p-100 : (T)0x1p-1000;
  return __builtin_sqrt(scaled_square<T>(gradient, n, scale)) / (double)scale;
}

KERNEL(clip_by_norm) {
  (void)begin, (void)end;
  T* gradient = array<T>(o, 0);
  const long n = o.argument[0].rows;
  const double norm = norm_of<T>(gradient, n), largest = number<double>(o, 1);
  const T factor = (T)(largest / (norm < largest ? largest : norm));
  each_vector<T>(0, n,
                 [=](auto at) { at.store(gradient, at.load(gradient) * factor); });
}

// Each range of columns: most of them need no scaling, and cost one pass
KERNEL(limit_unit_norms) {
  T* kernel = array<T>(o, 1);
  const long rows = o.argument[1].rows, columns = o.argument[1].columns;
  const T max_norm = number<T>(o, 0);
  each_vector<T>(begin, end, [=](auto at) {
    Vector<T> square = sum_over_rows<T>(rows, columns, [=](long, long offset) {
      Vector<T> w = at.load(kernel + offset);
      return w * w;
    });
    const Vector<T> norm = at_least(square_root<T>(square), max_norm);
    if (!(largest_lane<T>(norm - max_norm) == 0)) {
      const Vector<T> factor = max_norm / norm;
      for (long i = 0; i < rows; ++i) {
        at.store(kernel + i * columns, at.load(kernel + i * columns) * factor);
      }
    }
  });
}

KERNEL(update_moving_average) {
  const T* parameters = array<T>(o, 0);
  T* average = array<T>(o, 3);
  const double t = step_number(o, 1), decay = number<double>(o, 2);
  const double keep = (1 + t) / (10 + t) < decay ? (1 + t) / (10 + t) : decay;
  const T share = (T)(1 - keep);
  each_vector<T>(begin, end, [=](auto at) {
    Vector<T> a = at.load(average);
    at.store(average, a + (at.load(parameters) - a) * share);
  });
}

KERNEL(sgd_step) {
  T* parameters = array<T>(o, 0);
  const T* gradient = array<T>(o, 1);
  const T rate = (T)learning_rate(o, 2);
  each_vector<T>(begin, end, [=](auto at) {
    at.store(parameters, at.load(parameters) - at.load(gradient) * rate);
  });
}

KERNEL(momentum_step) {
  T *parameters = array<T>(o, 0), *velocity = array<T>(o, 2);
  const T* gradient = array<T>(o, 1);
  const T rate = (T)learning_rate(o, 3), momentum = number<T>(o, 4);
  each_vector<T>(begin, end, [=](auto at) {
    Vector<T> v = at.load(velocity) * momentum - at.load(gradient) * rate;
    at.store(velocity, v);
    at.store(parameters, at.load(parameters) + v);
  });
}

KERNEL(nesterov_step) {
  T *parameters = array<T>(o, 0), *velocity = array<T>(o, 2);
  const T* gradient = array<T>(o, 1);
  const T rate = (T)learning_rate(o, 3), momentum = number<T>(o, 4);
  each_vector<T>(begin, end, [=](auto at) {
    Vector<T> g = at.load(gradient) * rate;
    Vector<T> v = at.load(velocity) * momentum - g;
    at.store(velocity, v);
    at.store(parameters, at.load(parameters) + v * momentum - g);
  });
}

KERNEL(adagrad_step) {
  T *parameters = array<T>(o, 0), *accumulator = array<T>(o, 2);
  const T* gradient = array<T>(o, 1);
  const T rate = (T)learning_rate(o, 3), epsilon = number<T>(o, 4);
  each_vector<T>(begin, end, [=](auto at) {
    Vector<T> g = at.load(gradient), a = at.load(accumulator) + g * g;
    at.store(accumulator, a);
    Vector<T> root = square_root<T>(a) + epsilon;
    at.store(parameters, at.load(parameters) - g / root * rate);
  });
}

KERNEL(rmsprop_step) {
  T *parameters = array<T>(o, 0), *square_sum = array<T>(o, 2);
  const T* gradient = array<T>(o, 1);
  const double scale = __builtin_sqrt(1 - number<double>(o, 4));
  const T rate = (T)(learning_rate(o, 3) / scale), rho = number<T>(o, 4);
  const T epsilon = (T)(number<double>(o, 5) / scale);
  each_vector<T>(begin, end, [=](auto at) {
    Vector<T> g = at.load(gradient), s = at.load(square_sum) * rho + g * g;
    at.store(square_sum, s);
    Vector<T> root = square_root<T>(s) + epsilon;
    at.store(parameters, at.load(parameters) - g / root * rate);
  });
}

KERNEL(rmsprop_momentum_step) {
  T *parameters = array<T>(o, 0), *square_sum = array<T>(o, 2), *velocity = array<T>(o, 3);
  const T* gradient = array<T>(o, 1);
  const double scale = __builtin_sqrt(1 - number<double>(o, 5));
  const T rate = (T)(learning_rate(o, 4) / scale), rho = number<T>(o, 5);
  const T momentum = number<T>(o, 6), epsilon = (T)(number<double>(o, 7) / scale);
  each_vector<T>(begin, end, [=](auto at) {
    Vector<T> g = at.load(gradient), s = at.load(square_sum) * rho + g * g;
    at.store(square_sum, s);
    Vector<T> root = square_root<T>(s) + epsilon;
    Vector<T> v = at.load(velocity) * momentum + g / root * rate;
    at.store(velocity, v);
    at.store(parameters, at.load(parameters) - v);
  });
}

KERNEL(rmsprop_centered_step) {
  T *parameters = array<T>(o, 0), *square_mean = array<T>(o, 2), *mean = array<T>(o, 3);
  T* velocity = array<T>(o, 4);
  const T* gradient = array<T>(o, 1);
  const T rate = (T)learning_rate(o, 5), rho = number<T>(o, 6);
  const T rest = (T)(1 - number<double>(o, 6));
  const T momentum = number<T>(o, 7), epsilon = number<T>(o, 8);
  each_vector<T>(begin, end, [=](auto at) {
    Vector<T> g = at.load(gradient);
    Vector<T> s = at.load(square_mean) * rho + g * g * rest;
    Vector<T> m = at.load(mean) * rho + g * rest;
    at.store(square_mean, s);
    at.store(mean, m);
    // rounding can leave a variance below zero
    Vector<T> variance = at_least(s - m * m, (T)0);
    Vector<T> root = square_root<T>(variance) + epsilon;
    Vector<T> v = at.load(velocity) * momentum + g / root * rate;
    at.store(velocity, v);
    at.store(parameters, at.load(parameters) - v);
  });
}

// What the number of the step makes of Adam's settings.
struct AdamScale {
  double epsilon, rate;
};

SKDEEP_INLINE AdamScale adam_scale(double rate, double t, double beta_1, double beta_2,
                                   double epsilon) {
  const double root =
      __builtin_sqrt((1 - __builtin_pow(beta_2, t)) / (1 - beta_2));
  return {epsilon * root, rate * (1 - beta_1) / (1 - __builtin_pow(beta_1, t)) * root};
}

KERNEL(adam_step) {
  T* parameters = array<T>(o, 0);
  const T* gradient = array<T>(o, 1);
  T *gradient_sum = array<T>(o, 2), *square_sum = array<T>(o, 3);
  const T beta_1 = number<T>(o, 6), beta_2 = number<T>(o, 7);
  const AdamScale scale = adam_scale(learning_rate(o, 4), step_number(o, 5),
                                     number<double>(o, 6), number<double>(o, 7),
                                     number<double>(o, 8));
  const T epsilon = (T)scale.epsilon, rate = (T)scale.rate;
  each_vector<T>(begin, end, [=](auto at) {
    Vector<T> g = at.load(gradient);
    Vector<T> m = at.load(gradient_sum) * beta_1 + g;
    Vector<T> s = at.load(square_sum) * beta_2 + g * g;
    at.store(gradient_sum, m);
    at.store(square_sum, s);
    Vector<T> root = square_root<T>(s) + epsilon;
    at.store(parameters, at.load(parameters) - m / root * rate);
  });
}

KERNEL(amsgrad_step) {
  T* parameters = array<T>(o, 0);
  const T* gradient = array<T>(o, 1);
  T *gradient_sum = array<T>(o, 2), *square_sum = array<T>(o, 3);
  T* largest = array<T>(o, 4);
  const T beta_1 = number<T>(o, 7), beta_2 = number<T>(o, 8);
  const AdamScale scale = adam_scale(learning_rate(o, 5), step_number(o, 6),
                                     number<double>(o, 7), number<double>(o, 8),
                                     number<double>(o, 9));
  const T epsilon = (T)scale.epsilon, rate = (T)scale.rate;
  each_vector<T>(begin, end, [=](auto at) {
    Vector<T> g = at.load(gradient);
    Vector<T> m = at.load(gradient_sum) * beta_1 + g;
    Vector<T> s = at.load(square_sum) * beta_2 + g * g;
    Vector<T> most = at.load(largest);
    most = s < most ? most : s;
    at.store(gradient_sum, m);
    at.store(square_sum, s);
    at.store(largest, most);
    Vector<T> root = square_root<T>(most) + epsilon;
    at.store(parameters, at.load(parameters) - m / root * rate);
  });
}

SKDEEP_INLINE double nadam_momentum(double beta_1, double t) {
  return beta_1 * (1 - 0.5 * __builtin_pow(0.96, 0.004 * t));
}

KERNEL(count_steps) {
  (void)begin, (void)end;
  *array<long long>(o, 0) = *array<long long>(o, 1) - (long long)number<double>(o, 2);
}

KERNEL(nadam_schedule) {
  (void)begin, (void)end;
  double* product = array<double>(o, 0);
  *product *= nadam_momentum(number<double>(o, 2), step_number(o, 1));
}

KERNEL(nadam_step) {
  T *parameters = array<T>(o, 0), *mean = array<T>(o, 2), *square_sum = array<T>(o, 3);
  const T* gradient = array<T>(o, 1);
  const double t = step_number(o, 5), product = *array<double>(o, 6);
  const double beta_1 = number<double>(o, 7), beta_2 = number<double>(o, 8);
  const double now = nadam_momentum(beta_1, t), ahead = nadam_momentum(beta_1, t + 1);
  const double root_scale =
      __builtin_sqrt((1 - __builtin_pow(beta_2, t)) / (1 - beta_2));
  const T of_gradient = (T)((1 - now) / (1 - product));
  const T of_mean = (T)(ahead / (1 - product * ahead));
  const T keep = (T)beta_1, rest = (T)(1 - beta_1), keep_square = (T)beta_2;
  const T epsilon = (T)(number<double>(o, 9) * root_scale);
  const T rate = (T)(learning_rate(o, 4) * root_scale);
  each_vector<T>(begin, end, [=](auto at) {
    Vector<T> g = at.load(gradient);
    Vector<T> m = at.load(mean) * keep + g * rest;
    Vector<T> s = at.load(square_sum) * keep_square + g * g;
    at.store(mean, m);
    at.store(square_sum, s);
    Vector<T> root = square_root<T>(s) + epsilon;
    Vector<T> direction = (g * of_gradient + m * of_mean) / root;
    at.store(parameters, at.load(parameters) - direction * rate);
  });
}

#define PARAMETERS(NAME) {#NAME, Split::parameters, 0, NAME<float>, NAME<double>}
constexpr KernelEntry entries[] = {
    PARAMETERS(add_weight_decay),
    PARAMETERS(add_l1_penalty),
    PARAMETERS(decay_parameters),
    PARAMETERS(clip_by_value),
    {"clip_by_norm", Split::whole, 0, clip_by_norm<float>, clip_by_norm<double>},
    {"limit_unit_norms", Split::columns, -1, limit_unit_norms<float>,
     limit_unit_norms<double>},
    PARAMETERS(update_moving_average),
    PARAMETERS(sgd_step),
    PARAMETERS(momentum_step),
    PARAMETERS(nesterov_step),
    PARAMETERS(adagrad_step),
    PARAMETERS(rmsprop_step),
    PARAMETERS(rmsprop_momentum_step),
    PARAMETERS(rmsprop_centered_step),
    PARAMETERS(adam_step),
    PARAMETERS(amsgrad_step),
    {"count_steps", Split::whole, 0, count_steps<float>, count_steps<double>},
    {"nadam_schedule", Split::whole, 0, nadam_schedule<float>, nadam_schedule<double>},
    PARAMETERS(nadam_step),
};

}  // namespace

extern const KernelFamily optimizer_kernels = {entries, sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
