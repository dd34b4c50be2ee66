"""Threads: as many as the process may use, and never another result for their number."""

import os
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from skdeep.kernels import native

#: More floating-point operations than these are worth several threads: they take some
#: tenths of a millisecond.
CUT_FLOPS = 1e7
# NumPy allocates a buffer of so many entries for each broadcast operand: its usual 8192
# take up to 66 kB in every call and are slower for wide arrays.
_BUFFER_ENTRIES = 512
# Seconds for which an interrupt may not be heard.
_UNHEARD = 0.1


def _run_all(pieces, stop):
    for calls in pieces:
        for function, arguments in calls:
            if stop.is_set():
                return
            function(*arguments)


def run_pieces(pieces):
    """Run lists of (function, arguments), on this thread's workers if it has any."""
    workers = getattr(_current, "workers", None)
    count = 1 if workers is None else min(workers.count, len(pieces))
    stop, futures, mine = threading.Event(), [], pieces[::count]
    for i in range(1, count):
        try:
            futures.append(workers.pool.submit(_run_all, pieces[i::count], stop))
        except RuntimeError:  # the interpreter ends, and starts no more threads
            mine = mine + pieces[i::count]
    try:
        _run_all(mine, stop)
    except BaseException:
        stop.set()
        raise
    finally:
        # an interrupt must not leave a thread writing into a buffer
        for future in futures:
            future.result()


class _Workers:
    def __init__(self, pool, count):
        self.pool = pool
        self.count = count


_current = threading.local()


def thread_limit():
    """How many threads compiled programs may take that this thread runs."""
    if not native.ENABLED or getattr(_current, "alone", False):
        return 1
    return native.extension.thread_limit()


def side_by_side(function, items, stop):
    """Call a function on each item, in as many threads as programs may take.

    Each call has one thread for its programs, and for what runs on OpenMP: models that
    know nothing of each other need no barriers. On two cores, two take as long as one.

    Parameters
    ----------
    function : callable
        Called with an item.

    items : sequence
        Begun in their order.

    stop : threading.Event
        Set where this thread is interrupted, or a call fails; calls that have begun
        should end soon then. No other one begins.
    """
    count = min(thread_limit(), len(items))
    if count <= 1:
        with _openmp_alone():
            for item in items:
                function(item)
        return
    with ThreadPoolExecutor(count, "skdeep", _stay_alone) as pool:
        try:
            # the first has begun when this thread may be interrupted before the last
            futures = [pool.submit(function, item) for item in items]
            waiting = set(futures)
            while waiting:
                # not for long: a signal wakes no thread that waits where a library, such as
                # Polars, has asked for system calls to go on after signals
                done, waiting = wait(waiting, _UNHEARD, return_when=FIRST_EXCEPTION)
                for future in filter(done.__contains__, futures):
                    future.result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _stay_alone():
    _current.alone = True
    for library in _libraries("openmp"):  # whose limit is one of each thread
        library.set_num_threads(1)


@contextmanager
def _openmp_alone():
    before = [(library, library.num_threads) for library in _libraries("openmp")]
    for library, _ in before:
        library.set_num_threads(1)
    try:
        yield
    finally:
        for library, number in before:
            library.set_num_threads(number)


class _SingleThreadedBLAS:
    """Holds the BLAS at one thread while any program runs.

    A BLAS cuts its sums differently for different numbers of threads, so its results
    would depend on them. Who cuts the work himself, always alike, may use as many
    threads as the BLAS was allowed. Most libraries have one limit for the
    whole process: the last of concurrent programs restores it. Those on OpenMP have a
    limit for each thread, which restores its own.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._holders = 0
        self._outside = []

    @contextmanager
    def hold(self):
        """Yield the number of threads that the BLAS may use outside."""
        libraries = _libraries("blas")
        with self._lock:
            before = [library.num_threads for library in libraries]
            if not self._holders:
                self._outside = before
            outside = [
                mine if _limit_is_of_thread(library) else of_process
                for library, mine, of_process in zip(
                    libraries, before, self._outside, strict=True
                )
            ]
            self._holders += 1
            for library in libraries:
                _limit(library, 1)
        try:
            yield max(outside, default=1)
        finally:
            with self._lock:
                self._holders -= 1
                for library, number in zip(libraries, outside, strict=True):
                    if _limit_is_of_thread(library) or not self._holders:
                        _limit(library, number)


def _limit_is_of_thread(library):
    return getattr(library, "threading_layer", None) == "openmp"


def _limit(library, number):
    # A library may let only the first thread that ever set a limit set others. Here the
    # lock of those who hold the limit decides.
    release = getattr(library, "clear_controlling_thread", None)
    if release is not None:
        release(force=True)
    library.set_num_threads(number)
    if release is not None:
        release(force=True)


def _start_worker():
    np.setbufsize(_BUFFER_ENTRIES)
    for library in _libraries("blas"):
        if _limit_is_of_thread(library):
            _limit(library, 1)


_blas = _SingleThreadedBLAS()
# a child process must not inherit a lock that another thread held at the fork
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_blas.__init__)


#: Holds the BLAS at one thread; gives the number of threads that it may use outside.
single_threaded_blas = _blas.hold


@cache
def _libraries(user_api):
    return ThreadpoolController().select(user_api=user_api).lib_controllers


@contextmanager
def threads(flops):
    """Prepare this thread to run programs of about `flops` operations a step.

    Large programs get worker threads, as many as the BLAS is allowed to use at the
    moment: `threadpoolctl.threadpool_limits`, `OMP_NUM_THREADS` and joblib's limits
    are all obeyed.
    """
    usual = np.setbufsize(_BUFFER_ENTRIES)
    try:
        with single_threaded_blas() as allowed:
            inside = getattr(_current, "workers", None) is not None
            if inside or allowed == 1 or flops <= CUT_FLOPS:
                yield
                return
            with ThreadPoolExecutor(allowed - 1, "skdeep", _start_worker) as pool:
                _current.workers = _Workers(pool, allowed)
                try:
                    yield
                finally:
                    _current.workers = None
    finally:
        np.setbufsize(usual)
