"""A runtime on trial: is it right, and how fast is it?"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.acoustic.backends.runtime import Runtime
from streamhmm.acoustic.features import HOP, N_MELS, SAMPLE_RATE, LogMel
from streamhmm.acoustic.network import NetworkCache, NetworkConfig, advance, finish, initial_cache

FRAMES = {"latency": 10, "throughput": 1000}
"""Frames of a call by hint: a stream's chunk of 0.1 s, and 10 s."""
CALLS, LONGEST_S = 15, 0.25
"""So many calls are timed, or as many as take so long; at least 3."""
CHECKED_FRAMES, CUT_FRAMES = 64, 6
LARGEST_DIFFERENCE = {"fp32": 0.02, "tf32": 0.2, "int8": 1.0}
"""Of log-posteriors from those of torch, nats, by precision; others are held to the mean only."""
MEAN_DIFFERENCE = {"int8": 0.15}
"""The same in the mean. The shipped INT8 is off by 0.2 at most and 0.04 in the mean, and by 2.3 and 0.24 on a
processor that saturates."""
ANY_MEAN_DIFFERENCE = 0.5
"""A runtime that is off by so many nats in the mean computes something else, whatever its precision."""


class Speed(NamedTuple):
    """Seconds to open a runtime, and milliseconds that it takes for a second of audio."""

    load_s: float
    ms: float


def made_up_features() -> Tensor:
    """(1, T, 80) features of a hum that sets in, the same every time: networks of 8 bits are made for such levels."""
    time = torch.arange(CHECKED_FRAMES * HOP) / SAMPLE_RATE
    hum = torch.stack([torch.sin(2 * torch.pi * 120 * k * time) / k for k in range(1, 40)]).sum(0)
    noise = torch.randn(len(time), generator=torch.Generator().manual_seed(0))
    samples = 0.05 * hum * (time > 0.2) + 0.003 * noise
    mel = LogMel()
    frames, cache = mel(samples)
    return torch.cat((frames, mel.finish(cache)))[None]


@torch.inference_mode()
def log_posteriors(runtime: Runtime, config: NetworkConfig, features: Tensor, cut: int | None = None) -> Tensor:
    """(B, T, V) log-posteriors of (B, T, 80) features, on the CPU, in one step or in chunks of ``cut`` frames."""
    features = features.to(runtime.device)
    cache: NetworkCache = initial_cache(config, len(features), features)
    parts = []
    for chunk in features.split(cut or features.shape[1], dim=1):
        part, cache = advance(runtime.step, config, chunk, cache)
        parts.append(part)
    return torch.cat((*parts, finish(runtime.step, config, cache)), dim=1).cpu()


def what_is_wrong(runtime: Runtime, config: NetworkConfig, expected: Tensor) -> str | None:
    """How far off its log-posteriors of :func:`made_up_features` are, whole or in chunks; None if they are right."""
    largest = LARGEST_DIFFERENCE.get(runtime.precision, float("inf"))
    largest_mean = MEAN_DIFFERENCE.get(runtime.precision, ANY_MEAN_DIFFERENCE)
    for cut in (None, CUT_FRAMES):
        difference = (log_posteriors(runtime, config, made_up_features(), cut) - expected).abs()
        most, mean = float(difference.max()), float(difference.mean())
        if not (most <= largest and mean <= largest_mean):  # NaN is wrong, too
            how = "in chunks " if cut else ""
            return f"its log-posteriors are {how}off by up to {most:.3g}, {mean:.3g} in the mean"
    return None


@torch.inference_mode()
def ms_a_second(runtime: Runtime, config: NetworkConfig, hint: str) -> float:
    """Milliseconds for a second of audio: the median of a few calls of the size that goes with the hint."""
    frames = torch.zeros(1, FRAMES[hint], N_MELS, device=runtime.device)
    cache = initial_cache(config, 1, frames)
    _, cache = advance(runtime.step, config, frames, cache)  # the first call sets things up

    def call() -> None:
        posteriors, _ = advance(runtime.step, config, frames, cache)
        posteriors[0, -1, 0].item()  # waits for the device

    audio_s = FRAMES[hint] * HOP / SAMPLE_RATE
    return 1000 * median_s(call) / audio_s


def median_s(call: Callable[[], None]) -> float:
    """Median time of a call, seconds."""
    times: list[float] = []
    while len(times) < 3 or (len(times) < CALLS and sum(times) < LONGEST_S):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)
