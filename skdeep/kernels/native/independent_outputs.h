// What losses of independent outputs share: the mean over the outputs of a sample.
#pragma once

#include "vector.h"

namespace skdeep {
namespace SKDEEP_ISA {

// A loss that is the mean over independent outputs. f(z, target, loss) sets the loss of
// an output and returns its derivative. What follows z, target and each row's weight may
// weigh each output: by its first row, plus its second times the target.
template <class T, class Function>
SKDEEP_INLINE void independent(const Operation& o, long begin, long end, Function f) {
  const T *z = array<T>(o, 0), *target = array<T>(o, 1), *weight = array<T>(o, 2);
  const T* label_weight = array<T>(o, 3);
  T *losses = array<T>(o, o.n_arguments - 2), *d_z = array<T>(o, o.n_arguments - 1);
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
    if (label_weight) {
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

}  // namespace SKDEEP_ISA
}  // namespace skdeep
