"""Random numbers that are a function of where they are used, not of what was drawn before.

Philox (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") turns a key
and a 256-bit counter into four 64-bit words. The counter here holds (block, purpose,
time, 0): which four words, which use of them (a layer, the shuffling, an initial
weight), and at which step or epoch. So training can stop and go on, and any thread can
draw any part, without a generator's state being handed around.
"""

import numpy as np

__all__ = ["PhiloxStream"]


class PhiloxStream:
    """Uniform numbers for one key, addressed by purpose and time.

    It only holds NumPy's generator object so that none is made inside a training step;
    two streams with the same key give the same numbers.
    """

    def __init__(self, key):
        self.key = np.asarray(key, dtype=np.uint64)
        self._generator = np.random.Generator(np.random.Philox(key=self.key))
        self._state = self._generator.bit_generator.state

    def at(self, purpose, time):
        """NumPy's generator, positioned at the first number of this purpose and time."""
        counter = self._state["state"]["counter"]
        counter[0] = 0
        counter[1] = purpose
        counter[2] = time
        self._generator.bit_generator.state = self._state
        return self._generator

    def __repr__(self):
        return "philox"
