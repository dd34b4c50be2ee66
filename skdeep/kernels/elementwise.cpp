// Sums and scalings of whole arrays.
#include "vector.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

template <class T>
void add(const Operation& o, Worker&, long begin, long end) {
  const T *a = array<T>(o, 0), *b = array<T>(o, 1);
  T* out = array<T>(o, 2);
  const long columns = o.argument[0].columns;
  each_vector<T>(begin * columns, end * columns,
                 [=](auto at) { at.store(out, at.load(a) + at.load(b)); });
}

// out = x * scale + offset, where x may be bytes
template <class T>
void rescale(const Operation& o, Worker&, long begin, long end) {
  const T scale = number<T>(o, 1), offset = number<T>(o, 2);
  T* out = array<T>(o, 3);
  const long columns = o.argument[0].columns;
  if (o.argument[0].type == Type::uint8) {
    const unsigned char* x = array<unsigned char>(o, 0);
    for (long i = begin * columns; i < end * columns; ++i) {
      out[i] = (T)x[i] * scale + offset;
    }
    return;
  }
  const T* x = array<T>(o, 0);
  each_vector<T>(begin * columns, end * columns,
                 [=](auto at) { at.store(out, at.load(x) * scale + offset); });
}

constexpr KernelEntry entries[] = {
    {"add", Split::rows, 0, add<float>, add<double>},
    {"rescale", Split::rows, 0, rescale<float>, rescale<double>},
};

}  // namespace

extern const KernelFamily elementwise_kernels = {entries, sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
