// What losses of independent outputs share: the mean over the outputs of a sample.
#pragma once

#include "vector.h"

namespace skdeep {
namespace SKDEEP_ISA {

// The mean over the outputs of each row; see below. Whether outputs have weights is known
// before the rows: asked for each, it takes half as long again where these are short.
template <class T, bool Weighs, class Function>
SKDEEP_INLINE void mean_over_outputs(const Operation& o, long begin, long end, Function f) {
  const T *z = array<T>(o, 0), *target = array<T>(o, 1), *weight = array<T>(o, 2);
  [[maybe_unused]] const T* label_weight = array<T>(o, 3);
  T *losses = array<T>(o, o.n_arguments - 2), *d_z = array<T>(o, o.n_arguments - 1);
  const long columns = o.argument[0].columns;
  const T share = (T)1 / (T)columns;
  for (long i = begin; i < end; ++i) {
    Vector<T> sum{};
    const T scale = share * weight[i];
    const long offset = i * columns;
    each_vector<T>(0, columns, [&](auto at) {
      Vector<T> loss;
      const Vector<T> t = at.load(target + offset);
      Vector<T> d = f(at.load(z + offset), t, loss);
      if constexpr (Weighs) {
        const Vector<T> factor =
            at.load(label_weight) + at.load(label_weight + columns) * t;
        loss *= factor;
        d *= factor;
      }
      sum += at.only(loss);
      at.store(d_z + offset, d * scale);
    });
    losses[i] = sum_lanes<T>(sum) * share;
  }
}

// A loss that is the mean over independent outputs. f(z, target, loss) sets the loss of
// an output and returns its derivative. What follows z, target and each row's weight may
// weigh each output: by its first row, plus its second times the target.
template <class T, class Function>
SKDEEP_INLINE void independent(const Operation& o, long begin, long end, Function f) {
  if (array<T>(o, 3)) {
    mean_over_outputs<T, true>(o, begin, end, f);
  } else if (o.argument[0].columns > 1) {
    mean_over_outputs<T, false>(o, begin, end, f);
  } else {  // vectors along the rows
    const T *z = array<T>(o, 0), *target = array<T>(o, 1), *weight = array<T>(o, 2);
    T *losses = array<T>(o, o.n_arguments - 2), *d_z = array<T>(o, o.n_arguments - 1);
    each_vector<T>(begin, end, [=](auto at) {
      Vector<T> loss;
      Vector<T> d = f(at.load(z), at.load(target), loss);
      at.store(losses, loss);
      at.store(d_z, d * at.load(weight));
    });
  }
}

}  // namespace SKDEEP_ISA
}  // namespace skdeep
