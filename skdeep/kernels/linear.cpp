// Outputs of linear models in double precision, whatever the type of x: each row's sum in
// an order of its own, so that neither threads nor other rows change a bit.
#include "vector.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

SKDEEP_INLINE Vector<double> load_wide(const double* p) { return load(p); }
SKDEEP_INLINE Vector<double> load_wide(const float* p) {
  typedef float Few __attribute__((vector_size(SKDEEP_VECTOR_BYTES / 2)));
  Few few;
  __builtin_memcpy(&few, p, sizeof few);
  return __builtin_convertvector(few, Vector<double>);
}

SKDEEP_INLINE Vector<double> load_part_wide(const double* p, int count) {
  return load_part(p, count, 0.0);
}
SKDEEP_INLINE Vector<double> load_part_wide(const float* p, int count) {
  double lanes[width<double>] = {};
  for (int l = 0; l < count; ++l) lanes[l] = p[l];
  return load(lanes);
}

// out = x @ coef + intercept
template <class T>
void linear_output(const Operation& o, Worker&, long begin, long end) {
  constexpr long lanes = width<double>, chains = 4;
  const long inputs = o.argument[0].columns;
  const double *coef = array<double>(o, 1), intercept = *array<double>(o, 2);
  double* out = array<double>(o, 3);
  for (long i = begin; i < end; ++i) {
    const T* x = array<T>(o, 0) + i * inputs;
    // several sums at once: an addition waits for the one before in its chain
    Vector<double> sums[chains] = {};
    long j = 0;
    for (; j + chains * lanes <= inputs; j += chains * lanes) {
      for (long c = 0; c < chains; ++c) {
        sums[c] += load_wide(x + j + c * lanes) * load(coef + j + c * lanes);
      }
    }
    for (; j + lanes <= inputs; j += lanes) sums[0] += load_wide(x + j) * load(coef + j);
    if (j < inputs) {
      const int rest = (int)(inputs - j);
      sums[1] += load_part_wide(x + j, rest) * load_part(coef + j, rest, 0.0);
    }
    out[i] = sum_lanes<double>((sums[0] + sums[1]) + (sums[2] + sums[3])) + intercept;
  }
}

// Whether all columns of some entries are there: a negative one is a large one without sign.
SKDEEP_INLINE bool all_fit(const int* column, long count, long columns) {
  const unsigned least_wrong = columns > 0x7fffffffL ? 0x80000000u : (unsigned)columns;
  int wrong = 0;
  for (long e = 0; e < count; ++e) wrong |= -((unsigned)column[e] >= least_wrong);
  return !wrong;
}
SKDEEP_INLINE bool all_fit(const long long* column, long count, long columns) {
  long long wrong = 0;
  for (long e = 0; e < count; ++e) {
    wrong |= -(long long)((unsigned long long)column[e] >= (unsigned long long)columns);
  }
  return !wrong;
}

template <class T, class Place>
SKDEEP_INLINE double dot(const T* value, const Place* column, long count, const double* coef) {
  double sum = 0, sums[3] = {};
  long e = 0;
  // in long rows an addition waits for the one before, in short ones for the next row
  for (; e + 16 <= count; e += 4) {
    sum += coef[column[e]] * value[e];
    for (int c = 0; c < 3; ++c) sums[c] += coef[column[e + c + 1]] * value[e + c + 1];
  }
  for (; e < count; ++e) sum += coef[column[e]] * value[e];
  return (sum + sums[0]) + (sums[1] + sums[2]);
}

template <class T, class Place>
SKDEEP_INLINE void sparse_outputs(const Operation& o, long begin, long end) {
  constexpr long block = 32;  // rows whose columns are checked while they are in the cache
  const T* values = array<T>(o, 0);
  const Place *columns = array<Place>(o, 1), *row_end = array<Place>(o, 2);
  const double *coef = array<double>(o, 3), *intercept = array<double>(o, 4);
  double* out = array<double>(o, 5);
  bool* misplaced = array<bool>(o, 6);
  const long inputs = o.argument[3].rows, outputs = o.argument[5].columns;
  const auto start_of = [=](long i) { return i ? (long)row_end[i - 1] : 0L; };
  for (long first = begin; first < end; first += block) {
    const long last = first + block < end ? first + block : end;
    const long from = start_of(first);
    // row_end may fall: then each row is looked at by itself
    bool rises = true;
    for (long i = first; i < last; ++i) rises &= start_of(i) <= row_end[i];
    const bool fit = rises && all_fit(columns + from, row_end[last - 1] - from, inputs);
    for (long i = first; i < last; ++i) {
      const long start = start_of(i), count = row_end[i] - start;
      double* row = out + i * outputs;
      misplaced[i] = !fit && !all_fit(columns + start, count, inputs);
      if (misplaced[i]) {
        for (long k = 0; k < outputs; ++k) row[k] = __builtin_nan("");
      } else if (outputs == 1) {
        *row = dot(values + start, columns + start, count, coef) + *intercept;
      } else {
        each_vector<double>(0, outputs, [&](auto at) {
          Vector<double> sum{};
          for (long e = start; e < start + count; ++e) {
            sum += at.load(coef + columns[e] * outputs) * (double)values[e];
          }
          at.store(row, sum + at.load(intercept));
        });
      }
    }
  }
}

template <class T>
void sparse_linear_outputs(const Operation& o, Worker&, long begin, long end) {
  if (o.argument[1].type == Type::int32) {
    sparse_outputs<T, int>(o, begin, end);
  } else {
    sparse_outputs<T, long long>(o, begin, end);
  }
}

constexpr KernelEntry entries[] = {
    {"linear_output", Split::rows, 0, linear_output<float>, linear_output<double>},
    {"sparse_linear_outputs", Split::rows, 2, sparse_linear_outputs<float>,
     sparse_linear_outputs<double>},
};

}  // namespace

extern const KernelFamily linear_kernels = {entries, sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
