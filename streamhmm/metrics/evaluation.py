"""The figures of many compared recordings: all together, by speaker, by phone class, each with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamhmm.metrics.bootstrap import intervals
from streamhmm.metrics.boundaries import THRESHOLDS_MS, BoundaryErrors, SegmentShifts, Summary, summarise
from streamhmm.metrics.comparison import TIERS, RecordingComparison, TierComparison
from streamhmm.metrics.matching import detection
from streamhmm.metrics.phone_classes import CLASSES, phone_class
from streamhmm.metrics.weighed import FloatArray

STRETCH_WORDS = 20
"""Of a single recording stretches of so many words are drawn instead of recordings."""
MEASURES = (
    *(f"within_{limit}_ms" for limit in THRESHOLDS_MS),
    *("mean_ms", "median_ms", "bias_ms", "aas_ms", "offset_ms", "aas_corrected_ms"),
    *("precision", "recall", "f1", "r_value"),
)


class Figure(NamedTuple):
    """A value and its interval at a level of 95 %; NaN where there is nothing to tell it from."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """What is told of some segments: how many there are, and the figures of ``MEASURES`` by name.

    ``segments`` and ``boundaries`` are those of the reference, two a segment; ``missing`` segments the hypothesis
    lacks, ``extra`` ones the reference lacks; ``missed`` boundaries could not be compared. Of a phone class, which
    boundaries that are too many belong to is not known: ``extra``, precision and what follows from it are not told.
    """

    segments: int
    missing: int
    extra: int | None
    boundaries: int
    missed: int
    figures: dict[str, Figure]


@dataclass(frozen=True)
class Evaluation:
    """The figures of many recordings.

    Attributes:
        recordings: how many.
        units: how many units the intervals are drawn from: recordings, or of a single one ``stretches`` of 20 words.
        tolerance_ms: of boundaries detected.
        tiers: for "words" and "phones" the row of all their segments; only tiers that the reference has.
        speakers: for each tier the row of each speaker (folder), if there are several.
        classes: the row of each phone class.
        class_pairs: the boundaries of phones by what meets there, (left, right), a phone class or "pause".
        errors: for each tier the errors of all boundaries, seconds, NaN where missed.
    """

    recordings: int
    units: int
    is_of_stretches: bool
    tolerance_ms: float
    tiers: dict[str, Row] = field(default_factory=dict)
    speakers: dict[str, dict[str, Row]] = field(default_factory=dict)
    classes: dict[str, Row] = field(default_factory=dict)
    class_pairs: dict[tuple[str, str], Summary] = field(default_factory=dict)
    errors: dict[str, FloatArray] = field(default_factory=dict)


class _Pool(NamedTuple):
    """Segments of a tier, with the unit of each; ``counts`` (U, 3): boundaries here, there, and matched."""

    starts: FloatArray
    ends: FloatArray
    units: NDArray[np.int64]
    labels: NDArray[np.object_]
    befores: tuple[str, ...]
    afters: tuple[str, ...]
    missing: NDArray[np.bool_]
    counts: NDArray[np.int64]
    extra: int


def evaluate(
    recordings: Sequence[RecordingComparison],
    *,
    tolerance_ms: float,
    tiers: Iterable[str] = TIERS,
    seed: int = 0,
) -> Evaluation:
    """The figures of compared recordings, at least one. ``seed`` is of the draws that the intervals come from."""
    edges = _stretch_edges(recordings[0]) if len(recordings) == 1 else None
    units = len(recordings) if edges is None else len(edges) + 1
    result = Evaluation(len(recordings), units, edges is not None, tolerance_ms)
    speakers = sorted({recording.speaker for recording in recordings})
    for tier in tiers:
        pool = _pool(recordings, tier, edges)
        if not len(pool.starts):
            continue
        result.tiers[tier] = _row(pool, units, seed)
        result.errors[tier] = np.concatenate([pool.starts, pool.ends])
        if len(speakers) > 1:
            own = ([r for r in recordings if r.speaker == speaker] for speaker in speakers)
            result.speakers[tier] = {
                speaker: _row(_pool(theirs, tier, None), len(theirs), seed)
                for speaker, theirs in zip(speakers, own, strict=True)
            }
        if tier == "phones":
            result.classes.update(_class_rows(pool, units, seed))
            result.class_pairs.update(_class_pairs(pool))
    return result


def _stretch_edges(recording: RecordingComparison) -> FloatArray:
    tier = recording.words if len(recording.words.times) else recording.phones
    return tier.times[STRETCH_WORDS::STRETCH_WORDS]


def _pool(recordings: Sequence[RecordingComparison], name: str, edges: FloatArray | None) -> _Pool:
    """The segments of one tier; the units are the recordings, or what lies between the edges of the only one."""
    parts: list[TierComparison] = [getattr(recording, name) for recording in recordings]
    count = len(parts) if edges is None else len(edges) + 1

    def units_of(times: Sequence[FloatArray]) -> NDArray[np.int64]:
        if edges is not None:
            return np.searchsorted(edges, times[0], side="right")
        return np.repeat(np.arange(len(times)), [len(part) for part in times])

    ours, theirs = [part.reference_times for part in parts], [part.hypothesis_times for part in parts]
    hits = np.concatenate([part.reference_hits for part in parts])
    our_units, their_units = units_of(ours), units_of(theirs)
    counts = [np.bincount(chosen, minlength=count) for chosen in (our_units, their_units, our_units[hits])]
    return _Pool(
        starts=np.concatenate([part.starts for part in parts]),
        ends=np.concatenate([part.ends for part in parts]),
        units=units_of([part.times for part in parts]),
        labels=np.array([label for part in parts for label in part.labels], dtype=object),
        befores=tuple(before for part in parts for before in part.befores),
        afters=tuple(after for part in parts for after in part.afters),
        missing=np.concatenate([part.is_missing for part in parts]),
        counts=np.stack(counts, axis=1),
        extra=sum(len(part.extra) for part in parts),
    )


def _row(pool: _Pool, units: int, seed: int, chosen: NDArray[np.bool_] | None = None) -> Row:
    """The figures of a pool, or of its ``chosen`` segments (N,)."""
    every = np.ones(len(pool.starts), bool) if chosen is None else chosen
    starts, ends, owners = pool.starts[every], pool.ends[every], pool.units[every]
    errors = BoundaryErrors(np.concatenate([starts, ends]), np.concatenate([owners, owners]), units)
    shifts = SegmentShifts(starts, ends, owners, units)

    def measure(weights: FloatArray) -> FloatArray:
        figures = np.hstack([errors.figures(weights), shifts.figures(weights)])
        if chosen is not None:
            return figures
        return np.hstack([figures, [detection(*counts) for counts in (weights @ pool.counts).tolist()]])

    summary = errors.summary()
    found = zip(measure(np.ones((1, units)))[0].tolist(), intervals(measure, units, seed=seed), strict=True)
    return Row(
        segments=len(starts),
        missing=int(pool.missing[every].sum()),
        extra=pool.extra if chosen is None else None,
        boundaries=summary.boundaries,
        missed=summary.missed,
        figures={name: Figure(value, *interval) for name, (value, interval) in zip(MEASURES, found, strict=False)},
    )


def _class_rows(pool: _Pool, units: int, seed: int) -> dict[str, Row]:
    kinds = np.array([phone_class(label) for label in pool.labels], dtype=object)
    return {kind: _row(pool, units, seed, kinds == kind) for kind in CLASSES if (kinds == kind).any()}


def _class_pairs(pool: _Pool) -> dict[tuple[str, str], Summary]:
    """A boundary where two phones touch counts once, as the start of the second."""
    errors: dict[tuple[str, str], list[float]] = {}
    for label, before, after, start, end in zip(
        pool.labels, pool.befores, pool.afters, pool.starts, pool.ends, strict=True
    ):
        kind = phone_class(label)
        errors.setdefault((before, kind), []).append(start)
        if after not in CLASSES:
            errors.setdefault((kind, after), []).append(end)
    return {pair: summarise(values) for pair, values in sorted(errors.items())}
