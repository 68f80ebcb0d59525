"""What ``sh.forced_align`` takes for a batch, beside one call for each sequence, and beside torchaudio's, which has no
batches.

    python bench/forced_align.py [--peer-python DIR/bin/python]        (DIR: bench/peers.sh)

One thread, processor time, the median of several rounds in turns. Exit code 1: the two find paths of other scores.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import torch
from engine_torchaudio import Alignment, Torchaudio
from measure import make_console, median, seconds_a_call, show

import streamhmm as sh
from streamhmm.measure.machine import machine

PROBLEMS = (Alignment(500, 50), Alignment(1000, 100), Alignment(3000, 300))
BATCH, ROUNDS, CALLS = 32, 7, 3
TOLERANCE = 1e-3


def main() -> int:
    parser = argparse.ArgumentParser(description="forced_align for batches, beside torchaudio's.")
    parser.add_argument("--peer-python", metavar="FILE", help="a Python with torchaudio; without it, ours alone")
    options = parser.parse_args()
    torch.set_num_threads(1)
    console = make_console()
    about = machine()
    console.print(f"{about['processor']}, torch {about['torch']}, load {about['load_average']:.2f}")
    rows, is_same = [], True
    with tempfile.TemporaryDirectory() as folder:
        peer = Torchaudio(options.peer_python, Path(folder))
        for problem in PROBLEMS:
            row, agrees = _measured(problem, peer if options.peer_python else None)
            rows.append(row)
            is_same &= agrees
        peer.close()
    heads = ("frames × labels", "in a batch, ms", "one by one, ms", f"{peer.name}, ms", "of the batch")
    show(console, f"Forced alignment, ms a sequence, {BATCH} sequences", heads, rows)
    return 0 if is_same else 1


def _measured(problem: Alignment, peer: Torchaudio | None) -> tuple[tuple[str, ...], bool]:
    scores, labels = problem.tensors()
    batch, rows = scores.repeat(BATCH, 1, 1), labels.repeat(BATCH, 1)
    times: dict[str, list[float]] = {"batch": [], "single": [], "peer": []}
    for _ in range(ROUNDS):
        times["batch"].append(seconds_a_call(lambda: sh.forced_align(batch, rows), CALLS) / BATCH)
        times["single"].append(seconds_a_call(lambda: sh.forced_align(scores[None], labels[None]), CALLS * 4))
        if peer is not None:
            times["peer"].append(peer.seconds(problem, 1, CALLS * 4))
    ours, single, theirs = (1000 * median(times[name]) for name in times)
    found = float(sh.forced_align(scores[None], labels[None]).scores.double().sum())
    agrees = peer is None or abs(found - peer.score(problem)) < TOLERANCE * problem.frames
    told = ("—", "—") if peer is None else (f"{theirs:.3f}", f"{theirs / ours:.1f} ×")
    return (f"{problem.frames} × {problem.labels}", f"{ours:.3f}", f"{single:.3f}", *told), agrees


if __name__ == "__main__":
    sys.exit(main())
