"""Threads: as many as the process may use, and never another result for their number."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

#: Matrix products of more floating-point operations than this are cut into pieces of
#: about half as many, for several threads: 5 MFLOP take a tenth of a millisecond.
CUT_FLOPS = 1e7
# No BLAS uses threads for programs of fewer operations than this.
_SERIAL_FLOPS = 1e5
# NumPy allocates a buffer of so many entries for each broadcast operand: its usual 8192
# take up to 66 kB in every call and are slower for wide arrays.
_BUFFER_ENTRIES = 512


def _run_all(pieces):
    for calls in pieces:
        for function, arguments in calls:
            function(*arguments)


def run_pieces(pieces):
    """Run lists of (function, arguments), on this thread's workers if it has any."""
    workers = getattr(_current, "workers", None)
    if workers is None:
        _run_all(pieces)
        return
    count = min(workers.count, len(pieces))
    futures = [workers.pool.submit(_run_all, pieces[i::count]) for i in range(1, count)]
    try:
        _run_all(pieces[::count])
    finally:
        # an interrupt must not leave a thread writing into a buffer
        for future in futures:
            future.result()


class _Workers:
    def __init__(self, pool, count):
        self.pool = pool
        self.count = count


_current = threading.local()


class _SingleThreadedBLAS:
    """Holds the BLAS at one thread while any program runs.

    A BLAS cuts its sums differently for different numbers of threads, so its results
    would depend on them. Programs cut their products themselves, always alike, and
    use as many threads as the BLAS was allowed. The count of holders makes concurrent
    fits safe: the last one to leave restores the limit.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._holders = 0
        self._limiter = None
        self._allowed = 1

    @contextmanager
    def hold(self):
        """Yield the number of threads that the BLAS may use outside."""
        with self._lock:
            if self._holders == 0:
                controller = _threadpool_controller()
                libraries = controller.select(user_api="blas").lib_controllers
                self._allowed = max(
                    (library.num_threads for library in libraries), default=1
                )
                self._limiter = controller.limit(limits=1, user_api="blas")
            self._holders += 1
            allowed = self._allowed
        try:
            yield allowed
        finally:
            with self._lock:
                self._holders -= 1
                if self._holders == 0:
                    self._limiter.restore_original_limits()
                    self._limiter = None


_blas = _SingleThreadedBLAS()
# a child process must not inherit a lock that another thread held at the fork
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_blas.__init__)


@cache
def _threadpool_controller():
    return ThreadpoolController()


@contextmanager
def threads(flops):
    """Prepare this thread to run programs of about `flops` operations a step.

    Large programs get worker threads, as many as the BLAS is allowed to use at the
    moment: `threadpoolctl.threadpool_limits`, `OMP_NUM_THREADS` and joblib's limits
    are all obeyed.
    """
    usual = np.setbufsize(_BUFFER_ENTRIES)
    try:
        if flops < _SERIAL_FLOPS:
            yield
            return
        with _blas.hold() as allowed:
            if allowed == 1 or flops <= CUT_FLOPS:
                yield
                return
            with ThreadPoolExecutor(
                allowed - 1, "skdeep", np.setbufsize, (_BUFFER_ENTRIES,)
            ) as pool:
                _current.workers = _Workers(pool, allowed)
                try:
                    yield
                finally:
                    _current.workers = None
    finally:
        np.setbufsize(usual)
