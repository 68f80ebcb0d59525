"""How good a model is on dev sets: by the boundaries that it finds, or by the likelihood of the labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from streamhmm.acoustic.training.boundaries import boundary_errors, summarise
from streamhmm.acoustic.training.full_sum import full_sum
from streamhmm.acoustic.training.manifest import Utterance
from streamhmm.acoustic.training.targets import Masks, frame_targets
from streamhmm.errors import TextError

ScoresOf = Callable[[Utterance], Tensor]


class DevResult(NamedTuple):
    """How good a model is on a dev set: small is good; how it is said, and what the model notes."""

    loss: float
    said: str
    notes: dict[str, float]


def dev_error(name: str, utterances: Sequence[Utterance], scores_of: ScoresOf) -> DevResult:
    """The mean error of boundaries, by (T, V) scores of each utterance. Raises TextError: there are none."""
    errors = [error for one in utterances for error in boundary_errors(scores_of(one), one.units or ())]
    if not errors:
        raise TextError(f"{name}: no boundary between known phones to measure; name another dev manifest")
    found = summarise(errors)
    notes = {"mean_ms": found.mean_s * 1e3, "within_20_ms": found.within_20_ms}
    return DevResult(found.mean_s, f"{notes['mean_ms']:.2f} ms {found.within_20_ms:.1%}", notes)


def dev_loss(utterances: Sequence[Utterance], posteriors_of: ScoresOf, masks: Masks) -> DevResult:
    """Minus the log-likelihood of the labels a frame, by (T, V) log-posteriors; boundaries in doubt by ``masks``."""
    total, frames = 0.0, 0
    for utterance in utterances:
        posteriors = posteriors_of(utterance)
        targets = frame_targets(utterance.units or (), len(posteriors), masks)
        total += len(posteriors) * float(full_sum(posteriors[None], targets.in_rows(1)))
        frames += len(posteriors)
    loss = total / max(1, frames)
    return DevResult(loss, f"{loss:.4f}", {"loss": loss})


def mean_loss(results: Mapping[str, DevResult]) -> float:
    """Over dev sets, each with equal weight."""
    return sum(result.loss for result in results.values()) / len(results)


def said(results: Mapping[str, DevResult]) -> str:
    """Those of all dev sets."""
    return ", ".join(result.said for result in results.values())
