"""Harder recordings for the accuracy bench: they are what they say, and nothing in them moves."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

BENCH = Path(__file__).resolve().parents[1] / "bench"
sys.path.insert(0, str(BENCH))

import conditions  # noqa: E402
import spread  # noqa: E402

RATE = conditions.RATE


def vowel(formant_hz: float, seconds: float = 0.5, pitch_hz: float = 125.0) -> np.ndarray:
    """Harmonics of a pitch, loudest at one formant."""
    time = np.arange(round(seconds * RATE)) / RATE
    harmonics = np.arange(1, 60) * pitch_hz
    levels = np.exp(-(((harmonics - formant_hz) / 500) ** 2)) + 0.03
    return 0.05 * sum(level * np.sin(2 * np.pi * hz * time) for hz, level in zip(harmonics, levels, strict=True))


def strongest_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / RATE)[spectrum.argmax()])


def test_formants_rise_and_pitch_and_length_stay() -> None:
    changed = conditions.with_formants(vowel(1600), 1.25)
    assert len(changed) == len(vowel(1600))
    assert strongest_hz(changed) == pytest.approx(2000, abs=130)
    assert strongest_hz(changed) / 125 == pytest.approx(round(strongest_hz(changed) / 125), abs=0.04)


def test_factor_one_changes_nothing() -> None:
    samples = vowel(1000)
    np.testing.assert_allclose(conditions.with_formants(samples, 1.0), samples, atol=1e-4)


def test_formants_move_nothing_in_time() -> None:
    samples = np.concatenate([np.zeros(4000), vowel(1200, 0.3), np.zeros(3000)])
    loud = np.abs(conditions.with_formants(samples, 1.25)) > 0.01
    assert abs(int(np.flatnonzero(loud)[0]) - 4000) < 160
    assert abs(int(np.flatnonzero(loud)[-1]) - (4000 + 4800)) < 160


def test_babble_has_the_distance_that_it_says(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    crowd = [tmp_path / f"{index}.wav" for index in range(conditions.VOICES)]
    for path in crowd:
        soundfile.write(path, chance.uniform(-0.3, 0.3, chance.integers(2000, 9000)), RATE)
    samples = vowel(900)
    noise = conditions.with_babble(samples, crowd, 10.0, seed=3) - samples
    assert 10 * np.log10(np.mean(samples**2) / np.mean(noise**2)) == pytest.approx(10.0, abs=1e-6)
    again = conditions.with_babble(samples, crowd, 10.0, seed=3) - samples
    np.testing.assert_array_equal(noise, again)


@pytest.mark.parametrize("condition", conditions.CONDITIONS)
def test_a_recording_keeps_its_length_under_every_condition(tmp_path: Path, condition: str) -> None:
    paths = [tmp_path / f"{index}.wav" for index in range(conditions.VOICES)]
    for path in paths:
        soundfile.write(path, vowel(700), RATE)
    samples, rate = conditions.load(paths[0], condition, paths)
    assert (samples.shape, samples.dtype, rate) == ((8000,), np.dtype(np.float32), RATE)
    np.testing.assert_allclose(conditions.load(paths[0], "clean", ())[0], soundfile.read(paths[0], dtype="float32")[0])


def test_spread_is_checked_by_rank_and_by_coverage() -> None:
    check = spread.check_spread([(1.0, -0.5), (2.0, 3.0), (3.0, -5.0), (4.0, 9.0)])
    assert (check.boundaries, check.within_one, check.within_two) == (4, 25.0, 75.0)
    assert check.correlation == pytest.approx(1.0)
    nothing = spread.check_spread([])
    assert nothing.boundaries == 0
    assert nothing.correlation != nothing.correlation
