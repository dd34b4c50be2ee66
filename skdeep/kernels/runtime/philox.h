// NumPy's Philox4x64-10 generator, so that random numbers are those of the reference bit
// for bit: the counter is a number's place, so any thread can draw any part.
#pragma once

#include "vector.h"

namespace skdeep {
namespace SKDEEP_ISA {

using Word = unsigned long long;

// Salmon et al. 2011: four words from a counter and a key
SKDEEP_INLINE void philox(const Word counter[4], const Word* key, Word out[4]) {
  Word c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  Word k0 = key[0], k1 = key[1];
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const unsigned __int128 p0 = (unsigned __int128)c0 * 0xD2E7470EE14C6C93u;
    const unsigned __int128 p1 = (unsigned __int128)c2 * 0xCA5A826395121157u;
    c0 = (Word)(p1 >> 64) ^ c1 ^ k0;
    c1 = (Word)p1;
    c2 = (Word)(p0 >> 64) ^ c3 ^ k1;
    c3 = (Word)p0;
    k0 += 0x9E3779B97F4A7C15u;
    k1 += 0xBB67AE8584CAA73Bu;
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

// The number between 0 and 1 in some 32 bits, as NumPy makes it in single precision
SKDEEP_INLINE float uniform_of(unsigned bits) { return (float)(bits >> 8) * 0x1p-24f; }

// Numbers for a purpose in a step; eight come from one block, a word gives its low half
// first.
struct Stream {
  const Word* key;
  Word purpose, step;

  SKDEEP_INLINE void draw(long block, Word words[4]) const {
    // NumPy counts on before it draws
    const Word counter[4] = {(Word)block + 1, purpose, step, 0};
    philox(counter, key, words);
  }
  SKDEEP_INLINE float uniform(long i) const {
    Word words[4];
    draw(i / 8, words);
    return uniform_of((unsigned)(words[i % 8 / 2] >> (i % 2 * 32)));
  }
};

// The stream whose key, purpose and step are the arguments from `first` on
SKDEEP_INLINE Stream stream_of(const Operation& o, int first) {
  return {array<Word>(o, first), (Word)number<double>(o, first + 1),
          (Word)*array<long long>(o, first + 2)};
}

}  // namespace SKDEEP_ISA
}  // namespace skdeep
