"""Frame targets: which frames a unit labels, and which stay unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamhmm.acoustic.labels import LABELS
from streamhmm.acoustic.training.manifest import Unit
from streamhmm.acoustic.training.targets import MASKED, Masks, concatenated, frame_targets


def units_of(*ends: tuple[str, float]) -> list[Unit]:
    """Contiguous units from their labels and ends."""
    starts = [0.0, *(end for _, end in ends)]
    return [Unit(tuple(label.split("_")), start, end) for (label, end), start in zip(ends, starts, strict=False)]


def names(units: list[Unit], n_frames: int, masks: Masks | None = None, time_scale: float = 1.0) -> str:
    """The targets' labels, ``-`` where masked."""
    targets = frame_targets(units, n_frames, masks or Masks(), time_scale).certain().tolist()
    return " ".join("-" if target == MASKED else LABELS[target] for target in targets)


def test_frame_belongs_to_the_unit_that_has_its_centre() -> None:
    assert names(units_of(("S", 0.0249), ("IY", 0.0351), ("M", 0.05)), 5) == "S S IY IY M"


def test_frames_after_the_last_unit_are_silence_and_units_after_the_last_frame_nothing() -> None:
    assert names(units_of(("S", 0.02)), 4) == "S S SIL SIL"
    assert names(units_of(("S", 0.02), ("IY", 9.0)), 3) == "S S IY"


def test_times_are_scaled() -> None:
    assert names(units_of(("S", 0.02), ("IY", 0.03)), 6, time_scale=2.0) == "S S S S IY IY"


def test_merged_unit_is_sure_of_its_outer_parts_only() -> None:
    assert names(units_of(("AO_R", 0.1)), 10) == "AO AO AO AO - - - R R R"


@pytest.mark.parametrize(("unit", "expected"), [("?", "- - - - - - - - - -"), ("AO_?", "AO AO AO AO - - - - - -")])
def test_unknown_is_masked(unit: str, expected: str) -> None:
    assert names(units_of((unit, 0.1)), 10) == expected


@pytest.mark.parametrize(
    ("masks", "expected"),
    [
        (Masks(), "SIL SIL SIL S S S IY IY IY M M M"),
        (Masks(sonorant_s=0.01), "SIL SIL SIL S S S IY IY - - M M"),
        (Masks(boundary_s=0.01), "SIL SIL SIL S S - - IY - - M M"),
        (Masks(silence_s=0.01), "SIL SIL - - S S IY IY IY M M M"),
        (Masks(sonorant_s=0.02, boundary_s=0.01), "SIL SIL SIL S S - - - - - - M"),
    ],
)
def test_doubtful_boundaries_are_masked_on_both_sides(masks: Masks, expected: str) -> None:
    assert names(units_of(("SIL", 0.03), ("S", 0.06), ("IY", 0.09), ("M", 0.12)), 12, masks) == expected


def ranges(units: list[Unit], n_frames: int, masks: Masks) -> list[str]:
    """All labels that each frame may have."""
    targets = frame_targets(units, n_frames, replace(masks, anchor=1.0))
    names = ["?" if label == MASKED else LABELS[label] for label in targets.labels.tolist()]
    pairs = zip(targets.first.tolist(), targets.last.tolist(), strict=True)
    return ["|".join(names[first : last + 1]) for first, last in pairs]


def test_doubtful_frames_may_be_either_side() -> None:
    units = units_of(("S", 0.03), ("IY", 0.06))
    assert ranges(units, 6, Masks(boundary_s=0.01)) == ["S", "S", "S|IY", "S|IY", "IY", "IY"]


def test_short_phone_within_doubt_is_not_lost() -> None:
    units = units_of(("S", 0.03), ("T", 0.04), ("IY", 0.07))
    expected = ["S", "S|T", "S|T|IY", "S|T|IY", "S|T|IY", "T|IY", "IY"]
    assert ranges(units, 7, Masks(boundary_s=0.02)) == expected


def test_merged_unit_changes_somewhere_in_its_middle() -> None:
    assert ranges(units_of(("AO_R", 0.1)), 10, Masks()) == [*["AO"] * 4, *["AO|R"] * 3, *["R"] * 3]


def test_unknown_may_be_anything() -> None:
    assert ranges(units_of(("S", 0.01), ("?", 0.03)), 3, Masks()) == ["S", "?", "?"]


def test_doubt_without_an_anchor_is_unknown() -> None:
    targets = frame_targets(units_of(("S", 0.03), ("IY", 0.06)), 6, Masks(boundary_s=0.01))
    assert targets.labels.tolist() == [LABELS.index("S"), MASKED, LABELS.index("IY")]
    assert targets.first.tolist() == targets.last.tolist() == targets.nominal.tolist() == [0, 0, 1, 1, 2, 2]


def test_nominal_phones_are_those_of_the_labels() -> None:
    units = units_of(("S", 0.03), ("T", 0.04), ("IY", 0.07))
    assert frame_targets(units, 7, Masks(boundary_s=0.02, anchor=2.0)).nominal.tolist() == [0, 0, 0, 1, 2, 2, 2]


def test_silence_where_no_unit_is() -> None:
    units = [Unit(("S",), 0.02, 0.03), Unit(("IY",), 0.05, 0.06)]
    assert ranges(units, 7, Masks()) == ["SIL", "SIL", "S", "SIL", "SIL", "IY", "SIL"]


def test_frames_of_a_part_and_of_a_whole_are_the_same() -> None:
    units = units_of(("S", 0.03), ("T", 0.05), ("IY", 0.09))
    whole = frame_targets(units, 9, Masks(boundary_s=0.01, anchor=1.0))
    joined = concatenated([whole.frames(0, 4), whole.frames(4, 4), whole.frames(4, 9)])
    assert joined.certain().tolist() == whole.certain().tolist()
    assert whole.frames(4, 9).labels.tolist() == [LABELS.index("T"), LABELS.index("IY")]


def test_masks_are_as_wide_at_any_speed() -> None:
    units = units_of(("S", 0.02), ("IY", 0.04))
    assert names(units, 8, Masks(boundary_s=0.01), time_scale=2.0) == "S S S - - IY IY IY"


def test_gaps_below_half_a_frame_belong_to_the_unit_after() -> None:
    units = [Unit(("AA",), 0.02, 0.1046), Unit(("B",), 0.1052, 0.14)]
    assert ranges(units, 14, Masks()) == [*["SIL"] * 2, *["AA"] * 8, *["B"] * 4]
