"""Whether memory grows while the same work is done again and again."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from streamhmm.align.aligner import Aligner

STATM = Path("/proc/self/statm")
ALLOWED_A_ROUND, ALLOWED = 100 * 1024, 2 * 1024 * 1024
"""Bytes a round, and in all, by which memory may grow: allocators keep a little here and there."""
TEXT = "a murmur in the noise"
SECONDS = 2.0


class Growth(NamedTuple):
    """Bytes by which memory grew a round, and in all, over the later half of the rounds."""

    a_round: float
    whole: float

    @property
    def is_too_much(self) -> bool:
        """Both limits are passed."""
        return self.a_round > ALLOWED_A_ROUND and self.whole > ALLOWED


def resident_bytes() -> int | None:
    """Memory of this process now; None where the system does not tell."""
    try:
        return int(STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def growth_of(work: Callable[[], object], rounds: int) -> Growth | None:
    """Do some work ``rounds`` times, at least 4; None where memory can't be read."""
    if rounds < 4:
        raise ValueError(f"rounds must be at least 4, got {rounds}")
    sizes = []
    for _ in range(rounds):
        work()
        sizes.append(resident_bytes())
    known = [size for size in sizes if size is not None]
    return _slope(known[rounds // 2 :]) if len(known) == rounds else None


def _slope(sizes: Sequence[int]) -> Growth:
    """By least squares: a single step is not taken for growth that goes on."""
    slope = float(np.polyfit(np.arange(len(sizes)), np.asarray(sizes, dtype=np.float64), 1)[0])
    return Growth(slope, float(sizes[-1] - sizes[0]))


def usual_work(aligner: Aligner) -> Callable[[], None]:
    """A round: noise is aligned whole, in a batch, and as a stream in chunks."""
    rate = aligner.model.sample_rate
    generator = torch.Generator().manual_seed(0)
    samples = (0.05 * torch.randn(round(SECONDS * rate), generator=generator)).numpy()

    def work() -> None:
        aligner.align((samples, rate), TEXT)
        aligner.align_batch([((samples, rate), TEXT)] * 2)
        stream = aligner.stream(TEXT)
        for start in range(0, len(samples), rate // 10):
            stream.push(samples[start : start + rate // 10])
        stream.finish()

    return work
