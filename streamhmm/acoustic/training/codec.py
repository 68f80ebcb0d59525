"""Speech as it comes out of telephones and lossy files."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile  # type: ignore[import-untyped]
import soxr  # type: ignore[import-untyped]

from streamhmm.acoustic.features import SAMPLE_RATE

Samples = npt.NDArray[np.float32]


class Codec(NamedTuple):
    """A format of libsndfile, its encoding, and the sample rate at which it is used."""

    container: str
    encoding: str
    sample_rate: int


CODECS = (
    Codec("WAV", "ULAW", 8000),
    Codec("WAV", "GSM610", 8000),
    Codec("OGG", "VORBIS", SAMPLE_RATE),
    Codec("MP3", "MPEG_LAYER_III", SAMPLE_RATE),
)


def coded(samples: Samples, codec: Codec) -> Samples:
    """(N,) samples at 16 kHz encoded and decoded again; nothing moves in time."""
    if len(samples) == 0:  # MP3 refuses it
        return samples
    narrow = soxr.resample(samples, SAMPLE_RATE, codec.sample_rate, quality="MQ")
    file = io.BytesIO()
    soundfile.write(file, narrow, codec.sample_rate, format=codec.container, subtype=codec.encoding)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    wide = soxr.resample(decoded, codec.sample_rate, SAMPLE_RATE, quality="MQ")
    result = np.zeros_like(samples)  # codecs that work in blocks give a little more or less
    length = min(len(samples), len(wide))
    result[:length] = wide[:length]
    return result
