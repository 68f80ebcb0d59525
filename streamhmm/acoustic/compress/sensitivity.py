"""What pruning each layer alone does to log-posteriors and boundaries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.acoustic.backends import open_backend
from streamhmm.acoustic.backends.runtime import RuntimeSettings
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.compress.agreement import Agreement, agreement_of, whole_log_posteriors
from streamhmm.acoustic.compress.prune import layers_of, pruned_layer
from streamhmm.acoustic.labels import LABELS
from streamhmm.acoustic.training.boundaries import MIN_FRAMES, forced_starts
from streamhmm.acoustic.training.targets import FRAME_S

AMOUNTS = (0.25, 0.5, 0.75)
MOVED_S = 0.02


class Sensitivity(NamedTuple):
    """One layer pruned by ``amount``.

    Attributes:
        agreement: with the network as it was.
        moved: share of phone boundaries that move by more than 20 ms, on the phones that the network itself recognises.
    """

    layer: str
    amount: float
    agreement: Agreement
    moved: float


def sensitivity(
    checkpoint: Checkpoint,
    features: Sequence[Tensor],
    method: str,
    amounts: Sequence[float] = AMOUNTS,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Sensitivity]:
    """Each layer (``layers_of``) at each amount, measured on utterances (T, 80)."""
    expected = _posteriors(checkpoint, features)
    phones = [recognised(posteriors) for posteriors in expected]
    before = _starts(expected, phones)
    cases = [(layer, amount) for layer in layers_of(checkpoint.network, method) for amount in amounts]
    results = []
    for done, (layer, amount) in enumerate(cases):
        on_progress(done, len(cases))
        network = pruned_layer(checkpoint.network, method, layer, amount)
        found = _posteriors(replace(checkpoint, network=network), features)
        shifts = (_starts(found, phones) - before).abs() * FRAME_S
        moved = float((shifts > MOVED_S).double().mean()) if len(shifts) else 0.0
        results.append(Sensitivity(layer, amount, agreement_of(torch.cat(expected), torch.cat(found)), moved))
    return results


def recognised(posteriors: Tensor) -> list[str]:
    """The most likely labels of (T, V) posteriors in order, those of less than ``MIN_FRAMES`` frames left out."""
    runs, lengths = torch.unique_consecutive(posteriors.argmax(1), return_counts=True)
    return [LABELS[label] for label in torch.unique_consecutive(runs[lengths >= MIN_FRAMES]).tolist()]


def _starts(posteriors: Sequence[Tensor], phones: Sequence[Sequence[str]]) -> Tensor:
    """First frames of the phones of all utterances, one after the other."""
    pairs = (pair for pair in zip(posteriors, phones, strict=True) if pair[1])
    return torch.tensor([start for pair in pairs for start in forced_starts(*pair) or ()])


def _posteriors(checkpoint: Checkpoint, features: Sequence[Tensor]) -> list[Tensor]:
    backend = open_backend(checkpoint, RuntimeSettings("torch", "fp32"))
    return [whole_log_posteriors(backend, [utterance]) for utterance in features]
