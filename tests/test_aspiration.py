"""Aspirated stops: the labels move by what was replaced, and the rest of the audio stays as it was."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from streamhmm.acoustic.training.aspiration import FADE, LARGEST_SHARE, LENGTH_S, aspirate
from streamhmm.acoustic.training.manifest import Unit

RATE = 16000


def units_of(*units: tuple[str, float]) -> tuple[Unit, ...]:
    """Contiguous units from their labels and lengths in seconds."""
    ends = [0.0, *itertools.accumulate(length for _, length in units)]
    return tuple(
        Unit(tuple(label.split("_")), start, end)
        for (label, _), (start, end) in zip(units, itertools.pairwise(ends), strict=True)
    )


def voice(seconds: float) -> np.ndarray:
    """A buzz of 120 Hz with some noise, float32."""
    time = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20))
    noise = np.random.default_rng(0).standard_normal(len(time))
    return (0.1 * buzz + 0.001 * noise).astype(np.float32)


SPOKEN = units_of(("SIL", 0.1), ("K", 0.05), ("AA", 0.2), ("T", 0.04), ("IY_R", 0.15), ("P", 0.05), ("S", 0.1))
AUDIO = voice(0.69)


@pytest.mark.parametrize("seed", range(4))
def test_labels_move_by_what_was_replaced(seed: int) -> None:
    samples, units = aspirate(AUDIO, SPOKEN, 1.0, np.random.default_rng(seed))
    moved = np.zeros(len(AUDIO), dtype=bool)
    for stop, vowel in ((1, 2), (3, 4)):
        length = units[stop].end - SPOKEN[stop].end
        longest = min(LENGTH_S[1], LARGEST_SHARE * (SPOKEN[vowel].end - SPOKEN[vowel].start))
        assert LENGTH_S[0] - 1 / RATE <= length <= longest + 1 / RATE
        assert units[vowel].start == units[stop].end
        assert (units[stop].start, units[vowel].end) == (SPOKEN[stop].start, SPOKEN[vowel].end)
        assert units[stop].phones + units[vowel].phones == SPOKEN[stop].phones + SPOKEN[vowel].phones
        moved[round(SPOKEN[stop].end * RATE) : round(units[stop].end * RATE)] = True
    assert [units[index] for index in (0, 5, 6)] == [SPOKEN[index] for index in (0, 5, 6)]
    np.testing.assert_array_equal(samples[~moved], AUDIO[~moved])
    assert np.mean(samples[moved] != AUDIO[moved]) > 0.95


def test_aspiration_has_lost_the_voice_and_is_softer() -> None:
    samples, units = aspirate(AUDIO, SPOKEN, 1.0, np.random.default_rng(1))
    inside = slice(round(SPOKEN[1].end * RATE) + FADE, round(units[1].end * RATE) - FADE)
    before, after = AUDIO[inside], samples[inside]
    assert np.sqrt(np.mean(after**2)) < 0.7 * np.sqrt(np.mean(before**2))
    assert abs(np.corrcoef(before, after)[0, 1]) < 0.3


def test_input_is_left_alone() -> None:
    original = AUDIO.copy()
    aspirate(AUDIO, SPOKEN, 1.0, np.random.default_rng(0))
    np.testing.assert_array_equal(AUDIO, original)


def test_probability_zero_changes_nothing() -> None:
    samples, units = aspirate(AUDIO, SPOKEN, 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(samples, AUDIO)
    assert units == SPOKEN


def test_probability_is_the_share_of_stops() -> None:
    random = np.random.default_rng(0)
    changed = [aspirate(AUDIO, SPOKEN, 0.5, random)[1][1] != SPOKEN[1] for _ in range(200)]
    assert 70 < sum(changed) < 130


def test_same_seed_gives_the_same_result() -> None:
    one, same, other = (aspirate(AUDIO, SPOKEN, 0.5, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one[0], same[0])
    assert one[1] == same[1]
    assert one[1] != other[1]


@pytest.mark.parametrize(
    "units",
    [
        units_of(("K", 0.1), ("AA", 0.013)),
        units_of(("B", 0.1), ("AA", 0.2)),
        units_of(("K", 0.1), ("S", 0.2)),
        units_of(("K", 0.1), ("?", 0.2)),
        units_of(("K", 0.3)),
        (),
    ],
    ids=["short", "voiced stop", "voiceless next", "unknown next", "last", "none"],
)
def test_other_phones_are_left_alone(units: tuple[Unit, ...]) -> None:
    samples, after = aspirate(AUDIO, units, 1.0, np.random.default_rng(0))
    np.testing.assert_array_equal(samples, AUDIO)
    assert after == units


def test_audio_that_ends_early_bounds_the_aspiration() -> None:
    units = units_of(("K", 0.1), ("AA", 0.2))
    samples, after = aspirate(AUDIO[: round(0.11 * RATE)], units, 1.0, np.random.default_rng(0))
    assert len(samples) == round(0.11 * RATE)
    assert after[0].end == after[1].start == pytest.approx(0.11)


def test_silence_stays_silence() -> None:
    samples, _ = aspirate(np.zeros(len(AUDIO), dtype=np.float32), SPOKEN, 1.0, np.random.default_rng(0))
    assert float(np.abs(samples).max()) == 0.0
