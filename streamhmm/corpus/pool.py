"""Processes that share the work; one that dies takes no other file with it than its own."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from streamhmm.corpus.messages import Adapted, Broken, Failed, Finished, Ready, TaskDone
from streamhmm.corpus.tasks import Task
from streamhmm.errors import CorpusError

KILL_AFTER_S = 2.0


class Pool:
    """Workers in processes of their own, begun anew rather than copied (spawn).

    Args:
        jobs: how many.
        target: what runs in each: takes a connection, then ``arguments``; see worker.py.
    """

    def __init__(self, jobs: int, target: Callable[..., None], *arguments: Any) -> None:
        self._target, self._arguments = target, arguments
        self._members = [_Member(target, arguments) for _ in range(jobs)]

    def run(self, tasks: Iterable[Task]) -> Iterator[Finished | Adapted | Failed]:
        """What becomes of all that the tasks name, as it comes; then there may be more tasks.

        Raises:
            StreamHMMError: a worker can't start.
        """
        waiting = deque(tasks)
        while waiting or any(member.pending for member in self._members):
            for member in self._members:
                if member.is_idle and waiting:
                    member.send(waiting.popleft())
            ready = set(wait([member.connection for member in self._members]))
            for index, member in enumerate(self._members):
                if member.connection not in ready:
                    continue
                try:
                    message = member.receive()
                except (EOFError, OSError):  # it has died, perhaps in the middle of a message
                    yield from self._replace(index, waiting)
                    continue
                if isinstance(message, Broken):
                    raise message.error
                if isinstance(message, (Finished, Adapted, Failed)):
                    yield message

    def close(self) -> None:
        """Ends all, whatever they are doing: files are written whole or not at all."""
        for member in self._members:
            member.terminate()
        for member in self._members:
            member.end()

    def _replace(self, index: int, waiting: deque[Task]) -> Iterator[Failed]:
        """What a worker that died had left is tried again, each alone; what was alone has failed."""
        member = self._members[index]
        reason, pending = member.end(KILL_AFTER_S), sorted(member.pending)
        if not member.has_started:
            raise CorpusError(
                f"a worker could not start ({reason}); if nothing above says why, try fewer jobs; a script of your own "
                'must call this below if __name__ == "__main__":'
            )
        if len(pending) == 1 and member.is_alone:
            yield Failed(pending[0], f"the process that aligned it died ({reason}); align it by itself to see why")
        elif member.task is not None:
            waiting.extend(member.task.alone(pending))
        self._members[index] = _Member(self._target, self._arguments)


class _Member:
    """One process; of its ``task`` it has not said anything yet about ``pending``."""

    def __init__(self, target: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=target, args=(theirs, *arguments), daemon=True)
        with _interrupts_ignored():
            self._process.start()
        theirs.close()
        self.task: Task | None = None
        self.pending: set[str] = set()
        self.has_started = self.is_idle = False

    connection: Connection

    @property
    def is_alone(self) -> bool:
        """Whether its task names one thing only."""
        return self.task is not None and len(self.task.names) == 1

    def send(self, task: Task) -> None:
        self.task, self.pending, self.is_idle = task, set(task.names), False
        try:
            self.connection.send(task)
        except (BrokenPipeError, ConnectionResetError):
            return  # it died; the next receive says so

    def receive(self) -> Any:
        message = self.connection.recv()
        self.has_started = True
        if isinstance(message, (Finished, Adapted, Failed)):
            self.pending.discard(message.name)
        self.is_idle = isinstance(message, (Ready, TaskDone))
        return message

    def terminate(self) -> None:
        """Asks the process to end."""
        self._process.terminate()

    def end(self, patience_s: float = 0.0) -> str:
        """Ends the process if it does not do so by itself within ``patience_s``; says how it ended."""
        self._process.join(patience_s)
        self._process.terminate()
        self._process.join(KILL_AFTER_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self.connection.close()
        code = self._process.exitcode or 0
        if code == -signal.SIGKILL:
            return "killed, perhaps because the memory is full"
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """What is started meanwhile ignores Ctrl-C from its first moment on."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may change that
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
