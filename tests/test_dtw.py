"""Dynamic time warping against the recursion written out, against enumeration, and against other packages."""

from __future__ import annotations

import doctest
import math
from types import ModuleType
from typing import Any

import dtw_oracle as oracle
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_threads import instruction_set, torch_threads
from torch import Tensor

import streamhmm as sh
from streamhmm import _C, warping, warping_online

STEPS = tuple(oracle.STEPS)
DTYPES = (torch.float32, torch.float64)
NEVER = float("inf")
BANDS: dict[str, dict[str, Any]] = {
    "all": {},
    "narrow": {"band": "sakoe_chiba", "radius": 2},
    "wide": {"band": "sakoe_chiba", "radius": 9},
    "itakura": {"band": "itakura"},
    "steep": {"band": "itakura", "slope": 3.5},
}
ENDS = [{"open_begin": begin, "open_end": end} for begin in (False, True) for end in (False, True)]
SHAPES = [(1, 1), (1, 9), (9, 1), (2, 3), (31, 40), (32, 32), (33, 20), (64, 70), (65, 97), (100, 64), (20, 150)]


def assert_same(result: sh.WarpingPath, expected: oracle.Expected) -> None:
    assert result.path.tolist() == expected.path
    assert result.distance.item() == expected.distance
    np.testing.assert_equal(result.normalized_distance.item(), expected.normalized)


def random_costs(rng: np.random.Generator, rows: int, columns: int, kind: str) -> Tensor:
    """ "ties": small integers; "holes": some forbidden; "signed": of both signs; "real": no two alike."""
    if kind == "real":
        return torch.from_numpy(rng.gamma(2, 3, (rows, columns)).astype(np.float32)).double()
    low = -3 if kind == "signed" else 0
    cost = torch.from_numpy(rng.integers(low, 4, (rows, columns))).double()
    return cost.masked_fill(torch.from_numpy(rng.random((rows, columns)) < 0.15), NEVER) if kind == "holes" else cost


# ---- exactness


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("step", STEPS)
def test_equals_the_recursion(step: str, band: str) -> None:
    rng = np.random.default_rng(1)
    for rows, columns in SHAPES:
        for kind in ("ties", "holes", "signed", "real"):
            ends = ENDS[rng.integers(len(ENDS))]
            cost = random_costs(rng, rows, columns, kind)
            expected = oracle.dtw(cost, step, **ends, **BANDS[band])
            for isa in _C.available_isas():
                for dtype in DTYPES:
                    with instruction_set(isa):
                        result = sh.dtw_from_cost(cost.to(dtype), step=step, **ends, **BANDS[band])
                    assert_same(result, expected)


@pytest.mark.parametrize("ends", ENDS, ids=str)
@pytest.mark.parametrize("step", STEPS)
def test_every_open_end(step: str, ends: dict[str, bool]) -> None:
    rng = np.random.default_rng(2)
    for rows, columns in SHAPES:
        for kind in ("ties", "signed"):
            cost = random_costs(rng, rows, columns, kind)
            assert_same(sh.dtw_from_cost(cost, step=step, **ends), oracle.dtw(cost, step, **ends))


@given(
    st.integers(1, 5),
    st.integers(1, 5),
    st.sampled_from(STEPS),
    st.booleans(),
    st.booleans(),
    st.sampled_from([{}, {"band": "sakoe_chiba", "radius": 1}, {"band": "itakura"}]),
    st.data(),
)
def test_no_path_is_cheaper(
    rows: int, columns: int, step: str, open_begin: bool, open_end: bool, band: dict[str, Any], data: st.DataObject
) -> None:
    values = st.one_of(st.integers(-2, 3).map(float), st.just(NEVER))
    cost = torch.tensor(data.draw(st.lists(values, min_size=rows * columns, max_size=rows * columns)))
    cost = cost.reshape(rows, columns)
    result = sh.dtw_from_cost(cost, step=step, open_begin=open_begin, open_end=open_end, **band)
    best: dict[int, float] = {}
    for path in oracle.paths(rows, columns, step, open_begin, open_end, **band):
        best[path[-1][1]] = min(best.get(path[-1][1], NEVER), oracle.cost_along(cost, path, step))
    by_frames = step == "symmetric2" and not open_begin
    ranks = {j: total / (rows + j + 1) if by_frames else total for j, total in best.items()}
    if min(ranks.values(), default=NEVER) == NEVER:
        assert (result.path.tolist(), result.distance.item()) == ([], NEVER)
        return
    end = min(ranks, key=lambda j: (ranks[j], j))
    found = [tuple(cell) for cell in result.path.tolist()]
    assert found in list(oracle.paths(rows, columns, step, open_begin, open_end, **band))
    assert found[-1][1] == end
    assert result.distance.item() == best[end] == oracle.cost_along(cost, found, step)


@pytest.mark.parametrize("isa", _C.available_isas())
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, *DTYPES], ids=str)
@pytest.mark.parametrize("metric", list(oracle.METRICS))
def test_features_equal_their_costs(metric: str, dtype: torch.dtype, isa: str) -> None:
    rng = np.random.default_rng(3)
    for dims in (1, 2, 13, 40):
        for rows, columns in ((1, 1), (7, 50), (70, 33), (100, 129)):
            x, y = (torch.from_numpy(rng.normal(size=(size, dims))).to(dtype) for size in (rows, columns))
            x[rows // 2] = 0
            y[0] = x[0]
            costs = oracle.distances(x, y, metric)
            for options in ({}, {"step": "asymmetric", "open_end": True, "band": "sakoe_chiba", "radius": 5}):
                expected = sh.dtw_from_cost(costs, **options)
                with instruction_set(isa):
                    result = sh.dtw(x, y, metric=metric, **options)
                assert torch.equal(result.path, expected.path)
                assert result.distance.item() == expected.distance.item()


def test_features_of_two_kinds_are_computed_in_the_finer() -> None:
    x, y = torch.randn(20, 3), torch.randn(30, 3, dtype=torch.float64)
    expected = sh.dtw_from_cost(oracle.distances(x, y, "euclidean"))
    assert sh.dtw(x, y).distance.item() == expected.distance.item()


def test_sums_run_in_double() -> None:
    cost = torch.full((40_000, 3), 0.1)
    expected = sum([float(cost[0, 0])] * 40_000)
    assert sh.dtw_from_cost(cost, step="asymmetric", open_end=True).distance.item() == expected


def test_what_is_alike_costs_nothing() -> None:
    x = torch.randn(50, 5)
    slow = x.repeat_interleave(3, 0)
    for metric in oracle.METRICS:
        warping = sh.dtw(x, slow, metric=metric)
        assert warping.path.tolist() == [[i // 3, i] for i in range(150)] or metric == "cosine"
        assert warping.distance.item() < 1e-4
    assert sh.dtw(x, slow).distance.item() == 0


def test_a_part_is_found_in_the_whole() -> None:
    whole = torch.randn(500, 8)
    found = sh.dtw(whole[123:200], whole, step="asymmetric", open_begin=True, open_end=True)
    assert found.path.tolist() == [[i, 123 + i] for i in range(77)]
    assert found.normalized_distance.item() == 0


# ---- ties, bands, places where nothing fits


def test_ties() -> None:
    flat = torch.zeros(3, 4)
    assert sh.dtw_from_cost(flat).path.tolist() == [[0, 0], [0, 1], [1, 2], [2, 3]]
    assert sh.dtw_from_cost(flat.T).path.tolist() == [[0, 0], [1, 0], [2, 1], [3, 2]]
    assert sh.dtw_from_cost(flat, open_begin=True).path.tolist() == [[0, 1], [1, 2], [2, 3]]
    assert sh.dtw_from_cost(flat, open_end=True).path.tolist() == [[0, 0], [1, 0], [2, 0]]
    asymmetric = sh.dtw_from_cost(flat, step="asymmetric")
    assert asymmetric.path.tolist() == [[0, 0], [1, 2], [2, 3]]


def test_the_band_of_sakoe_and_chiba_is_slanted() -> None:
    only = sh.dtw_from_cost(torch.ones(50, 50), band="sakoe_chiba", radius=0)
    assert only.path.tolist() == [[i, i] for i in range(50)]
    cost = torch.ones(20, 200)
    cost[0] = 0  # so that a path would like to stay here
    for matrix in (cost, cost.T):
        path = sh.dtw_from_cost(matrix, band="sakoe_chiba", radius=1).path
        rows, columns = matrix.shape
        off = (path[:, 0] * (columns - 1) - path[:, 1] * (rows - 1)).abs() / 199
        assert 0.9 < off.max() <= 1
    wide = sh.dtw_from_cost(cost, band="sakoe_chiba", radius=10**15)
    assert wide.path.tolist() == sh.dtw_from_cost(cost).path.tolist()


@pytest.mark.parametrize(
    ("rows", "columns", "options"),
    [
        (5, 10, {"step": "asymmetric"}),
        (5, 10, {"band": "itakura"}),
        (10, 5, {"band": "itakura"}),
        (3, 40, {"band": "sakoe_chiba", "radius": 0}),
        (0, 5, {}),
        (5, 0, {}),
        (0, 0, {"open_begin": True, "open_end": True}),
    ],
)
def test_no_path(rows: int, columns: int, options: dict[str, Any]) -> None:
    for step in (options.pop("step"),) if "step" in options else STEPS:
        for result in (
            sh.dtw_from_cost(torch.zeros(rows, columns), step=step, **options),
            sh.dtw(torch.zeros(rows, 2), torch.zeros(columns, 2), step=step, **options),
        ):
            assert result.path.shape == (0, 2)
            assert result.distance.item() == NEVER
            np.testing.assert_equal(result.normalized_distance.item(), math.nan if step == "symmetric1" else NEVER)


def test_forbidden_cells_are_gone_around() -> None:
    cost = torch.zeros(3, 3)
    cost[1, 1] = NEVER
    assert sh.dtw_from_cost(cost).path.tolist() == [[0, 0], [1, 0], [2, 1], [2, 2]]
    cost[1] = NEVER
    assert sh.dtw_from_cost(cost).path.tolist() == []


# ---- batches, memory, layout, threads


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("band", ["all", "wide", "itakura"])
def test_batches_equal_singles(step: str, band: str) -> None:
    rng = np.random.default_rng(4)
    x, y = (torch.from_numpy(rng.normal(size=(6, size, 4)).astype(np.float32)) for size in (70, 90))
    x_lengths, y_lengths = [70, 33, 1, 0, 50, 64], [90, 40, 5, 3, 0, 64]
    costs = torch.stack([oracle.distances(a, b, "euclidean") for a, b in zip(x, y, strict=True)])
    for b, (n, m) in enumerate(zip(x_lengths, y_lengths, strict=True)):
        x[b, n:] = costs[b, n:] = math.nan  # beyond the lengths, where nobody looks
        y[b, m:] = costs[b, :, m:] = math.nan
    options = {"step": step, "x_lengths": x_lengths, "y_lengths": torch.tensor(y_lengths), **BANDS[band]}
    batches = sh.dtw(x, y, **options), sh.dtw_from_cost(costs, **options)
    for b, (n, m) in enumerate(zip(x_lengths, y_lengths, strict=True)):
        single = sh.dtw(x[b, :n], y[b, :m], step=step, **BANDS[band])
        for batch in batches:
            assert torch.equal(batch.path[b], single.path)
            assert batch.distance[b] == single.distance
            np.testing.assert_equal(batch.normalized_distance[b].item(), single.normalized_distance.item())


def test_an_empty_batch() -> None:
    for result in (sh.dtw(torch.zeros(0, 5, 2), torch.zeros(0, 4, 2)), sh.dtw_from_cost(torch.zeros(0, 5, 4))):
        assert result.path == []
        assert result.distance.shape == result.normalized_distance.shape == (0,)


def test_lengths_of_a_single_pair() -> None:
    x, y = torch.randn(20, 3), torch.randn(30, 3)
    expected = sh.dtw(x[:15], y[:18])
    for lengths in (15, [15], torch.tensor([15])):
        assert torch.equal(sh.dtw(x, y, x_lengths=lengths, y_lengths=18).path, expected.path)


@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("step", STEPS)
def test_a_small_memory_budget_changes_nothing(step: str, band: str) -> None:
    rng = np.random.default_rng(5)
    for kind in ("ties", "real", "signed"):
        for ends in ENDS:
            cost = random_costs(rng, 500, 400, kind)
            options = {"step": step, **ends, **BANDS[band]}
            expected = sh.dtw_from_cost(cost, **options)
            for budget in (1, 10_000, 30_000, 60_000):
                result = sh.dtw_from_cost(cost, memory_budget=budget, **options)
                assert torch.equal(result.path, expected.path)
                assert result.distance == expected.distance
    x, y = torch.randn(500, 3), torch.randn(400, 3)
    assert torch.equal(sh.dtw(x, y, memory_budget=20_000).path, sh.dtw(x, y).path)


def test_strides() -> None:
    x, y = torch.randn(2, 40, 6), torch.randn(2, 50, 4)
    expected = sh.dtw(x[:, ::2, ::3].contiguous(), y.flip(1)[..., 1:3].contiguous())
    reversed_array = np.ascontiguousarray(y.numpy()[:, ::-1])[..., 1:3]
    for other in (y.flip(1)[..., 1:3], torch.from_numpy(reversed_array), y.flip(1).mT.contiguous().mT[..., 1:3]):
        result = sh.dtw(x[:, ::2, ::3], other)
        assert [path.tolist() for path in result.path] == [path.tolist() for path in expected.path]
    cost = torch.randn(60, 80)
    for view in (cost.T, cost[::2], cost[:, ::3], cost[1:, 5:], cost[0].expand(10, 80)):
        assert sh.dtw_from_cost(view).path.tolist() == sh.dtw_from_cost(view.clone().contiguous()).path.tolist()


def test_threads_change_nothing() -> None:
    x, y = torch.randn(9, 100, 5), torch.randn(9, 120, 5)
    results = []
    for count in (1, 2, 5):
        with torch_threads(count):
            results.append(sh.dtw(x, y))
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result.path, results[0].path, strict=True))
        assert torch.equal(result.distance, results[0].distance)


def test_gradients_stop_here() -> None:
    x = torch.randn(5, 2, requires_grad=True)
    assert not sh.dtw(x, x).distance.requires_grad


@pytest.mark.parametrize("module", [warping, warping_online], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0 < doctest.testmod(module).attempted


# ---- other packages


def test_dtaidistance_finds_the_same_distance() -> None:
    peer = pytest.importorskip("dtaidistance.dtw_ndim", reason="needs dtaidistance 2.5")
    rng = np.random.default_rng(7)
    for rows, columns in ((10, 10), (80, 100), (120, 70)):
        x, y = rng.normal(size=(rows, 4)), rng.normal(size=(columns, 4))
        ours = sh.dtw(torch.from_numpy(x), torch.from_numpy(y), metric="sqeuclidean", step="symmetric1")
        assert math.sqrt(ours.distance.item()) == pytest.approx(peer.distance(x, y))
        assert ours.path.tolist() == [list(cell) for cell in peer.warping_path(x, y)]


@pytest.mark.parametrize(
    ("step", "ends"),
    [("symmetric1", ENDS[0]), *(("symmetric2", ends) for ends in ENDS[:2]), *(("asymmetric", ends) for ends in ENDS)],
)
def test_giorginos_package_finds_the_same_path(step: str, ends: dict[str, bool]) -> None:
    peer = pytest.importorskip("dtw", reason="needs dtw-python 1.5")
    rng = np.random.default_rng(8)
    for kind in ("ties", "real"):
        cost = random_costs(rng, 60, 70, kind)
        theirs = peer.dtw(cost.numpy(), step_pattern=step, **ends)
        ours = sh.dtw_from_cost(cost, step=step, **ends)
        assert ours.path.tolist() == np.stack([theirs.index1, theirs.index2], 1).tolist()
        assert ours.distance.item() == pytest.approx(theirs.distance)
