"""Whose utterances are adapted together, and what is kept of it between runs."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from streamhmm.align.adaptation import LEAST_UTTERANCES, Adaptation
from streamhmm.corpus.journal import FOLDER
from streamhmm.corpus.tasks import AdaptTask
from streamhmm.corpus.utterance import Utterance
from streamhmm.formats import atomic_write, make_folder_of

WHOLE = ""
"""The group of those who say too little by themselves: it is estimated on the whole corpus."""
SAMPLE_UTTERANCES = 24


class Groups:
    """The groups of a corpus; a speaker is one, of those with fewer than 8 utterances all are one."""

    def __init__(self, utterances: Sequence[Utterance]) -> None:
        by_speaker: dict[str, list[Utterance]] = defaultdict(list)
        for utterance in utterances:
            by_speaker[utterance.speaker].append(utterance)
        self._members: dict[str, Sequence[Utterance]] = {
            speaker: own for speaker, own in by_speaker.items() if speaker and len(own) >= LEAST_UTTERANCES
        }
        if len(self._members) < len(by_speaker):
            self._members[WHOLE] = utterances

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def of(self, utterance: Utterance) -> str:
        """The group of an utterance."""
        return utterance.speaker if utterance.speaker in self._members else WHOLE

    def task(self, group: str, results: str) -> AdaptTask:
        """What estimates the adaptation of a group, from utterances spread over it."""
        members = self._members[group]
        step = max(1, len(members) // SAMPLE_UTTERANCES)
        return AdaptTask(group, list(members[::step][:SAMPLE_UTTERANCES]), path_of(results, group))


def path_of(results: str, group: str) -> str:
    """Where the adaptation of a group is kept; any name of a speaker makes a file name of its own."""
    readable = re.sub(r"[^\w.-]", "_", group, flags=re.ASCII)[:60] or "corpus"
    unique = hashlib.blake2b(group.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return os.path.join(results, FOLDER, "adaptation", f"{readable}-{unique}.json")


def write_kept(path: str, adaptation: Adaptation | None, digest: str) -> None:
    """Keep an adaptation, or that none helps, as estimated with settings of a digest. Raises OutputError."""
    make_folder_of(path)
    record = {"digest": digest, "helps": adaptation is not None}
    with atomic_write(path) as file:
        json.dump(record if adaptation is None else record | adaptation.to_dict(), file)


def read_kept(groups: Groups, results: str, digest: str) -> Mapping[str, Adaptation | None]:
    """What is kept for these settings, by group; what is damaged or of other settings is not."""
    kept = {}
    for group in groups:
        try:
            with open(path_of(results, group), encoding="utf-8") as file:
                record = json.load(file)
            if record["digest"] == digest:
                kept[group] = Adaptation.from_dict(record) if record["helps"] else None
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return kept
