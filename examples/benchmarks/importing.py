"""What `import skdeep` adds to importing the parts of SciPy and scikit-learn it needs.

Run it with: python examples/benchmarks/importing.py
"""

import subprocess
import sys
from statistics import median

from machine import versions

ROUNDS = 15
TIMED = """
from time import perf_counter
import sklearn.base, scipy.linalg
start = perf_counter()
import skdeep
print(1e3 * (perf_counter() - start))
"""


def milliseconds():
    """The time of the import in a fresh process."""
    command = [sys.executable, "-c", TIMED]
    return float(subprocess.run(command, capture_output=True, check=True).stdout)


def main():
    milliseconds()  # so that the files are in memory and compiled
    times = [milliseconds() for _ in range(ROUNDS)]
    print(versions("skdeep", "numpy", "scipy", "scikit-learn"))
    print(f"import skdeep adds {median(times):.0f} ms")


if __name__ == "__main__":
    main()
