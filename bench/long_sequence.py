"""Memory and time of one long sequence through a model: whole, and in segments.

python bench/long_sequence.py [--frames 2000000] [--states 16]      prints a table, each call in a process of its own
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import run_child

from streamhmm.measure.machine import peak_bytes, reset_peak, resident_bytes
from streamhmm.models import GaussianHMM, hmm

CALLS = ("score", "expectation", "gradient", "decode")


def model_of(states: int) -> GaussianHMM:
    """Sixteen states, say, in two dimensions, a tenth of the frames leaving each."""
    model = GaussianHMM(states)
    angles = np.linspace(0, 2 * np.pi, states, endpoint=False)
    model.means_ = 3 * np.stack((np.cos(angles), np.sin(angles)), axis=1)
    model.covars_ = np.ones((states, 2))
    model.startprob_ = np.full(states, 1 / states)
    model.transmat_ = 0.9 * np.eye(states) + 0.1 / states
    return model


def call(name: str, model: GaussianHMM, frames: torch.Tensor) -> float:
    """What it found, as one number."""
    if name == "gradient":
        model.log_prob(frames).sum().backward()
        return float(model.emission.means.grad.sum())
    if name == "expectation":
        return model.expectation(model._sequences(frames, None)).log_likelihood
    return model.score(frames) if name == "score" else model.decode(frames)[0]


def child(name: str, how: str, frames: int, states: int) -> dict[str, Any]:
    """One call in this process."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    x, model = 3 * torch.randn(frames, 2, dtype=torch.float64, generator=generator), model_of(states)
    hmm.WHOLE_CELLS = frames * states if how == "whole" else 0
    call(name, model, x[:1000])
    reset_peak()
    before, begin = resident_bytes(), time.perf_counter()
    found = call(name, model, x)
    return {"seconds": time.perf_counter() - begin, "extra_bytes": peak_bytes() - before, "found": found}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=2_000_000)
    parser.add_argument("--states", type=int, default=16)
    parser.add_argument("--child", nargs=2, metavar=("CALL", "HOW"))
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(*options.child, options.frames, options.states)))
        return 0
    print(f"one sequence of {options.frames:,} frames, {options.states} states, one thread")
    print(f"{'':12} {'whole':>22} {'in segments':>22}  relative difference")
    for name in CALLS:
        rest = ["--frames", str(options.frames), "--states", str(options.states)]
        whole, cut = (run_child(Path(__file__), "--child", name, how, *rest) for how in ("whole", "segments"))
        cells = [f"{row['extra_bytes'] / 2**20:8.0f} MiB {row['seconds']:7.2f} s" for row in (whole, cut)]
        difference = abs(whole["found"] - cut["found"]) / max(1.0, abs(whole["found"]))
        print(f"{name:12} {cells[0]:>22} {cells[1]:>22}  {difference:.1e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
