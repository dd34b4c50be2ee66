// Rectified units with a trained slope for each channel; prelu.py has the NumPy half.
#include "vector.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

SKDEEP_INLINE long places_of(const Argument& x, long channels) {
  return channels ? x.columns / channels : 1;
}

// out = y where x > 0, else y times the channel's slope, for rows of channels
template <class T>
SKDEEP_INLINE void scale_below_zero(const T* x, const T* y, const T* slope, T* out,
                                    long first, long last, long channels) {
  for (long i = first; i < last; ++i) {
    const long offset = i * channels;
    each_vector<T>(0, channels, [=](auto at) {
      const Vector<T> v = at.load(y + offset);
      at.store(out + offset,
               at.load(x + offset) > (T)0 ? v : v * at.load(slope));
    });
  }
}

template <class T>
void prelu_forward(const Operation& o, Worker&, long begin, long end) {
  const long channels = o.argument[1].rows, places = places_of(o.argument[0], channels);
  const T* z = array<T>(o, 0);
  scale_below_zero<T>(z, z, array<T>(o, 1), array<T>(o, 2), begin * places, end * places,
                      channels);
}

template <class T>
void prelu_backward_input(const Operation& o, Worker&, long begin, long end) {
  const long channels = o.argument[1].rows, places = places_of(o.argument[0], channels);
  scale_below_zero<T>(array<T>(o, 0), array<T>(o, 2), array<T>(o, 1), array<T>(o, 3),
                      begin * places, end * places, channels);
}

// The sum of min(z, 0) d_out over all rows and places, for a range of channels
template <class T>
void prelu_backward_slope(const Operation& o, Worker&, long begin, long end) {
  const T *z = array<T>(o, 0), *d_out = array<T>(o, 1);
  T* d_slope = array<T>(o, 2);
  const long channels = o.argument[2].rows;
  const long rows = o.argument[0].rows * places_of(o.argument[0], channels);
  each_vector<T>(begin, end, [=](auto at) {
    at.store(d_slope, sum_over_rows<T>(rows, channels, [=](long, long offset) {
      return at_most(at.load(z + offset), (T)0) * at.load(d_out + offset);
    }));
  });
}

constexpr KernelEntry entries[] = {
    {"prelu_forward", Split::rows, 0, prelu_forward<float>, prelu_forward<double>},
    {"prelu_backward_input", Split::rows, 0, prelu_backward_input<float>,
     prelu_backward_input<double>},
    {"prelu_backward_slope", Split::columns, 2, prelu_backward_slope<float>,
     prelu_backward_slope<double>},
};

}  // namespace

extern const KernelFamily prelu_kernels = {entries, sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
