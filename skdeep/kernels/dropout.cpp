// Dropout, with the masks of the reference bit for bit.
#include "philox.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

// Factors of eight numbers from one block
template <class T>
SKDEEP_INLINE void keep_block(const Word words[4], float rate, T scale, T keep[8]) {
  for (int i = 0; i < 8; ++i) {
    const unsigned bits = (unsigned)(words[i / 2] >> (i % 2 * 32));
    keep[i] = uniform_of(bits) >= rate ? scale : (T)0;
  }
}

// Call body(i, factors, count) for runs of the numbers from begin to end of a mask, whose
// factors are zero or 1 / (1 - rate).
template <class T, class Body>
SKDEEP_INLINE void each_factor(const Operation& o, long begin, long end, Body body) {
  const Stream stream = stream_of(o, 1);
  const double rate = number<double>(o, 4);
  const T scale = (T)(1 / (1 - rate));
  for (long i = begin; i < end;) {
    Word words[4];
    stream.draw(i / 8, words);
    T block[8];
    keep_block<T>(words, (float)rate, scale, block);
    const long block_end = i / 8 * 8 + 8;
    if (i % 8 == 0 && block_end <= end) {
      body(i, block, 8);
      i += 8;
    } else {
      const long stop = block_end < end ? block_end : end;
      body(i, block + i % 8, (int)(stop - i));
      i = stop;
    }
  }
}

template <class T>
void dropout_forward(const Operation& o, Worker&, long begin, long end) {
  const T* x = array<T>(o, 0);
  T *keep = array<T>(o, 5), *out = array<T>(o, 6);
  const long columns = o.argument[0].columns;
  each_factor<T>(o, begin * columns, end * columns,
                 [=](long i, const T* factors, int count) {
                   __builtin_memcpy(keep + i, factors, count * sizeof(T));
                   for (int j = 0; j < count; ++j) out[i + j] = x[i + j] * factors[j];
                 });
}

template <class T>
void dropout_backward(const Operation& o, Worker&, long begin, long end) {
  const T* d_out = array<T>(o, 0);
  const T* keep = array<T>(o, 1);
  T* d_x = array<T>(o, 2);
  const long columns = o.argument[0].columns;
  each_vector<T>(begin * columns, end * columns,
                 [=](auto at) { at.store(d_x, at.load(d_out) * at.load(keep)); });
}

// --- whole channels: x is (n, places, channels), keep (n, channels) ----------------------

// out = x * keep, at every place
template <class T>
SKDEEP_INLINE void scale_channels(const Argument& x, const T* from, const T* keep, T* out,
                                  long begin, long end) {
  const long places = x.shape[1], channels = x.shape[2];
  for (long i = begin * places; i < end * places; ++i) {
    each_vector<T>(0, channels, [=](auto at) {
      const Vector<T> factor = at.load(keep + i / places * channels);
      at.store(out + i * channels, at.load(from + i * channels) * factor);
    });
  }
}

template <class T>
void spatial_dropout_forward(const Operation& o, Worker&, long begin, long end) {
  T* keep = array<T>(o, 5);
  const long channels = o.argument[5].columns;
  each_factor<T>(o, begin * channels, end * channels,
                 [=](long i, const T* factors, int count) {
                   __builtin_memcpy(keep + i, factors, count * sizeof(T));
                 });
  scale_channels<T>(o.argument[0], array<T>(o, 0), keep, array<T>(o, 6), begin, end);
}

template <class T>
void spatial_dropout_backward(const Operation& o, Worker&, long begin, long end) {
  scale_channels<T>(o.argument[0], array<T>(o, 0), array<T>(o, 1), array<T>(o, 2), begin,
                    end);
}

constexpr KernelEntry entries[] = {
    {"dropout_forward", Split::rows, 0, dropout_forward<float>, dropout_forward<double>},
    {"dropout_backward", Split::rows, 0, dropout_backward<float>,
     dropout_backward<double>},
    {"spatial_dropout_forward", Split::rows, 0, spatial_dropout_forward<float>,
     spatial_dropout_forward<double>},
    {"spatial_dropout_backward", Split::rows, 0, spatial_dropout_backward<float>,
     spatial_dropout_backward<double>},
};

}  // namespace

extern const KernelFamily dropout_kernels = {entries, sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
