"""What a worker is sent: a task names what will be reported of it, and knows how it is done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from streamhmm.corpus.messages import Message
from streamhmm.corpus.utterance import Utterance

if TYPE_CHECKING:
    from streamhmm.align.adaptation import Adaptation
    from streamhmm.corpus.worker import Worker


class Task(Protocol):
    """Some work for a worker; it is pickled."""

    @property
    def names(self) -> list[str]:
        """Of each of them one message comes back."""
        ...

    def alone(self, names: list[str]) -> list[Task]:
        """A task for each of ``names``."""
        ...

    def run(self, worker: Any) -> Iterator[Message]:
        """Does it: a ``Finished``, ``Adapted`` or ``Failed`` for each name, in any order."""
        ...


class AlignTask(NamedTuple):
    """Utterances of speakers who have the same adaptation."""

    utterances: list[Utterance]
    adaptation: Adaptation | None = None

    @property
    def names(self) -> list[str]:
        return [utterance.name for utterance in self.utterances]

    def alone(self, names: list[str]) -> list[Task]:
        return [AlignTask([one], self.adaptation) for one in self.utterances if one.name in names]

    def run(self, worker: Worker) -> Iterator[Message]:
        return worker.align(self.utterances, self.adaptation)


class AdaptTask(NamedTuple):
    """Utterances to estimate the adaptation of ``group`` from; it is written to ``path``."""

    group: str
    utterances: list[Utterance]
    path: str

    @property
    def names(self) -> list[str]:
        return [self.group]

    def alone(self, names: list[str]) -> list[Task]:
        return [self]

    def run(self, worker: Worker) -> Iterator[Message]:
        yield worker.adapt(self)
