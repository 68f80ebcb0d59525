"""lhotse's cuts (extra ``lhotse``): a cut of one recording with its supervisions.

https://lhotse.readthedocs.io/en/latest/cuts.html. Each supervision with text is aligned within its own time.
"""

from __future__ import annotations

import json
from typing import Any

from streamhmm.corpus.layouts.names import distinct, inside
from streamhmm.corpus.utterance import Listing, Part, Problem, Utterance
from streamhmm.errors import BackendUnavailable, CorpusError

SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".yaml", ".yaml.gz")


def is_lhotse(path: str) -> bool:
    """Whether it is compressed, or its first line is a cut."""
    if path.lower().endswith((".jsonl.gz", ".json.gz")):
        return True
    try:
        with open(path, encoding="utf-8") as file:
            first = json.loads(file.readline())
    except (OSError, ValueError):
        return False
    return isinstance(first, dict) and str(first.get("type", "")).endswith("Cut")


def list_lhotse(path: str) -> Listing:
    """The utterances of cuts.

    Raises:
        BackendUnavailable: lhotse is not installed.
        CorpusError: lhotse can't read the file.
    """
    try:
        from lhotse import CutSet  # type: ignore[import-untyped]
    except ImportError as error:
        raise BackendUnavailable(
            f"{path}: reading lhotse's cuts needs lhotse; install it with: pip install 'streamhmm[lhotse]'"
        ) from error
    try:
        found = [_utterance(cut) for cut in CutSet.from_file(path)]
    except Exception as error:  # whatever lhotse runs into
        raise CorpusError(f"{path}: lhotse can't read it ({type(error).__name__}: {error})") from error
    utterances = (one for one in found if isinstance(one, Utterance))
    return Listing(tuple(distinct(utterances)), tuple(one for one in found if isinstance(one, Problem)))


def _utterance(cut: Any) -> Utterance | Problem:
    if not getattr(cut, "has_recording", False) or type(cut).__name__ == "MixedCut":
        return Problem(str(cut.id), "is not a cut of one recording; export it to a file first")
    sources = cut.recording.sources
    if len(sources) != 1 or sources[0].type != "file":
        return Problem(str(cut.id), "its recording is not one file; export it to a file first")
    spoken = [supervision for supervision in cut.supervisions if (supervision.text or "").strip()]
    if not spoken:
        return Problem(str(cut.id), "has no text; add a supervision with text")
    parts = tuple(
        Part(supervision.text, max(0.0, cut.start + supervision.start), cut.start + supervision.end)
        for supervision in sorted(spoken, key=lambda supervision: supervision.start)
    )
    channel = cut.channel + 1 if isinstance(cut.channel, int) else None
    return Utterance(inside(str(cut.id)), sources[0].source, parts, str(spoken[0].speaker or ""), channel)
