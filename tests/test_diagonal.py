"""The compiled core's diagonal Gaussians: the same numbers as the formulas written down with torch in float64."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from test_threads import instruction_set, torch_threads
from torch import Tensor

from streamhmm import _C
from streamhmm.models import diagonal
from streamhmm.models.covariance import Covariance
from streamhmm.models.moments import Moments

SIZES = [(0, 3, 4), (1, 1, 1), (7, 1, 5), (33, 4, 16), (65, 39, 17), (131, 6, 3), (64, 13, 40), (5003, 16, 16)]
SIZE_NAMES = [f"{rows}x{dims}, {gaussians} Gaussians" for rows, dims, gaussians in SIZES]
TOLERANCES = {torch.float32: 1e-4, torch.float64: 1e-12}
types = pytest.mark.parametrize("dtype", list(TOLERANCES), ids=str)
sizes = pytest.mark.parametrize("size", SIZES, ids=SIZE_NAMES)


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def numbers(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def polynomials(size: tuple[int, int, int], dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Frames, origin, constant, linear, square."""
    rows, dims, gaussians = size
    shapes = (rows, dims), (dims,), (gaussians,), (dims, gaussians), (dims, gaussians)
    return tuple(numbers(*shape, dtype=dtype, seed=seed) for seed, shape in enumerate(shapes))


def weighted(size: tuple[int, int, int], dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Frames, weights, origin."""
    rows, dims, gaussians = size
    frames, origin = numbers(rows, dims, dtype=dtype), numbers(dims, dtype=dtype, seed=1)
    return frames, numbers(rows, gaussians, dtype=dtype, seed=2).softmax(1), origin


def densities_by_torch(*tensors: Tensor) -> Tensor:
    frames, origin, constant, linear, square = (each.double() for each in tensors)
    frames = frames - origin
    return constant + frames @ linear + frames.square() @ square


def moments_by_torch(frames: Tensor, weights: Tensor, origin: Tensor) -> list[Tensor]:
    frames, weights = frames.double() - origin.double(), weights.double()
    return [weights.sum(0), weights.mT @ frames, weights.mT @ frames.square()]


def assert_close(found: Tensor, expected: Tensor, tolerance: float) -> None:
    """Relative to the largest, as sums of both signs are."""
    assert found.shape == expected.shape
    if found.numel():
        assert float((found.double() - expected).abs().max()) <= tolerance * max(1.0, float(expected.abs().max()))


@types
@sizes
@pytest.mark.parametrize("name", _C.available_isas())
def test_densities(name: str, size: tuple[int, int, int], dtype: torch.dtype) -> None:
    tensors = polynomials(size, dtype)
    with instruction_set(name):
        found = diagonal.densities(*tensors)
    assert found.dtype == dtype
    assert_close(found, densities_by_torch(*tensors), TOLERANCES[dtype])


@types
@sizes
@pytest.mark.parametrize("name", _C.available_isas())
def test_moments(name: str, size: tuple[int, int, int], dtype: torch.dtype) -> None:
    frames, weights, origin = weighted(size, dtype)
    with instruction_set(name):
        about_origin = diagonal.moments(frames, weights, origin)
        about_zero = diagonal.moments(frames, weights)
    for found, about in ((about_origin, origin), (about_zero, torch.zeros_like(origin))):
        for each, expected in zip(found, moments_by_torch(frames, weights, about), strict=True):
            assert each.dtype == torch.float64
            assert_close(each, expected, 1e-12)  # of float32, too: sums are in double precision


@types
@pytest.mark.parametrize("size", [*SIZES[-2:], (40_000, 2, 3)], ids=str)
def test_the_number_of_threads_changes_nothing(size: tuple[int, int, int], dtype: torch.dtype) -> None:
    tensors, (frames, weights, origin) = polynomials(size, dtype), weighted(size, dtype)
    results = []
    for count in (1, 2, 3):
        with torch_threads(count):
            results.append([diagonal.densities(*tensors), *diagonal.moments(frames, weights, origin)])
    for result in results[1:]:
        assert all(torch.equal(one, other) for one, other in zip(result, results[0], strict=True))


@types
def test_rows_with_gaps(dtype: torch.dtype) -> None:
    frames, *model = polynomials((70, 5, 6), dtype)
    weights = numbers(70, 6, dtype=dtype).softmax(1)
    wide, wide_weights = numbers(70, 9, dtype=dtype), numbers(70, 8, dtype=dtype)
    wide[:, 2:7], wide_weights[:, 1:7] = frames, weights
    inside, inside_weights = wide[:, 2:7], wide_weights[:, 1:7]
    assert diagonal.serves(inside, inside_weights)
    assert torch.equal(diagonal.densities(inside, *model), diagonal.densities(frames, *model))
    found, expected = diagonal.moments(inside, inside_weights), diagonal.moments(frames, weights)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("name", _C.available_isas())
def test_what_is_no_number_stays_where_it_is(name: str) -> None:
    frames, origin, constant, linear, square = polynomials((70, 5, 6), torch.float64)
    weights = numbers(70, 6).softmax(1)
    constant[4] = -torch.inf
    frames[9, 3] = torch.nan
    with instruction_set(name):
        scores = diagonal.densities(frames, origin, constant, linear, square)
        mass, total, squares = diagonal.moments(frames, weights)
    assert scores[9].isnan().tolist() == [True] * 6
    others = torch.cat((scores[:9], scores[10:]))
    assert bool((others[:, 4] == -torch.inf).all())
    assert int(others.isfinite().sum()) == 69 * 5
    assert bool(mass.isfinite().all())
    for sums in (total, squares):
        assert sums.isnan().any(0).tolist() == sums.isnan().all(0).tolist() == [False, False, False, True, False]


def test_what_the_core_does_not_serve() -> None:
    frames = numbers(4, 3)
    assert diagonal.serves(frames, frames)
    assert diagonal.serves(frames[:, :1], frames)
    assert not diagonal.serves(frames.mT, frames)
    assert not diagonal.serves(frames, frames.float())
    assert not diagonal.serves(frames.half())
    assert not diagonal.serves(frames.to("meta"))
    with torch.enable_grad():
        assert not diagonal.serves(frames)


@pytest.mark.parametrize("kind", ["diag", "spherical"])
@types
def test_torch_gives_the_same_where_the_core_does_not_serve(kind: str, dtype: torch.dtype) -> None:
    frames, means = numbers(50, 7, dtype=dtype), numbers(6, 7, dtype=dtype, seed=1)
    covariance = Covariance(kind, 6, 1, 7, dtype)
    covariance.raw.copy_(numbers(*covariance.raw.shape, dtype=dtype, seed=2))
    apart = frames.mT.contiguous().mT
    densities = covariance.densities(means)
    assert_close(densities(frames), densities(apart).double(), TOLERANCES[dtype])
    with torch.enable_grad():
        found = covariance.densities(means)(frames)
    assert found.requires_grad
    assert_close(densities(frames), found.detach().double(), TOLERANCES[dtype])
    weights = densities(frames).softmax(1)
    results = []
    for each in (frames, apart):
        moments = Moments(6, False, means[0])
        moments.add(each, weights)
        results.append((moments.mass, moments.total, moments.squares))
    for one, other in zip(*results, strict=True):
        assert one.dtype == dtype
        assert_close(one, other.double(), TOLERANCES[dtype])


def test_other_sizes_are_refused() -> None:
    frames, *model = polynomials((4, 3, 2), torch.float64)
    with pytest.raises(ValueError, match="frames must have 3 features, got 2"):
        diagonal.densities(frames[:, :2], *model)
    with pytest.raises(ValueError, match="weights must have a row for each of the 4 frames, got 3"):
        diagonal.moments(frames, numbers(3, 2))
