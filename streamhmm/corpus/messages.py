"""What workers say."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streamhmm.corpus.journal import Entry
from streamhmm.errors import StreamHMMError

if TYPE_CHECKING:
    from streamhmm.align.adaptation import Adaptation


class Ready(NamedTuple):
    """The worker has loaded its model."""


class Finished(NamedTuple):
    """An utterance whose results are written."""

    entry: Entry

    @property
    def name(self) -> str:
        """The utterance's."""
        return self.entry.name


class Adapted(NamedTuple):
    """What makes up for the speakers of a group of that name; None: nothing helps."""

    name: str
    adaptation: Adaptation | None


class Failed(NamedTuple):
    """An utterance without results, and why; ``stops_all``: no other one can be written either."""

    name: str
    reason: str
    stops_all: bool = False


class TaskDone(NamedTuple):
    """All of a task has been reported."""


class Broken(NamedTuple):
    """The worker can't start."""

    error: StreamHMMError


Message = Ready | Finished | Adapted | Failed | TaskDone | Broken
