// Convolution of images, channels last, and its derivatives, as matrix products whose left
// matrix, of windows, is never stored; convolution.py has the formulas.
//
// The inputs of a block of outputs are copied into scratch memory with zeros around the
// images, a slice of the channels at a time. Where one reads the number at a place of the
// window, for some output, is then an offset of the output plus an offset of the place.
#include "convolution_gradient.h"
#include "convolution_pass.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

template <class T>
void convolution_forward(const Operation& o, Worker& worker, long begin, long end) {
  const Pass<T> pass = forward_pass<T>(o);
  if (pass.shape.is_dense()) {
    const long places = pass.shape.rows.in * pass.shape.columns.in;
    const long channels = pass.shape.channels, filters = pass.shape.filters;
    multiply<T>({pass.source + begin * places * channels, channels, 1,  //
                 pass.kernel, filters, 1,                               //
                 pass.target + begin * places * filters, filters,       //
                 (end - begin) * places, filters, channels, pass.bias},
                worker.scratch);
  } else if (pass.shape.is_depthwise()) {
    multiply_by_channel(pass, worker, begin, end);
  } else {
    multiply_windows(pass, worker, begin, end);
  }
}

template <class T>
void convolution_backward_input(const Operation& o, Worker& worker, long begin, long end) {
  const Pass<T> pass = backward_pass<T>(o);
  if (pass.shape.is_dense()) {
    const long places = pass.shape.rows.in * pass.shape.columns.in;
    const long channels = pass.shape.channels, filters = pass.shape.filters;
    multiply<T>({pass.source + begin * places * filters, filters, 1,  //
                 pass.kernel, 1, filters,                             //
                 pass.target + begin * places * channels, channels,   //
                 (end - begin) * places, channels, filters, nullptr},
                worker.scratch);
  } else if (pass.shape.is_depthwise()) {
    multiply_by_channel(pass, worker, begin, end);
  } else {
    multiply_windows(pass, worker, begin, end);
  }
}

// For the numbers of the window from begin to end; depthwise, for channels
template <class T>
void convolution_backward_kernel(const Operation& o, Worker& worker, long begin, long end) {
  const KernelPass<T> pass = kernel_pass<T>(o);
  if (pass.images == 0) {
    const long filters = pass.shape.filters;
    if (pass.shape.is_depthwise()) {
      for (long n = 0; n < pass.shape.places(); ++n) {
        fill_zeros(pass.d_kernel + n * filters + begin, end - begin);
      }
    } else {
      fill_zeros(pass.d_kernel + begin * filters, (end - begin) * filters);
    }
  } else if (pass.shape.is_dense()) {
    const long places = pass.shape.rows.in * pass.shape.columns.in;
    const long channels = pass.shape.channels, filters = pass.shape.filters;
    multiply<T>({pass.x + begin, 1, channels,                     //
                 pass.d_out, filters, 1,                          //
                 pass.d_kernel + begin * filters, filters,        //
                 end - begin, filters, pass.images * places, nullptr},
                worker.scratch);
  } else if (pass.shape.is_depthwise()) {
    sum_by_channel(pass, worker, begin, end);
  } else {
    multiply_outputs(pass, worker, begin, end);
  }
}

// Sums of columns over all places, in blocks of rows and blocks of those, to lose fewer
// digits; every vector of columns goes through a block while it is in the cache.
template <class T>
void convolution_backward_bias(const Operation& o, Worker& worker, long begin, long end) {
  constexpr long block = 64;
  constexpr long most = scratch_bytes / (long)sizeof(T);
  const T* d_out = array<T>(o, 0);
  T *d_bias = array<T>(o, 1), *part = (T*)worker.scratch;
  const long filters = o.argument[1].rows;
  const long places = o.argument[0].rows * o.argument[0].columns / larger(1, filters);
  for (long j = begin; j < end; j += most) {
    const long stop = smaller(j + most, end);
    fill_zeros(d_bias + j, stop - j);
    for (long start = 0; start < places; start += block * block) {
      fill_zeros(part, stop - j);
      const long end_of_part = smaller(start + block * block, places);
      for (long i = start; i < end_of_part; i += block) {
        const long last = smaller(i + block, end_of_part);
        each_vector<T>(j, stop, [=](auto at) {
          Vector<T> sum{};
          for (long k = i; k < last; ++k) sum += at.load(d_out + k * filters);
          at.store(part - j, at.load(part - j) + sum);
        });
      }
      each_vector<T>(j, stop, [=](auto at) {
        at.store(d_bias, at.load(d_bias) + at.load(part - j));
      });
    }
  }
}

bool is_double(const Operation& o) { return o.argument[1].type == Type::float64; }

long forward_scratch(const Operation& o) {
  return is_double(o) ? forward_pass<double>(o).scratch() : forward_pass<float>(o).scratch();
}
long backward_scratch(const Operation& o) {
  return is_double(o) ? backward_pass<double>(o).scratch()
                      : backward_pass<float>(o).scratch();
}
long kernel_scratch(const Operation& o) {
  return is_double(o) ? kernel_pass<double>(o).scratch() : kernel_pass<float>(o).scratch();
}
long kernel_length(const Operation& o) {
  const Convolution shape = backward_kernel_of(o);
  return shape.is_depthwise() ? shape.channels : shape.places() * shape.group_channels();
}

constexpr KernelEntry entries[] = {
    {"convolution_forward", Split::rows, 0, convolution_forward<float>,
     convolution_forward<double>, nullptr, forward_scratch},
    {"convolution_backward_kernel", Split::columns, 0, convolution_backward_kernel<float>,
     convolution_backward_kernel<double>, kernel_length, kernel_scratch},
    {"convolution_backward_bias", Split::columns, 1, convolution_backward_bias<float>,
     convolution_backward_bias<double>},
    {"convolution_backward_input", Split::rows, 0, convolution_backward_input<float>,
     convolution_backward_input<double>, nullptr, backward_scratch},
};

}  // namespace

extern const KernelFamily convolution_kernels = {entries, sizeof entries / sizeof *entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
