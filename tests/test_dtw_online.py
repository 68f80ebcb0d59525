"""OnlineDTW: the open end of all that was heard, frame by frame, whatever the chunks."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dtw_oracle as oracle
import numpy as np
import pytest
import torch
from test_threads import instruction_set
from torch import Tensor

import streamhmm as sh
from streamhmm import _C

STEPS = tuple(oracle.STEPS)


def warped_copy(
    rng: np.random.Generator, reference: Tensor, slowest: float, fastest: float, noise: float = 0.3
) -> tuple[Tensor, np.ndarray]:
    """The reference played at changing speed, and the place in it of each frame."""
    size, place, places = len(reference), 0.0, []
    speed = rng.uniform(slowest, fastest)
    while place <= size - 1:
        places.append(place)
        if rng.random() < 0.02:
            speed = rng.uniform(slowest, fastest)
        place += speed
    true = np.array(places)
    low = np.minimum(true.astype(int), size - 2)
    share = torch.from_numpy(true - low)[:, None]
    frames = reference[low] * (1 - share) + reference[low + 1] * share
    return frames + noise * torch.from_numpy(rng.normal(size=frames.shape)), true


def smooth_reference(rng: np.random.Generator, size: int, dims: int = 12) -> Tensor:
    """Features that change as those of speech or music do: over some ten frames."""
    steps = np.concatenate([rng.normal(size=(size + 20, dims))])
    kernel = np.hanning(12) / np.sqrt((np.hanning(12) ** 2).sum())
    columns = [np.convolve(column, kernel, "same")[10:-10] for column in steps.T]
    return torch.from_numpy(np.stack(columns, 1))


@pytest.mark.parametrize("open_begin", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_a_position_is_the_open_end_of_what_was_heard(step: str, open_begin: bool) -> None:
    rng = np.random.default_rng(1)
    for dtype in (torch.float32, torch.float64):
        reference, stream = (torch.from_numpy(rng.normal(size=(n, 3))).to(dtype) for n in (25, 40))
        follower = sh.OnlineDTW(reference, step=step, open_begin=open_begin)
        assert follower.position is None
        followed = follower.push(stream)
        for n in range(1, 41):
            whole = sh.dtw(stream[:n], reference, step=step, open_begin=open_begin, open_end=True)
            assert followed.position[n - 1] == whole.path[-1, 1]
            assert followed.cost[n - 1] == whole.distance / n
        assert follower.position == followed.position[-1]
        whole = sh.dtw(stream, reference, step=step, open_begin=open_begin)
        assert follower.finish() == whole.distance.item() == follower.finish()


def windowed(reference: Tensor, stream: Tensor, step: str, window: int, metric: str) -> list[int]:
    """Positions by the recursion of csrc/dtw_follower.h, cell by cell."""
    costs, size, above, positions = (
        oracle.distances(stream, reference, metric).double().tolist(),
        len(reference),
        {},
        [],
    )
    first, last = 0, window
    for i, row in enumerate(costs):
        table: dict[int, float] = {}
        for j in range(first, min(last, size - 1) + 1):
            table[j] = row[j] if i == j == 0 else math.inf
            for down, right, weight in oracle.STEPS[step]:
                source = (above if down else table).get(j - right, math.inf)
                table[j] = min(table[j], source + weight * row[j])
        frames = {j: i + j + 2 if step == "symmetric2" else 1 for j in table}
        positions.append(min(table, key=lambda j: (table[j] / frames[j], j)))
        first, last = max(positions[-1] - window, 0), positions[-1] + window
        above = table
    return positions


@pytest.mark.parametrize("isa", _C.available_isas())
@pytest.mark.parametrize("metric", list(oracle.METRICS))
@pytest.mark.parametrize("step", STEPS)
def test_a_window_moves_with_the_position(step: str, metric: str, isa: str) -> None:
    rng = np.random.default_rng(2)
    reference = torch.from_numpy(rng.normal(size=(60, 5)).astype(np.float32))
    stream = reference[torch.from_numpy(np.sort(rng.integers(0, 60, 90)))] + torch.randn(90, 5)
    for window in (1, 4, 19, 10**9):
        with instruction_set(isa):
            followed = sh.OnlineDTW(reference, metric=metric, step=step, window=window).push(stream)
        assert followed.position.tolist() == windowed(reference, stream, step, window, metric)


@pytest.mark.parametrize("options", [{}, {"window": 7}, {"open_begin": True, "window": 7, "step": "symmetric2"}])
def test_chunks_change_nothing(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(3)
    reference = smooth_reference(rng, 80)
    stream, _ = warped_copy(rng, reference, 0.5, 1.5)
    expected = sh.OnlineDTW(reference, **options).push(stream)
    n = len(stream)
    for size in (1, 2, 7, n - 1, n, n + 1):
        follower = sh.OnlineDTW(reference, **options)
        chunks = [follower.push(chunk) for chunk in stream.split(size)]
        follower.push(stream[:0])
        assert torch.equal(torch.cat([chunk.position for chunk in chunks]), expected.position)
        assert torch.equal(torch.cat([chunk.cost for chunk in chunks]), expected.cost)
        assert follower.position == expected.position[-1]


@pytest.mark.parametrize("window", [None, 100])
@pytest.mark.parametrize("step", STEPS)
def test_it_follows_warped_copies(step: str, window: int | None) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        reference = smooth_reference(rng, 600)
        stream, true = warped_copy(rng, reference, 0.6, 1.7)
        follower = sh.OnlineDTW(reference, step=step, window=window)
        error = np.abs(follower.push(stream).position.numpy() - true)
        assert np.median(error) <= 1
        assert np.quantile(error, 0.95) <= 4
        assert np.isfinite(follower.finish())


def test_it_finds_its_place_when_it_starts_in_the_middle() -> None:
    rng = np.random.default_rng(4)
    reference = smooth_reference(rng, 400)
    followed = sh.OnlineDTW(reference, open_begin=True, window=30).push(reference[200:300])
    assert followed.position.tolist() == list(range(200, 300))
    assert followed.cost.abs().max() == 0


def test_the_reference_may_change_afterwards() -> None:
    reference = torch.randn(30, 4)
    copy = reference.clone()
    follower = sh.OnlineDTW(reference)
    reference.zero_()
    assert follower.push(copy).position.tolist() == list(range(30))


def test_memory_does_not_grow_with_the_stream() -> None:
    reference = torch.randn(50, 2)
    follower = sh.OnlineDTW(reference, window=5)
    chunk = torch.randn(10_000, 2)
    for _ in range(5):
        followed = follower.push(chunk)
    assert followed.cost.isfinite().all()


def test_calls_from_several_threads_wait_for_each_other() -> None:
    reference, chunk = torch.randn(200, 8), torch.randn(500, 8)
    follower = sh.OnlineDTW(reference)
    with ThreadPoolExecutor(4) as pool:
        pushed = list(pool.map(lambda _: follower.push(chunk), range(8)))
    alone = sh.OnlineDTW(reference).push(chunk.repeat(8, 1))
    in_order = sorted(pushed, key=lambda followed: float(followed.cost[0]), reverse=False)
    found = sorted(tuple(followed.position.tolist()) for followed in in_order)
    assert found == sorted(tuple(part.tolist()) for part in alone.position.split(500))


def test_nothing_was_pushed() -> None:
    follower = sh.OnlineDTW(torch.randn(5, 2))
    assert follower.push(torch.zeros(0, 2)).position.shape == (0,)
    assert (follower.position, follower.finish()) == (None, math.inf)


# ---- wrong calls

REFERENCE = torch.zeros(5, 2)
WRONG_REFERENCES: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "a list": ({"reference": [[0.0]]}, TypeError, r"reference must be a torch.Tensor, got list"),
    "one axis": ({"reference": torch.zeros(5)}, ValueError, r"reference must be \(M, D\), got shape \(5,\)"),
    "no frames": (
        {"reference": torch.zeros(0, 2)},
        ValueError,
        r"reference must have at least one frame of one dimension, got shape \(0, 2\)",
    ),
    "whole numbers": ({"reference": REFERENCE.long()}, TypeError, r"reference must be float16, .*got torch.int64"),
    "NaN": ({"reference": torch.tensor([[0.0], [math.nan]])}, ValueError, r"reference must be finite.*nan in frame 1"),
    "metric": ({"metric": "manhattan"}, ValueError, r"metric must be one of euclidean, .*got 'manhattan'"),
    "step": ({"step": "symmetric"}, ValueError, r"step must be one of symmetric1, .*got 'symmetric'"),
    "no window": ({"window": 0}, ValueError, r"window must be at least 1, got 0"),
    "half a window": ({"window": 2.5}, TypeError, r"window must be an integer, got float"),
}


@pytest.mark.parametrize("case", WRONG_REFERENCES)
def test_wrong_references(case: str) -> None:
    changed, error, message = WRONG_REFERENCES[case]
    with pytest.raises(error, match=message):
        sh.OnlineDTW(**{"reference": REFERENCE} | changed)


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        ([[0.0, 0.0]], TypeError, r"features must be a torch.Tensor, got list"),
        (torch.zeros(3, 3), ValueError, r"features must be \(n, 2\), got shape \(3, 3\)"),
        (torch.zeros(2), ValueError, r"features must be \(n, 2\), got shape \(2,\)"),
        (torch.zeros(3, 2).int(), TypeError, r"features must be float16, .*got torch.int32"),
        (torch.tensor([[0.0, 0.0], [0.0, math.inf]]), ValueError, r"features must be finite.*got inf in frame 1"),
        (torch.tensor([[1e20, 0.0]]), ValueError, r"features must be finite and at most 1e\+15.*got 1e\+20 in frame 0"),
    ],
)
def test_wrong_frames_leave_the_state_alone(features: Any, error: type[Exception], message: str) -> None:
    reference = torch.randn(9, 2)
    follower = sh.OnlineDTW(reference)
    follower.push(reference[:4])
    with pytest.raises(error, match=message):
        follower.push(features)
    assert follower.push(reference[4:]).position.tolist() == [4, 5, 6, 7, 8]


def test_pushing_after_the_end() -> None:
    follower = sh.OnlineDTW(REFERENCE)
    follower.finish()
    with pytest.raises(ValueError, match="push must come before finish"):
        follower.push(REFERENCE)
