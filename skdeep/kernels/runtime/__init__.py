"""What runs kernels: declarations, the compiled extension, and what its sources share.

In Python, `contract` checks arguments against what kernels declare, `formula_kernels`
makes the NumPy kernels of formulas, and `native` chooses between those and the extension.
In C++, `module` is the extension, `dispatch` chooses the instruction set, `schedule` plans
a program, and `executor` runs it on the threads of `thread_pool`; `operation.h` is what
these and the kernels know of each other. Kernels are made of vectors (`vector.h`,
`elementary.h`), matrix products (`gemm.h`, `implicit_product.h`), windows
(`image_window`) and random numbers (`philox`).
"""
