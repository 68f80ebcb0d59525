"""Requests of many threads, gathered into batches that one thread runs."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


class _Request(Generic[Asked, Answered]):
    """``asked`` at a time, and what came of it, when ``done`` is set."""

    def __init__(self, asked: Asked, asked_at: float) -> None:
        self.asked, self.asked_at = asked, asked_at
        self.answer: Answered
        self.error: BaseException | None = None
        self.has_begun = False
        self.done = threading.Event()


class Collector(Generic[Asked, Answered]):
    """Waits until a batch is full, nobody is left to wait for, or its oldest request has waited for the deadline.

    Its thread starts with the first request, and sleeps unless there is something to do.

    Args:
        run: gives the answers to a batch, in its order. What it raises goes to all who are in the batch.
        expected: how many requests there can be at most now.
        max_batch: requests of a batch.
        deadline_s: how long a request waits for others.
        lost: told of a request that ran, and of what kept its caller from waiting for the answer.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Asked]], Sequence[Answered]],
        expected: Callable[[], int],
        max_batch: int,
        deadline_s: float,
        lost: Callable[[Asked, BaseException], None],
    ) -> None:
        self._run, self._expected, self._lost = run, expected, lost
        self._max_batch, self._deadline_s = max_batch, deadline_s
        self._waiting: deque[_Request[Asked, Answered]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._death: BaseException | None = None
        self._thread: threading.Thread | None = None

    def ask(self, asked: Asked) -> Answered:
        """The answer, when its batch has run.

        A caller who is interrupted, as by Ctrl-C, takes the request back, or waits for its batch if that runs already.

        Raises:
            RuntimeError: the collector is closed, now or meanwhile; its thread has died.
            Exception: what running the batch raised.
        """
        request: _Request[Asked, Answered] = _Request(asked, time.monotonic())
        try:
            with self._changed:
                self._check()
                self._waiting.append(request)
                if len(self._waiting) == 1 or self._is_full():
                    self._changed.notify()
            request.done.wait()
        except BaseException as interrupt:
            self._give_up(request, interrupt)
            raise
        if request.error is not None:
            raise request.error
        return request.answer

    def look(self) -> None:
        """Those who are expected have become fewer."""
        with self._changed:
            if self._waiting:
                self._changed.notify()

    def close(self) -> None:
        """Whoever waits gets an error; waits for a batch that runs."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _give_up(self, request: _Request[Asked, Answered], interrupt: BaseException) -> None:
        with self._changed:
            if request in self._waiting:
                self._waiting.remove(request)
        if request.has_begun:
            try:
                request.done.wait()
            finally:
                if request.error is None:
                    self._lost(request.asked, interrupt)

    def _check(self) -> None:
        if self._closed:
            raise _ended(self._death)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="streamhmm-batching", daemon=True)
            self._thread.start()
        elif not self._thread.is_alive():
            raise RuntimeError("the engine's thread is gone, as in a forked process; make a new engine there")

    def _is_full(self) -> bool:
        return len(self._waiting) >= min(self._max_batch, self._expected())

    def _work(self) -> None:
        try:
            while batch := self._next():
                self._answer(batch)
        except BaseException as death:
            self._death = death
        finally:
            with self._changed:
                self._closed = True
                left, self._waiting = self._waiting, deque()
            for request in left:
                request.error = _ended(self._death)
                request.done.set()

    def _next(self) -> list[_Request[Asked, Answered]]:
        """The next batch, when it is due; nothing when closed."""
        with self._changed:
            while not self._closed:
                left_s = None
                if self._waiting:
                    left_s = self._waiting[0].asked_at + self._deadline_s - time.monotonic()
                    if left_s <= 0 or self._is_full():
                        count = min(len(self._waiting), self._max_batch)
                        batch = [self._waiting.popleft() for _ in range(count)]
                        for request in batch:
                            request.has_begun = True
                        return batch
                self._changed.wait(left_s)
            return []

    def _answer(self, batch: Sequence[_Request[Asked, Answered]]) -> None:
        error: BaseException | None = None
        try:
            for request, answer in zip(batch, self._run([one.asked for one in batch]), strict=True):
                request.answer = answer
        except BaseException as raised:
            error = raised
        for request in batch:
            request.error = error
            request.done.set()
        if error is not None and not isinstance(error, Exception):
            raise error


def _ended(death: BaseException | None) -> RuntimeError:
    """Each who waits raises one of their own."""
    if death is None:
        return RuntimeError("the engine is closed; streams can only be finished now")
    error = RuntimeError(f"the engine's thread has died of {death!r}; make a new engine")
    error.__cause__ = death
    return error
