// Pooling of images, channels last; pooling.py says what is meant.
#include "image_window.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

struct Pooling {
  Axis rows, columns;
  long channels;
};

Pooling pooling_of(const Operation& o, int x, int pool_size, int out) {
  const long *in = o.argument[x].shape, *size = o.argument[out].shape;
  const long *pool = o.argument[pool_size].shape;
  const long *stride = o.argument[pool_size + 1].shape;
  const long *padding = o.argument[pool_size + 2].shape;
  return {{in[1], size[1], pool[0], stride[0], 1, padding[0]},
          {in[2], size[2], pool[1], stride[1], 1, padding[1]},
          in[3]};
}

// The places of the window at an output that lie inside of the image
SKDEEP_INLINE Range places_inside(const Axis& axis, long output) {
  const long first = output * axis.stride - axis.padding;
  return {larger(0, -first), smaller(axis.window, axis.in - first)};
}

// A window: where its inputs are, and which of its places are inside of the image
struct Window {
  long input;  // number of the input at place (0, 0), which may be outside
  Range rows, columns;
};

SKDEEP_INLINE Window window_at(const Pooling& p, long y, long x) {
  return {(y * p.rows.stride - p.rows.padding) * p.columns.in + x * p.columns.stride -
              p.columns.padding,
          places_inside(p.rows, y), places_inside(p.columns, x)};
}

// Call body(number of the place, number of the input) for places inside, row by row.
template <class Body>
SKDEEP_INLINE void each_place(const Pooling& p, const Window& w, Body body) {
  // the usual one
  if (p.rows.window == 2 && p.columns.window == 2 && w.rows.size() == 2 &&
      w.columns.size() == 2) {
    body(0, w.input);
    body(1, w.input + 1);
    body(2, w.input + p.columns.in);
    body(3, w.input + p.columns.in + 1);
    return;
  }
  for (long k = w.rows.begin; k < w.rows.end; ++k) {
    for (long l = w.columns.begin; l < w.columns.end; ++l) {
      body((int)(k * p.columns.window + l), w.input + k * p.columns.in + l);
    }
  }
}

// --- which place of the window: bytes, or 32 bits for windows of more than 256 ----------

template <class T, class Place>
SKDEEP_INLINE Integers<T> widen(const Place* from) {
#if defined(__AVX512F__)
  // what a compiler makes of the general case goes through single numbers
  if constexpr (sizeof(Place) == 1 && sizeof(T) == 4) {
    return (Integers<T>)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)from));
  } else if constexpr (sizeof(Place) == 1) {
    return (Integers<T>)_mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i*)from));
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(Place) == 1 && sizeof(T) == 4) {
    return (Integers<T>)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i*)from));
  }
#endif
  typedef Place Places __attribute__((vector_size(width<T> * sizeof(Place))));
  Places places;
  __builtin_memcpy(&places, from, sizeof places);
  return __builtin_convertvector(places, Integers<T>);
}

template <class T, class Place>
SKDEEP_INLINE void narrow(Integers<T> numbers, Place* to) {
#if defined(__AVX512F__)
  if constexpr (sizeof(Place) == 1 && sizeof(T) == 4) {
    _mm_storeu_si128((__m128i*)to, _mm512_cvtepi32_epi8((__m512i)numbers));
    return;
  } else if constexpr (sizeof(Place) == 1) {
    _mm_storel_epi64((__m128i*)to, _mm512_cvtepi64_epi8((__m512i)numbers));
    return;
  }
#endif
  typedef Place Places __attribute__((vector_size(width<T> * sizeof(Place))));
  const Places places = __builtin_convertvector(numbers, Places);
  __builtin_memcpy(to, &places, sizeof places);
}

template <class T, class Place>
SKDEEP_INLINE Integers<T> load_places(const Place* from, int count) {
  if (count == width<T>) return widen<T>(from);
  Place places[width<T>] = {};
  for (int i = 0; i < count; ++i) places[i] = from[i];
  return widen<T>(places);
}

template <class T, class Place>
SKDEEP_INLINE void store_places(Place* to, Integers<T> numbers, int count) {
  if (count == width<T>) {
    narrow<T>(numbers, to);
    return;
  }
  Place places[width<T>];
  narrow<T>(numbers, places);
  for (int i = 0; i < count; ++i) to[i] = places[i];
}

template <class T>
SKDEEP_INLINE int count_of(Full<T>) {
  return width<T>;
}
template <class T>
SKDEEP_INLINE int count_of(Part<T> part) {
  return part.count;
}

// --- the largest ------------------------------------------------------------------------

template <class T, class Place, bool Marks>
void max_pool(const Pooling& p, const T* x, Place* largest, T* out, long images) {
  const long inputs = p.rows.in * p.columns.in;
  for (long i = 0; i < images; ++i, x += inputs * p.channels) {
    for (long y = 0; y < p.rows.out; ++y) {
      for (long c = 0; c < p.columns.out; ++c, out += p.channels) {
        const Window w = window_at(p, y, c);
        each_vector<T>(0, p.channels, [&](auto at) {
          Vector<T> best = broadcast((T)-__builtin_inf());
          Integers<T> number{};
          const auto look = [&](int place, long input) {
            const Vector<T> candidate = at.load(x + input * p.channels);
            // what is not a number stays, and counts as larger than nothing
            if constexpr (Marks) {
              number = candidate > best ? Integers<T>{} + place : number;
            }
            best = (candidate > best) | (candidate != candidate) ? candidate : best;
          };
          each_place(p, w, look);
          at.store(out, best);
          if constexpr (Marks) {
            store_places<T>(largest + at.offset, number, count_of(at));
          }
        });
        if constexpr (Marks) largest += p.channels;
      }
    }
  }
}

template <class T>
void max_pool_forward(const Operation& o, Worker&, long begin, long end) {
  const Pooling p = pooling_of(o, 0, 1, 5);
  const long inputs = o.argument[0].columns, outputs = o.argument[5].columns;
  const T* x = array<T>(o, 0) + begin * inputs;
  T* out = array<T>(o, 5) + begin * outputs;
  const Type type = o.argument[4].type;
  if (type == Type::none) {
    max_pool<T, unsigned char, false>(p, x, nullptr, out, end - begin);
  } else if (type == Type::uint8) {
    max_pool<T, unsigned char, true>(p, x, array<unsigned char>(o, 4) + begin * outputs, out,
                                     end - begin);
  } else {
    max_pool<T, int, true>(p, x, array<int>(o, 4) + begin * outputs, out, end - begin);
  }
}

// Give each input what `part(at, output, window)(place)` says of every window that sees it.
template <class T, class Part>
SKDEEP_INLINE void scatter(const Pooling& p, T* d_x, Part part) {
  const Axis &rows = p.rows, &columns = p.columns;
  const bool apart = rows.stride >= rows.window && columns.stride >= columns.window;
  const bool all = rows.stride == rows.window && columns.stride == columns.window &&
                   rows.out * rows.window == rows.in && rows.padding == 0 &&
                   columns.out * columns.window == columns.in && columns.padding == 0;
  if (!all) fill_zeros(d_x, rows.in * columns.in * p.channels);
  if (apart) {
    for (long y = 0; y < rows.out; ++y) {
      for (long c = 0; c < columns.out; ++c) {
        const Window w = window_at(p, y, c);
        each_vector<T>(0, p.channels, [&](auto at) {
          const auto value = part(at, (y * columns.out + c) * p.channels, w);
          each_place(p, w, [&](int place, long input) {
            at.store(d_x + input * p.channels, value(place));
          });
        });
      }
    }
    return;
  }
  // Outputs are gone through from the last, so that an input adds up its windows in the
  // order of its place in them.
  for (long y = rows.out - 1; y >= 0; --y) {
    for (long c = columns.out - 1; c >= 0; --c) {
      const Window w = window_at(p, y, c);
      each_vector<T>(0, p.channels, [&](auto at) {
        const auto value = part(at, (y * columns.out + c) * p.channels, w);
        each_place(p, w, [&](int place, long input) {
          T* to = d_x + input * p.channels;
          at.store(to, at.load(to) + value(place));
        });
      });
    }
  }
}

template <class T, class Place>
SKDEEP_INLINE void max_pool_backward_images(const Operation& o, long begin, long end) {
  const Pooling p = pooling_of(o, 5, 2, 0);
  const long inputs = o.argument[5].columns, outputs = o.argument[0].columns;
  for (long i = begin; i < end; ++i) {
    const T* d_out = array<T>(o, 0) + i * outputs;
    const Place* largest = array<Place>(o, 1) + i * outputs;
    scatter<T>(p, array<T>(o, 5) + i * inputs, [&](auto at, long output, const Window&) {
      const Vector<T> d = at.load(d_out + output);
      const Integers<T> number =
          load_places<T>(largest + output + at.offset, count_of(at));
      // zero times the gradient, as in the reference: an infinite one shows as NaN
      const Vector<T> none = d * (T)0;
      return [=](int place) { return number == Integers<T>{} + place ? d : none; };
    });
  }
}

template <class T>
void max_pool_backward(const Operation& o, Worker&, long begin, long end) {
  if (o.argument[1].type == Type::uint8) {
    max_pool_backward_images<T, unsigned char>(o, begin, end);
  } else {
    max_pool_backward_images<T, int>(o, begin, end);
  }
}

// --- the mean of those inside of the image ------------------------------------------------

template <class T>
void average_pool_forward(const Operation& o, Worker&, long begin, long end) {
  const Pooling p = pooling_of(o, 0, 1, 4);
  for (long i = begin; i < end; ++i) {
    const T* x = array<T>(o, 0) + i * o.argument[0].columns;
    T* out = array<T>(o, 4) + i * o.argument[4].columns;
    for (long y = 0; y < p.rows.out; ++y) {
      for (long c = 0; c < p.columns.out; ++c, out += p.channels) {
        const Window w = window_at(p, y, c);
        const T count = (T)(w.rows.size() * w.columns.size());
        each_vector<T>(0, p.channels, [&](auto at) {
          Vector<T> sum{};
          each_place(p, w, [&](int, long input) { sum += at.load(x + input * p.channels); });
          at.store(out, sum / count);
        });
      }
    }
  }
}

template <class T>
void average_pool_backward(const Operation& o, Worker&, long begin, long end) {
  const Pooling p = pooling_of(o, 4, 1, 0);
  for (long i = begin; i < end; ++i) {
    const T* d_out = array<T>(o, 0) + i * o.argument[0].columns;
    scatter<T>(p, array<T>(o, 4) + i * o.argument[4].columns,
               [&](auto at, long output, const Window& w) {
                 const T count = (T)(w.rows.size() * w.columns.size());
                 const Vector<T> share = at.load(d_out + output) / count;
                 return [=](int) { return share; };
               });
  }
}

// --- of all places: x is (n, places, channels) -------------------------------------------

template <class T>
void global_average_pool_forward(const Operation& o, Worker&, long begin, long end) {
  constexpr long block = 64;  // sums of blocks lose fewer digits
  const long places = o.argument[0].shape[1], channels = o.argument[1].columns;
  for (long i = begin; i < end; ++i) {
    const T* x = array<T>(o, 0) + i * places * channels;
    each_vector<T>(0, channels, [&](auto at) {
      Vector<T> total{};
      for (long start = 0; start < places; start += block) {
        const long stop = smaller(start + block, places);
        Vector<T> sum{};
        for (long k = start; k < stop; ++k) sum += at.load(x + k * channels);
        total += sum;
      }
      at.store(array<T>(o, 1) + i * channels, total / (T)places);
    });
  }
}

template <class T>
void global_average_pool_backward(const Operation& o, Worker&, long begin, long end) {
  const long places = o.argument[1].shape[1], channels = o.argument[0].columns;
  for (long i = begin; i < end; ++i) {
    T* d_x = array<T>(o, 1) + i * places * channels;
    each_vector<T>(0, channels, [&](auto at) {
      const Vector<T> share = at.load(array<T>(o, 0) + i * channels) / (T)places;
      for (long k = 0; k < places; ++k) at.store(d_x + k * channels, share);
    });
  }
}

template <class T>
void global_max_pool_forward(const Operation& o, Worker&, long begin, long end) {
  const long places = o.argument[0].shape[1], channels = o.argument[1].columns;
  for (long i = begin; i < end; ++i) {
    const T* x = array<T>(o, 0) + i * places * channels;
    each_vector<T>(0, channels, [&](auto at) {
      Vector<T> best = at.load(x);
      for (long k = 1; k < places; ++k) {
        const Vector<T> candidate = at.load(x + k * channels);
        best = (candidate > best) | (candidate != candidate) ? candidate : best;
      }
      at.store(array<T>(o, 1) + i * channels, best);
    });
  }
}

// Equal largest inputs share the gradient.
template <class T>
void global_max_pool_backward(const Operation& o, Worker&, long begin, long end) {
  const long places = o.argument[0].shape[1], channels = o.argument[1].columns;
  for (long i = begin; i < end; ++i) {
    const T* x = array<T>(o, 0) + i * places * channels;
    T* d_x = array<T>(o, 3) + i * places * channels;
    each_vector<T>(0, channels, [&](auto at) {
      const Vector<T> best = at.load(array<T>(o, 1) + i * channels);
      Vector<T> count{};
      for (long k = 0; k < places; ++k) {
        count += at.load(x + k * channels) == best ? broadcast((T)1) : Vector<T>{};
      }
      const Vector<T> share = at.load(array<T>(o, 2) + i * channels) / count;
      const Vector<T> none = share * (T)0;
      for (long k = 0; k < places; ++k) {
        at.store(d_x + k * channels, at.load(x + k * channels) == best ? share : none);
      }
    });
  }
}

#define ROWS(NAME) {#NAME, Split::rows, 0, NAME<float>, NAME<double>}
constexpr KernelEntry entries[] = {
    ROWS(max_pool_forward),            ROWS(max_pool_backward),
    ROWS(average_pool_forward),        ROWS(average_pool_backward),
    ROWS(global_average_pool_forward), ROWS(global_average_pool_backward),
    ROWS(global_max_pool_forward),     ROWS(global_max_pool_backward),
};

}  // namespace

extern const KernelFamily pooling_kernels = {entries, sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
