"""Names of results that stay within their folder and differ from one another."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace

from streamhmm.corpus.utterance import Utterance


def inside(name: str) -> str:
    """A relative path that leads to nowhere outside, whatever a manifest says."""
    parts = [part for part in name.replace("\0", "").split("/") if part not in ("", ".")]
    return "/".join("_" if part == ".." else part for part in parts) or "_"


def name_of(audio: str, home: str) -> str:
    """Of a recording: its path below ``home``, or its file name, without the suffix."""
    relative = os.path.relpath(audio, home)
    return inside(os.path.splitext(os.path.basename(audio) if relative.startswith("..") else relative)[0])


def distinct(utterances: Iterable[Utterance]) -> Iterator[Utterance]:
    """The same with ``-2``, ``-3`` … behind the names that were there before."""
    seen: set[str] = set()
    for utterance in utterances:
        name, count = utterance.name, 1
        while name in seen:
            count += 1
            name = f"{utterance.name}-{count}"
        seen.add(name)
        yield utterance if name == utterance.name else replace(utterance, name=name)
