// Runs formulas that come as instructions, such as a user's own; see
// skdeep/kernels/formulas/register_machine.py, which writes them.
//
// The first argument of such an operation is the code, the second its constants; those of
// the formula follow. The code is integers: the counts of Head, then
//   the number of the argument of each array;
//   for each number its argument, and whether it is plain (0), an array of one double (1)
//   or of one long integer (2);
//   the slot of each number that arrays meet;
//   the instructions on slots of numbers, done once in double precision;
//   the instructions on registers, done for each block: function, result, three operands.
// Slots are the constants, the numbers, and what is computed of them; registers are the
// arrays, scratch memory, and a block filled with each number that arrays meet.
#pragma once

#include "vector.h"

namespace skdeep {
namespace SKDEEP_ISA {
namespace {

// Numbers of a block: as many bytes for each register.
constexpr long block_bytes = 2048;
constexpr int most_slots = 256, most_registers = 128;

struct Head {
  int arrays, scratch, numbers, constants, slots, met, scalar_code, vector_code, loss;
};

struct Instruction {
  int function, out, a, b, c;
};

template <class T>
void apply_to_arrays(int function, const T* a, const T* b, const T* c, T* out, long n);
double apply_to_numbers(int function, double a, double b, double c);

template <class T, class Function>
SKDEEP_INLINE void each(const T* a, const T* b, const T* c, T* out, long n, Function f) {
  each_vector<T>(0, n, [=](auto at) {
    at.store(out, f(at.load(a), at.load(b), at.load(c)));
  });
}

#define SKDEEP_EACH(EXPRESSION)                                               \
  return each<T>(a, b, c, out, n,                                             \
                 []([[maybe_unused]] Vector<T> a, [[maybe_unused]] Vector<T> b, \
                    [[maybe_unused]] Vector<T> c) -> Vector<T> { return EXPRESSION; })

// A formula on one range of its arrays, with registers of its own.
template <class T>
class Machine {
 public:
  Machine(const Operation& o, void* scratch) : o_(o) {
    const int* code = array<int>(o, 0);
    __builtin_memcpy(&head_, code, sizeof head_);
    positions_ = code + sizeof head_ / sizeof(int);
    const int* numbers = positions_ + head_.arrays;
    const int* met = numbers + 2 * head_.numbers;
    const int* scalar_code = met + head_.met;
    vector_code_ = (const Instruction*)(scalar_code + 5 * head_.scalar_code);
    compute_numbers(numbers, (const Instruction*)scalar_code);
    T* memory = (T*)scratch;
    const int first = head_.arrays + head_.scratch;
    for (int i = head_.arrays; i < first + head_.met; ++i, memory += block) {
      registers_[i] = memory;
    }
    for (int i = 0; i < head_.met; ++i) {
      T* filled = registers_[first + i];
      for (long j = 0; j < block; ++j) filled[j] = (T)slots_[met[i]];
    }
  }

  static constexpr long block = block_bytes / sizeof(T);

  // All instructions, for so many numbers from an offset on.
  void run(long offset, long n) {
    for (int i = 0; i < head_.arrays; ++i) {
      registers_[i] = array<T>(o_, positions_[i] + 2) + offset;
    }
    for (int i = 0; i < head_.vector_code; ++i) {
      const Instruction& one = vector_code_[i];
      apply_to_arrays<T>(one.function, registers_[one.a], registers_[one.b],
                         registers_[one.c], registers_[one.out], n);
    }
  }

  const T* loss() const { return registers_[head_.loss]; }

 private:
  void compute_numbers(const int* numbers, const Instruction* code) {
    for (int i = 0; i < head_.constants; ++i) slots_[i] = array<double>(o_, 1)[i];
    for (int i = 0; i < head_.numbers; ++i) {
      const int argument = numbers[2 * i] + 2, kind = numbers[2 * i + 1];
      slots_[head_.constants + i] = kind == 0   ? number<double>(o_, argument)
                                    : kind == 1 ? *array<double>(o_, argument)
                                                : (double)*array<long long>(o_, argument);
    }
    for (int i = 0; i < head_.scalar_code; ++i) {
      slots_[code[i].out] = apply_to_numbers(code[i].function, slots_[code[i].a],
                                             slots_[code[i].b], slots_[code[i].c]);
    }
  }

  const Operation& o_;
  Head head_;
  const int* positions_;
  const Instruction* vector_code_;
  double slots_[most_slots];
  T* registers_[most_registers];
};

template <class T>
void formula_elementwise(const Operation& o, Worker& worker, long begin, long end) {
  Machine<T> machine(o, worker.scratch);
  const long columns = o.argument[2].columns;
  for (long start = begin * columns; start < end * columns; start += Machine<T>::block) {
    const long rest = end * columns - start;
    machine.run(start, rest < Machine<T>::block ? rest : Machine<T>::block);
  }
}

// z, target, weight, label_weight, settings, losses, d_z: the mean over a row's outputs,
// each weighed by the first row of label_weight, plus its second times the target
template <class T>
void formula_loss(const Operation& o, Worker& worker, long begin, long end) {
  Machine<T> machine(o, worker.scratch);
  const long columns = o.argument[2].columns, block = Machine<T>::block;
  const T *target = array<T>(o, 3), *weight = array<T>(o, 4);
  const T* label_weight = array<T>(o, 5);
  T *losses = array<T>(o, o.n_arguments - 2), *d_z = array<T>(o, o.n_arguments - 1);
  const T share = (T)1 / (T)columns;
  const long rows = columns < block ? block / columns : 1;
  for (long i = begin; i < end; i += rows) {
    const long stop = i + rows < end ? i + rows : end;
    for (long row = i; row < stop; ++row) losses[row] = 0;
    for (long j = 0; j < columns; j += block) {  // once, unless a row is longer
      const long offset = i * columns + j;
      const long n = rows > 1 || columns <= block ? (stop - i) * columns
                     : columns - j < block        ? columns - j
                                                  : block;
      machine.run(offset, n);
      for (long row = i; row < stop; ++row) {
        const long first = (row - i) * columns, count = n / (stop - i);
        const T scale = share * weight[row];
        Vector<T> sum{};
        each_vector<T>(first, first + count, [&](auto at) {
          Vector<T> loss = at.load(machine.loss()), d = at.load(d_z + offset);
          if (label_weight) {
            const T* labels = label_weight + (offset - row * columns);
            const Vector<T> factor = at.load(labels) + at.load(labels + columns) *
                                                           at.load(target + offset);
            loss *= factor, d *= factor;
          }
          sum += at.only(loss);
          at.store(d_z + offset, d * scale);
        });
        losses[row] += sum_lanes<T>(sum) * share;
      }
    }
  }
}

}  // namespace

#define SKDEEP_REGISTER_MACHINE                                                     \
  namespace {                                                                       \
  constexpr KernelEntry machine_entries[] = {                                       \
      {"formula_rows", Split::rows, 2, formula_elementwise<float>,                  \
       formula_elementwise<double>},                                                \
      {"formula_parameters", Split::parameters, 2, formula_elementwise<float>,      \
       formula_elementwise<double>},                                                \
      {"formula_loss", Split::rows, 2, formula_loss<float>, formula_loss<double>},  \
  };                                                                                \
  }                                                                                 \
  extern const KernelFamily register_machine_kernels = {                            \
      machine_entries, sizeof machine_entries / sizeof *machine_entries};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
