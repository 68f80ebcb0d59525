"""Mel-cepstral distortion against its formula, every warping path, and what peers compute of the same numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from streamhmm.metrics import mel_cepstral_distortion

DECIBELS = 6.141851463713754  # 10 √2 / ln 10, as pymcd prints it


def waves(frames: int, phase: float) -> np.ndarray:
    """(frames, 6) numbers that anybody can make again."""
    t, k = np.arange(frames)[:, None], np.arange(6)[None]
    return np.sin(0.37 * (t + phase) * (1 + 0.13 * k) + k) / (1 + k)


def noise(frames: int, seed: int, columns: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, columns))


@pytest.mark.parametrize("options", [{}, {"warp": False}, {"with_c0": True}, {"step": "symmetric2"}, {"radius": 3}])
@pytest.mark.parametrize("frames", [1, 2, 200])
def test_equal_input_gives_exactly_zero(frames: int, options: dict[str, Any]) -> None:
    cepstra = noise(frames, frames, 25)
    found = mel_cepstral_distortion(cepstra, cepstra.copy(), **options)
    assert (found.value_db, found.pairs) == (0.0, frames)
    assert found.path.tolist() == [[frame, frame] for frame in range(frames)]


def test_by_hand() -> None:
    # Distances without c0: √(3² + 4²) = 5 and √(1² + 0²) = 1; their mean is 3. With c0: √(5² + 12²) = 13 and 1.
    ours, theirs = [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]], [[12.0, 3.0, 4.0], [1.0, 0.0, 0.0]]
    assert mel_cepstral_distortion(ours, theirs, warp=False).value_db == pytest.approx(3 * DECIBELS, rel=1e-14)
    assert mel_cepstral_distortion(ours, theirs, warp=False, with_c0=True).value_db == pytest.approx(7 * DECIBELS)


def test_arrays_may_run_backwards() -> None:
    ours, theirs = noise(6, 0), noise(6, 1)
    assert mel_cepstral_distortion(ours[::-1], theirs[::-1], warp=False).value_db == pytest.approx(
        mel_cepstral_distortion(ours, theirs, warp=False).value_db
    )


def test_the_factor_makes_decibels() -> None:
    # A cosine in the log spectrum: its root mean square in dB is what the distortion says (Parseval).
    omega = (np.arange(1000) + 0.5) * np.pi / 1000
    of_amplitude = 2 * 0.3 * np.cos(3 * omega) / 2  # log |H| = Σ c cos
    decibels = 20 * of_amplitude / math.log(10)
    cepstra = np.array([[0.0, 0.0, 0.0, 0.3]])
    found = mel_cepstral_distortion(cepstra, 0 * cepstra, warp=False)
    assert found.value_db == pytest.approx(np.sqrt((decibels**2).mean()))


def test_what_peers_say_of_the_same_numbers() -> None:
    # pymcd 0.2.1, Calculate_MCD.calculate_mcd_distance(x[:33, 1:], y[:, 1:], straight path or fastdtw.dtw's), times
    # its constant over the frames; mel-cepstral-distance 0.0.4, compare_mfccs(x.T, y.T, s=1, D=6), times DECIBELS.
    x, y = waves(40, 0.0), waves(33, 2.3)
    straight = mel_cepstral_distortion(x[:33], y, warp=False)
    assert straight.value_db == pytest.approx(3.0604667189181356, rel=1e-12)
    assert mel_cepstral_distortion(x[:33], y, warp=False, with_c0=True).value_db == pytest.approx(4.615063467249763)
    warped = mel_cepstral_distortion(x, y)
    assert (warped.value_db, warped.pairs) == (pytest.approx(0.9651044117682815, rel=1e-12), 40)
    assert warped.value_db == pytest.approx(0.15713574603198205 * DECIBELS, rel=1e-12)


def paths(rows: int, columns: int) -> Iterator[list[tuple[int, int]]]:
    """Every warping path from the first cell to the last."""
    if rows == columns == 1:
        yield [(0, 0)]
    for down, right in ((1, 1), (1, 0), (0, 1)):
        if rows > down and columns > right:
            yield from ([*path, (rows - 1, columns - 1)] for path in paths(rows - down, columns - right))


@pytest.mark.parametrize("step", ["symmetric1", "symmetric2"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (3, 2), (4, 5), (5, 4)])
def test_the_path_is_the_cheapest_of_all(shape: tuple[int, int], step: str) -> None:
    for seed in range(5):
        ours, theirs = noise(shape[0], seed), noise(shape[1], seed + 100)
        costs = np.sqrt(((ours[:, None, 1:] - theirs[None, :, 1:]) ** 2).sum(-1))

        def total(path: list[tuple[int, int]], costs: np.ndarray = costs) -> float:
            moves = itertools.pairwise(path)
            diagonal = [1.0, *(sum(b) - sum(a) if step == "symmetric2" else 1.0 for a, b in moves)]
            return sum(weight * float(costs[cell]) for weight, cell in zip(diagonal, path, strict=True))

        best = min(paths(*shape), key=total)
        found = mel_cepstral_distortion(ours, theirs, step=step)
        assert found.path.tolist() == [list(cell) for cell in best]
        assert found.value_db == pytest.approx(DECIBELS * np.mean([costs[cell] for cell in best]))


@pytest.mark.parametrize("options", [{"warp": False, "cut": True}, {}, {"step": "symmetric2"}, {"radius": 8}])
def test_sides_can_be_exchanged(options: dict[str, Any]) -> None:
    ours, theirs = noise(30, 1), noise(37, 2)
    one, other = mel_cepstral_distortion(ours, theirs, **options), mel_cepstral_distortion(theirs, ours, **options)
    assert one.value_db == pytest.approx(other.value_db)
    assert one.path.tolist() == other.path.flip(1).tolist()


def test_warping_follows_another_tempo() -> None:
    ours = noise(20, 3)
    slow = np.repeat(ours, 2, axis=0)
    assert mel_cepstral_distortion(ours, slow).value_db == 0.0
    assert mel_cepstral_distortion(ours, slow, warp=False, cut=True).value_db > 1.0


def test_c0_is_left_out_of_the_warping_too() -> None:
    ours, theirs = noise(12, 4), noise(15, 5)
    louder = theirs + np.array([100.0, 0.0, 0.0, 0.0])
    assert mel_cepstral_distortion(ours, louder) == mel_cepstral_distortion(ours, theirs)
    bare = mel_cepstral_distortion(ours[:, 1:], theirs[:, 1:], with_c0=True)
    assert bare.value_db == mel_cepstral_distortion(ours, theirs).value_db


def test_the_result_says_how_it_was_measured() -> None:
    found = mel_cepstral_distortion(noise(9, 1, 25), noise(7, 2, 25), step="symmetric2", radius=4)
    assert (found.reference_frames, found.hypothesis_frames, found.coefficients) == (9, 7, 24)
    assert (found.is_warped, found.step, found.radius, found.with_c0) == (True, "symmetric2", 4, False)
    assert found.pairs == len(found.path)
    cut = mel_cepstral_distortion(noise(9, 1), noise(7, 2), warp=False, cut=True, with_c0=True)
    assert (cut.is_warped, cut.step, cut.radius, cut.with_c0) == (False, None, None, True)
    assert (cut.reference_frames, cut.hypothesis_frames, cut.pairs, cut.coefficients) == (9, 7, 7, 4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_tensors_with_gradients_and_of_any_precision(dtype: torch.dtype) -> None:
    ours, theirs = (torch.from_numpy(noise(11, seed)).to(dtype).requires_grad_() for seed in (1, 2))
    expected = mel_cepstral_distortion(ours.detach().double().numpy(), theirs.detach().double().numpy())
    assert mel_cepstral_distortion(ours, theirs).value_db == expected.value_db


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_on_cuda() -> None:
    ours, theirs = torch.from_numpy(noise(11, 1)), torch.from_numpy(noise(13, 2))
    found = mel_cepstral_distortion(ours.cuda(), theirs.cuda())
    assert found.path.is_cuda
    assert found.value_db == pytest.approx(mel_cepstral_distortion(ours, theirs).value_db)


@pytest.mark.parametrize("options", [{}, {"warp": False, "cut": True}])
def test_without_frames_nothing_is_known(options: dict[str, Any]) -> None:
    found = mel_cepstral_distortion(np.zeros((0, 3)), noise(4, 1, 3), **options)
    assert math.isnan(found.value_db)
    assert (found.pairs, found.reference_frames, found.hypothesis_frames) == (0, 0, 4)
    assert tuple(found.path.shape) == (0, 2)


BROKEN = noise(5, 1)
BROKEN[3, 2] = math.nan
WRONG: dict[str, tuple[Any, Any, dict[str, Any], type[Exception], str]] = {
    "lengths": (
        noise(5, 1),
        noise(4, 1),
        {"warp": False},
        ValueError,
        r"must have equally many frames, got 5 and 4; warp them, or cut off what one is longer by",
    ),
    "orders": (noise(5, 1), noise(5, 1, 3), {}, ValueError, r"equally many coefficients, got 4 and 3"),
    "NaN": (noise(5, 1), BROKEN, {}, ValueError, r"hypothesis must be finite, got NaN or infinity in frame 3"),
    "a shape": (noise(5, 1)[0], noise(5, 1), {}, ValueError, r"reference must be .* got shape \(4,\)"),
    "no columns": (noise(5, 1, 0), noise(5, 1), {}, ValueError, r"K at least 1, got shape \(5, 0\)"),
    "c0 alone": (noise(5, 1, 1), noise(5, 1, 1), {}, ValueError, r"a coefficient beside c0, got 1 column"),
    "a step": (BROKEN, BROKEN, {"step": "asymmetric"}, ValueError, r"one of symmetric1, symmetric2, got 'asymmetric'"),
    "cut and warp": (BROKEN, BROKEN, {"cut": True}, ValueError, r"cut is for warp=False"),
    "radius": (BROKEN, BROKEN, {"radius": 1, "warp": False}, ValueError, r"radius is for warp=True"),
    "no numbers": (["a"], noise(5, 1), {}, TypeError, r"reference must be mel-cepstra \(T, K\), got list"),
    "booleans": (torch.ones(2, 2, dtype=torch.bool), noise(2, 1), {}, TypeError, r"real numbers, got torch.bool"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls(case: str) -> None:
    ours, theirs, options, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        mel_cepstral_distortion(ours, theirs, **options)


def test_a_band_that_no_path_fits_into() -> None:
    with pytest.raises(ValueError, match=r"no warping of 2 and 9 frames fits within a radius of 0; widen it"):
        mel_cepstral_distortion(noise(2, 1), noise(9, 2), radius=0, step="symmetric1")
