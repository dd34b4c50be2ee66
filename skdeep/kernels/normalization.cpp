// Batch and layer normalization; normalization.py has the formulas. Training with batch
// normalization is cut by columns, since each needs all rows of its own.
#include "elementary.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

constexpr long block_rows = 64;

// Images have as many rows as places, all of the weight of their sample.
struct Rows {
  long count, columns, places;
};

Rows rows_of(const Argument& x, long columns) {
  const long places = columns ? x.columns / columns : 1;
  return {x.rows * places, columns, places};
}

// Call body(first row, end) for blocks of rows: they stay in the cache while every vector
// of columns goes through them, and sums of sums lose fewer digits.
template <class Body>
SKDEEP_INLINE void each_block(long rows, Body body) {
  for (long start = 0; start < rows; start += block_rows) {
    body(start, start + block_rows < rows ? start + block_rows : rows);
  }
}

// The mean and variance of the columns from begin to end. Those of blocks are put
// together by the formula of Chan, Golub and LeVeque (1979).
template <class T>
SKDEEP_INLINE void weighted_moments(const T* x, const T* weight, T total, Rows rows,
                                    long begin, long end, T* mean, T* variance) {
  for (long j = begin; j < end; ++j) mean[j - begin] = variance[j - begin] = 0;
  T seen = 0;
  each_block(rows.count, [&](long start, long stop) {
    T shares[block_rows], share = 0;
    for (long i = start; i < stop; ++i) {
      shares[i - start] = weight[i / rows.places] / total / (T)rows.places;
      share += shares[i - start];
    }
    if (share == 0) return;
    const T part = share / (seen + share), spread = seen * part;
    seen += share;
    each_vector<T>(begin, end, [&](auto at) {
      const T* column = x + start * rows.columns;
      Vector<T> sum{}, squares{};
      for (long i = 0; i < stop - start; ++i) {
        sum += at.load(column + i * rows.columns) * shares[i];
      }
      const Vector<T> center = sum / share;
      for (long i = 0; i < stop - start; ++i) {
        const Vector<T> d = at.load(column + i * rows.columns) - center;
        squares += d * d * shares[i];
      }
      const Vector<T> before = at.load(mean - begin), d = center - before;
      at.store(mean - begin, before + d * part);
      at.store(variance - begin, at.load(variance - begin) + squares + d * d * spread);
    });
  });
}

template <class T>
void batch_norm_forward(const Operation& o, Worker& worker, long begin, long end) {
  const T *x = array<T>(o, 0), *weight = array<T>(o, 1);
  const T *scale = array<T>(o, 2), *shift = array<T>(o, 3);
  const long samples = o.argument[0].rows;
  const Rows rows = rows_of(o.argument[0], o.argument[2].rows);
  const double step = (double)*array<long long>(o, 4), batch_size = number<double>(o, 5);
  const double momentum = number<double>(o, 6);
  const T epsilon = number<T>(o, 7), gain = number<T>(o, 8);
  T *share = array<T>(o, 9), *normalized = array<T>(o, 10);
  T *inverse_deviation = array<T>(o, 11);
  T *running_mean = array<T>(o, 12), *running_variance = array<T>(o, 13);
  T* out = array<T>(o, 14);

  // a batch without any weight has mean and variance zero instead of 0 / 0
  double weights = 0;
  for (long i = 0; i < samples; ++i) weights += (double)weight[i];
  T total = (T)weights;
  total = total < Constants<T>::smallest_normal ? Constants<T>::smallest_normal : total;
  if (begin == 0) {
    for (long i = 0; i < rows.count; ++i) {
      share[i] = weight[i / rows.places] / total / (T)rows.places;
    }
  }
  const double new_share = 1 / step > 1 - momentum ? 1 / step : 1 - momentum;
  // a last batch with a row more than the others counts no more than all
  const double filled = new_share * (double)samples / batch_size;
  const T update = (T)(filled < 1 ? filled : 1), keep = (T)(filled < 1 ? 1 - filled : 0);

  constexpr long most = scratch_bytes / (2 * sizeof(T));
  T* const mean = (T*)worker.scratch;
  for (long j = begin; j < end; j += most) {
    const long stop = j + most < end ? j + most : end;
    T* const variance = mean + (stop - j);
    // Each range of columns divides by itself: another thread may still write share.
    weighted_moments(x, weight, total, rows, j, stop, mean, variance);
    each_vector<T>(j, stop, [&](auto at) {
      const Vector<T> m = at.load(mean - j), v = at.load(variance - j);
      at.store(running_mean, at.load(running_mean) * keep + m * update);
      at.store(running_variance, at.load(running_variance) * keep + v * update);
      at.store(inverse_deviation, 1 / square_root<T>(v + epsilon));
    });
    each_block(rows.count, [&](long first, long last) {
      each_vector<T>(j, stop, [&](auto at) {
        const Vector<T> m = at.load(mean - j), inverse = at.load(inverse_deviation);
        const Vector<T> a = at.load(scale), b = at.load(shift) * gain;
        for (long i = first * rows.columns; i < last * rows.columns; i += rows.columns) {
          const Vector<T> y = (at.load(x + i) - m) * inverse;
          at.store(normalized + i, y);
          at.store(out + i, y * a + b);
        }
      });
    });
  }
}

// d_scale = sum of d_out * normalized over all rows, d_shift = gain * sum of d_out; the
// first of these two is an argument of this number
template <class T>
SKDEEP_INLINE void sum_parameters(const Operation& o, T gain, int first_sum, long begin,
                                  long end) {
  const T *d_out = array<T>(o, 0), *normalized = array<T>(o, 1);
  T *d_scale = array<T>(o, first_sum), *d_shift = array<T>(o, first_sum + 1);
  const Rows rows = rows_of(o.argument[0], o.argument[first_sum].rows);
  for (long j = begin; j < end; ++j) d_scale[j] = d_shift[j] = 0;
  each_block(rows.count, [&](long first, long last) {
    each_vector<T>(begin, end, [&](auto at) {
      Vector<T> products{}, sum{};
      for (long i = first * rows.columns; i < last * rows.columns; i += rows.columns) {
        const Vector<T> d = at.load(d_out + i);
        products += d * at.load(normalized + i);
        sum += d;
      }
      at.store(d_scale, at.load(d_scale) + products);
      at.store(d_shift, at.load(d_shift) + sum * gain);
    });
  });
}

template <class T>
void batch_norm_backward_parameters(const Operation& o, Worker&, long begin, long end) {
  sum_parameters<T>(o, number<T>(o, 2), 3, begin, end);
}

template <class T>
void batch_norm_backward_input(const Operation& o, Worker&, long begin, long end) {
  const T *d_out = array<T>(o, 0), *normalized = array<T>(o, 1), *share = array<T>(o, 2);
  const T *scale = array<T>(o, 3), *inverse_deviation = array<T>(o, 4);
  const T *d_scale = array<T>(o, 5), *d_shift = array<T>(o, 6);
  const T gain = (T)(1 / number<double>(o, 7));
  T* d_x = array<T>(o, 8);
  const Rows rows = rows_of(o.argument[0], o.argument[3].rows);
  for (long i = begin * rows.places; i < end * rows.places; ++i) {
    const long offset = i * rows.columns;
    const T part = share[i];
    each_vector<T>(0, rows.columns, [=](auto at) {
      const Vector<T> sum = at.load(d_shift) * gain;
      Vector<T> pull = at.load(normalized + offset) * at.load(d_scale) + sum;
      Vector<T> d = at.load(d_out + offset) - pull * part;
      at.store(d_x + offset, d * at.load(inverse_deviation) * at.load(scale));
    });
  }
}

template <class T>
void batch_norm_inference(const Operation& o, Worker&, long begin, long end) {
  const T *x = array<T>(o, 0), *scale = array<T>(o, 1), *shift = array<T>(o, 2);
  const T *mean = array<T>(o, 3), *variance = array<T>(o, 4);
  const T epsilon = number<T>(o, 5), gain = number<T>(o, 6);
  T* out = array<T>(o, 7);
  const Rows rows = rows_of(o.argument[0], o.argument[1].rows);
  const long first = begin * rows.places, last = end * rows.places;
  each_block(last - first, [&](long start, long stop) {
    each_vector<T>(0, rows.columns, [&](auto at) {
      const Vector<T> m = at.load(mean), b = at.load(shift) * gain;
      const Vector<T> a = at.load(scale) / square_root<T>(at.load(variance) + epsilon);
      for (long i = first + start; i < first + stop; ++i) {
        const long offset = i * rows.columns;
        at.store(out + offset, (at.load(x + offset) - m) * a + b);
      }
    });
  });
}

// --- layer normalization: each row by itself ----------------------------------------------

// The sum of f(place) over a row
template <class T, class Function>
SKDEEP_INLINE T sum_row(long columns, Function f) {
  Vector<T> sum{};
  each_vector<T>(0, columns, [&](auto at) { sum += at.only(f(at)); });
  return sum_lanes<T>(sum);
}

template <class T>
void layer_norm_forward(const Operation& o, Worker&, long begin, long end) {
  const T *scale = array<T>(o, 1), *shift = array<T>(o, 2);
  const T epsilon = number<T>(o, 3);
  const Rows rows = rows_of(o.argument[0], o.argument[1].rows);
  const long columns = rows.columns;
  for (long i = begin * rows.places; i < end * rows.places; ++i) {
    const T* x = array<T>(o, 0) + i * columns;
    T *normalized = array<T>(o, 4) + i * columns, *out = array<T>(o, 6) + i * columns;
    const T mean = sum_row<T>(columns, [=](auto at) { return at.load(x); }) / (T)columns;
    const T variance = sum_row<T>(columns, [=](auto at) {
                         const Vector<T> d = at.load(x) - mean;
                         return d * d;
                       }) / (T)columns;
    const T inverse = 1 / square_root<T>(broadcast(variance + epsilon))[0];
    array<T>(o, 5)[i] = inverse;
    each_vector<T>(0, columns, [=](auto at) {
      const Vector<T> y = (at.load(x) - mean) * inverse;
      at.store(normalized, y);
      at.store(out, y * at.load(scale) + at.load(shift));
    });
  }
}

template <class T>
void layer_norm_backward_parameters(const Operation& o, Worker&, long begin, long end) {
  sum_parameters<T>(o, (T)1, 2, begin, end);
}

template <class T>
void layer_norm_backward_input(const Operation& o, Worker&, long begin, long end) {
  const T* scale = array<T>(o, 2);
  const Rows rows = rows_of(o.argument[0], o.argument[2].rows);
  const long columns = rows.columns;
  for (long i = begin * rows.places; i < end * rows.places; ++i) {
    const T *d_out = array<T>(o, 0) + i * columns;
    const T* normalized = array<T>(o, 1) + i * columns;
    T* d_x = array<T>(o, 4) + i * columns;
    const T inverse = array<T>(o, 3)[i];
    const auto g = [=](auto at) { return at.load(d_out) * at.load(scale); };
    const T mean = sum_row<T>(columns, g) / (T)columns;
    const T product =
        sum_row<T>(columns, [=](auto at) { return g(at) * at.load(normalized); }) /
        (T)columns;
    each_vector<T>(0, columns, [=](auto at) {
      at.store(d_x, (g(at) - mean - at.load(normalized) * product) * inverse);
    });
  }
}

constexpr KernelEntry entries[] = {
    {"batch_norm_forward", Split::columns, 2, batch_norm_forward<float>,
     batch_norm_forward<double>},
    {"batch_norm_backward_parameters", Split::columns, 3,
     batch_norm_backward_parameters<float>, batch_norm_backward_parameters<double>},
    {"batch_norm_backward_input", Split::rows, 0, batch_norm_backward_input<float>,
     batch_norm_backward_input<double>},
    {"batch_norm_inference", Split::rows, 0, batch_norm_inference<float>,
     batch_norm_inference<double>},
    {"layer_norm_forward", Split::rows, 0, layer_norm_forward<float>,
     layer_norm_forward<double>},
    {"layer_norm_backward_parameters", Split::columns, 2,
     layer_norm_backward_parameters<float>, layer_norm_backward_parameters<double>},
    {"layer_norm_backward_input", Split::rows, 0, layer_norm_backward_input<float>,
     layer_norm_backward_input<double>},
};

}  // namespace

extern const KernelFamily normalization_kernels = {entries,
                                                   sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
