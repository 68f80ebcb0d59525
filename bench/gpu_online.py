"""Rows of bench/gpu.py: a chunk of frames for many live streams at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch
from gpu_case import Latency
from gpu_device import Device

import streamhmm as sh

STREAMS = (1, 100, 1000)
FRAMES, STATES, CLASSES, MAX_LAG = 8, 400, 40, 40
STEPS = 300
MOST_S = {1000: 1e-3}


def rows(device: Device) -> dict[str, Callable[[], Latency]]:
    """Each row by its name; a row's numbers are made when it is called for."""
    what = f"{FRAMES} frames, {STATES} states, max_lag {MAX_LAG}"
    return {f"chunked step, streams: {count}; {what}": partial(streams, count, device) for count in STREAMS}


def streams(count: int, device: Device) -> Latency:
    """A step: scores from pinned memory to the device, the push, and the decided states back on the CPU."""
    random = torch.Generator().manual_seed(count)
    pdfs = torch.randint(CLASSES, (count, STATES), generator=random)
    decoder = sh.OnlineViterbi([sh.Graph.linear(row) for row in pdfs], max_lag=MAX_LAG)
    chunk = torch.randn(count, FRAMES, CLASSES, generator=random).log_softmax(-1)
    chunk = chunk.pin_memory() if device.is_gpu else chunk

    def step() -> float:
        begin = time.perf_counter()
        decided = decoder.push(chunk.to(device.torch, non_blocking=True))
        if any(each.is_cuda for each in decided):
            device.wait()
        return time.perf_counter() - begin

    return Latency(step, STEPS, MOST_S.get(count))
