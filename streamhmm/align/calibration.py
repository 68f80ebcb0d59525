"""From evidence to probabilities: logistic regressions whose weights are stored with the acoustic model."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from streamhmm.acoustic.labels import LABELS

RIDGE = 1e-4
"""Weight of the squared weights in fitting, per example."""
VERSION = 1
"""Goes up when evidence.py or phone_loop.py measure something else."""
PHONE_FEATURES, WORD_FEATURES, TEXT_FEATURES = 4, 8, 11
"""How many numbers evidence.py gives of each."""
TAIL_SHARE, FAR_TAIL_SHARE = 0.01, 0.001
"""Where tails are fitted."""
TINY_SHARE = 1e-30
QUANTILES = 0.002, 0.998
"""Features are clamped to these quantiles of those fitted on: beyond them a parabola need not make sense."""


@dataclass(frozen=True)
class Logit:
    """log-odds = bias + Σ linear · x + Σ square · x², each x first clamped to low … high."""

    bias: float
    linear: tuple[float, ...]
    square: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        if any(low > high for low, high in zip(self.low, self.high, strict=False)):
            raise ValueError(f"low must not exceed high, got {self.low} and {self.high}")

    def __call__(self, features: Tensor) -> Tensor:
        """(N,) log-odds of (N, F) features, or one of (F,)."""
        linear, square, low, high = (
            torch.tensor(values, dtype=torch.float64) for values in (self.linear, self.square, self.low, self.high)
        )
        clamped = features.double().clamp(low, high)
        return clamped @ linear + clamped.square() @ square + self.bias


@dataclass(frozen=True)
class Tail:
    """How far values of right texts go: beyond level + scale · ln(0.01 / share) for a small ``share`` of them."""

    level: float
    scale: float

    def limit(self, share: float) -> float:
        """The value beyond which only ``share`` of them go."""
        return self.level + self.scale * math.log(TAIL_SHARE / share)

    def share(self, value: float) -> float:
        """The share of them that goes beyond a value, above 0; no less than 1 where it is not in the tail."""
        if math.isinf(self.level):
            return 1.0
        return TAIL_SHARE * math.exp(min((self.level - value) / max(self.scale, 1e-9), 100.0)) + TINY_SHARE


@dataclass(frozen=True)
class Calibration:
    """What makes evidence of one acoustic model mean something.

    Attributes:
        phone, word, text: log-odds of being right, see evidence.py for their features.
        phone_offsets: (V,) added to a phone's log-odds, by score column.
        right_text: log-odds of a usual right text.
        least_text: texts whose probability lies below are reported.
        word_tail: how high the log-odds against right words of right texts get, by share of words.
        stretch_tail: how much stretches speak against right texts, nats, by share of ``stretch_s`` seconds of audio.
        spread_scale: of the scores in a boundary's posterior.
        spread_gain, spread_floor_ms: standard deviation in ms = √(floor² + (gain · posterior's, in ms)²).
    """

    phone: Logit
    phone_offsets: tuple[float, ...]
    word: Logit
    text: Logit
    right_text: float
    least_text: float
    word_tail: Tail
    stretch_tail: Tail
    stretch_s: float
    spread_scale: float
    spread_gain: float
    spread_floor_ms: float

    def __post_init__(self) -> None:
        expected = {"phone": PHONE_FEATURES, "word": WORD_FEATURES, "text": TEXT_FEATURES}
        for name, count in expected.items():
            logit = getattr(self, name)
            if {len(logit.linear), len(logit.square), len(logit.low), len(logit.high)} != {count}:
                raise ValueError(f"{name} must have {count} weights of each kind, got {logit}")
        if len(self.phone_offsets) != len(LABELS):
            raise ValueError(f"phone_offsets must be {len(LABELS)} numbers, got {len(self.phone_offsets)}")
        if self.stretch_s <= 0:
            raise ValueError(f"stretch_s must be above 0, got {self.stretch_s}")
        for name in ("spread_scale", "spread_gain", "spread_floor_ms"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """From what :meth:`to_dict` gives, as JSON keeps it.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        if values["version"] != VERSION:
            raise ValueError(f"version {values['version']}, this streamhmm reads {VERSION}")
        fields: dict[str, Any] = {name: _logit(values[name]) for name in ("phone", "word", "text")}
        fields |= {
            name: Tail(_number(values[name]["level"]), _number(values[name]["scale"]))
            for name in ("word_tail", "stretch_tail")
        }
        fields["phone_offsets"] = _numbers(values["phone_offsets"])
        names = [field.name for field in dataclasses.fields(cls)]
        fields |= {name: _number(values[name]) for name in names if name not in fields}
        return cls(**fields)

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {"version": VERSION, **dataclasses.asdict(self)}


def _by_first(bias: float, features: int) -> Logit:
    """log-odds = bias + the first feature."""
    zeros = (0.0,) * features
    return Logit(bias, (1.0, *zeros[1:]), zeros, (-1e3,) * features, (1e3,) * features)


UNCALIBRATED = Calibration(
    phone=_by_first(3.0, PHONE_FEATURES),
    phone_offsets=(0.0,) * len(LABELS),
    word=_by_first(0.0, WORD_FEATURES),
    text=_by_first(0.0, TEXT_FEATURES),
    right_text=0.0,
    least_text=0.0,
    word_tail=Tail(math.inf, 0.0),
    stretch_tail=Tail(math.inf, 0.0),
    stretch_s=1.0,
    spread_scale=0.2,
    spread_gain=1.0,
    spread_floor_ms=5.0,
)
"""For models without a calibration of their own: scores follow the contrast, and nothing is reported."""


def fit_logit(features: Tensor, right: Tensor) -> Logit:
    """The most likely regression of (N,) True or False on (N, F) features."""
    x, y = features.double(), right.double()
    low, high = (torch.quantile(x, quantile, dim=0) for quantile in QUANTILES)
    x = x.clamp(low, high)
    terms = torch.cat([x, x.square()], dim=1)
    mean, spread = terms.mean(0), terms.std(0).clamp(min=1e-9)
    weights, bias = _fit((terms - mean) / spread, y)
    weights = weights / spread
    bias = bias - weights @ mean
    linear, square = weights.tensor_split(2)
    return Logit(float(bias), *(tuple(part.tolist()) for part in (linear, square, low, high)))


def fit_tail(values: Tensor) -> Tail:
    """The upper tail of (N,) values, taken as exponential."""
    near, far = (float(values.double().quantile(1 - share)) for share in (TAIL_SHARE, FAR_TAIL_SHARE))
    return Tail(near, (far - near) / math.log(TAIL_SHARE / FAR_TAIL_SHARE))


def fit_offsets(logits: Tensor, groups: Tensor, right: Tensor, count: int) -> tuple[float, ...]:
    """(count,) numbers, one a group, that added to (N,) log-odds make them most likely."""
    one_hot = torch.nn.functional.one_hot(groups, count).double()
    weights, bias = _fit(one_hot, right.double(), logits)
    return tuple((weights + bias).tolist())


def _fit(terms: Tensor, right: Tensor, given: Tensor | float = 0.0) -> tuple[Tensor, Tensor]:
    weights = torch.zeros(terms.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        likelihood = torch.nn.functional.binary_cross_entropy_with_logits(terms @ weights + bias + given, right)
        total = likelihood + RIDGE * weights.square().sum()
        total.backward()
        return total

    optimiser.step(loss)
    return weights.detach(), bias.detach()


def _logit(values: Mapping[str, Any]) -> Logit:
    return Logit(_number(values["bias"]), *(_numbers(values[name]) for name in ("linear", "square", "low", "high")))


def _numbers(values: Iterable[Any]) -> tuple[float, ...]:
    return tuple(map(_number, values))


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} where a finite number belongs")
    return number
