"""Doubtful recordings: level, clipping, noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from streamhmm.align.checks import FEWEST_SILENT_FRAMES, check_level, check_noise, signal_to_noise_db
from streamhmm.errors import AudioError

HOP = 160


def tone(frames: int, peak: float = 0.5) -> NDArray[np.float32]:
    return (peak * np.sin(0.3 * np.arange(frames * HOP))).astype(np.float32)


def noisy_speech(snr_db: float, spoken: NDArray[np.bool_], seed: int = 0) -> NDArray[np.float32]:
    """White noise throughout and, in the spoken frames, speech of that much more power, its level unsteady."""
    rng = np.random.default_rng(seed)
    mask = np.repeat(spoken, HOP)
    speech = rng.normal(size=len(mask)) * mask * (1.0 + 0.9 * np.sin(np.arange(len(mask)) / 700))
    noise = 0.01 * rng.normal(size=len(mask))
    wanted = np.mean(noise**2) * 10 ** (snr_db / 10)
    return (noise + speech * np.sqrt(wanted / np.mean(speech[mask] ** 2))).astype(np.float32)


def every_other(frames: int, length: int = 25) -> NDArray[np.bool_]:
    """Pauses and words in turn."""
    return np.arange(frames) // length % 2 == 1


# ---- noise


@pytest.mark.parametrize("snr_db", [-5, 0, 5, 10, 15, 20, 30, 50])
@pytest.mark.parametrize("seed", range(3))
def test_the_ratio_of_a_known_mixture_is_found_within_1_db(snr_db: int, seed: int) -> None:
    spoken = every_other(800)
    found = signal_to_noise_db(noisy_speech(snr_db, spoken, seed), spoken)
    assert found == pytest.approx(snr_db, abs=1)


@pytest.mark.parametrize("missing", [0, 1, 159])
def test_the_ratio_is_that_of_the_powers_frame_by_frame(missing: int) -> None:
    spoken = every_other(100)
    samples = noisy_speech(20, spoken)[: 100 * HOP - missing]
    hop = -(-len(samples) // 100)
    whole = len(samples) // hop
    power = [np.mean(samples[f * hop : (f + 1) * hop].astype(np.float64) ** 2) for f in range(whole)]
    pauses = sorted(power[f] for f in range(whole) if not spoken[f])
    noise = pauses[len(pauses) // 2]
    speech = np.mean([power[f] for f in range(whole) if spoken[f]]) - noise
    assert signal_to_noise_db(samples, spoken) == pytest.approx(10 * np.log10(speech / noise), abs=1e-9)


def test_clicks_in_the_pauses_hardly_count() -> None:
    spoken = every_other(400)
    samples = noisy_speech(20, spoken)
    samples[:: 50 * HOP] = 0.9  # in the first frame of each pause
    assert signal_to_noise_db(samples, spoken) == pytest.approx(20, abs=1)


@pytest.mark.parametrize("missing", [0, 1, 80, 159])
@pytest.mark.parametrize("frames", [50, 400])
def test_a_recording_may_end_within_a_frame(frames: int, missing: int) -> None:
    spoken = every_other(frames)
    samples = noisy_speech(20, spoken)
    assert signal_to_noise_db(samples[: len(samples) - missing], spoken) == pytest.approx(20, abs=1)


@pytest.mark.parametrize(("pause", "told"), [(FEWEST_SILENT_FRAMES - 1, False), (FEWEST_SILENT_FRAMES, True)])
@pytest.mark.parametrize("swapped", [False, True])
def test_too_little_of_either_tells_nothing(pause: int, told: bool, swapped: bool) -> None:
    spoken = np.arange(200) >= pause
    samples = noisy_speech(0, spoken)
    if swapped:
        spoken, samples = ~spoken, noisy_speech(0, ~spoken)
    assert (signal_to_noise_db(samples, spoken) is not None) == told
    assert bool(check_noise(samples, torch.from_numpy(spoken))) == told


@pytest.mark.parametrize("digital_zero", [True, False])
def test_silence_without_noise_is_no_reason_to_warn(digital_zero: bool) -> None:
    spoken = every_other(200)
    samples = tone(200) * np.repeat(spoken, HOP)
    if not digital_zero:
        samples[:-1] += 1e-4 * (np.arange(len(samples) - 1) % 2)
    found = signal_to_noise_db(samples, spoken)
    assert found is None if digital_zero else found > 50
    assert check_noise(samples, torch.from_numpy(spoken)) == ()


@pytest.mark.parametrize("level_in_pauses", [1.0, 2.0])
def test_words_that_are_no_louder_than_the_pauses_tell_nothing_of_the_noise(level_in_pauses: float) -> None:
    spoken = every_other(200)
    samples = tone(200, 0.1) * np.where(np.repeat(spoken, HOP), 1, level_in_pauses).astype(np.float32)
    assert signal_to_noise_db(samples, spoken) is None
    assert check_noise(samples, torch.from_numpy(spoken)) == ()


@pytest.mark.parametrize(("snr_db", "flagged"), [(3, True), (8, True), (12, False), (30, False)])
def test_a_noisy_recording_is_flagged(snr_db: int, flagged: bool) -> None:
    spoken = every_other(800)
    expected = (f"the recording is noisy (speech {snr_db} dB above the noise); times may be less exact",)
    assert check_noise(noisy_speech(snr_db, spoken), torch.from_numpy(spoken)) == (expected if flagged else ())


# ---- level and clipping


@pytest.mark.parametrize(
    ("peak", "warnings"),
    [
        (0.0031, ()),
        (0.0029, ("the recording is very quiet (peak -51 dB); record it again, or amplify it",)),
        (-0.0029, ("the recording is very quiet (peak -51 dB); record it again, or amplify it",)),
        (0.98, ()),
        (100.0, ()),
    ],
)
def test_the_level_is_that_of_the_peak(peak: float, warnings: tuple[str, ...]) -> None:
    samples = np.zeros(10_000, np.float32)
    samples[5_000] = peak
    assert check_level(samples, "a.wav") == warnings


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("clipped", "flagged"), [(20, False), (21, True)])
def test_clipping_is_counted_on_both_sides(sign: int, clipped: int, flagged: bool) -> None:
    samples = tone(63)[:10_000]
    samples[: clipped // 2] = sign
    samples[clipped // 2 : clipped] = -sign
    expected = ("0.2% of the samples are clipped; times may be less exact, record it again at a lower level",)
    assert check_level(samples, "a.wav") == (expected if flagged else ())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.0, "a.wav: there is no sound in it, every sample is zero; check the recording and its channels"),
        (100.1, "a.wav: the samples reach 100.1 where full scale is 1; divide them by their full scale"),
        (-32768.0, "a.wav: the samples reach 32768 where full scale is 1; divide them by their full scale"),
    ],
)
def test_what_cannot_be_a_recording_is_refused(value: float, message: str) -> None:
    with pytest.raises(AudioError) as caught:
        check_level(np.full(100, value, np.float32), "a.wav")
    assert str(caught.value) == message
