"""The boundary error that training watches, on scores whose boundaries were planted."""

from __future__ import annotations

import pytest
import torch

from streamhmm.acoustic.labels import LABELS
from streamhmm.acoustic.training.boundaries import LARGEST_S, boundary_errors, forced_starts, summarise
from streamhmm.acoustic.training.manifest import Unit


def planted(*runs: tuple[str, int]) -> torch.Tensor:
    """(T, V) scores in which each phone is best for so many frames."""
    labels = torch.tensor([LABELS.index(phone) for phone, frames in runs for _ in range(frames)])
    return torch.nn.functional.one_hot(labels, len(LABELS)).float() * 5 - 6


def units_of(*ends: tuple[str, float]) -> list[Unit]:
    starts = [0.0, *(end for _, end in ends)]
    return [Unit(tuple(label.split("_")), start, end) for (label, end), start in zip(ends, starts, strict=False)]


SCORES = planted(("SIL", 10), ("S", 5), ("IY", 20), ("SIL", 10))


def test_starts_are_where_they_were_planted() -> None:
    assert forced_starts(SCORES, ["SIL", "S", "IY", "SIL"]) == [0, 10, 15, 35]


@pytest.mark.parametrize(("frames", "expected"), [(12, [0, 3, 6, 9]), (11, None)])
def test_phone_has_three_frames_at_least(frames: int, expected: list[int] | None) -> None:
    assert forced_starts(SCORES[:frames], ["SIL", "S", "IY", "SIL"]) == expected


def test_errors_are_the_distances_of_the_boundaries() -> None:
    errors = boundary_errors(SCORES, units_of(("SIL", 0.1), ("S", 0.14), ("IY", 0.38), ("SIL", 0.45)))
    assert errors == pytest.approx([0.0, 0.01, 0.03])


def test_beside_an_unknown_unit_nothing_is_compared() -> None:
    units = units_of(("SIL", 0.1), ("?", 0.12), ("S", 0.15), ("IY_?", 0.2), ("AA", 0.35), ("SIL", 0.45))
    scores = planted(("SIL", 12), ("S", 4), ("IY", 4), ("AA", 15), ("SIL", 10))
    assert boundary_errors(scores, units) == pytest.approx([0.01, 0.0])


def test_merged_unit_has_outer_boundaries_only() -> None:
    scores = planted(("SIL", 10), ("AO", 8), ("R", 7), ("SIL", 10))
    assert boundary_errors(scores, units_of(("SIL", 0.1), ("AO_R", 0.25), ("SIL", 0.35))) == pytest.approx([0.0, 0.0])


def test_audio_too_short_counts_as_the_largest_error() -> None:
    assert boundary_errors(SCORES[:5], units_of(("SIL", 0.02), ("S", 0.05))) == [LARGEST_S]


def test_summary_clips_the_mean_and_counts_the_share() -> None:
    summary = summarise([0.0, 0.02, 0.021, 5.0])
    assert summary.boundaries == 4
    assert summary.within_20_ms == 0.5
    assert summary.mean_s == pytest.approx((0.02 + 0.021 + 0.1) / 4)
