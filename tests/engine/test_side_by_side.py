"""Calls that know nothing of each other, beside each other."""

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
