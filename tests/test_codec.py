"""Codecs for training: speech is changed, and nothing in it moves."""

from __future__ import annotations

import numpy as np
import pytest

from streamhmm.acoustic.training.codec import CODECS, Codec, coded


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.encoding)
@pytest.mark.parametrize("length", [0, 1, 1600, 16001])
def test_length_is_kept(codec: Codec, length: int) -> None:
    samples = np.full(length, 0.1, dtype=np.float32)
    result = coded(samples, codec)
    assert result.shape == (length,)
    assert result.dtype == np.float32


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.encoding)
def test_nothing_moves_in_time(codec: Codec) -> None:
    """The cross-correlation with the original is largest at lag 0, and they are not the same."""
    random = np.random.default_rng(1)
    smooth = np.convolve(random.standard_normal(16000), np.hanning(16), "same")
    samples = (0.1 * smooth / smooth.std()).astype(np.float32)
    result = coded(samples, codec)
    correlation = np.fft.irfft(np.fft.rfft(samples).conj() * np.fft.rfft(result))
    assert int(np.argmax(correlation)) == 0
    assert not np.allclose(result, samples, atol=1e-4)
