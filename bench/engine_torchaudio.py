"""torchaudio's forced alignment beside ours: a process in an environment of its own, on the same CTC problems."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from engine_case import RECORDED, Stopwatch, Yardstick, recorded

import streamhmm as sh

CLASSES = 40
RECORDED_EXTRA_BYTES = 712e6


@dataclass(frozen=True)
class Alignment:
    """Random scores, and labels to align with them by CTC; ``recorded_s`` is torchaudio's time on another machine."""

    frames: int
    labels: int
    recorded_s: float | None = None

    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(T, V) float32 scores and (L,) int32 labels."""
        random = torch.Generator().manual_seed(self.frames)
        scores = torch.randn(self.frames, CLASSES, generator=random).log_softmax(-1)
        return scores, torch.randint(1, CLASSES, (self.labels,), generator=random).int()

    def graph(self) -> sh.Graph:
        return sh.Graph.ctc(self.tensors()[1])


class Torchaudio:
    """The process, which answers one request at a time; without ``python`` there is none."""

    def __init__(self, python: str | None, folder: Path) -> None:
        self._folder = folder
        self._process = None
        self.name = f"torchaudio ({RECORDED})"
        if python is not None:
            script = Path(__file__).with_name("engine_torchaudio_child.py")
            self._process = subprocess.Popen(
                [python, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            self.name = f"torchaudio {self._read()['torchaudio']}"

    def yardstick(self, problem: Alignment, bars: Mapping[int, float], compare: bool = True) -> list[Yardstick]:
        """Its time on the problem: measured now, recorded, or none; and whether to compare the paths' scores."""
        if self._process is not None:
            watch = Stopwatch(lambda threads, calls: self.seconds(problem, threads, calls))
            return [Yardstick(self.name, watch, bars, (lambda: self.score(problem)) if compare else None)]
        return [] if problem.recorded_s is None else [recorded("torchaudio", problem.recorded_s, bars)]

    def score(self, problem: Alignment) -> float:
        """The sum of the scores along the path that it finds, in float32."""
        return float(self._ask(problem, score=True)["score"])

    def extra_bytes(self, problem: Alignment) -> float:
        """The memory of one call beyond what was held before."""
        return RECORDED_EXTRA_BYTES if self._process is None else self._ask(problem, memory=True)["extra_bytes"]

    def close(self) -> None:
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait()

    def seconds(self, problem: Alignment, threads: int, calls: int) -> float:
        return float(self._ask(problem, threads=threads, calls=calls)["seconds"])

    def _ask(self, problem: Alignment, **request: Any) -> dict[str, Any]:
        scores, labels = self._files(problem)
        self._process.stdin.write(json.dumps({"scores": str(scores), "labels": str(labels), **request}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _files(self, problem: Alignment) -> tuple[Path, Path]:
        files = [self._folder / f"{problem.frames}-{problem.labels}-{part}.npy" for part in ("scores", "labels")]
        if not files[0].exists():
            for file, tensor in zip(files, problem.tensors(), strict=True):
                np.save(file, tensor.numpy())
        return files[0], files[1]

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"torchaudio's process ended with exit code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer
