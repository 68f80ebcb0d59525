"""Rows of bench/engine.py about memory: a call in a process of its own, its peak and its time.

python bench/engine_memory.py ctc|hour THREADS      prints one line of JSON
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from engine_linear import LARGEST
from engine_torchaudio import Alignment, Torchaudio
from measure import run_child

import streamhmm as sh
from streamhmm.measure.machine import peak_bytes, reset_peak, resident_bytes

EXTRA_BAR_BYTES = 300e6
HOUR_BAR_BYTES = 2**30
HOUR = Alignment(360_000, 85_000)  # at 10 ms; 170,001 states
PROBLEMS = {"ctc": LARGEST, "hour": HOUR}


def memory(torchaudio: Torchaudio, with_hour: bool) -> list[dict[str, Any]]:
    """What was measured, with the bars; torchaudio's memory beside ours."""
    peer = {"peer": torchaudio.name, "peer_bytes": torchaudio.extra_bytes(LARGEST)}
    results = [{**_in_a_process("ctc", 1), **peer, "bar": EXTRA_BAR_BYTES}]
    if with_hour:
        results += [{**_in_a_process("hour", threads), "bar": HOUR_BAR_BYTES} for threads in (1, 2)]
    return results


def _in_a_process(which: str, threads: int) -> dict[str, Any]:
    problem = PROBLEMS[which]
    name = f"CTC, {problem.frames:,} frames, {2 * problem.labels + 1:,} states"
    return {"name": name, "threads": threads, **run_child(Path(__file__), which, str(threads))}


def main() -> int:
    problem = PROBLEMS[sys.argv[1]]
    torch.set_num_threads(int(sys.argv[2]))
    scores, graph = problem.tensors()[0], problem.graph()
    sh.viterbi(scores[:20], sh.Graph.linear([0, 1]))
    reset_peak()
    before, begin = resident_bytes(), time.perf_counter()
    sh.viterbi(scores, graph)
    seconds = time.perf_counter() - begin
    print(json.dumps({"extra_bytes": peak_bytes() - before, "peak_bytes": peak_bytes(), "seconds": seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
