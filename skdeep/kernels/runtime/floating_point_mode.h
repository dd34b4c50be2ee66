// How this thread computes with numbers below the normal ones.
//
// The moments of a weight whose gradient is zero become ever smaller and never zero: numbers
// below the normal ones, with which many processors compute a hundred times as slowly.
// Compiled kernels take them for zero; Python's own mode comes back wherever it runs.
#pragma once

#if defined(__x86_64__) || defined(__i386__)
#include <xmmintrin.h>
#endif

namespace skdeep {

class Mode {
 public:
#if defined(__x86_64__) || defined(__i386__)
  using Word = unsigned;
  static Word now() { return _mm_getcsr(); }
  static Word flushing() { return now() | 0x8040; }  // results and operands

 private:
  static void set(Word word) { _mm_setcsr(word); }
#elif defined(__aarch64__)
  using Word = unsigned long;
  static Word now() {
    Word word;
    asm volatile("mrs %0, fpcr" : "=r"(word));
    return word;
  }
  static Word flushing() { return now() | 1ul << 24; }

 private:
  static void set(Word word) { asm volatile("msr fpcr, %0" : : "r"(word)); }
#else
  using Word = unsigned;
  static Word now() { return 0; }
  static Word flushing() { return 0; }

 private:
  static void set(Word) {}
#endif

 public:
  // Until its end; then what was before comes back.
  explicit Mode(Word word) : before_(now()) { set(word); }
  ~Mode() { set(before_); }
  Mode(const Mode&) = delete;

 private:
  const Word before_;
};

}  // namespace skdeep
