// Batch normalization; skdeep/kernels/reference/normalization.py has the formulas.
// Training is cut by columns, since each needs all rows of its own.
#include "elementary.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

template <class T>
void batch_norm_forward(const Operation& o, Worker&, long begin, long end) {
  const T *x = array<T>(o, 0), *weight = array<T>(o, 1);
  const T *scale = array<T>(o, 2), *shift = array<T>(o, 3);
  const long rows = o.argument[0].rows, columns = o.argument[0].columns;
  const double step = (double)*array<long long>(o, 4), batch_size = number<double>(o, 5);
  const double momentum = number<double>(o, 6);
  const T epsilon = number<T>(o, 7);
  T *share = array<T>(o, 8), *normalized = array<T>(o, 9);
  T *inverse_deviation = array<T>(o, 10);
  T *running_mean = array<T>(o, 11), *running_variance = array<T>(o, 12);
  T* out = array<T>(o, 13);

  // a batch without any weight has mean and variance zero instead of 0 / 0
  double weights = 0;
  for (long i = 0; i < rows; ++i) weights += (double)weight[i];
  T total = (T)weights;
  total = total < Constants<T>::smallest_normal ? Constants<T>::smallest_normal : total;
  if (begin == 0) {
    for (long i = 0; i < rows; ++i) share[i] = weight[i] / total;
  }
  const double new_share = 1 / step > 1 - momentum ? 1 / step : 1 - momentum;
  const T update = (T)(new_share * (double)rows / batch_size);
  const T keep = (T)(1 - new_share * (double)rows / batch_size);

  each_vector<T>(begin, end, [=](auto at) {
    // Each range of columns divides by itself: another thread may still write share.
    Vector<T> mean = sum_over_rows<T>(rows, columns, [=](long i, long offset) {
      return at.load(x + offset) * (weight[i] / total);
    });
    Vector<T> variance = sum_over_rows<T>(rows, columns, [=](long i, long offset) {
      Vector<T> centered = at.load(x + offset) - mean;
      return centered * centered * (weight[i] / total);
    });
    at.store(running_mean, at.load(running_mean) * keep + mean * update);
    at.store(running_variance, at.load(running_variance) * keep + variance * update);
    Vector<T> inverse = 1 / square_root<T>(variance + epsilon);
    at.store(inverse_deviation, inverse);
    const Vector<T> a = at.load(scale), b = at.load(shift);
    for (long i = 0; i < rows; ++i) {
      Vector<T> y = (at.load(x + i * columns) - mean) * inverse;
      at.store(normalized + i * columns, y);
      at.store(out + i * columns, y * a + b);
    }
  });
}

template <class T>
void batch_norm_backward_parameters(const Operation& o, Worker&, long begin, long end) {
  const T *d_out = array<T>(o, 0), *normalized = array<T>(o, 1);
  T *d_scale = array<T>(o, 2), *d_shift = array<T>(o, 3);
  const long rows = o.argument[0].rows, columns = o.argument[0].columns;
  each_vector<T>(begin, end, [=](auto at) {
    at.store(d_scale, sum_over_rows<T>(rows, columns, [=](long, long offset) {
               return at.load(d_out + offset) * at.load(normalized + offset);
             }));
    at.store(d_shift, sum_over_rows<T>(rows, columns, [=](long, long offset) {
               return at.load(d_out + offset);
             }));
  });
}

template <class T>
void batch_norm_backward_input(const Operation& o, Worker&, long begin, long end) {
  const T *d_out = array<T>(o, 0), *normalized = array<T>(o, 1), *share = array<T>(o, 2);
  const T *scale = array<T>(o, 3), *inverse_deviation = array<T>(o, 4);
  const T *d_scale = array<T>(o, 5), *d_shift = array<T>(o, 6);
  T* d_x = array<T>(o, 7);
  const long columns = o.argument[0].columns;
  for (long i = begin; i < end; ++i) {
    const long offset = i * columns;
    const T part = share[i];
    each_vector<T>(0, columns, [=](auto at) {
      Vector<T> pull = at.load(normalized + offset) * at.load(d_scale) + at.load(d_shift);
      Vector<T> d = at.load(d_out + offset) - pull * part;
      at.store(d_x + offset, d * at.load(inverse_deviation) * at.load(scale));
    });
  }
}

template <class T>
void batch_norm_inference(const Operation& o, Worker&, long begin, long end) {
  const T *x = array<T>(o, 0), *scale = array<T>(o, 1), *shift = array<T>(o, 2);
  const T *mean = array<T>(o, 3), *variance = array<T>(o, 4);
  const T epsilon = number<T>(o, 5);
  T* out = array<T>(o, 6);
  const long columns = o.argument[0].columns;
  each_vector<T>(0, columns, [=](auto at) {
    const Vector<T> m = at.load(mean), b = at.load(shift);
    const Vector<T> a = at.load(scale) / square_root<T>(at.load(variance) + epsilon);
    for (long i = begin; i < end; ++i) {
      at.store(out + i * columns, (at.load(x + i * columns) - m) * a + b);
    }
  });
}

constexpr KernelEntry entries[] = {
    {"batch_norm_forward", Split::columns, 2, batch_norm_forward<float>,
     batch_norm_forward<double>},
    {"batch_norm_backward_parameters", Split::columns, 2,
     batch_norm_backward_parameters<float>, batch_norm_backward_parameters<double>},
    {"batch_norm_backward_input", Split::rows, 0, batch_norm_backward_input<float>,
     batch_norm_backward_input<double>},
    {"batch_norm_inference", Split::rows, 0, batch_norm_inference<float>,
     batch_norm_inference<double>},
};

}  // namespace

extern const KernelFamily normalization_kernels = {entries,
                                                   sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
