"""In what order and in what portions utterances go to the workers."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from streamhmm.corpus.tasks import AlignTask
from streamhmm.corpus.utterance import Utterance

if TYPE_CHECKING:
    from streamhmm.align.adaptation import Adaptation

TASK_UTTERANCES = 32
TASK_BYTES = 2**23
"""A task is over soon enough for the workers to end together, and long enough to be worth the asking."""


def sizes_of(utterances: Sequence[Utterance]) -> dict[str, int]:
    """Bytes of audio by name; utterances of one recording share those of the file."""
    sharing = Counter(utterance.audio for utterance in utterances)
    return {one.name: _bytes(one.audio) // sharing[one.audio] for one in utterances}


def portion(
    utterances: Iterable[Utterance],
    adaptations: Mapping[str, Adaptation | None],
    sizes: Mapping[str, int],
    jobs: int,
) -> Iterator[AlignTask]:
    """Long ones first, so that none is left at the end; those of one recording one after the other."""
    ordered = sorted(utterances, key=lambda one: (-sizes[one.name], one.audio, one.channel or 0, one.parts[0].start_s))
    most = max(1, min(TASK_UTTERANCES, len(ordered) // (4 * jobs)))
    open_tasks: dict[Adaptation | None, list[Utterance]] = defaultdict(list)
    for utterance in ordered:
        adaptation = adaptations.get(utterance.name)
        task = open_tasks[adaptation]
        if task and (len(task) == most or sum(sizes[one.name] for one in task) >= TASK_BYTES):
            yield AlignTask(task, adaptation)
            task = open_tasks[adaptation] = []
        task.append(utterance)
    for adaptation, task in open_tasks.items():
        yield AlignTask(task, adaptation)


def _bytes(path: str) -> int:
    """Of a file; it need not be there."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
