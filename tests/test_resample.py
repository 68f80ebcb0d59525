"""Streaming conversion: chunks give what the whole gives, to the sample, and times stay where they were."""

import numpy as np
import pytest
import soxr

from streamhmm.audio.resample import Resampler

RATES = [8_000, 11_025, 16_000, 22_050, 44_100, 47_999, 48_000, 96_000, 192_000]


def frames_of(rate, channels=2, seconds=1.3):
    return np.random.default_rng(0).uniform(-0.5, 0.5, (round(rate * seconds), channels)).astype(np.float32)


def resampled(frames, rate, chunk, channel=None):
    resampler = Resampler(rate, 16_000, channel)
    parts = [resampler.push(resampler.mix(frames[at : at + chunk])) for at in range(0, len(frames), chunk)]
    return np.concatenate([*parts, resampler.finish()])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_any_chunks_give_what_the_whole_gives(rate, channels):
    frames = frames_of(rate, channels)
    whole = soxr.resample(frames.mean(1, dtype=np.float32), rate, 16_000)
    assert len(whole) == round(len(frames) * 16_000 / rate)
    for chunk in (7, 160, 1_000, len(frames) - 1, len(frames), len(frames) + 1):
        found = resampled(frames, rate, chunk)
        assert (found.dtype, found.shape) == (np.float32, whole.shape)
        np.testing.assert_allclose(found, whole, atol=3e-7)


@pytest.mark.parametrize("rate", RATES)
def test_sound_stays_at_its_time(rate):
    seconds = np.arange(rate) / rate
    bump = np.exp(-(((seconds - 0.5) / 0.01) ** 2)).astype(np.float32)[:, None]
    found = resampled(bump, rate, 160)
    expected = np.exp(-(((np.arange(16_000) / 16_000 - 0.5) / 0.01) ** 2))
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_one_channel_alone():
    frames = frames_of(16_000, 3)
    for channel in (1, 2, 3):
        assert np.array_equal(resampled(frames, 16_000, 100, channel), frames[:, channel - 1])


def test_what_is_mixed_does_not_change_with_the_block_it_came_from():
    block = np.ones((4, 1), np.float32)
    mono = Resampler(16_000, 16_000).mix(block)
    block[:] = 7
    assert mono.tolist() == [1, 1, 1, 1]


def test_nothing_at_all():
    for rate in RATES:
        resampler = Resampler(rate, 16_000)
        assert len(resampler.push(np.zeros(0, np.float32))) == len(resampler.finish()) == 0


@pytest.mark.parametrize("rate", [0, 999, 768_001])
def test_impossible_rates(rate):
    with pytest.raises(ValueError, match=f"source_rate must be 1000 to 768000 Hz, got {rate}"):
        Resampler(rate, 16_000)
    with pytest.raises(ValueError, match=f"sample_rate must be 1000 to 768000 Hz, got {rate}"):
        Resampler(16_000, rate)


def test_an_impossible_channel():
    with pytest.raises(ValueError, match=r"channel must be 1 or more \(the first channel is 1\), got 0"):
        Resampler(16_000, 16_000, 0)
