"""What a parity report says of one combination, and what it flags."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from streamhmm.metrics import TIERS, Summary, summarise

MOVED_MS = (10, 20)
MOST_MOVED = 0.01
"""A larger share of boundaries moved by more than 20 ms is flagged."""
ROUNDING, FULL_ROUNDING = 0.01, 0.001
"""How much log-posteriors may change in the mean when audio is cut or batched otherwise, nats; the second for fp32."""


class Differences:
    """Gathers (T, V) pairs of log-posteriors: the largest and the mean difference, nats."""

    def __init__(self) -> None:
        self.largest, self._total, self._count = 0.0, 0.0, 0

    def add(self, one: Tensor, other: Tensor) -> None:
        """What is not finite on one side only differs without limit."""
        apart = torch.where(one == other, 0.0, (one - other).abs()).nan_to_num(nan=math.inf)
        self.largest = max(self.largest, float(apart.max())) if apart.numel() else self.largest
        self._total += float(apart.double().sum())
        self._count += apart.numel()

    @property
    def mean(self) -> float:
        """0 before anything was added."""
        return self._total / self._count if self._count else 0.0


@dataclass
class Parity:
    """How one combination differs from torch at full precision.

    Attributes:
        backend, precision, device: what was asked for, and where it ran.
        runtime: what the aligner said runs.
        from_reference: of the log-posteriors of whole recordings.
        from_whole: of the same combination's log-posteriors of chunks and batches.
        shifts_s: of phones' boundaries, NaN where a phone is not the same.
        cut_shifts_s: the same between this combination's whole recordings and its chunks.
        errors_s: of boundaries from the truth, by tier.
        ms: for a second of audio by hint.
        failures: recordings that could not be aligned, and why.
    """

    backend: str
    precision: str
    device: str
    runtime: str
    from_reference: Differences = field(default_factory=Differences)
    from_whole: Differences = field(default_factory=Differences)
    shifts_s: list[float] = field(default_factory=list)
    cut_shifts_s: list[float] = field(default_factory=list)
    errors_s: dict[str, list[float]] = field(default_factory=lambda: {tier: [] for tier in TIERS})
    ms: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Backend and precision."""
        return f"{self.backend} {self.precision}"

    @property
    def flags(self) -> list[str]:
        """What keeps "auto" from taking it."""
        rounding = FULL_ROUNDING if self.precision == "fp32" else ROUNDING
        moved, cut_moved = share_moved(self.shifts_s, 20), share_moved(self.cut_shifts_s, 20)
        found = {
            f"{100 * moved:.2f} % of boundaries move by more than 20 ms": moved > MOST_MOVED,
            f"results depend on how audio is cut: {self.from_whole.mean:.2g} nats in the mean": (
                self.from_whole.mean > rounding or cut_moved > MOST_MOVED
            ),
            f"the aligner says {self.runtime} runs": not self.runtime.startswith(f"{self.name} on "),
            "its results are those of fp32 to the bit: the precision does not run": (
                self.precision != "fp32" and bool(self.shifts_s) and self.from_reference.largest == 0
            ),
            f"{len(self.failures)} recordings could not be aligned: {next(iter(self.failures), '')}": self.failures,
        }
        return [flag for flag, is_so in found.items() if is_so]

    def accuracy(self, tier: str) -> Summary | None:
        """The boundaries of a tier held against the truth; None without any."""
        return summarise(self.errors_s[tier]) if self.errors_s[tier] else None


def share_moved(shifts_s: Sequence[float], limit_ms: float) -> float:
    """Of boundaries moved by more than the limit, 0 to 1; those of a phone that is not the same count as moved."""
    apart = np.abs(np.asarray(shifts_s, dtype=np.float64))
    return float((~(apart <= limit_ms / 1000 + 1e-9)).mean()) if len(apart) else 0.0


def shift_figures(shifts_s: Sequence[float]) -> tuple[float, float, float]:
    """Mean, 99th percentile and largest shift in ms of what was found on both sides; 0 for nothing."""
    apart = 1000 * np.abs(np.asarray(shifts_s, dtype=np.float64))
    known = apart[~np.isnan(apart)]
    if not len(known):
        return 0.0, 0.0, 0.0
    return float(known.mean()), float(np.percentile(known, 99)), float(known.max())
