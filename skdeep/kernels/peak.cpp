// What a processor can do at most: fused multiply-adds on numbers that stay in registers.
#include "vector.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

// Enough independent chains to hide the latency of one, and few enough for the registers
constexpr int chains = 12;

template <class T>
SKDEEP_INLINE void repeat_group(T* x, T factor, T summand, long repeats) {
  const Vector<T> times = broadcast(factor), plus = broadcast(summand);
  Vector<T> v[chains];
#pragma GCC unroll 12
  for (int i = 0; i < chains; ++i) v[i] = load(x + i * width<T>);
  for (long r = 0; r < repeats; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) v[i] = v[i] * times + plus;
    asm volatile("");  // two rounds are not one
  }
#pragma GCC unroll 12
  for (int i = 0; i < chains; ++i) store(x + i * width<T>, v[i]);
}

template <class T>
void multiply_add(const Operation& o, Worker&, long begin, long end) {
  constexpr long group = chains * width<T>;
  const T factor = number<T>(o, 1), summand = number<T>(o, 2);
  const long repeats = (long)o.argument[3].number, columns = o.argument[0].columns;
  T* x = array<T>(o, 0);
  long i = begin * columns;
  for (; i + group <= end * columns; i += group) {
    repeat_group<T>(x + i, factor, summand, repeats);
  }
  each_vector<T>(i, end * columns, [=](auto at) {
    Vector<T> v = at.load(x);
    for (long r = 0; r < repeats; ++r) v = v * factor + summand;
    at.store(x, v);
  });
}

constexpr KernelEntry entries[] = {
    {"multiply_add", Split::rows, 0, multiply_add<float>, multiply_add<double>},
};

}  // namespace

extern const KernelFamily peak_kernels = {entries, sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
