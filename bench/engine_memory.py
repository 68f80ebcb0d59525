"""Rows of bench/engine.py about memory: a call in a process of its own, its peak and its time.

python bench/engine_memory.py ctc|hour      prints one line of JSON
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from engine_linear import LARGEST
from engine_torchaudio import CLASSES, Torchaudio
from measure import peak_bytes, reset_peak, resident_bytes, run_child

import streamhmm as sh

EXTRA_BAR_BYTES = 300e6
HOUR_BAR_BYTES = 2**30
HOUR_FRAMES, HOUR_STATES = 360_000, 170_000


def memory(torchaudio: Torchaudio, with_hour: bool) -> list[dict[str, Any]]:
    """What was measured, with the bars; torchaudio's memory beside ours."""
    ours, theirs = run_child(Path(__file__), "ctc"), torchaudio.extra_bytes(LARGEST)
    name = f"CTC ({LARGEST.frames}, {LARGEST.labels})"
    results = [{"name": name, **ours, "bar": EXTRA_BAR_BYTES, "peer": torchaudio.name, "peer_bytes": theirs}]
    if with_hour:
        name = f"an hour: {HOUR_FRAMES} frames, {HOUR_STATES} states"
        results.append({"name": name, **run_child(Path(__file__), "hour"), "bar": HOUR_BAR_BYTES})
    return results


def main() -> int:
    scores, graph = {"ctc": _ctc, "hour": _hour}[sys.argv[1]]()
    sh.viterbi(scores[:20], sh.Graph.linear([0, 1]))
    reset_peak()
    before, begin = resident_bytes(), time.perf_counter()
    sh.viterbi(scores, graph)
    seconds = time.perf_counter() - begin
    print(json.dumps({"extra_bytes": peak_bytes() - before, "seconds": seconds}))
    return 0


def _ctc() -> tuple[torch.Tensor, sh.Graph]:
    return LARGEST.tensors()[0], LARGEST.graph()


def _hour() -> tuple[torch.Tensor, sh.Graph]:
    random = torch.Generator().manual_seed(0)
    scores = torch.randn(HOUR_FRAMES, CLASSES, generator=random).log_softmax(-1)
    return scores, sh.Graph.linear(torch.randint(0, CLASSES, (HOUR_STATES,), generator=random))


if __name__ == "__main__":
    sys.exit(main())
