// Dense layers: out = x @ kernel + bias and its derivatives, for dense and sparse x.
#include "gemm.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

template <class T>
void dense_forward(const Operation& o, Worker& worker, long begin, long end) {
  const long inputs = o.argument[0].columns, units = o.argument[3].columns;
  multiply<T>({array<T>(o, 0) + begin * inputs, inputs, 1,  //
               array<T>(o, 1), units, 1,                    //
               array<T>(o, 3) + begin * units, units,       //
               end - begin, units, inputs, array<T>(o, 2)},
              worker.scratch);
}

// d_kernel = x.T @ d_out, for the inputs from begin to end
template <class T>
void dense_backward_kernel(const Operation& o, Worker& worker, long begin, long end) {
  const long inputs = o.argument[0].columns, units = o.argument[1].columns;
  multiply<T>({array<T>(o, 0) + begin, 1, inputs,      //
               array<T>(o, 1), units, 1,               //
               array<T>(o, 2) + begin * units, units,  //
               end - begin, units, o.argument[0].rows, nullptr},
              worker.scratch);
}

// d_x = d_out @ kernel.T
template <class T>
void dense_backward_input(const Operation& o, Worker& worker, long begin, long end) {
  const long units = o.argument[0].columns, inputs = o.argument[2].columns;
  multiply<T>({array<T>(o, 0) + begin * units, units, 1,   //
               array<T>(o, 1), 1, units,                   //
               array<T>(o, 2) + begin * inputs, inputs,    //
               end - begin, inputs, units, nullptr},
              worker.scratch);
}

// Sums of columns, over blocks of rows to lose fewer digits
template <class T>
void dense_backward_bias(const Operation& o, Worker&, long begin, long end) {
  constexpr long block = 64;
  const T* d_out = array<T>(o, 0);
  T* d_bias = array<T>(o, 1);
  const long rows = o.argument[0].rows, columns = o.argument[0].columns;
  each_vector<T>(begin, end, [=](auto at) {
    Vector<T> total{};
    for (long start = 0; start < rows; start += block) {
      const long stop = start + block < rows ? start + block : rows;
      Vector<T> sum{};
      for (long i = start; i < stop; ++i) sum += at.load(d_out + i * columns);
      total += sum;
    }
    at.store(d_bias, total);
  });
}

// --- sparse x: row i holds the entries up to row_end[i] ---------------------------------

template <class T, class Place>
SKDEEP_INLINE void sparse_forward(const Operation& o, long begin, long end) {
  const T* values = array<T>(o, 0);
  const Place *columns = array<Place>(o, 1), *row_end = array<Place>(o, 2);
  const T *kernel = array<T>(o, 3), *bias = array<T>(o, 4);
  T* out = array<T>(o, 5);
  const long units = o.argument[5].columns;
  for (long i = begin; i < end; ++i) {
    const long start = i ? row_end[i - 1] : 0, stop = row_end[i];
    each_vector<T>(0, units, [=](auto at) {
      Vector<T> sum{};
      for (long e = start; e < stop; ++e) {
        sum += at.load(kernel + columns[e] * units) * values[e];
      }
      at.store(out + i * units, bias ? sum + at.load(bias) : sum);
    });
  }
}

template <class T>
void sparse_dense_forward(const Operation& o, Worker&, long begin, long end) {
  if (o.argument[1].type == Type::int32) {
    sparse_forward<T, int>(o, begin, end);
  } else {
    sparse_forward<T, long long>(o, begin, end);
  }
}

// d_kernel = x.T @ d_out, for the units from begin to end
template <class T, class Place>
SKDEEP_INLINE void sparse_backward(const Operation& o, long begin, long end) {
  const T* values = array<T>(o, 0);
  const Place *columns = array<Place>(o, 1), *row_end = array<Place>(o, 2);
  const T* d_out = array<T>(o, 3);
  T* d_kernel = array<T>(o, 4);
  const long rows = o.argument[2].rows, units = o.argument[4].columns;
  const long inputs = o.argument[4].rows;
  each_vector<T>(begin, end, [=](auto at) {
    for (long i = 0; i < inputs; ++i) at.store(d_kernel + i * units, Vector<T>{});
    for (long i = 0, e = 0; i < rows; ++i) {
      const Vector<T> d = at.load(d_out + i * units);
      for (; e < row_end[i]; ++e) {
        T* row = d_kernel + columns[e] * units;
        at.store(row, at.load(row) + d * values[e]);
      }
    }
  });
}

template <class T>
void sparse_dense_backward_kernel(const Operation& o, Worker&, long begin, long end) {
  if (o.argument[1].type == Type::int32) {
    sparse_backward<T, int>(o, begin, end);
  } else {
    sparse_backward<T, long long>(o, begin, end);
  }
}

constexpr KernelEntry entries[] = {
    {"dense_forward", Split::rows, 0, dense_forward<float>, dense_forward<double>},
    {"dense_backward_kernel", Split::columns, 2, dense_backward_kernel<float>,
     dense_backward_kernel<double>},
    {"dense_backward_input", Split::rows, 0, dense_backward_input<float>,
     dense_backward_input<double>},
    {"dense_backward_bias", Split::columns, 1, dense_backward_bias<float>,
     dense_backward_bias<double>},
    {"sparse_dense_forward", Split::rows, 2, sparse_dense_forward<float>,
     sparse_dense_forward<double>},
    // cut by units: the length is that of the columns of d_out
    {"sparse_dense_backward_kernel", Split::columns, -3,
     sparse_dense_backward_kernel<float>, sparse_dense_backward_kernel<double>},
};

}  // namespace

extern const KernelFamily dense_kernels = {entries, sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
