// What takes the place of a table's columns: waves of numbers, and vectors of categories;
// embedding.py has the formulas.
#include "elementary.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

// --- waves of numbers -------------------------------------------------------------------

// The kernel of a feature, (frequencies, units), with the units first and as many more of
// zeros as make them a multiple of four
template <class T>
SKDEEP_INLINE void transpose(const T* kernel, long frequencies, long units, T* out) {
  for (long u = 0; u < units + 3; ++u) {
    for (long k = 0; k < frequencies; ++k) {
      *out++ = u < units ? kernel[k * units + u] : 0;
    }
  }
}

template <int i>
long transposed_bytes(const Operation& o) {
  return o.argument[i].shape[1] * (o.argument[i].shape[2] + 3) * sizeof(double);
}

template <class T>
SKDEEP_INLINE void copy(const T* from, T* to, long count) {
  each_vector<T>(0, count, [=](auto at) { at.store(to, at.load(from)); });
}

template <class T>
SKDEEP_INLINE T dot(const T* a, const T* b, long count) {
  Vector<T> sum{};
  each_vector<T>(0, count, [&](auto at) { sum += at.load(a) * at.load(b); });
  return sum_lanes<T>(sum);
}

// The sums of waves of a feature in a row
template <class T>
SKDEEP_INLINE void sum_waves(const T* cosines, const T* kernel, const T* bias, T* out,
                             long frequencies, long units) {
  for (long u = 0; u < units; u += 4) {
    const T *k0 = kernel + u * frequencies, *k1 = k0 + frequencies, *k2 = k1 + frequencies;
    const T* k3 = k2 + frequencies;
    Vector<T> a{}, b{}, c{}, d{};
    each_vector<T>(0, frequencies, [&](auto at) {
      const Vector<T> cosine = at.load(cosines);
      a += cosine * at.load(k0);
      b += cosine * at.load(k1);
      c += cosine * at.load(k2);
      d += cosine * at.load(k3);
    });
    T sums[4];
    sum_lanes_of_four<T>(a, b, c, d, sums);
    for (long n = 0; n < 4 && u + n < units; ++n) out[u + n] = sums[n] + bias[u + n];
  }
}

// Feature by feature, so that its waves stay in registers while the rows go by
template <class T>
void periodic_embedding_forward(const Operation& o, Worker& worker, long begin, long end) {
  const long inputs = o.argument[0].columns, embedded = o.argument[7].columns;
  const long features = o.argument[1].rows, frequencies = o.argument[1].columns;
  const long units = o.argument[4].columns, stride = features * frequencies;
  const T* x = array<T>(o, 0);
  T *cosines = array<T>(o, 5), *sines = array<T>(o, 6), *out = array<T>(o, 7);
  T* const kernel = (T*)worker.scratch;
  for (long j = 0; j < features; ++j) {
    each_vector<T>(j * frequencies, (j + 1) * frequencies, [=](auto at) {
      const Vector<T> frequency = at.load(array<T>(o, 1)), phase = at.load(array<T>(o, 2));
      for (long i = begin; i < end; ++i) {
        Vector<T> sine, cosine;
        sine_cosine<T>(frequency * x[i * inputs + j] + phase, sine, cosine);
        at.store(cosines + i * stride, cosine);
        at.store(sines + i * stride, sine);
      }
    });
    transpose(array<T>(o, 3) + j * frequencies * units, frequencies, units, kernel);
    for (long i = begin; i < end; ++i) {
      T* row = out + i * embedded + j * (units + 1);
      sum_waves(cosines + i * stride + j * frequencies, kernel, array<T>(o, 4) + j * units,
                row, frequencies, units);
      row[units] = x[i * inputs + j];
    }
  }
  for (long i = begin; i < end; ++i) {
    copy(x + i * inputs + features, out + i * embedded + features * (units + 1),
         inputs - features);
  }
}

template <class T>
void periodic_embedding_backward_angles(const Operation& o, Worker& worker, long begin,
                                        long end) {
  const long features = o.argument[1].rows, embedded = o.argument[2].columns;
  const long frequencies = o.argument[1].shape[1], units = o.argument[1].shape[2];
  const long stride = features * frequencies;
  const T *sines = array<T>(o, 0), *d_out = array<T>(o, 2);
  T* d_angles = array<T>(o, 3);
  T* const kernel = (T*)worker.scratch;
  for (long j = 0; j < features; ++j) {
    transpose(array<T>(o, 1) + j * frequencies * units, frequencies, units, kernel);
    each_vector<T>(0, frequencies, [=](auto at) {
      for (long i = begin; i < end; ++i) {
        const long offset = i * stride + j * frequencies;
        const T* d_sums = d_out + i * embedded + j * (units + 1);
        Vector<T> d_cosine{};
        for (long u = 0; u < units; ++u) {
          d_cosine += at.load(kernel + u * frequencies) * d_sums[u];
        }
        at.store(d_angles + offset, -at.load(sines + offset) * d_cosine);
      }
    });
  }
}

// Several sums over the rows at once, in blocks to lose fewer digits: add(i, sums) adds
// what row i gives to each of them
template <class T, int count, class Add>
SKDEEP_INLINE void sums_over_rows(long rows, Vector<T>* totals, Add add) {
  constexpr long block = 64;
  for (int n = 0; n < count; ++n) totals[n] = Vector<T>{};
  for (long start = 0; start < rows; start += block) {
    const long stop = start + block < rows ? start + block : rows;
    Vector<T> sums[count] = {};
    for (long i = start; i < stop; ++i) add(i, sums);
    for (int n = 0; n < count; ++n) totals[n] += sums[n];
  }
}

// The gradients of `count` units of a feature, from one place of its waves on
template <class T, int count, class Place>
SKDEEP_INLINE void unit_gradients(Place at, long rows, const T* cosines, long stride,
                                  const T* d_sums, long embedded, T* d_kernel, long units,
                                  long frequencies) {
  Vector<T> totals[count];
  sums_over_rows<T, count>(rows, totals, [=](long i, Vector<T>* sums) {
    const Vector<T> cosine = at.load(cosines + i * stride);
    for (int u = 0; u < count; ++u) sums[u] += cosine * d_sums[i * embedded + u];
  });
  const long rest = frequencies - at.offset;
  for (int u = 0; u < count; ++u) {
    T lanes[width<T>];
    store(lanes, totals[u]);
    for (long l = 0; l < rest && l < width<T>; ++l) {
      d_kernel[(at.offset + l) * units + u] = lanes[l];
    }
  }
}

// Sums over the rows, for the features from begin to end
template <class T>
void periodic_embedding_backward_parameters(const Operation& o, Worker&, long begin,
                                            long end) {
  const long rows = o.argument[0].rows, inputs = o.argument[0].columns;
  const long embedded = o.argument[3].columns, units = o.argument[7].columns;
  const long frequencies = o.argument[4].columns, stride = o.argument[1].columns;
  for (long j = begin; j < end; ++j) {
    const T* numbers = array<T>(o, 0) + j;
    const T* cosines = array<T>(o, 1) + j * frequencies;
    const T* d_angles = array<T>(o, 2) + j * frequencies;
    const T* d_sums = array<T>(o, 3) + j * (units + 1);
    T* d_frequency = array<T>(o, 4) + j * frequencies;
    T* d_phase = array<T>(o, 5) + j * frequencies;
    T* d_kernel = array<T>(o, 6) + j * frequencies * units;
    T* d_bias = array<T>(o, 7) + j * units;
    each_vector<T>(0, frequencies, [=](auto at) {
      Vector<T> totals[2];
      sums_over_rows<T, 2>(rows, totals, [=](long i, Vector<T>* sums) {
        const Vector<T> d_angle = at.load(d_angles + i * stride);
        sums[0] += d_angle * numbers[i * inputs];
        sums[1] += d_angle;
      });
      at.store(d_frequency, totals[0]);
      at.store(d_phase, totals[1]);
      long u = 0;
      for (; u + 3 <= units; u += 3) {
        unit_gradients<T, 3>(at, rows, cosines, stride, d_sums + u, embedded, d_kernel + u,
                             units, frequencies);
      }
      for (; u < units; ++u) {
        unit_gradients<T, 1>(at, rows, cosines, stride, d_sums + u, embedded, d_kernel + u,
                             units, frequencies);
      }
    });
    each_vector<T>(0, units, [=](auto at) {
      at.store(d_bias, sum_over_rows<T>(rows, embedded, [=](long, long offset) {
        return at.load(d_sums + offset);
      }));
    });
  }
}

template <class T>
void periodic_embedding_backward_input(const Operation& o, Worker&, long begin, long end) {
  const long features = o.argument[0].rows, frequencies = o.argument[0].columns;
  const long embedded = o.argument[2].columns, inputs = o.argument[3].columns;
  const long units = features ? (embedded - inputs) / features : 0;
  for (long i = begin; i < end; ++i) {
    const T *d_out = array<T>(o, 2) + i * embedded;
    const T *d_angles = array<T>(o, 1) + i * features * frequencies;
    T* d_x = array<T>(o, 3) + i * inputs;
    for (long j = 0; j < features; ++j) {
      d_x[j] = dot(d_angles + j * frequencies, array<T>(o, 0) + j * frequencies,
                   frequencies) +
               d_out[j * (units + 1) + units];
    }
    copy(d_out + features * (units + 1), d_x + features, inputs - features);
  }
}

// --- vectors of categories --------------------------------------------------------------

// The row of the kernel that a code stands for; -1 for what is no code
template <class T>
SKDEEP_INLINE long long place_of(T code, long long start, long long highest) {
  if (!(code >= 0 && code <= (T)highest)) return -1;
  const long long whole = (long long)code;
  return (T)whole == code ? start + whole : -1;
}

template <class T>
void embedding_forward(const Operation& o, Worker&, long begin, long end) {
  const T* kernel = array<T>(o, 1);
  const long long *starts = array<long long>(o, 2), *highest = array<long long>(o, 3);
  const long inputs = o.argument[0].columns, columns = o.argument[2].rows;
  const long units = o.argument[1].columns, embedded = o.argument[5].columns;
  const long numbers = inputs - columns;
  for (long i = begin; i < end; ++i) {
    const T* x = array<T>(o, 0) + i * inputs;
    T* out = array<T>(o, 5) + i * embedded;
    long long* places = array<long long>(o, 4) + i * columns;
    copy(x, out, numbers);
    for (long c = 0; c < columns; ++c) {
      T* vector = out + numbers + c * units;
      places[c] = place_of(x[numbers + c], starts[c], highest[c]);
      if (places[c] >= 0) {
        copy(kernel + places[c] * units, vector, units);
      } else {
        each_vector<T>(0, units, [=](auto at) { at.store(vector, Vector<T>{}); });
      }
    }
  }
}

// The sum of what came for each category, for the categories from begin to end
template <class T>
void embedding_backward_kernel(const Operation& o, Worker&, long begin, long end) {
  const long long* places = array<long long>(o, 0);
  T* d_kernel = array<T>(o, 2);
  const long rows = o.argument[0].rows, columns = o.argument[0].columns;
  const long embedded = o.argument[1].columns, units = o.argument[2].columns;
  each_vector<T>(begin * units, end * units, [=](auto at) {
    at.store(d_kernel, Vector<T>{});
  });
  for (long i = 0; i < rows; ++i) {
    const T* d_vectors = array<T>(o, 1) + (i + 1) * embedded - columns * units;
    for (long c = 0; c < columns; ++c) {
      const long long place = places[i * columns + c];
      if (place < begin || place >= end) continue;
      T* sum = d_kernel + place * units;
      const T* d = d_vectors + c * units;
      each_vector<T>(0, units, [=](auto at) { at.store(sum, at.load(sum) + at.load(d)); });
    }
  }
}

template <class T>
void embedding_backward_input(const Operation& o, Worker&, long begin, long end) {
  const long embedded = o.argument[1].columns, inputs = o.argument[2].columns;
  const long numbers = inputs - o.argument[0].rows;
  for (long i = begin; i < end; ++i) {
    T* d_x = array<T>(o, 2) + i * inputs;
    copy(array<T>(o, 1) + i * embedded, d_x, numbers);
    each_vector<T>(numbers, inputs, [=](auto at) { at.store(d_x, Vector<T>{}); });
  }
}

constexpr KernelEntry entries[] = {
    {"periodic_embedding_forward", Split::rows, 0, periodic_embedding_forward<float>,
     periodic_embedding_forward<double>, nullptr, transposed_bytes<3>},
    {"periodic_embedding_backward_angles", Split::rows, 0,
     periodic_embedding_backward_angles<float>, periodic_embedding_backward_angles<double>,
     nullptr, transposed_bytes<1>},
    {"periodic_embedding_backward_parameters", Split::columns, 4,
     periodic_embedding_backward_parameters<float>,
     periodic_embedding_backward_parameters<double>},
    {"periodic_embedding_backward_input", Split::rows, 1,
     periodic_embedding_backward_input<float>, periodic_embedding_backward_input<double>},
    {"embedding_forward", Split::rows, 0, embedding_forward<float>,
     embedding_forward<double>},
    {"embedding_backward_kernel", Split::columns, 2, embedding_backward_kernel<float>,
     embedding_backward_kernel<double>},
    {"embedding_backward_input", Split::rows, 1, embedding_backward_input<float>,
     embedding_backward_input<double>},
};

}  // namespace

extern const KernelFamily embedding_kernels = {entries, sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
