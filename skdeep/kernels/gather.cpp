// Collecting the rows of a mini-batch from the training data.
#include "vector.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

SKDEEP_INLINE long type_bytes(Type type) {
  switch (type) {
    case Type::boolean:
    case Type::uint8:
      return 1;
    case Type::int32:
    case Type::float32:
      return 4;
    default:
      return 8;
  }
}

// As NumPy's mode="clip": an index beyond the end means the last row.
SKDEEP_INLINE long clipped(long row, long rows) {
  return row < 0 ? 0 : row >= rows ? rows - 1 : row;
}

template <class T>
void gather_rows(const Operation& o, Worker&, long begin, long end) {
  const Argument &source = o.argument[0], &out = o.argument[2];
  const long long* index = array<long long>(o, 1);
  if (source.type == out.type) {
    const long bytes = source.columns * type_bytes(source.type);
    for (long i = begin; i < end; ++i) {
      const char* row = (const char*)source.data + clipped(index[i], source.rows) * bytes;
      if (i + 1 < end) {
        // the next row lies anywhere: ask for it while this one is copied
        const char* next =
            (const char*)source.data + clipped(index[i + 1], source.rows) * bytes;
        for (long b = 0; b < bytes; b += 64) __builtin_prefetch(next + b);
      }
      __builtin_memcpy((char*)out.data + i * bytes, row, bytes);
    }
    return;
  }
  // images are kept as bytes and become floating-point numbers here
  const long columns = source.columns;
  for (long i = begin; i < end; ++i) {
    const unsigned char* row =
        (const unsigned char*)source.data + clipped(index[i], source.rows) * columns;
    T* target = (T*)out.data + i * columns;
    for (long j = 0; j < columns; ++j) target[j] = (T)row[j];
  }
}

// The rows of targets of classes by number: high where the class is, else low.
template <class T>
void one_hot(const Operation& o, Worker&, long begin, long end) {
  const long long* index = array<long long>(o, 0);
  const T low = number<T>(o, 1), high = number<T>(o, 2);
  const long columns = o.argument[3].columns;
  for (long i = begin; i < end; ++i) {
    T* row = array<T>(o, 3) + i * columns;
    each_vector<T>(0, columns, [&](auto at) { at.store(row, broadcast(low)); });
    row[clipped(index[i], columns)] = high;
  }
}

template <class T>
void gather_weights(const Operation& o, Worker&, long begin, long end) {
  const T* source = array<T>(o, 0);
  const long long* index = array<long long>(o, 1);
  T* out = array<T>(o, 2);
  const T rows = (T)o.argument[2].rows;
  for (long i = begin; i < end; ++i) {
    out[i] = source[clipped(index[i], o.argument[0].rows)] / rows;
  }
}

template <class T, class Place>
void gather_sparse(const Operation& o) {
  const T* values = array<T>(o, 0);
  const Place* columns = array<Place>(o, 1);
  const Place* row_end = array<Place>(o, 2);
  const long long* index = array<long long>(o, 3);
  T* values_out = array<T>(o, 4);
  Place* columns_out = array<Place>(o, 5);
  Place* row_end_out = array<Place>(o, 6);
  long place = 0;
  const long room = o.argument[4].rows;
  for (long i = 0; i < o.argument[3].rows; ++i) {
    const long row = clipped(index[i], o.argument[2].rows);
    const long begin = row ? row_end[row - 1] : 0;
    const long end = row_end[row] - begin <= room - place ? row_end[row] : begin + room - place;
    for (long j = begin; j < end; ++j, ++place) {
      values_out[place] = values[j];
      columns_out[place] = columns[j];
    }
    row_end_out[i] = (Place)place;
  }
}

template <class T>
void gather_sparse_rows(const Operation& o, Worker&, long, long) {
  if (o.argument[2].type == Type::int32) {
    gather_sparse<T, int>(o);
  } else {
    gather_sparse<T, long long>(o);
  }
}

constexpr KernelEntry entries[] = {
    {"gather_rows", Split::rows, 1, gather_rows<float>, gather_rows<double>},
    {"gather_weights", Split::rows, 1, gather_weights<float>, gather_weights<double>},
    {"gather_sparse_rows", Split::whole, 3, gather_sparse_rows<float>,
     gather_sparse_rows<double>},
    {"one_hot", Split::rows, 0, one_hot<float>, one_hot<double>},
};

}  // namespace

extern const KernelFamily gather_kernels = {entries, sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
