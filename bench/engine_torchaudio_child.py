"""torchaudio's side of bench/engine.py, run by the Python of the peers' own environment (bench/peers.sh).

Reads one JSON request a line, answers each with one line. Needs torch, torchaudio and numpy only. One thread's time is
processor time, that of more is the wall's.

    {"scores": FILE, "labels": FILE, "calls": N, "threads": N}  ->  {"seconds": of a call}
    {"scores": FILE, "labels": FILE, "score": true}             ->  {"score": sum along the path}
    {"scores": FILE, "labels": FILE, "memory": true}            ->  {"extra_bytes": peak above what was held before}
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torchaudio.functional import forced_align


def main() -> None:
    print(json.dumps({"torchaudio": sys.modules["torchaudio"].__version__}), flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)


def _answer(request: dict) -> dict:
    scores = torch.from_numpy(np.load(request["scores"]))[None]
    labels = torch.from_numpy(np.load(request["labels"]))[None]
    if request.get("memory"):
        return {"extra_bytes": _extra_bytes(scores, labels)}
    if request.get("score"):
        return {"score": forced_align(scores, labels, blank=0)[1].double().sum().item()}
    torch.set_num_threads(request["threads"])
    clock = time.process_time if request["threads"] == 1 else time.perf_counter
    begin = clock()
    for _ in range(request["calls"]):
        forced_align(scores, labels, blank=0)
    return {"seconds": (clock() - begin) / request["calls"]}


def _extra_bytes(scores: torch.Tensor, labels: torch.Tensor) -> int:
    forced_align(scores[:, :20], labels[:, :2], blank=0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    forced_align(scores, labels, blank=0)
    return _status("VmHWM") - before


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


if __name__ == "__main__":
    main()
