"""What makes an alignment doubtful, told from the samples and from the scores."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamhmm.align.results import mean_score
from streamhmm.errors import AudioError
from streamhmm.segment import Segment

HIGHEST_PEAK = 100.0  # full scale is 1; far above it the samples are on another scale, such as ±32768
QUIET_PEAK = 0.003  # −50 dB
CLIPPED_AT = 0.99  # below full scale, because resampling and mixing move clipped samples a little
CLIPPED_SHARE = 0.002


def check_level(samples: NDArray[np.float32], name: str) -> tuple[str, ...]:
    """Warnings about the level of (n,) samples, full scale ±1.

    Raises:
        AudioError: there is no sound, or the samples can't be on that scale. ``name`` is the recording's.
    """
    peak = max(float(samples.max()), -float(samples.min()))
    if peak == 0.0:
        raise AudioError(f"{name}: there is no sound in it, every sample is zero; check the recording and its channels")
    if peak > HIGHEST_PEAK:
        raise AudioError(f"{name}: the samples reach {peak:.6g} where full scale is 1; divide them by their full scale")
    if peak < QUIET_PEAK:
        return (f"the recording is very quiet (peak {20 * math.log10(peak):.0f} dB); record it again, or amplify it",)
    clipped = np.count_nonzero(samples >= CLIPPED_AT) + np.count_nonzero(samples <= -CLIPPED_AT)
    if clipped > CLIPPED_SHARE * len(samples):
        share = clipped / len(samples)
        return (f"{share:.1%} of the samples are clipped; times may be less exact, record it again at a lower level",)
    return ()


def check_fit(phones: Sequence[Segment], labels: int) -> tuple[str, ...]:
    """A warning if the phones score no better than guessing one of ``labels`` would."""
    score = mean_score(phones)
    if score > 1 / labels:
        return ()
    return (f"the text fits the audio no better than chance (mean score {score:.3f}); check that they belong together",)
