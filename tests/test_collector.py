"""Requests of many threads in batches: when a batch runs, and who is told what when something goes wrong."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from streamhmm.align.collector import Collector

LONG_S = 60.0
"""A deadline, or a time to wait, that nothing reaches unless it hangs."""


class Runner:
    """Doubles what is asked, in batches that it notes; it can be held up, and can fail."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Event()
        self.go.set()
        self.begun = threading.Event()
        self.error: BaseException | None = None

    def __call__(self, asked: Sequence[int]) -> list[int]:
        self.batches.append(list(asked))
        self.begun.set()
        assert self.go.wait(LONG_S)
        if self.error is not None:
            raise self.error
        return [2 * one for one in asked]


def make(
    run: Callable[[Sequence[int]], Sequence[int]],
    expected: Callable[[], int],
    max_batch: int,
    deadline_s: float,
    lost: Callable[[int, BaseException], None] = lambda asked, error: None,
) -> Collector[int, int]:
    return Collector(run, expected, max_batch, deadline_s, lost)


def ask(collector: Collector[int, int], numbers: Sequence[int]) -> list[Future[int]]:
    """Each from a thread of its own."""
    pool = ThreadPoolExecutor(len(numbers))
    asked = [pool.submit(collector.ask, number) for number in numbers]
    pool.shutdown(wait=False)
    return asked


def until(condition: Callable[[], bool]) -> None:
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < LONG_S
        time.sleep(0.001)


def test_a_full_batch_runs_at_once() -> None:
    runner = Runner()
    collector = make(runner, lambda: 100, 4, LONG_S)
    assert [one.result(LONG_S) for one in ask(collector, range(8))] == [2 * number for number in range(8)]
    assert [len(batch) for batch in runner.batches] == [4, 4]
    assert sorted(number for batch in runner.batches for number in batch) == list(range(8))
    collector.close()


def test_a_batch_of_all_who_are_expected_runs_at_once() -> None:
    runner = Runner()
    collector = make(runner, lambda: 3, 64, LONG_S)
    assert [one.result(LONG_S) for one in ask(collector, range(3))] == [0, 2, 4]
    assert [len(batch) for batch in runner.batches] == [3]
    collector.close()


def test_the_deadline_ends_the_wait() -> None:
    runner = Runner()
    collector = make(runner, lambda: 100, 64, 0.02)
    begin = time.monotonic()
    assert collector.ask(7) == 14
    assert time.monotonic() - begin >= 0.02
    collector.close()


def test_when_one_leaves_the_others_need_not_wait_for_it() -> None:
    runner, expected = Runner(), [3]
    collector = make(runner, lambda: expected[0], 64, LONG_S)
    asked = ask(collector, [1, 2])
    until(lambda: len(collector._waiting) == 2)
    expected[0] = 2
    collector.look()
    assert [one.result(LONG_S) for one in asked] == [2, 4]
    collector.close()


def test_what_comes_while_a_batch_runs_is_the_next_one() -> None:
    runner = Runner()
    runner.go.clear()
    collector = make(runner, lambda: 1, 64, 0.0)
    first = ask(collector, [1])
    assert runner.begun.wait(LONG_S)
    others = ask(collector, range(2, 7))
    until(lambda: len(collector._waiting) == 5)
    runner.go.set()
    assert [one.result(LONG_S) for one in (*first, *others)] == [2, 4, 6, 8, 10, 12]
    assert [len(batch) for batch in runner.batches] == [1, 5]
    collector.close()


def test_it_sleeps_while_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = make(Runner(), lambda: 1, 64, 0.0)
    collector.ask(1)
    looks: list[float] = []
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: looks.append(0.0) or clock())
    assert collector._thread is not None
    collector._thread.join(0.1)
    assert len(looks) <= 1
    monkeypatch.undo()
    collector.close()


def test_an_error_goes_to_all_of_its_batch_and_the_next_one_runs() -> None:
    runner = Runner()
    collector = make(runner, lambda: 2, 2, LONG_S)
    runner.error = ValueError("too large")
    for one in ask(collector, [1, 2]):
        with pytest.raises(ValueError, match="too large"):
            one.result(LONG_S)
    runner.error = None
    assert [one.result(LONG_S) for one in ask(collector, [3, 4])] == [6, 8]
    collector.close()


def test_closing_wakes_all_who_wait() -> None:
    runner = Runner()
    collector = make(runner, lambda: 100, 64, LONG_S)
    asked = ask(collector, range(5))
    until(lambda: len(collector._waiting) == 5)
    collector.close()
    for one in asked:
        with pytest.raises(RuntimeError, match="the engine is closed; streams can only be finished now"):
            one.result(LONG_S)
    with pytest.raises(RuntimeError, match="the engine is closed"):
        collector.ask(1)
    collector.close()
    assert runner.batches == []


def test_closing_waits_for_the_batch_that_runs() -> None:
    runner = Runner()
    runner.go.clear()
    collector = make(runner, lambda: 1, 64, 0.0)
    first = ask(collector, [1])
    assert runner.begun.wait(LONG_S)
    closing = threading.Thread(target=collector.close)
    closing.start()
    until(lambda: collector._closed)
    runner.go.set()
    closing.join(LONG_S)
    assert first[0].result(LONG_S) == 2


def test_the_death_of_the_thread_is_told_to_all() -> None:
    runner = Runner()
    runner.go.clear()
    runner.error = SystemExit(3)
    collector = make(runner, lambda: 1, 1, 0.0)
    first = ask(collector, [1])
    assert runner.begun.wait(LONG_S)
    others = ask(collector, [2, 3])
    until(lambda: len(collector._waiting) == 2)
    runner.go.set()
    with pytest.raises(SystemExit):
        first[0].result(LONG_S)
    for one in others:
        with pytest.raises(RuntimeError, match=r"the engine's thread has died of SystemExit\(3\); make a new engine"):
            one.result(LONG_S)
    with pytest.raises(RuntimeError, match="has died of"):
        collector.ask(4)
    collector.close()


@pytest.fixture
def interrupt() -> Iterator[Callable[[], None]]:
    """Interrupts the main thread, as Ctrl-C does."""
    if not hasattr(signal, "pthread_kill"):
        pytest.skip("this system has no signals to threads")
    main = threading.main_thread().ident
    assert main is not None
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: signal.pthread_kill(main, signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_who_is_interrupted_takes_the_request_back(interrupt: Callable[[], None]) -> None:
    runner, lost = Runner(), list[int]()
    collector = make(runner, lambda: 2, 2, LONG_S, lambda asked, error: lost.append(asked))

    def when_it_waits() -> None:
        until(lambda: len(collector._waiting) == 1)
        interrupt()

    other = threading.Thread(target=when_it_waits)
    other.start()
    with pytest.raises(KeyboardInterrupt):
        collector.ask(1)
    other.join(LONG_S)
    assert [one.result(LONG_S) for one in ask(collector, [2, 3])] == [4, 6]
    assert [sorted(batch) for batch in runner.batches] == [[2, 3]]
    assert lost == []
    collector.close()


def test_who_is_interrupted_while_the_batch_runs_waits_for_it(interrupt: Callable[[], None]) -> None:
    runner, lost = Runner(), list[tuple[int, type[BaseException], bool]]()
    runner.go.clear()

    def note(asked: int, error: BaseException) -> None:
        lost.append((asked, type(error), runner.go.is_set()))

    collector = make(runner, lambda: 1, 1, 0.0, note)

    def while_it_runs() -> None:
        assert runner.begun.wait(LONG_S)
        interrupt()
        time.sleep(0.05)
        runner.go.set()

    other = threading.Thread(target=while_it_runs)
    other.start()
    with pytest.raises(KeyboardInterrupt):
        collector.ask(1)
    other.join(LONG_S)
    assert lost == [(1, KeyboardInterrupt, True)]
    assert collector.ask(2) == 4
    collector.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_process_is_told_that_the_thread_stayed_behind() -> None:
    collector = make(Runner(), lambda: 1, 1, 0.0)
    assert collector.ask(1) == 2
    child = os.fork()
    if child == 0:
        try:
            collector.ask(1)
        except RuntimeError as error:
            os._exit(0 if "gone, as in a forked process" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    collector.close()


def test_many_threads_for_a_while_get_each_their_own() -> None:
    collector = make(Runner(), lambda: 16, 7, 0.0005)

    def work(first: int) -> Any:
        return [collector.ask(number) for number in range(first, first + 200)]

    with ThreadPoolExecutor(16) as pool:
        for first, found in zip(range(0, 16_000, 1000), pool.map(work, range(0, 16_000, 1000)), strict=True):
            assert found == [2 * number for number in range(first, first + 200)]
    collector.close()
