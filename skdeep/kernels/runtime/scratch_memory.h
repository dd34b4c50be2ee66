// Scratch memory of a kernel, in pieces.
#pragma once

#include "image_window.h"

namespace skdeep {
namespace SKDEEP_ISA {

// Memory that is given out in pieces that begin where cache lines do
struct Scratch {
  char* next;

  template <class T>
  T* take(long count) {
    T* piece = (T*)next;
    next += divide_up(count * (long)sizeof(T), 64) * 64;
    return piece;
  }
};

}  // namespace SKDEEP_ISA
}  // namespace skdeep
