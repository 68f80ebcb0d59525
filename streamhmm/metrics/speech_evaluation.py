"""The figures of many compared recordings with intervals: distortion, pitch, and durations of words and phones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamhmm.metrics.bootstrap import intervals
from streamhmm.metrics.comparison import TIERS, RecordingComparison
from streamhmm.metrics.durations import DURATION_MEASURES, DurationPairs, durations_of
from streamhmm.metrics.evaluation import Figure
from streamhmm.metrics.speech_comparison import SpeechComparison
from streamhmm.metrics.weighed import FloatArray, divided

PITCH_MEASURES = (
    *("rmse_hz", "rmse_cents", "bias_cents", "log_correlation"),
    *("voicing_error_percent", "gross_error_percent", "frame_error_percent"),
)
SPEECH_MEASURES = ("mcd_db", *(f"f0_{name}" for name in PITCH_MEASURES))


@dataclass(frozen=True)
class DurationRow:
    """The durations of a tier: how many segments, how many of them missed, the figures of ``DURATION_MEASURES``."""

    segments: int
    missed: int
    figures: dict[str, Figure]


@dataclass(frozen=True)
class SpeechEvaluation:
    """The figures of many recordings, with intervals from recordings drawn with replacement.

    Attributes:
        recordings: what was compared.
        figures: of ``SPEECH_MEASURES``, each the mean over the recordings that have it, all of equal weight.
        known: for each of these how many recordings have it; one without voiced frames has no pitch to compare.
        unvoiced: names of the recordings without a frame that is voiced on both sides.
        durations: for "words" and "phones" the row of the segments of all alignments; only tiers that there are.
    """

    recordings: tuple[SpeechComparison, ...]
    figures: dict[str, Figure]
    known: dict[str, int]
    unvoiced: tuple[str, ...]
    durations: dict[str, DurationRow]


def evaluate_speech(
    recordings: Sequence[SpeechComparison], alignments: Sequence[RecordingComparison] = (), *, seed: int = 0
) -> SpeechEvaluation:
    """The figures of compared recordings, and of alignments of both sides where there are some.

    ``seed`` is of the draws that the intervals come from. Raises ValueError without any recording.
    """
    if not recordings:
        raise ValueError("there must be at least one recording")
    values = np.array([list(measures_of(recording).values()) for recording in recordings])
    known = ~np.isnan(values)

    def means(weights: FloatArray) -> FloatArray:
        counts = weights @ known.astype(np.float64)
        return divided(weights @ np.where(known, values, 0.0), counts)

    found = zip(means(np.ones((1, len(values))))[0].tolist(), intervals(means, len(values), seed=seed), strict=True)
    return SpeechEvaluation(
        recordings=tuple(recordings),
        figures={name: Figure(value, *pair) for name, (value, pair) in zip(SPEECH_MEASURES, found, strict=True)},
        known=dict(zip(SPEECH_MEASURES, known.sum(axis=0).tolist(), strict=True)),
        unvoiced=tuple(recording.name for recording in recordings if not recording.pitch.voiced),
        durations=_durations(alignments, seed),
    )


def measures_of(recording: SpeechComparison) -> dict[str, float]:
    """The figures of ``SPEECH_MEASURES`` of one recording, NaN where it has none."""
    pitch = {f"f0_{name}": getattr(recording.pitch, name) for name in PITCH_MEASURES}
    return {"mcd_db": recording.distortion.value_db, **pitch}


def _durations(alignments: Sequence[RecordingComparison], seed: int) -> dict[str, DurationRow]:
    rows: dict[str, DurationRow] = {}
    for name in TIERS:
        sides = [durations_of(getattr(alignment, name)) for alignment in alignments]
        owners = np.repeat(np.arange(len(sides)), [len(ours) for ours, _ in sides])
        if not len(owners):
            continue
        ours, theirs = (np.concatenate(side) for side in zip(*sides, strict=True))
        pairs = DurationPairs(ours, theirs, owners, len(sides))
        values = pairs.figures(np.ones((1, len(sides))))[0].tolist()
        found = zip(values, intervals(pairs.figures, len(sides), seed=seed), strict=True)
        figures = {one: Figure(value, *pair) for one, (value, pair) in zip(DURATION_MEASURES, found, strict=True)}
        rows[name] = DurationRow(pairs.segments, pairs.missed, figures)
    return rows
