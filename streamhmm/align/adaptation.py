"""What makes up for one speaker or channel: a shift of the features, offsets of the labels, each only where it helps.

Both are estimated on the paths of a first pass. The shift is the smooth part (the first cosines over the mel axis, as
in cepstral mean normalisation) of the mean difference between the features that the model knows for the phones on the
path and those that are there. Offsets are those under which the path's labels are likeliest. What counts is the mean
log-posterior of the path's labels on utterances that the estimate has not seen: each half is measured with what the
other half says.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from streamhmm.acoustic import AcousticModel
from streamhmm.acoustic.features import N_MELS
from streamhmm.acoustic.labels import LABELS
from streamhmm.errors import ModelError
from streamhmm.formats import atomic_write

LEAST_UTTERANCES = 8
"""Fewer tell nothing of the others."""
LEAST_GAIN, LEAST_T = 0.05, 3.0
"""Nats a frame, and standard errors over utterances. Smaller gains moved no boundary for the better
(bench/adaptation.py)."""
COSINES = 6
STEPS = (0.5, 1.0)
"""Shares of the shift that are tried: networks trained on many channels make up for a part of it themselves."""
RIDGE = 0.01
"""Weight of the squared offsets, which are 0 where a label is rare."""


class Sample(NamedTuple):
    """An utterance after the first pass: (T, 80) features, (T, V) log-posteriors, (T,) label of each frame's phone."""

    features: Tensor
    log_posteriors: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Adaptation:
    """What is added to a speaker's features and log-posteriors. It belongs to the model that it was estimated with.

    Attributes:
        feature_shift: (80,) in units of the features, 4 nats of energy each; None: none helps.
        class_offsets: (V,) nats; None: none help.
        gain: mean log-posterior of the labels of a first pass, nats a frame, on utterances not estimated from, with it
            less without.
        utterances: so many it was estimated from.
    """

    feature_shift: tuple[float, ...] | None
    class_offsets: tuple[float, ...] | None
    gain: float
    utterances: int

    def __post_init__(self) -> None:
        for name, size in (("feature_shift", N_MELS), ("class_offsets", len(LABELS))):
            values = getattr(self, name)
            if values is not None and (len(values) != size or not all(map(math.isfinite, values))):
                raise ValueError(f"{name} must be {size} finite numbers, got {values}")

    @property
    def kind(self) -> str:
        """What it adds: "features", "offsets" or "both"."""
        if self.feature_shift is None:
            return "offsets"
        return "features" if self.class_offsets is None else "both"

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Adaptation:
        """From what :meth:`to_dict` gives, and more. Raises KeyError, TypeError, ValueError: it is something else."""
        shift, offsets = (_numbers(values[name]) for name in ("feature_shift", "class_offsets"))
        return cls(shift, offsets, float(values["gain"]), int(values["utterances"]))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON. Raises OutputError."""
        with atomic_write(path) as file:
            json.dump(self.to_dict(), file)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Adaptation:
        """Read what :meth:`save` or `streamhmm corpus --adapt` wrote. Raises ModelError: it holds no adaptation."""
        try:
            with open(path, encoding="utf-8") as file:
                return cls.from_dict(json.load(file))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{os.fspath(path)}: there is no adaptation in it ({error!r}); name another") from error


def apply(model: AcousticModel, adaptation: Adaptation) -> AcousticModel:
    """The model with it; weights are shared."""
    shift, offsets = adaptation.feature_shift, adaptation.class_offsets
    return model.adapted(
        None if shift is None else torch.tensor(shift), None if offsets is None else torch.tensor(offsets)
    )


def estimate(samples: Sequence[Sample], model: AcousticModel) -> Adaptation | None:
    """The adaptation that helps the speaker of these utterances, or None if none does or they are too few.

    Without ``label_means`` in the model there is no shift.
    """
    if len(samples) < LEAST_UTTERANCES:
        return None
    shift, shift_gain = _best_shift(samples, model)
    if shift is not None:
        samples = _shifted(samples, shift, model)
    offsets, offset_gain = _best_offsets(samples)
    if shift is None and offsets is None:
        return None
    return Adaptation(_as_tuple(shift), _as_tuple(offsets), shift_gain + offset_gain, len(samples))


def mean_shift(samples: Sequence[Sample], label_means: Tensor, silence: int) -> Tensor:
    """(80,) the smooth part of the mean difference of the usual features of the labels to those that are there."""
    labels = torch.cat([sample.labels for sample in samples])
    spoken = labels != silence
    if not spoken.any():
        return torch.zeros(N_MELS)
    difference = (label_means[labels] - torch.cat([sample.features for sample in samples]))[spoken].mean(0)
    angles = math.pi / N_MELS * torch.outer(torch.arange(N_MELS) + 0.5, torch.arange(COSINES))
    cosines = torch.nn.functional.normalize(angles.cos(), dim=0)
    return cosines @ (cosines.T @ difference)


def likeliest_offsets(samples: Sequence[Sample]) -> Tensor:
    """(V,) added to the log-posteriors they make the labels likeliest: argmax of mean log softmax(p + o)[label] −
    ``RIDGE`` · |o|²."""
    log_posteriors = torch.cat([sample.log_posteriors for sample in samples])
    labels = torch.cat([sample.labels for sample in samples])
    with torch.inference_mode(False), torch.enable_grad():
        given = log_posteriors.clone()
        offsets = torch.zeros(given.shape[1], requires_grad=True)
        optimiser = torch.optim.LBFGS([offsets], max_iter=15, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimiser.zero_grad()
            total = torch.nn.functional.cross_entropy(given + offsets, labels) + RIDGE * offsets.square().sum()
            total.backward()
            return total

        optimiser.step(loss)
    return offsets.detach()


class _Gain(NamedTuple):
    mean: float
    is_sure: bool


def _best_shift(samples: Sequence[Sample], model: AcousticModel) -> tuple[Tensor | None, float]:
    if model.label_means is None:
        return None, 0.0
    means = model.label_means
    best: tuple[Tensor | None, float] = None, 0.0
    for step in STEPS:

        def shifted(known: Sequence[Sample], others: Sequence[Sample], step: float = step) -> list[Sample]:
            return _shifted(others, step * mean_shift(known, means, model.silence), model)

        gain = _held_out_gain(samples, shifted)
        if gain.mean <= best[1]:
            break  # a longer step is not better either
        if gain.is_sure:
            best = step * mean_shift(samples, means, model.silence), gain.mean
    return best


def _best_offsets(samples: Sequence[Sample]) -> tuple[Tensor | None, float]:
    def offset(known: Sequence[Sample], others: Sequence[Sample]) -> list[Sample]:
        offsets = likeliest_offsets(known)
        return [one._replace(log_posteriors=(one.log_posteriors + offsets).log_softmax(1)) for one in others]

    gain = _held_out_gain(samples, offset)
    return (likeliest_offsets(samples), gain.mean) if gain.is_sure else (None, 0.0)


def _held_out_gain(
    samples: Sequence[Sample], adapted: Callable[[Sequence[Sample], Sequence[Sample]], list[Sample]]
) -> _Gain:
    """What ``adapted(known, others)`` adds to the fit of others, of the two halves in turn."""
    gains = []
    for known, others in ((samples[::2], samples[1::2]), (samples[1::2], samples[::2])):
        pairs = zip(adapted(known, others), others, strict=True)
        gains += [_fit(after) - _fit(before) for after, before in pairs]
    values = torch.tensor(gains, dtype=torch.float64)
    mean = float(values.mean())
    error = float(values.std()) / math.sqrt(len(gains))
    return _Gain(mean, mean >= LEAST_GAIN and mean > LEAST_T * error)


def _fit(sample: Sample) -> float:
    return float(sample.log_posteriors.gather(1, sample.labels[:, None]).double().mean())


def _shifted(samples: Sequence[Sample], shift: Tensor, model: AcousticModel) -> list[Sample]:
    features = [sample.features + shift for sample in samples]
    scored = zip(samples, features, model.features_log_posteriors(features), strict=True)
    return [Sample(moved, posteriors, sample.labels) for sample, moved, posteriors in scored]


def _as_tuple(values: Tensor | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(round(value, 4) for value in values.tolist())


def _numbers(values: Any) -> tuple[float, ...] | None:
    return None if values is None else tuple(map(float, values))
