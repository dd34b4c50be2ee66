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

// The products of one vector with each of some rows
template <class T>
void multiply_rows_by(const T* vector, const T* rows, long length, long count, T* products) {
  constexpr int at_a_time = 4;
  for (long i = 0; i < count; i += at_a_time) {
    const long last = count - 1;  // rows at the end are taken again
    const T* row[at_a_time];
    for (int r = 0; r < at_a_time; ++r) {
      row[r] = rows + (i + r < last ? i + r : last) * length;
    }
    Vector<T> sum[at_a_time] = {};
    each_vector<T>(0, length, [&](auto at) {
      const Vector<T> v = at.load(vector);
#pragma GCC unroll 4
      for (int r = 0; r < at_a_time; ++r) sum[r] += at.load(row[r]) * v;
    });
    T four[at_a_time];
    sum_lanes_of_four<T>(sum[0], sum[1], sum[2], sum[3], four);
    for (int r = 0; r < at_a_time && i + r < count; ++r) products[i + r] = four[r];
  }
}

// d_x = d_out @ kernel.T
template <class T>
void dense_backward_input(const Operation& o, Worker& worker, long begin, long end) {
  const long units = o.argument[0].columns, inputs = o.argument[2].columns;
  if (o.argument[0].rows == 1 && begin < end) {
    multiply_rows_by(array<T>(o, 0), array<T>(o, 1), units, inputs, array<T>(o, 2));
    return;
  }
  multiply<T>({array<T>(o, 0) + begin * units, units, 1,   //
               array<T>(o, 1), 1, units,                   //
               array<T>(o, 2) + begin * inputs, inputs,    //
               end - begin, inputs, units, nullptr},
              worker.scratch);
}

// The sums of the columns from begin to end
template <class T>
SKDEEP_INLINE void sum_rows(const T* x, long rows, long columns, long begin, long end,
                            T* sums) {
  each_vector<T>(begin, end, [=](auto at) {
    at.store(sums, sum_over_rows<T>(rows, columns,
                                    [=](long, long row) { return at.load(x + row); }));
  });
}

template <class T>
void dense_backward_bias(const Operation& o, Worker&, long begin, long end) {
  const long rows = o.argument[0].rows, columns = o.argument[0].columns;
  sum_rows(array<T>(o, 0), rows, columns, begin, end, array<T>(o, 1));
}

// --- sums of parts of the rows ------------------------------------------------------------

// Each part is as many tasks as it has blocks of inputs; its first has the bias' sums, too.
long inputs_in_units(long inputs) {
  return divide_up(inputs, unit_of_columns) * unit_of_columns;
}
long tasks_of_sums(const Operation& o) {
  return o.argument[2].rows * inputs_in_units(o.argument[0].columns);
}

template <class T>
void dense_sums(const Operation& o, Worker& worker, long begin, long end) {
  const long rows = o.argument[0].rows, inputs = o.argument[0].columns;
  const long units = o.argument[1].columns, parts = o.argument[2].rows;
  const long tasks = inputs_in_units(inputs);
  for (long task = begin; task < end;) {
    const long part = task / tasks, next = smaller(end, (part + 1) * tasks);
    const long first = task - part * tasks, last = smaller(next - part * tasks, inputs);
    const long from = rows * part / parts, to = rows * (part + 1) / parts;
    const T* x = array<T>(o, 0) + from * inputs + first;
    const T* d_out = array<T>(o, 1) + from * units;
    T* const sums = array<T>(o, 2) + part * o.argument[2].columns;
    multiply<T>({x, 1, inputs,                  //
                 d_out, units, 1,               //
                 sums + first * units, units,   //
                 last - first, units, to - from, nullptr},
                worker.scratch);
    if (first == 0) sum_rows(d_out, to - from, units, 0, units, sums + inputs * units);
    task = next;
  }
}

// From sums of parts: `count` numbers from a place on
template <class T>
SKDEEP_INLINE void add_parts(const Operation& o, long place, long count, T* out) {
  const T* sums = array<T>(o, 0) + place;
  const long parts = o.argument[0].rows, part = o.argument[0].columns;
  each_vector<T>(0, count, [&](auto at) {
    Vector<T> sum = at.load(sums);
    for (long p = 1; p < parts; ++p) sum += at.load(sums + p * part);
    at.store(out, sum);
  });
}

// For the inputs from begin to end
template <class T>
void dense_kernel_of_sums(const Operation& o, Worker&, long begin, long end) {
  const long units = o.argument[1].columns;
  add_parts(o, begin * units, (end - begin) * units, array<T>(o, 1) + begin * units);
}

// For the units from begin to end
template <class T>
void dense_bias_of_sums(const Operation& o, Worker&, long begin, long end) {
  const long units = o.argument[1].rows, inputs = o.argument[0].columns / units - 1;
  add_parts(o, inputs * units + begin, end - begin, array<T>(o, 1) + begin);
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
    {"dense_sums", Split::columns, 0, dense_sums<float>, dense_sums<double>,
     tasks_of_sums},
    {"dense_kernel_of_sums", Split::columns, 1, dense_kernel_of_sums<float>,
     dense_kernel_of_sums<double>},
    {"dense_bias_of_sums", Split::columns, 1, dense_bias_of_sums<float>,
     dense_bias_of_sums<double>},
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
