"""How far one network's log-posteriors are from another's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.acoustic.backends import Backend

LIKELY = 0.01
"""Log-posteriors of labels that are less probable say nothing of boundaries, and are not compared one by one."""


class Agreement(NamedTuple):
    """Of a network with a reference, over all frames.

    Attributes:
        divergence: mean Kullback–Leibler divergence from the reference, nats a frame.
        mean, largest: absolute difference of log-posteriors where the reference's posterior is 1 % or more, nats.
        same_label: share of frames with the same most likely label.
        frames: how many.
    """

    divergence: float
    mean: float
    largest: float
    same_label: float
    frames: int


def agreement(reference: Backend, other: Backend, features: Sequence[Tensor]) -> Agreement:
    """Compare on utterances (T, 80), at least one of them with a frame."""
    return agreement_of(whole_log_posteriors(reference, features), whole_log_posteriors(other, features))


def agreement_of(expected: Tensor, found: Tensor) -> Agreement:
    """Compare (T, V) log-posteriors, the reference's first."""
    difference = (expected - found).abs()[expected.exp() >= LIKELY]
    divergence = (expected.exp() * (expected - found)).sum(1).mean()
    same = (expected.argmax(1) == found.argmax(1)).double().mean()
    return Agreement(float(divergence), float(difference.mean()), float(difference.max()), float(same), len(expected))


@torch.inference_mode()
def whole_log_posteriors(backend: Backend, features: Sequence[Tensor]) -> Tensor:
    """(T, V) log-posteriors of utterances (T, 80), one after the other."""
    parts: list[Tensor] = []
    for utterance in features:
        posteriors, cache = backend.log_posteriors(utterance[None].to(backend.device), None)
        parts += [posteriors[0].cpu(), backend.finish(cache)[0].cpu()]
    return torch.cat(parts)
