"""TextGrids that hold what is spoken and roughly when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streamhmm.corpus.utterance import Part
from streamhmm.errors import CorpusError
from streamhmm.formats import load_all
from streamhmm.formats.reading import read_result
from streamhmm.formats.textgrid import is_aligned_tier
from streamhmm.formats.textgrid_text import parse_textgrid
from streamhmm.segment import Segment

LONGEST_PAUSE_S = 1.0
"""Within what one of several speakers says at a time."""


def read_tiers(path: str) -> dict[str, tuple[Part, ...]]:
    """The texts in a TextGrid, by speaker.

    Of an aligned one, with words, these are the text, in stretches without long pauses where there are several
    speakers. Otherwise each interval of each interval tier is one, and the tier's name is the speaker.

    Raises:
        OutputError: the file can't be read or is damaged.
        CorpusError: there is no text in it.
    """
    tiers = parse_textgrid(path, read_result(path)).tiers
    if any(is_aligned_tier(tier.name) for tier in tiers):
        words = {name: found.words for name, found in load_all(path).items() if found.words}
        several = len(words) > 1
        spoken = {name: tuple(_stretches(own) if several else [_text(own)]) for name, own in words.items()}
    else:
        spoken = {tier.name: tuple(Part(one.label, one.start, one.end) for one in tier.segments) for tier in tiers}
    spoken = {name: parts for name, parts in spoken.items() if parts}
    if not spoken:
        raise CorpusError(f"{path}: no interval has a text; write what is spoken into an interval tier")
    return spoken


def _text(words: Sequence[Segment]) -> Part:
    return Part(" ".join(word.label for word in words))


def _stretches(words: Sequence[Segment]) -> Iterator[Part]:
    first = 0
    for index in range(1, len(words) + 1):
        if index == len(words) or words[index].start - words[index - 1].end >= LONGEST_PAUSE_S:
            own = words[first:index]
            yield Part(_text(own).text, own[0].start, own[-1].end)
            first = index
