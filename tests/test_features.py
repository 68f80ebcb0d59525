"""Log-mel frames: where they lie, how many, and that chunking changes nothing."""

from __future__ import annotations

import math

import pytest
import torch

from streamhmm.acoustic.features import FLOOR, HOP, LEAD, N_MELS, SILENCE, WINDOW, LogMel

FEATURES = LogMel()


def whole(samples: torch.Tensor) -> torch.Tensor:
    frames, cache = FEATURES(samples)
    return torch.cat((frames, FEATURES.finish(cache)))


def chunked(samples: torch.Tensor, size: int) -> torch.Tensor:
    cache, frames = None, []
    for chunk in samples.split(size):
        part, cache = FEATURES(chunk, cache)
        frames.append(part)
    return torch.cat((*frames, FEATURES.finish(cache)))


@pytest.mark.parametrize("n", [0, 1, 159, 160, 161, 280, 281, 4000, 16001])
def test_frame_count_is_the_samples_over_160_rounded_up(n: int) -> None:
    assert whole(torch.zeros(n)).shape == (-(-n // HOP), N_MELS)


def test_finish_without_audio_gives_no_frames() -> None:
    assert FEATURES.finish(None).shape == (0, N_MELS)


@pytest.mark.parametrize("size", [1, HOP - 1, HOP, HOP + 1, WINDOW - 1, WINDOW, WINDOW + 1, 3000])
def test_chunks_give_the_same_frames(size: int) -> None:
    samples = 0.1 * torch.randn(3000, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(chunked(samples, size), whole(samples), atol=1e-5, rtol=0)


@pytest.mark.parametrize("frame", [0, 1, 7, 19])
def test_frame_is_centred_on_its_ten_milliseconds(frame: int) -> None:
    """Energy before the window or after it leaves the frame silent; in its middle it is loudest."""
    for position, silent in (
        (frame * HOP - LEAD - 1, True),
        (frame * HOP - LEAD + WINDOW, True),
        (frame * HOP + HOP // 2, False),
    ):
        if 0 <= position < 20 * HOP:
            samples = torch.zeros(20 * HOP)
            samples[position] = 1.0
            assert bool((whole(samples)[frame] - SILENCE).abs().max() < 1e-4) == silent
    click = torch.zeros(20 * HOP)
    click[frame * HOP + HOP // 2 - 1] = 1.0
    assert int(whole(click).sum(1).argmax()) == frame


def test_frame_equals_the_formula() -> None:
    samples = 0.1 * torch.randn(2000, generator=torch.Generator().manual_seed(2))
    window = torch.hann_window(WINDOW, periodic=False, dtype=torch.float64)
    spectrum = torch.fft.rfft(samples[5 * HOP - LEAD : 5 * HOP - LEAD + WINDOW].double() * window, 512)
    expected = ((spectrum.abs() ** 2 @ FEATURES.mel.double() + FLOOR).log() + 5.0) / 4.0
    torch.testing.assert_close(whole(samples)[5].double(), expected, atol=1e-4, rtol=0)


def test_digital_silence_has_one_value() -> None:
    torch.testing.assert_close(whole(torch.zeros(1600)), torch.full((10, N_MELS), SILENCE))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (torch.zeros(2, 160), r"samples must be \(N,\) float32, got shape \(2, 160\) torch.float32"),
        (torch.zeros(160, dtype=torch.int16), r"samples must be \(N,\) float32, got shape \(160,\) torch.int16"),
    ],
)
def test_wrong_samples_are_refused(samples: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FEATURES(samples)


@pytest.mark.parametrize("warp", [0.85, 1.0, 1.25])
def test_warped_features_are_those_of_a_higher_voice(warp: float) -> None:
    """A tone's energy lies where that of a tone ``warp`` times as high lies without warping."""
    time = torch.arange(8000) / 16000
    low, high = (torch.sin(2 * math.pi * hz * time) for hz in (2000.0, 2000.0 * warp))
    warped, _ = LogMel(warp)(low)
    plain, _ = FEATURES(high)
    torch.testing.assert_close(warped.mean(0).argmax(), plain.mean(0).argmax())
