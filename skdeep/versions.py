"""The version of skdeep, and of everything it runs on."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from threadpoolctl import threadpool_info

from skdeep.kernels import native, winograd

__version__ = "0.1.0"


def show_versions():
    """Print what a bug report needs: versions, kernels, processor and threads.

    Examples
    --------
    >>> import skdeep
    >>> skdeep.show_versions()  # doctest: +ELLIPSIS
    scikit-deep: ...
    """
    print(f"scikit-deep: {__version__}")
    print(f"kernels: {native.describe()}")
    print(f"convolution: {winograd.describe()}")
    for name in ("numpy", "scipy", "scikit-learn", "joblib", "threadpoolctl"):
        try:
            print(f"{name}: {version(name)}")
        except PackageNotFoundError:
            print(f"{name}: not installed")
    print(f"python: {sys.version.split()[0]} ({platform.platform()})")
    print(f"processor: {platform.processor() or platform.machine()}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    print(f"cores: {cores or os.cpu_count()}")
    for library in threadpool_info():
        if library["user_api"] == "blas":
            print(
                f"blas: {library['internal_api']} {library['version']}, "
                f"{library.get('architecture')}, {library['num_threads']} threads"
            )
