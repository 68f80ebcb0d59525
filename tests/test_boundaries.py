"""Boundaries between frames and their spread, held against every place written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from streamhmm.align.boundaries import REACH_FRAMES, crossings, spreads
from streamhmm.align.runs import Runs

NEVER = float("-inf")
V = 4


def runs_of(*frames: int, pdfs: list[int] | None = None) -> Runs:
    """Runs of these lengths, of columns that take turns unless they are given."""
    columns = [index % V for index in range(len(frames))] if pdfs is None else pdfs
    bounds = torch.tensor([0, *frames]).cumsum(0)
    return Runs(torch.arange(len(frames)), torch.tensor(columns), bounds)


def enumerated_spread(runs: Runs, scores: Tensor, index: int, scale: float) -> float:
    """Standard deviation of a boundary over the places that it may have, by the softmax of their scores."""
    first, change, end = runs.bounds[index : index + 3].tolist()
    before, after = runs.pdfs[index : index + 2].tolist()
    places = [place for place in range(first + 1, end) if abs(place - change) < REACH_FRAMES]
    totals = [
        scale * math.fsum([scores[t, before if t < place else after].item() for t in range(first, end)])
        for place in places
    ]
    top = max(totals)
    weights = [math.exp(total - top) for total in totals]
    mean = math.fsum(weight * place for weight, place in zip(weights, places, strict=True)) / math.fsum(weights)
    squares = [weight * (place - mean) ** 2 for weight, place in zip(weights, places, strict=True)]
    return math.sqrt(math.fsum(squares) / math.fsum(weights))


def assert_enumerated(runs: Runs, scores: Tensor, scale: float) -> None:
    expected = [enumerated_spread(runs, scores, index, scale) for index in range(len(runs.pdfs) - 1)]
    assert spreads(runs, scores, scale).tolist() == pytest.approx(expected, abs=1e-5)


# ---- spreads


@pytest.mark.parametrize("scale", [0.05, 0.2, 1.0])
@pytest.mark.parametrize(
    "frames",
    [
        (5, 6),
        (1, 1),
        (1, 2, 1, 1, 3),
        (30, 4, 1, 30, 2, 2, 45),
        (REACH_FRAMES, REACH_FRAMES),
        (REACH_FRAMES - 1, REACH_FRAMES + 1, REACH_FRAMES + 2, 100),
    ],
    ids=str,
)
def test_spreads_are_those_of_the_places_enumerated(frames: tuple[int, ...], scale: float) -> None:
    scores = torch.randn(sum(frames), V, generator=torch.Generator().manual_seed(len(frames))).log_softmax(1)
    assert_enumerated(runs_of(*frames), scores, scale)


def test_places_that_are_as_good_are_evenly_likely() -> None:
    runs, scores = runs_of(2, 3), torch.zeros(5, V)
    assert spreads(runs, scores, 1.0).tolist() == pytest.approx([math.sqrt((4**2 - 1) / 12)])  # 1, 2, 3 or 4


def test_places_further_than_the_reach_are_left_out() -> None:
    runs, scores = runs_of(100, 100), torch.zeros(200, V)
    even = math.sqrt(((2 * REACH_FRAMES - 1) ** 2 - 1) / 12)
    assert spreads(runs, scores, 1.0).tolist() == pytest.approx([even])


def test_a_certain_boundary_has_no_spread() -> None:
    runs = runs_of(30, 40, 30)
    scores = torch.full((100, V), -200.0)
    scores[torch.arange(100), runs.of_frames(runs.pdfs)] = 0.0
    assert spreads(runs, scores, 1.0).tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


def test_phones_of_one_frame_leave_their_boundary_no_choice() -> None:
    scores = torch.randn(4, V, generator=torch.Generator().manual_seed(0))
    assert spreads(runs_of(1, 1, 1, 1), scores, 1.0).tolist() == [0.0, 0.0, 0.0]


def test_a_phone_of_one_frame_between_long_ones() -> None:
    runs, scores = runs_of(3, 1, 3), torch.zeros(7, V)
    assert_enumerated(runs, scores, 1.0)
    assert spreads(runs, scores, 1.0).tolist() == pytest.approx([math.sqrt(8 / 12)] * 2)  # places 1 to 3, 4 to 6


def test_two_phones_in_one_column_may_part_anywhere() -> None:
    runs = runs_of(4, 3, pdfs=[2, 2])
    scores = torch.randn(7, V, generator=torch.Generator().manual_seed(0))
    assert spreads(runs, scores, 1.0).tolist() == pytest.approx([math.sqrt((6**2 - 1) / 12)])


@pytest.mark.parametrize("scale", [0.05, 1.0])
def test_forbidden_frames_close_the_places_beyond_them(scale: float) -> None:
    runs = runs_of(6, 7)
    scores = torch.zeros(13, V)
    scores[3, 1] = NEVER  # the second phone starts after frame 3 …
    scores[8, 0] = NEVER  # … and the first one ends before frame 8
    places = [4, 5, 6, 7, 8]
    assert spreads(runs, scores, scale).tolist() == pytest.approx([math.sqrt((len(places) ** 2 - 1) / 12)])


def test_what_is_forbidden_to_both_phones_tells_nothing() -> None:
    runs, scores = runs_of(5, 5), torch.zeros(10, V)
    scores[2] = NEVER
    assert spreads(runs, scores, 1.0).tolist() == pytest.approx([math.sqrt((9**2 - 1) / 12)])


def test_a_smaller_scale_makes_boundaries_less_sure() -> None:
    runs = runs_of(30, 30)
    scores = torch.full((60, V), -1.0)
    scores[torch.arange(60), runs.of_frames(runs.pdfs)] = 0.0
    found = [float(spreads(runs, scores, scale)) for scale in (2.0, 1.0, 0.5, 0.1, 0.0)]
    assert found == sorted(found)
    assert found[0] < 1 < found[3] < found[4]


def test_one_run_has_no_boundary() -> None:
    assert spreads(runs_of(5), torch.zeros(5, V), 1.0).tolist() == []
    assert crossings(runs_of(5), torch.zeros(5, V)).tolist() == []


# ---- crossings


def crossing(before: tuple[float, float], after: tuple[float, float]) -> float:
    """Where between frames 4 and 5 the boundary of two phones lies, from their scores in these frames."""
    scores = torch.zeros(10, V)
    scores[4:6, 0], scores[4:6, 1] = torch.tensor(before), torch.tensor(after)
    (found,) = crossings(runs_of(5, 5), scores).tolist()
    return found


@pytest.mark.parametrize("lead_before", [-0.01, -1.0, -7.0])
@pytest.mark.parametrize("lead_after", [0.01, 1.0, 7.0])
@pytest.mark.parametrize("level", [0.0, -30.0])
def test_a_crossing_lies_on_the_line_between_the_frames_centres(
    lead_before: float, lead_after: float, level: float
) -> None:
    found = crossing((level, level), (level + lead_before, level + lead_after))
    assert 4.5 < found < 5.5
    share = found - 4.5  # of the way from the centre of frame 4 to that of frame 5
    assert (1 - share) * lead_before + share * lead_after == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((0.0, 0.0), (0.0, 0.0)),
        ((0.0, 0.0), (1.0, 2.0)),
        ((0.0, 0.0), (-2.0, -1.0)),
        ((0.0, 0.0), (1.0, -1.0)),
        ((0.0, 0.0), (-1.0, 0.0)),
        ((0.0, 0.0), (0.0, 1.0)),
        ((0.0, 0.0), (NEVER, 1.0)),
        ((0.0, NEVER), (-1.0, 0.0)),
        ((0.0, NEVER), (NEVER, 0.0)),
        ((NEVER, NEVER), (NEVER, NEVER)),
    ],
    ids=str,
)
def test_without_a_crossing_a_boundary_lies_at_the_frames_edge(
    before: tuple[float, float], after: tuple[float, float]
) -> None:
    assert crossing(before, after) == 5.0


def test_crossings_of_the_first_and_the_last_frame() -> None:
    scores = torch.zeros(4, V)
    scores[0, 0], scores[1:3, 1], scores[3, 2] = 1.0, 1.0, 3.0  # frame 2: 1 behind; frame 3: 3 ahead
    assert crossings(runs_of(1, 2, 1), scores).tolist() == pytest.approx([1.0, 2.75])


def test_equal_phones_get_half_of_the_time_each() -> None:
    runs = Runs(torch.tensor([0, 1, 2]), torch.tensor([3, 3, 1]), torch.tensor([0, 9, 14, 20]))
    assert crossings(runs, torch.zeros(20, 4)).tolist() == [7.0, 14.0]
