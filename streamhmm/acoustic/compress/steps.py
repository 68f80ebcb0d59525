"""What the network's step gets in use, for calibration: real frames, with states before any and in mid-utterance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from streamhmm.acoustic.features import N_MELS, SILENCE
from streamhmm.acoustic.network import FUTURE_FRAMES, PAST_FRAMES, AcousticNetwork, initial_cache

BATCH, STEPS = 8, 50
"""Utterances together, and steps of 20 ms in a chunk."""


@torch.inference_mode()
def calibration_steps(
    network: AcousticNetwork, features: Sequence[Tensor], batch: int = BATCH, steps: int = STEPS
) -> Iterator[tuple[Tensor, Tensor]]:
    """Frames (batch, 2 · steps + 6, 80) and states (batch, S, width) of chunk after chunk of utterances (T, 80).

    All have the same size, as histograms over them need it: utterances of similar length go together, what is behind
    their end is silence, and the last batch is filled up with utterances that were there before.
    """
    utterances = sorted(features, key=len)
    missing = -len(utterances) % batch
    utterances += [utterances[index % len(utterances)] for index in range(missing)]
    for first in range(0, len(utterances), batch):
        yield from _chunks(network, utterances[first : first + batch], steps)


def _chunks(network: AcousticNetwork, utterances: Sequence[Tensor], steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    chunks = -(-max(map(len, utterances)) // (2 * steps))
    frames = torch.full((len(utterances), 2 * steps * chunks + PAST_FRAMES + FUTURE_FRAMES, N_MELS), SILENCE)
    for row, utterance in zip(frames, utterances, strict=True):
        row[PAST_FRAMES : PAST_FRAMES + len(utterance)] = utterance
    states = initial_cache(network.config, len(utterances), frames).states
    for first in range(0, 2 * steps * chunks, 2 * steps):
        chunk = frames[:, first : first + 2 * steps + PAST_FRAMES + FUTURE_FRAMES].contiguous()
        yield chunk, states
        _, states = network.trunk(chunk, states)
