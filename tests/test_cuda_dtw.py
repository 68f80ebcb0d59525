"""Dynamic time warping on CUDA: paths and distances equal to the CPU's to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from on_cuda import card, needs_device, needs_host, on_cuda, order
from torch import Tensor

import streamhmm as sh
from streamhmm import warping

NAN, INF = float("nan"), float("inf")
OPTIONS: list[dict[str, Any]] = [
    {},
    {"step": "symmetric1", "band": "sakoe_chiba", "radius": 4, "open_begin": True},
    {"step": "asymmetric", "open_begin": True, "open_end": True},
    {"step": "symmetric2", "band": "itakura", "open_end": True},
    {"step": "asymmetric", "band": "sakoe_chiba", "radius": 40},
]


def features(seed: int, batch: int, rows: int, columns: int, dims: int) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    return tuple(torch.from_numpy(rng.normal(size=(batch, size, dims))) for size in (rows, columns))  # type: ignore


def assert_same(found: sh.WarpingPath, expected: sh.WarpingPath) -> None:
    assert [path.tolist() for path in found.path] == [path.tolist() for path in expected.path]
    np.testing.assert_array_equal(found.distance, expected.distance)
    np.testing.assert_array_equal(found.normalized_distance, expected.normalized_distance)


@needs_device
@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "cityblock", "cosine"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_batches_of_pairs_of_any_length(options: dict[str, Any], metric: str) -> None:
    for dtype, dims in ((torch.float32, 13), (torch.float64, 17), (torch.float16, 1)):
        x, y = (each.to(dtype) for each in features(dims, 6, 70, 90, dims))
        x[0, 3] = 0
        lengths = {"x_lengths": [70, 33, 1, 0, 32, 64], "y_lengths": [90, 31, 5, 4, 90, 0]}
        expected = sh.dtw(x, y, metric=metric, **lengths, **options)
        with on_cuda():
            assert_same(sh.dtw(x, y, metric=metric, **lengths, **options), expected)


@needs_device
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_more_strips_than_warps(options: dict[str, Any]) -> None:
    x, y = features(1, 1, 32 * 33 + 5, 60 if "band" not in options else 1000, 2)
    expected = sh.dtw(x, y, **options)
    with on_cuda():
        assert_same(sh.dtw(x, y, **options), expected)
        assert_same(sh.dtw(x, y, memory_budget=100_000, **options), expected)


@needs_device
def test_ties_and_forbidden_cells() -> None:
    rng = np.random.default_rng(2)
    cost = torch.from_numpy(rng.integers(-1, 3, (5, 65, 70))).float()
    cost[torch.from_numpy(rng.random(cost.shape) < 0.2)] = INF
    cost[4] = INF
    for options in OPTIONS:
        expected = sh.dtw_from_cost(cost, **options)
        with on_cuda():
            assert_same(sh.dtw_from_cost(cost, **options), expected)


@needs_device
def test_a_pair_with_a_bad_cost_is_marked_and_the_others_are_as_ever() -> None:
    cost = torch.rand(3, 40, 50)
    expected = sh.dtw_from_cost(cost)
    cost[1, 7, 9] = NAN
    cost[1, 8, 0] = -INF
    seen = []
    with on_cuda(), pytest.MonkeyPatch.context() as patch:
        warp = warping.warp_on_cpu
        patch.setattr(warping, "warp_on_cpu", lambda *given: seen.append(warp(*given)) or seen[0])
        with pytest.raises(ValueError, match=r"got NaN or -inf in sequence 1 at \(7, 9\)"):
            sh.dtw_from_cost(cost)
    assert seen[0].invalid.tolist() == [-1, 7 * 50 + 9, -1]
    assert seen[0].sizes[1] == 0
    assert seen[0].distance.isnan().tolist() == [False, True, False]
    assert torch.equal(seen[0].distance[::2], expected.distance[::2])


@needs_host
@pytest.mark.parametrize("multiprocessors", [1, 100])
@pytest.mark.parametrize("name", ["REVERSE", "RANDOM"])
def test_the_order_of_threads_changes_nothing(name: str, multiprocessors: int) -> None:
    x, y = features(3, 3, 32 * 10, 70, 3)
    for options in OPTIONS[:3]:
        expected = sh.dtw(x, y, **options)
        for seed in range(2):
            with card(multiprocessors=multiprocessors), order(name, seed), on_cuda():
                assert_same(sh.dtw(x, y, **options), expected)


def test_features_and_costs_on_other_devices_are_refused() -> None:
    x = torch.zeros(3, 2)
    with pytest.raises(ValueError, match="cost must be on the CPU or a CUDA device, got meta"):
        sh.dtw_from_cost(x.to("meta"))
    with pytest.raises(ValueError, match="reference must be on the CPU, got meta"):
        sh.OnlineDTW(x.to("meta"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_tensors_on_a_gpu(options: dict[str, Any]) -> None:
    x, y = features(4, 40, 300, 200, 13)
    lengths = {"x_lengths": [300] * 39 + [0], "y_lengths": torch.tensor([200] * 38 + [7, 7])}
    expected = sh.dtw(x, y, **lengths, **options)
    found = sh.dtw(x.cuda(), y.cuda(), **lengths, **options)
    assert all(each.is_cuda for each in (*found.path, *found[1:]))
    assert_same(sh.WarpingPath([path.cpu() for path in found.path], *(each.cpu() for each in found[1:])), expected)
    with pytest.raises(ValueError, match="x and y must be on the same device, got cuda:0 and cpu"):
        sh.dtw(x.cuda(), y, **options)
    with pytest.raises(ValueError, match=r"y must be finite.*got nan in sequence 2, frame 3"):
        sh.dtw(x.cuda(), with_nan(y).cuda(), **lengths, **options)


def with_nan(frames: Tensor) -> Tensor:
    frames = frames.clone()
    frames[2, 3] = NAN
    return frames
