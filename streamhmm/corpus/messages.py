"""What workers say."""

from __future__ import annotations

from typing import NamedTuple

from streamhmm.corpus.journal import Entry
from streamhmm.errors import StreamHMMError


class Ready(NamedTuple):
    """The worker has loaded its model."""


class Finished(NamedTuple):
    """An utterance whose results are written."""

    entry: Entry


class Failed(NamedTuple):
    """An utterance without results, and why; ``stops_all``: no other one can be written either."""

    name: str
    reason: str
    stops_all: bool = False


class TaskDone(NamedTuple):
    """All of a task's utterances are finished or have failed."""


class Broken(NamedTuple):
    """The worker can't start."""

    error: StreamHMMError


Message = Ready | Finished | Failed | TaskDone | Broken
