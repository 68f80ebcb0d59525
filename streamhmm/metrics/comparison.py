"""One recording's words and phones against a reference's: errors of their times, what is missing, what is added."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamhmm.formats import Tiers
from streamhmm.metrics.matching import TOLERANCE_MS, match_times
from streamhmm.metrics.pairing import pair_words
from streamhmm.metrics.phone_classes import PAUSE, is_silence, phone_class, phone_key
from streamhmm.metrics.phones import phone_errors
from streamhmm.segment import Segment

TIERS = ("words", "phones")
_TOUCHING_S = 0.001


@dataclass(frozen=True)
class TierComparison:
    """A tier of one recording; N segments in the reference.

    Attributes:
        labels: (N,) of the reference's segments.
        starts, ends: (N,) errors in seconds, NaN where the hypothesis lacks the segment, or where the phones that meet
            there differ in number between the two sides.
        is_missing: (N,) whether the hypothesis lacks the segment.
        extra: labels of segments that only the hypothesis has.
        befores, afters: (N,) what touches the segment in the reference: a phone's class or "pause". Empty for words.
        reference_times, hypothesis_times: all boundaries, each once, in order, seconds.
        reference_hits, hypothesis_hits: for each of these whether it has a partner within the tolerance.
        times: (N,) when the segments start in the reference, seconds.
        durations: (N,) how long they last there, seconds.
    """

    labels: tuple[str, ...]
    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    is_missing: NDArray[np.bool_]
    extra: tuple[str, ...]
    befores: tuple[str, ...]
    afters: tuple[str, ...]
    reference_times: NDArray[np.float64]
    hypothesis_times: NDArray[np.float64]
    reference_hits: NDArray[np.bool_]
    hypothesis_hits: NDArray[np.bool_]
    times: NDArray[np.float64]
    durations: NDArray[np.float64]


@dataclass(frozen=True)
class RecordingComparison:
    """Both tiers of one recording; its ``name`` is the path below its folder without the suffix."""

    name: str
    words: TierComparison
    phones: TierComparison

    @property
    def speaker(self) -> str:
        """The folder that the recording lies in; empty at the top."""
        return self.name.rpartition("/")[0]


def compare_tiers(
    reference: Tiers, hypothesis: Tiers, *, name: str = "", tolerance_ms: float = TOLERANCE_MS
) -> RecordingComparison:
    """Hold an alignment against a reference of the same recording.

    Words are paired by their labels (:func:`~streamhmm.metrics.pairing.pair_words`), phones within paired words. If
    one side tells of no phone to which word it belongs, phones are paired throughout. Silence is no segment.

    Args:
        reference: what is taken to be true.
        hypothesis: what is measured.
        name: path of the recording below its folder, without the suffix.
        tolerance_ms: for boundaries detected (precision, recall).

    Raises ValueError for a negative tolerance.
    """
    if not tolerance_ms >= 0:
        raise ValueError(f"tolerance_ms must be at least 0, got {tolerance_ms}")
    our_words, their_words = _spoken(reference.words), _spoken(hypothesis.words)
    partners = pair_words(our_words, their_words)
    found = [None if partner is None else their_words[partner] for partner in partners]
    words = _tier(our_words, their_words, found, tolerance_ms / 1000)
    phones = _compare_phones(reference, hypothesis, our_words, found, tolerance_ms / 1000)
    return RecordingComparison(name, words, phones)


def _spoken(segments: Iterable[Segment]) -> list[Segment]:
    return [segment for segment in segments if not is_silence(segment.label)]


def _tier(
    ours: Sequence[Segment], theirs: Sequence[Segment], found: Sequence[Segment | None], tolerance_s: float
) -> TierComparison:
    taken = {id(segment) for segment in found if segment is not None}
    our_times, their_times = _boundaries(ours), _boundaries(theirs)
    hits = match_times(our_times, their_times, tolerance_s)
    pairs = list(zip(ours, found, strict=True))
    return TierComparison(
        labels=tuple(segment.label for segment in ours),
        starts=_column(None if other is None else other.start - one.start for one, other in pairs),
        ends=_column(None if other is None else other.end - one.end for one, other in pairs),
        is_missing=np.array([other is None for other in found], dtype=bool),
        extra=tuple(segment.label for segment in theirs if id(segment) not in taken),
        befores=(),
        afters=(),
        reference_times=our_times,
        hypothesis_times=their_times,
        reference_hits=hits.reference,
        hypothesis_hits=hits.hypothesis,
        times=_column(segment.start for segment in ours),
        durations=_column(segment.end - segment.start for segment in ours),
    )


def _compare_phones(
    reference: Tiers,
    hypothesis: Tiers,
    words: Sequence[Segment],
    found: Sequence[Segment | None],
    tolerance_s: float,
) -> TierComparison:
    ours, theirs = _phones_by_word(reference), _phones_by_word(hypothesis)
    our_phones, their_phones = list(itertools.chain(*ours.values())), list(itertools.chain(*theirs.values()))
    if set(ours) <= {None} or set(theirs) <= {None}:
        groups = [(our_phones, their_phones)]
    else:
        groups = [
            (ours.get(id(word), []), [] if partner is None else theirs.get(id(partner), []))
            for word, partner in zip(words, found, strict=True)
        ]
        groups.append((ours.get(None, []), theirs.get(None, [])))
    rows = [row for group in groups for row in _compare_group(*group)]
    rows.sort(key=lambda row: row[0].start)
    tier = _tier([row[0] for row in rows], their_phones, [row[1] for row in rows], tolerance_s)
    befores, afters = _neighbours([row[0] for row in rows])
    return replace(
        tier,
        starts=_column(row[2] for row in rows),
        ends=_column(row[3] for row in rows),
        befores=befores,
        afters=afters,
    )


def _compare_group(
    ours: list[Segment], theirs: list[Segment]
) -> list[tuple[Segment, Segment | None, float | None, float | None]]:
    """For each phone of the reference: itself, its partner, the errors of its start and its end."""
    result = phone_errors(ours, theirs)
    partners = [None if partner is None else theirs[partner] for partner in result.partners]
    return list(zip(ours, partners, result.starts, result.ends, strict=True))


def _phones_by_word(tiers: Tiers) -> dict[int | None, list[Segment]]:
    """The phones of each word, by the identity of its segment; under None those that belong to no word."""
    phones: dict[int | None, list[Segment]] = {}
    for phone, word in zip(tiers.phones, tiers.phone_words, strict=True):
        if not is_silence(phone.label):
            owner = id(tiers.words[word]) if word >= 0 and not is_silence(tiers.words[word].label) else None
            phones.setdefault(owner, []).append(replace(phone, label=phone_key(phone.label)))
    return phones


def _neighbours(phones: Sequence[Segment]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    kinds = [phone_class(phone.label) for phone in phones]
    touches = [after.start - before.end <= _TOUCHING_S for before, after in itertools.pairwise(phones)]
    befores = [kind if touch else PAUSE for kind, touch in zip(kinds, touches, strict=False)]
    afters = [kind if touch else PAUSE for kind, touch in zip(kinds[1:], touches, strict=True)]
    return (PAUSE, *befores)[: len(kinds)], (*afters, PAUSE)[: len(kinds)]


def _boundaries(segments: Iterable[Segment]) -> NDArray[np.float64]:
    return np.unique(np.round([time for segment in segments for time in (segment.start, segment.end)], 6))


def _column(values: Iterable[float | None]) -> NDArray[np.float64]:
    return np.array(list(values), dtype=np.float64)
