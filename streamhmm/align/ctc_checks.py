"""Where a text and a CTC network's answer do not belong together.

Posteriors of a network that was trained with CTC are sharp: what is there has nearly all of the probability, and what
is not next to none. So thresholds far from both ends do for any such network.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamhmm.acoustic.ctc_model import CtcModel
from streamhmm.align.checks import signal_to_noise_db
from streamhmm.align.ctc_path import TokenPath
from streamhmm.align.ctc_units import Vocabulary
from streamhmm.align.mismatch import first_named, named
from streamhmm.align.quality import Quality, clipped_share, level_db
from streamhmm.segment import Segment

LEAST_TEXT, LEAST_WORD = 0.2, 0.1
"""Texts and words whose tokens have a smaller mean posterior are reported."""
FEWEST_HEARD = 5
"""So many tokens in a row that the text does not have are reported."""


def unwritten(words: Sequence[str], characters: Sequence[str]) -> tuple[str, ...]:
    """Warnings that name words and characters that the model has no letters for."""
    return (
        *([f"the model has no letters for: {first_named(words)} (any sound is taken for them)"] if words else []),
        *([f"left out of words, the model has no letter for: {first_named(characters)}"] if characters else []),
    )


def check_ctc(
    words: Sequence[Segment], path: TokenPath, log_posteriors: Tensor, vocabulary: Vocabulary, model: CtcModel
) -> tuple[str, ...]:
    """Warnings of what in a text is not in its audio, or the other way round; (T, V) log-posteriors."""
    fit = _fit(path)
    if fit < LEAST_TEXT:
        return (
            f"the text does not seem to be what is spoken (mean posterior {fit:.0%}); "
            "check that audio and text belong together",
        )
    doubtful = [word for word in words if word.score is not None and word.score < LEAST_WORD]
    stretches = [
        f"from {first * model.frame_s:.2f} to {last * model.frame_s:.2f} s"
        for first, last in unexplained(path, log_posteriors, vocabulary)
    ]
    return (
        *([f"not in the audio, or said otherwise: {named(doubtful)}; check the text there"] if doubtful else []),
        *(
            [f"speech that the text does not explain {first_named(stretches)}; check the text there"]
            if stretches
            else []
        ),
    )


def unexplained(path: TokenPath, log_posteriors: Tensor, vocabulary: Vocabulary) -> Iterator[tuple[int, int]]:
    """Stretches (first frame, end) between tokens of the text in which the network hears many others."""
    best = log_posteriors.argmax(1)
    is_sound = torch.isin(best, torch.tensor(vocabulary.sounds))
    is_new = is_sound.clone()
    is_new[1:] &= best[1:] != best[:-1]
    told = torch.nn.functional.pad(is_new.cumsum(0), (1, 0))
    begins = torch.nn.functional.pad(path.ends, (1, 0))
    ends = torch.nn.functional.pad(path.firsts, (0, 1), value=path.frames)
    many = told[ends] - told[begins] >= FEWEST_HEARD
    for begin, end in zip(begins[many].tolist(), ends[many].tolist(), strict=True):
        places = is_sound[begin:end].nonzero()[:, 0]
        yield begin + int(places[0]), begin + int(places[-1]) + 1


def measure_ctc(path: TokenPath, samples: NDArray[np.float32], speech: Tensor) -> Quality:
    """The figures of one alignment; ``speech`` is (T,) True in words. The text's score is the mean posterior."""
    return Quality(
        log_likelihood=path.score,
        contrast=path.score - path.best,
        text_score=_fit(path),
        surprise=0.0,
        level_db=level_db(samples),
        snr_db=signal_to_noise_db(samples, speech.numpy()),
        clipped=clipped_share(samples),
    )


def _fit(path: TokenPath) -> float:
    """Mean posterior of the tokens; 1 where any sound would do."""
    mean = float(path.posteriors.nanmean())
    return 1.0 if math.isnan(mean) else mean
