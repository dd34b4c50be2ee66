// Activation functions; skdeep/kernels/reference/activation.py has the formulas.
#include "elementary.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

constexpr double selu_alpha = 1.6732632423543772, selu_scale = 1.0507009873554805;
constexpr double leaky_slope = 0.01;

// out = f(z), for the rows from begin to end
template <class T, class Function>
SKDEEP_INLINE void forward(const Operation& o, long begin, long end, Function f) {
  const T* z = array<T>(o, 0);
  T* out = array<T>(o, 1);
  const long columns = o.argument[0].columns;
  each_vector<T>(begin * columns, end * columns,
                 [=](auto at) { at.store(out, f(at.load(z))); });
}

// d_z = d_out * f'(source)
template <class T, class Function>
SKDEEP_INLINE void backward(const Operation& o, long begin, long end, Function f) {
  const T* source = array<T>(o, 0);
  const T* d_out = array<T>(o, 1);
  T* d_z = array<T>(o, 2);
  const long columns = o.argument[0].columns;
  each_vector<T>(begin * columns, end * columns, [=](auto at) {
    at.store(d_z, f(at.load(source)) * at.load(d_out));
  });
}

#define FORWARD(NAME, EXPRESSION)                                       \
  template <class T>                                                    \
  void NAME(const Operation& o, Worker&, long begin, long end) {        \
    using V = Vector<T>;                                                \
    forward<T>(o, begin, end, [](V z) -> V { return EXPRESSION; });     \
  }
#define BACKWARD(NAME, SOURCE, EXPRESSION)                                    \
  template <class T>                                                          \
  void NAME(const Operation& o, Worker&, long begin, long end) {              \
    using V = Vector<T>;                                                      \
    backward<T>(o, begin, end, [](V SOURCE) -> V { return EXPRESSION; });     \
  }

template <class T>
SKDEEP_INLINE Vector<T> one_or(Vector<T> x, T other) {
  return x > (T)0 ? broadcast((T)1) : broadcast(other);
}

FORWARD(relu_forward, at_least(z, (T)0))
// zero times the gradient, as in the reference: an infinite gradient shows as NaN
BACKWARD(relu_backward, out, one_or<T>(out, 0))

FORWARD(leaky_relu_forward, z < z * (T)leaky_slope ? z * (T)leaky_slope : z)
BACKWARD(leaky_relu_backward, out, one_or<T>(out, (T)leaky_slope))

FORWARD(logistic_forward, logistic<T>(z))
BACKWARD(logistic_backward, out, (1 - out) * out)

FORWARD(tanh_forward, hyperbolic_tangent<T>(z))
BACKWARD(tanh_backward, out, 1 - out * out)

FORWARD(elu_forward, z > (T)0 ? z : exponential_minus_one<T>(at_most(z, (T)0)))
BACKWARD(elu_backward, out, at_most(out, (T)0) + 1)

FORWARD(selu_forward,
        (at_least(z, (T)0) +
         exponential_minus_one<T>(at_most(z, (T)0)) * (T)selu_alpha) *
            (T)selu_scale)
BACKWARD(selu_backward, z,
         z > (T)0 ? broadcast((T)selu_scale)
                  : exponential<T>(at_most(z, (T)0)) * (T)(selu_alpha * selu_scale))

FORWARD(gelu_forward, z * normal_distribution<T>(z))
BACKWARD(gelu_backward, z,
         normal_distribution<T>(z) +
             z * exponential<T>(z * z * (T)-0.5) * (T)0.39894228040143267794)

FORWARD(silu_forward, z * logistic<T>(z))

template <class T>
void silu_backward(const Operation& o, Worker&, long begin, long end) {
  const T* z = array<T>(o, 0);
  const T* out = array<T>(o, 1);
  const T* d_out = array<T>(o, 2);
  T* d_z = array<T>(o, 3);
  const long columns = o.argument[0].columns;
  each_vector<T>(begin * columns, end * columns, [=](auto at) {
    Vector<T> s = logistic<T>(at.load(z)), y = at.load(out);
    at.store(d_z, (s + y - s * y) * at.load(d_out));
  });
}

FORWARD(mish_forward, z * hyperbolic_tangent<T>(softplus<T>(z)))

template <class T>
SKDEEP_INLINE Vector<T> mish_derivative(Vector<T> z) {
  Vector<T> t = hyperbolic_tangent<T>(softplus<T>(z)), w = z * logistic<T>(z);
  return w + t * (1 - w * t);
}
BACKWARD(mish_backward, z, mish_derivative<T>(z))

FORWARD(softplus_forward, softplus<T>(z))
BACKWARD(softplus_backward, out, -exponential_minus_one<T>(-out))

FORWARD(hard_swish_forward,
        z * at_most(at_least(z + (T)3, (T)0), (T)6) * (T)(1.0 / 6))
BACKWARD(hard_swish_backward, z,
         (at_most(at_least(z + (T)3, (T)0), (T)6) +
          (absolute<T>(z) < (T)3 ? z : Vector<T>{})) *
             (T)(1.0 / 6))

#define ROWS(NAME) {#NAME, Split::rows, 0, NAME<float>, NAME<double>}
#define BOTH(NAME) ROWS(NAME##_forward), ROWS(NAME##_backward)
constexpr KernelEntry entries[] = {
    BOTH(relu), BOTH(leaky_relu), BOTH(logistic), BOTH(tanh), BOTH(elu),
    BOTH(selu), BOTH(gelu), BOTH(silu), BOTH(mish), BOTH(softplus), BOTH(hard_swish),
};

}  // namespace

extern const KernelFamily activation_kernels = {entries, sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
