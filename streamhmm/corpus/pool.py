"""Processes that share the work; one that dies takes no other file with it than its own."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from streamhmm.corpus.messages import Broken, Failed, Finished, Ready, TaskDone
from streamhmm.corpus.utterance import Utterance
from streamhmm.errors import CorpusError

Task = Sequence[Utterance]
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

    def run(self, tasks: Iterable[Task]) -> Iterator[Finished | Failed]:
        """What becomes of each utterance, as it comes.

        Raises:
            StreamHMMError: a worker can't start.
        """
        waiting = deque(tasks)
        while waiting or any(member.pending for member in self._members):
            ready = set(wait([member.connection for member in self._members]))
            for index, member in enumerate(self._members):
                if member.connection not in ready:
                    continue
                try:
                    message = member.receive()
                except (EOFError, ConnectionResetError):
                    yield from self._replace(index, waiting)
                    continue
                if isinstance(message, Broken):
                    raise message.error
                if isinstance(message, (Finished, Failed)):
                    yield message
                elif isinstance(message, (Ready, TaskDone)) and waiting:
                    member.send(waiting.popleft())

    def close(self) -> None:
        """Ends all, whatever they are doing: files are written whole or not at all."""
        for member in self._members:
            member.end()

    def _replace(self, index: int, waiting: deque[Task]) -> Iterator[Failed]:
        """The utterances of a worker that died are tried again, each alone; one that was alone has failed."""
        member = self._members[index]
        reason, pending = member.end(KILL_AFTER_S), list(member.pending.values())
        if not member.has_started:
            raise CorpusError(f"a worker could not start ({reason}); try fewer jobs")
        if len(pending) == 1 and member.is_alone:
            yield Failed(pending[0].name, f"the process that aligned it died ({reason}); align it by itself to see why")
        else:
            waiting.extend([utterance] for utterance in pending)
        self._members[index] = _Member(self._target, self._arguments)


class _Member:
    """One process; ``pending`` are the utterances that it has not said anything of yet."""

    def __init__(self, target: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=target, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()
        self.pending: dict[str, Utterance] = {}
        self.has_started = self.is_alone = False

    connection: Connection

    def send(self, task: Task) -> None:
        self.pending = {utterance.name: utterance for utterance in task}
        self.is_alone = len(task) == 1
        try:
            self.connection.send(task)
        except (BrokenPipeError, ConnectionResetError):
            return  # it died; the next receive says so

    def receive(self) -> Any:
        message = self.connection.recv()
        self.has_started = True
        if isinstance(message, Finished):
            self.pending.pop(message.entry.name, None)
        elif isinstance(message, Failed):
            self.pending.pop(message.name, None)
        return message

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
