"""TextGrids that hold what is spoken and roughly when."""

from __future__ import annotations

from streamhmm.corpus.utterance import Part
from streamhmm.errors import CorpusError
from streamhmm.formats.reading import read_result
from streamhmm.formats.textgrid_text import parse_textgrid

WORDS = ("words", "word")


def read_tiers(path: str) -> dict[str, tuple[Part, ...]]:
    """By its name each interval tier with text: its intervals, or one part of all of a tier ``words``.

    Raises:
        OutputError: the file can't be read or is damaged.
        CorpusError: there is no text in it.
    """
    found = {
        tier.name: tuple(Part(segment.label, segment.start, segment.end) for segment in tier.segments)
        for tier in parse_textgrid(path, read_result(path)).tiers
    }
    for name, parts in found.items():
        if name.lower() in WORDS and parts:
            return {name: (Part(" ".join(part.text for part in parts)),)}
    spoken = {name: parts for name, parts in found.items() if parts}
    if not spoken:
        raise CorpusError(f"{path}: no interval has a text; write what is spoken into an interval tier")
    return spoken
