"""How long a state lasts: distributions over 1 … D frames, cut off there and normalised."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from streamhmm.models.chain import check_probabilities, normalised

KINDS = ("categorical", "geometric", "poisson", "negative-binomial", "gamma")
LEAST = -1e30  # stands for −inf where a derivative has to pass
LARGEST = 20.0, 12.0  # logarithms of m and k; beyond, nothing changes but for rounding
STEPS, HALVINGS, LEAST_GAIN = 50, 20, 1e-12  # of Newton's method; nats a segment
FLATTEST, LARGEST_STEP = 1e-8, 3.0


class Durations(nn.Module):
    """A distribution a state, of one of ``KINDS``, as free parameters.

    With d from 1 to D, each normalised over these: categorical: a probability of its own for each d; geometric:
    ∝ q^(d−1); poisson and negative-binomial: of d − 1; gamma: ∝ its density at d (Levinson 1986).

    ``raw`` (S, ·) are the logits of the categorical one; of the others the logarithms of m and k: m is the mean of
    d − 1 (gamma: of d) if nothing were cut off, k the shape of the gamma, or the size of the negative binomial.

    Args:
        n_states: S.
        longest: frames that a state lasts at most: one number or S of them; D is the largest.

    Raises:
        ValueError: for another kind, or numbers that are not as said.
    """

    longest: Tensor

    def __init__(self, kind: str, n_states: int, longest: int | Sequence[int], dtype: torch.dtype) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"durations must be one of {', '.join(KINDS)}, got {kind!r}")
        limits = _limits(longest, n_states)
        self.kind = kind
        self.register_buffer("longest", limits, persistent=False)
        width = {"categorical": int(limits.max()), "negative-binomial": 2, "gamma": 2}.get(kind, 1)
        self.raw = nn.Parameter(torch.zeros(n_states, width, dtype=dtype))
        self.begin((limits + 1) / 4)

    @property
    def width(self) -> int:
        """D."""
        return int(self.longest.max())

    def table(self) -> Tensor:
        """(S, D) logarithms of the probabilities."""
        if self.kind == "categorical":
            return self._log_probabilities(self.raw)
        return self._log_probabilities(self.raw.double()).to(self.raw)  # terms far larger than what is left of them

    def vague(self) -> Tensor:
        """(S, D) logarithms of probabilities ∝ 1 / d, whatever the kind."""
        return (-self._frames(self.raw.detach()).log()).masked_fill(self._beyond(), -torch.inf).log_softmax(-1)

    @property
    def mean(self) -> Tensor:
        """(S,) frames."""
        return self.table().detach().exp() @ self._frames(self.raw)

    @torch.no_grad()
    def begin(self, mean: Tensor) -> None:
        """Begin with (S,) frames on average, roughly; all durations alike where they are categorical."""
        rest = (mean.to(self.raw) - 1).clamp(min=0.1).log()
        if self.kind == "categorical":
            self.raw.zero_()
        elif self.kind == "gamma":
            self.raw.copy_(torch.stack((mean.to(self.raw).log(), torch.full_like(rest, 2.0).log()), 1))
        elif self.kind == "negative-binomial":
            self.raw.copy_(torch.stack((rest, torch.full_like(rest, 2.0).log()), 1))
        else:
            self.raw.copy_(rest[:, None])

    @torch.no_grad()
    def set(self, probabilities: Tensor) -> None:
        """Take (S, D) probabilities; of a kind with a formula, the parameters that come nearest (likelihood).

        Raises:
            ValueError: they are none, or a state lasts longer than it may.
        """
        values = check_probabilities(probabilities, (len(self.raw), self.width), "durations_").to(self.raw.device)
        never = values.sum(1) == 0
        if bool(never.any()):
            raise ValueError(f"durations_ must be probabilities for each state, got none for {int(never.nonzero()[0])}")
        self.check_longest(values)
        self.start(values)
        self.maximise(values)

    def check_longest(self, counts: Tensor) -> None:
        """Raises ValueError where (S, D) counts have segments longer than a state may last."""
        over = (counts > 0) & self._beyond()
        if bool(over.any()):
            state, index = over.nonzero()[0].tolist()
            raise ValueError(f"state {state} lasts {int(self.longest[state])} frames at most, got {index + 1}")

    @torch.no_grad()
    def start(self, counts: Tensor) -> None:
        """Begin with the means that (S, D) expected numbers of segments tell; categorical ones, with their shares."""
        seen = counts.sum(1) > 0
        self.begin(torch.where(seen, normalised(counts) @ self._frames(counts), (self.longest + 1) / 4))
        if self.kind == "categorical":
            self.maximise(counts)

    @torch.no_grad()
    def maximise(self, counts: Tensor) -> None:
        """The M step: (S, D) expected numbers of segments of each length; what is longer than a state may last is left
        out.

        A formula for categorical ones; Newton's method for the others, as being cut off at D leaves none. No state's
        likelihood falls; states that were never seen keep their parameters.
        """
        shares = normalised(counts.to(self.raw.device, torch.float64).masked_fill(self._beyond(), 0))
        before = self.raw.detach().double()
        categorical = self.kind == "categorical"
        found = shares.log() if categorical else _climb(lambda raw: self._fit(raw, shares), before)
        better = (shares.sum(1) > 0) & (self._fit(found, shares) >= self._fit(before, shares))
        self.raw.copy_(torch.where(better[:, None], self._bounded(found), before))

    def free_parameters(self) -> int:
        """How many numbers it takes."""
        return int((self.longest - 1).sum()) if self.kind == "categorical" else self.raw.numel()

    def _fit(self, raw: Tensor, shares: Tensor) -> Tensor:
        """(S,) Σ_d share · log-probability."""
        return (shares * self._log_probabilities(raw).masked_fill(shares == 0, 0)).sum(1)

    def _log_probabilities(self, raw: Tensor) -> Tensor:
        return self._weights(raw).masked_fill(self._beyond(), -torch.inf).log_softmax(-1)

    def _weights(self, raw: Tensor) -> Tensor:
        """(S, D) logarithms, up to a constant of each state's own."""
        if self.kind == "categorical":
            return raw
        frames, raw = self._frames(raw), self._bounded(raw)
        rest, log_mean = frames - 1, raw[:, :1]
        if self.kind == "geometric":
            return rest * nn.functional.logsigmoid(log_mean)  # q = m / (m + 1)
        if self.kind == "poisson":
            return rest * log_mean - (rest + 1).lgamma()
        shape = raw[:, 1:].exp()
        if self.kind == "gamma":
            return (shape - 1) * frames.log() - shape * frames / log_mean.exp()
        logits = log_mean - shape.log()  # q = m / (m + k)
        return (rest + shape).lgamma() - shape.lgamma() - (rest + 1).lgamma() + rest * nn.functional.logsigmoid(logits)

    def _bounded(self, raw: Tensor) -> Tensor:
        if self.kind == "categorical":
            return raw
        most = raw.new_tensor(LARGEST[: raw.shape[1]])
        return raw.clamp(-most, most)

    def _frames(self, like: Tensor) -> Tensor:
        return torch.arange(1, self.width + 1, dtype=like.dtype, device=like.device)

    def _beyond(self) -> Tensor:
        return torch.arange(self.width, device=self.longest.device) >= self.longest[:, None]


def log_survival(table: Tensor) -> Tensor:
    """(S, D) logarithms of the probability to last d frames or more."""
    tail = table.clamp(min=LEAST).flip(-1).logcumsumexp(-1).flip(-1)
    return tail.masked_fill(tail < LEAST / 2, -torch.inf)


def _limits(longest: int | Sequence[int], n_states: int) -> Tensor:
    limits = torch.as_tensor(longest)
    if limits.is_floating_point() or limits.shape not in ((), (n_states,)) or bool((limits < 1).any()):
        raise ValueError(f"max_duration must be a number of frames from 1 on, or {n_states} of them, got {longest!r}")
    return limits.to(torch.int64).expand(n_states).clone()


def _climb(value: Callable[[Tensor], Tensor], begin: Tensor) -> Tensor:
    """(S, P) parameters near ``begin`` (S, P) where each state's ``value`` (S,) is largest: Newton's method, downhill
    curvatures turned round, steps halved until nothing falls."""
    raw, best = begin, value(begin)
    for _ in range(STEPS):
        step = _newton_step(value, raw)
        for _ in range(HALVINGS):
            found = value(raw + step)
            worse = ~(found >= best)
            if not bool(worse.any()):
                break
            step = torch.where(worse[:, None], step / 2, step)
        step = torch.where(worse[:, None], 0, step)
        raw, gain = raw + step, torch.where(worse, 0, found - best)
        best = best + gain
        if float(gain.max()) < LEAST_GAIN:
            break
    return raw


def _newton_step(value: Callable[[Tensor], Tensor], raw: Tensor) -> Tensor:
    with torch.enable_grad():
        leaf = raw.clone().requires_grad_()
        slope = torch.autograd.grad(value(leaf).sum(), leaf, create_graph=True)[0]
        rows = [torch.autograd.grad(each.sum(), leaf, retain_graph=True)[0] for each in slope.unbind(1)]
    curvature, axes = torch.linalg.eigh(torch.stack(rows, 1))
    along = (axes.mT @ slope.detach()[..., None])[..., 0] / curvature.abs().clamp(min=FLATTEST)
    step: Tensor = (axes @ along[..., None])[..., 0]
    return step.clamp(-LARGEST_STEP, LARGEST_STEP)
