// What acts on vectors of gradients and parameters as wholes, or on single numbers;
// optimizer.py has the formulas. The steps of optimizers, which act on each entry by
// itself, are written by formulas/.
#include "vector.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

#define KERNEL(NAME) \
  template <class T> \
  void NAME(const Operation& o, Worker&, long begin, long end)

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
  *product *= nadam_momentum(number<double>(o, 2), (double)*array<long long>(o, 1));
}

constexpr KernelEntry entries[] = {
    {"clip_by_norm", Split::whole, 0, clip_by_norm<float>, clip_by_norm<double>},
    {"limit_unit_norms", Split::columns, -1, limit_unit_norms<float>,
     limit_unit_norms<double>},
    {"count_steps", Split::whole, 0, count_steps<float>, count_steps<double>},
    {"nadam_schedule", Split::whole, 0, nadam_schedule<float>, nadam_schedule<double>},
};

}  // namespace

extern const KernelFamily optimizer_kernels = {entries, sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
