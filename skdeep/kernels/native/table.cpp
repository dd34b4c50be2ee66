// All kernels of one instruction set.
#include "vector.h"

namespace skdeep {
namespace SKDEEP_ISA {

extern const KernelFamily activation_kernels, augmentation_kernels, convolution_kernels,
    coordinate_descent_kernels, dense_kernels, dropout_kernels, elementwise_kernels,
    gather_kernels, linear_kernels, loss_kernels, normalization_kernels,
    optimizer_kernels, pooling_kernels;

#define SKDEEP_TEXT_OF(NAME) #NAME
#define SKDEEP_TEXT(NAME) SKDEEP_TEXT_OF(NAME)

KernelTable kernel_table() {
  return {SKDEEP_TEXT(SKDEEP_ISA),
          {activation_kernels, augmentation_kernels, convolution_kernels,
           coordinate_descent_kernels, dense_kernels, dropout_kernels, elementwise_kernels,
           gather_kernels, linear_kernels, loss_kernels, normalization_kernels,
           optimizer_kernels, pooling_kernels}};
}

}  // namespace SKDEEP_ISA
}  // namespace skdeep
