// Dual coordinate descent for linear support vector machines, one row after the other.
#include "vector.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

enum Progress { epochs_done, active_rows, random_state, done };
enum Budget { epochs, visits };
enum State { highest, lowest, balance };

SKDEEP_INLINE unsigned long long splitmix(unsigned long long& state) {
  unsigned long long z = state += 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

SKDEEP_INLINE void swap(long long& a, long long& b) {
  const long long c = a;
  a = b;
  b = c;
}

template <class T>
struct DenseRows {
  const T* x;
  long n_rows;
  long columns;

  explicit DenseRows(const Operation& o)
      : x(array<T>(o, 0)), n_rows(o.argument[0].rows), columns(o.argument[0].columns) {}

  SKDEEP_INLINE T multiply(long row, const T* w) const {
    const T* p = x + row * columns;
    Vector<T> sums[4] = {};
    long j = 0;
    for (; j + 4 * width<T> <= columns; j += 4 * width<T>) {
      for (int k = 0; k < 4; ++k) {
        sums[k] += load(p + j + k * width<T>) * load(w + j + k * width<T>);
      }
    }
    each_vector<T>(j, columns, [&](auto at) { sums[0] += at.load(p) * at.load(w); });
    return sum_lanes<T>((sums[0] + sums[1]) + (sums[2] + sums[3]));
  }

  SKDEEP_INLINE void add(long row, T step, T* w) const {
    const T* p = x + row * columns;
    each_vector<T>(0, columns,
                   [&](auto at) { at.store(w, at.load(w) + step * at.load(p)); });
  }

  SKDEEP_INLINE void prefetch(long row) const {
    const char* p = (const char*)(x + row * columns);
    for (long b = 0; b < columns * (long)sizeof(T) && b < 512; b += 64) {
      __builtin_prefetch(p + b);
    }
  }
};

template <class T, class Place>
struct SparseRows {
  const T* values;
  const Place* columns;
  const Place* row_end;
  long n_rows;

  explicit SparseRows(const Operation& o)
      : values(array<T>(o, 0)),
        columns(array<Place>(o, 1)),
        row_end(array<Place>(o, 2)),
        n_rows(o.argument[2].rows) {}

  SKDEEP_INLINE long begin(long row) const { return row ? row_end[row - 1] : 0; }

  SKDEEP_INLINE T multiply(long row, const T* w) const {
    T sums[4] = {};
    long j = begin(row);
    const long end = row_end[row];
    for (; j + 4 <= end; j += 4) {
      for (int k = 0; k < 4; ++k) sums[k] += values[j + k] * w[columns[j + k]];
    }
    for (; j < end; ++j) sums[0] += values[j] * w[columns[j]];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }

  SKDEEP_INLINE void add(long row, T step, T* w) const {
    for (long j = begin(row); j < row_end[row]; ++j) w[columns[j]] += step * values[j];
  }

  SKDEEP_INLINE void prefetch(long row) const {
    const long first = begin(row);
    __builtin_prefetch(values + first);
    __builtin_prefetch(values + first + 8);
    __builtin_prefetch(columns + first);
  }
};

// The arguments after those of the rows, of which there are `first`.
template <class T, class Rows>
void descend(const Operation& o, int first, const Rows& rows) {
  const T *sign = array<T>(o, first), *threshold = array<T>(o, first + 1),
          *limit = array<T>(o, first + 2), *ridge = array<T>(o, first + 3),
          *curvature = array<T>(o, first + 4);
  const T rho = number<T>(o, first + 5), tol = number<T>(o, first + 6);
  const long long* budget = array<long long>(o, first + 7);
  T *w = array<T>(o, first + 8), *alpha = array<T>(o, first + 9);
  T& b = w[o.argument[first + 8].rows - 1];
  long long* order = array<long long>(o, first + 10);
  long long* progress = array<long long>(o, first + 11);
  T* state = array<T>(o, first + 12);
  const long n = o.argument[first + 9].rows;
  const T infinite = (T)__builtin_inf();

  unsigned long long random = (unsigned long long)progress[random_state];
  long active = progress[active_rows];
  long long visited = 0;
  for (long epoch = 0; epoch < budget[epochs] && visited < budget[visits]; ++epoch) {
    visited += active;
    for (long i = active - 1; i > 0; --i) {
      const unsigned long long j = ((splitmix(random) >> 32) * (i + 1ull)) >> 32;
      swap(order[i], order[j]);
    }
    T largest = -infinite, smallest = infinite;
    for (long k = 0; k < active;) {
      const long i = order[k];
      const long row = i % rows.n_rows;
      if (k + 2 < active) rows.prefetch(order[k + 2] % rows.n_rows);
      const T a = alpha[i];
      const T g =
          sign[i] * (rows.multiply(row, w) + b) - threshold[i] + ridge[i] * a;
      const bool at_zero = a <= 0, at_limit = a >= limit[i];
      if ((at_zero && g > state[highest]) || (at_limit && g < state[lowest])) {
        swap(order[k], order[--active]);
        continue;
      }
      const T projected = at_zero ? (g < 0 ? g : 0) : at_limit ? (g > 0 ? g : 0) : g;
      if (projected > largest) largest = projected;
      if (projected < smallest) smallest = projected;
      if (projected != 0) {
        T next = a - g / curvature[i];
        if (next < 0) next = 0;
        if (next > limit[i]) next = limit[i];
        alpha[i] = next;
        const T step = (next - a) * sign[i];
        rows.add(row, step, w);
        b += rho * step;
        state[balance] += step;
      }
      ++k;
    }
    ++progress[epochs_done];
    // the multiplier moves where that changes more than is left to do for this one
    const T move = rho * state[balance], size = (T)__builtin_fabs(move);
    const T spread = largest - smallest;
    const bool moves = size >= spread;
    if (moves) b += move;
    progress[done] = (spread <= tol && size <= tol) || active == 0;
    state[highest] = largest > 0 ? largest + (moves ? size : 0) : infinite;
    state[lowest] = smallest < 0 ? smallest - (moves ? size : 0) : -infinite;
    if (progress[done]) {
      state[highest] = infinite;
      state[lowest] = -infinite;
      if (active == n) break;
      active = n;  // look at the rows set aside once more
      progress[done] = 0;
    }
  }
  progress[active_rows] = active;
  progress[random_state] = (long long)random;
}

template <class T>
void coordinate_descent(const Operation& o, Worker&, long, long) {
  descend<T>(o, 1, DenseRows<T>(o));
}

template <class T>
void sparse_coordinate_descent(const Operation& o, Worker&, long, long) {
  if (o.argument[2].type == Type::int32) {
    descend<T>(o, 3, SparseRows<T, int>(o));
  } else {
    descend<T>(o, 3, SparseRows<T, long long>(o));
  }
}

constexpr KernelEntry entries[] = {
    {"coordinate_descent", Split::whole, 0, coordinate_descent<float>,
     coordinate_descent<double>},
    {"sparse_coordinate_descent", Split::whole, 0, sparse_coordinate_descent<float>,
     sparse_coordinate_descent<double>},
};

}  // namespace

extern const KernelFamily coordinate_descent_kernels = {
    entries, sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
