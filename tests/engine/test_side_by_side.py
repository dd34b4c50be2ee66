"""Calls that know nothing of each other, beside each other."""

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from skdeep.engine import threads
from skdeep.engine.threads import side_by_side


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.setattr(threads, "thread_limit", lambda: 2)


def test_each_item_is_done_once(two_threads):
    done = []
    side_by_side(done.append, range(50), threading.Event())
    assert sorted(done) == list(range(50))


def test_as_many_calls_run_as_there_are_threads(two_threads):
    both = threading.Barrier(2, timeout=10)
    side_by_side(lambda item: both.wait(), range(4), threading.Event())


def test_programs_of_a_call_have_one_thread(monkeypatch):
    compiled = SimpleNamespace(
        ENABLED=True, extension=SimpleNamespace(thread_limit=lambda: 2)
    )
    monkeypatch.setattr(threads, "native", compiled)
    limits = [None, None]

    def look(item):
        limits[item] = threads.thread_limit()

    side_by_side(look, range(2), threading.Event())
    assert limits == [1, 1]
    assert threads.thread_limit() == 2


def test_after_a_failure_no_other_call_begins(two_threads):
    stop, begun = threading.Event(), []

    def fail_or_wait(item):
        begun.append(item)
        if item == 0:
            raise RuntimeError("as expected")
        assert stop.wait(10)
        time.sleep(0.02)

    with pytest.raises(RuntimeError, match="as expected"):
        side_by_side(fail_or_wait, range(200), stop)
    assert len(begun) < 100  # some may have begun before they were told


def test_an_interrupt_before_the_last_call_begins_ends_the_others(two_threads, monkeypatch):
    class Interrupted(ThreadPoolExecutor):
        def submit(self, function, item):
            if item == 2:
                raise KeyboardInterrupt
            return super().submit(function, item)

    monkeypatch.setattr(threads, "ThreadPoolExecutor", Interrupted)
    stop, told = threading.Event(), []
    with pytest.raises(KeyboardInterrupt):
        side_by_side(lambda item: told.append(stop.wait(10)), range(3), stop)
    assert stop.is_set() and all(told)


@pytest.mark.skipif(not hasattr(signal, "siginterrupt"), reason="no such signals here")
def test_an_interrupt_is_heard_where_signals_wake_no_thread(two_threads):
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.siginterrupt(signal.SIGINT, False)  # as Polars does it
    stop, heard = threading.Event(), []

    def interrupt_or_wait(item):
        if item == 0:
            time.sleep(0.2)  # until the main thread waits
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        heard.append(stop.wait(10))

    try:
        with pytest.raises(KeyboardInterrupt):
            side_by_side(interrupt_or_wait, range(2), stop)
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [True, True]


def test_the_failure_of_a_later_call_ends_the_earlier_ones(two_threads):
    stop = threading.Event()

    def fail_or_wait(item):
        if item == 1:
            raise RuntimeError("as expected")
        assert stop.wait(10)

    with pytest.raises(RuntimeError, match="as expected"):
        side_by_side(fail_or_wait, range(2), stop)
