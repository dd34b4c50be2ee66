// What a program is to the compiled kernels: flat records of pointers, sizes and numbers.
//
// Only plain data is declared here, because this file is included by sources that are
// compiled for different instruction sets: a function that the linker may share between
// them could end up in a version that this processor cannot run.
#pragma once

namespace skdeep {

enum class Type : int { none, boolean, uint8, int32, int64, float32, float64 };

constexpr int maximum_axes = 4;

// An array is its rows and the product of its other axes, always contiguous; kernels of
// images look at its shape. A tuple of integers is a shape without data.
struct Argument {
  void* data;
  long rows;
  long columns;
  double number;
  Type type;
  long shape[maximum_axes];  // ones beyond its axes
};

// Along what the work of a kernel may be cut. Every cut gives the same bits: no kernel
// lets a sum depend on where its range begins or ends.
enum class Split : int {
  rows,        // a thread carries its rows through consecutive calls
  parameters,  // the same, for ranges of the flat parameter vectors
  columns,     // by something of its own: features, or columns of a sum over rows
  whole,       // not at all
  python,      // not compiled: the calling thread takes the GIL and calls it
};

// Work that is cut by columns is cut where their number is a multiple of this.
constexpr long unit_of_columns = 16;

constexpr int maximum_arguments = 16;

struct Operation;

// What a kernel may use besides its arguments: memory of at least scratch_bytes, and of
// as many as its entry asks for.
struct Worker {
  void* scratch;
};
constexpr long scratch_bytes = 1024 * 1024;

using Kernel = void (*)(const Operation&, Worker&, long begin, long end);

struct Operation {
  Kernel kernel;
  Split split;
  long length;  // along the axis that the work is cut along
  double cost;  // floating-point operations, roughly
  unsigned written;  // bit i: argument i is written
  unsigned cut;      // bit i: argument i is cut with the work, along its first axis
  int n_arguments;
  long scratch;    // bytes that its kernel uses
  void* callable;  // for python
  Argument argument[maximum_arguments];
};

// A kernel's name is that of the reference; its arguments are the reference's in the
// same order without the scratch ones (work, mask, norm, uniform), which are not needed.
struct KernelEntry {
  const char* name;
  Split split;
  // The work is as long as this argument has rows; for -i, as argument i has columns.
  int length_argument;
  Kernel float32;
  Kernel float64;
  // Where the work is as long as something else, and where it needs more scratch memory
  long (*length)(const Operation&) = nullptr;
  long (*scratch)(const Operation&) = nullptr;
};

struct KernelFamily {
  const KernelEntry* entries;
  int count;
};

struct KernelTable {
  const char* instruction_set;
  const KernelFamily* const* families;
  int count;
};

}  // namespace skdeep
