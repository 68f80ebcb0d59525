"""How long a network takes, for comparison with another in the same run."""

from __future__ import annotations

import statistics
import time

import torch

from streamhmm.acoustic.backends import Backend
from streamhmm.acoustic.features import N_MELS

RUNS, WARM_UP = 30, 5


def step_ms(backend: Backend, seconds: float = 1.0) -> float:
    """Median milliseconds for so much audio of one stream, in one chunk."""
    features = torch.zeros(1, round(seconds * 100), N_MELS, device=backend.device)
    _, cache = backend.log_posteriors(features, None)
    times = []
    for _ in range(WARM_UP + RUNS):
        began = time.perf_counter()
        backend.log_posteriors(features, cache)
        times.append(time.perf_counter() - began)
    return 1e3 * statistics.median(times[WARM_UP:])
