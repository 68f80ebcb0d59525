"""One line of the report: what an alignment shows about a recording and its text."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from streamhmm.corpus.utterance import Utterance
from streamhmm.segment import Segment

if TYPE_CHECKING:
    from streamhmm.align.results import Alignment

MOST_TEXT = 300
"""Characters of a text in the report."""
SHORTEST_PHONE_S = 0.035
"""A phone in the fewest frames that the graph allows, give or take a part of a frame at both ends."""


@dataclass(frozen=True)
class Measures:
    """Of one utterance; a long ``text`` is cut; times in seconds, ``log_likelihood`` and ``contrast`` in nats a frame.

    ``phones``: "label milliseconds" of each, which statistics over the corpus need. ``shortest_run``: most phones in a
    row that are as short as can be. ``adaptation``: what was adapted, "" for nothing. See
    :class:`~streamhmm.align.quality.Quality` for the rest.
    """

    speaker: str
    text: str
    start_s: float
    duration_s: float
    words: int
    log_likelihood: float
    contrast: float
    text_score: float
    surprise: float
    mean_score: float
    lowest_score: float
    lowest_word: str
    longest_s: float
    longest_word: str
    shortest_s: float
    shortest_word: str
    shortest_run: int
    level_db: float
    snr_db: float | None
    clipped: float
    warnings: tuple[str, ...]
    compute_s: float
    phones: str
    adaptation: str = ""

    def as_values(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Measures:
        """What :meth:`as_values` gave. Raises KeyError, TypeError: it is something else."""
        known = {field.name: values[field.name] for field in fields(cls)}
        return cls(**{**known, "warnings": tuple(known["warnings"])})


def measure(
    alignment: Alignment, utterance: Utterance, seconds: float, compute_s: float, adaptation: str = ""
) -> Measures:
    """The measures of an alignment of so many ``seconds``, which took ``compute_s``, by an aligner so adapted."""
    quality, words = alignment.quality, alignment.words
    assert quality is not None
    scores = [word.score for word in words if word.score is not None]
    lowest = min(words, key=lambda word: word.score or 0.0, default=NO_WORD)
    longest = max(words, key=_duration, default=NO_WORD)
    shortest = min(words, key=_duration, default=NO_WORD)
    return Measures(
        speaker=utterance.speaker,
        text=" ".join(alignment.text.split())[:MOST_TEXT],
        start_s=utterance.parts[0].start_s,
        duration_s=seconds,
        words=len(words),
        log_likelihood=quality.log_likelihood,
        contrast=quality.contrast,
        text_score=quality.text_score,
        surprise=quality.surprise,
        mean_score=sum(scores) / len(scores) if scores else 0.0,
        lowest_score=min(scores, default=0.0),
        lowest_word=lowest.label,
        longest_s=longest.duration,
        longest_word=longest.label,
        shortest_s=shortest.duration,
        shortest_word=shortest.label,
        shortest_run=shortest_run(alignment.phones),
        level_db=quality.level_db,
        snr_db=quality.snr_db,
        clipped=quality.clipped,
        warnings=alignment.warnings,
        compute_s=compute_s,
        phones=" ".join(f"{phone.label} {round(1000 * phone.duration)}" for phone in alignment.phones),
        adaptation=adaptation,
    )


NO_WORD = Segment("", 0.0, 0.0)


def shortest_run(phones: tuple[Segment, ...]) -> int:
    """Most phones in a row that are as short as can be."""
    longest = run = 0
    for phone in phones:
        run = run + 1 if phone.duration < SHORTEST_PHONE_S else 0
        longest = max(longest, run)
    return longest


def _duration(segment: Segment) -> float:
    return segment.duration
