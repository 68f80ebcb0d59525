"""Rows of bench/gpu.py: CTC graphs, beside torchaudio and torch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from gpu_case import Peer, Row, Work
from gpu_device import Device
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import streamhmm as sh

CLASSES = 40
ALIGN_BAR, READING_SHARE, LOSS_BAR = 30.0, 1 / 3, 1.0
LOSS_TOLERANCE, SCORE_TOLERANCE = 1e-4, 1e-5


@dataclass(frozen=True)
class Ctc:
    """Random scores, and labels to align with them; 0 is the blank."""

    batch: int
    frames: int
    labels: int

    def scores(self, device: Device, dtype: torch.dtype = torch.float32) -> Tensor:
        """(B, T, V) log-probabilities."""
        random = torch.Generator().manual_seed(self.frames)
        scores = torch.randn(self.batch, self.frames, CLASSES, generator=random)
        return scores.log_softmax(-1).to(device.torch, dtype)

    def sequences(self) -> Tensor:
        """(B, L) int32."""
        random = torch.Generator().manual_seed(self.labels)
        return torch.randint(1, CLASSES, (self.batch, self.labels), generator=random).int()

    def graphs(self) -> list[sh.Graph]:
        return [sh.Graph.ctc(labels) for labels in self.sequences()]

    def __str__(self) -> str:
        return f"{self.batch}×{self.frames}, {self.labels} labels"


ALIGNMENTS = (Ctc(1, 3000, 300), Ctc(1, 60_000, 6000))
MANY = Ctc(256, 2000, 200)
TRAINING = Ctc(64, 1000, 100)


def rows(device: Device) -> dict[str, Callable[[], Row]]:
    """Each row by its name; a row's numbers are made when it is called for."""
    result: dict[str, Callable[[], Row]] = {}
    for problem in ALIGNMENTS:
        result[f"CTC alignment {problem}"] = partial(alignment, problem, device)
    result[f"CTC alignments {MANY}"] = partial(alignments, MANY, device, READING_SHARE)
    result[f"CTC alignments {MANY}, float16"] = partial(alignments, MANY, device, dtype=torch.float16)
    result[f"CTC log_likelihood + gradient {TRAINING}, {CLASSES} classes"] = partial(training, TRAINING, device)
    return result


def alignment(problem: Ctc, device: Device) -> Row:
    scores, (graph,) = problem.scores(device), problem.graphs()
    peers = forced_align(scores, problem.sequences().to(device.torch))

    def ours() -> sh.Path:
        return sh.viterbi(scores[0], graph)

    return Row(ours, alignment_work(problem, 4), None, peers, lambda: ours().score)


def alignments(
    problem: Ctc, device: Device, least_share: float | None = None, dtype: torch.dtype = torch.float32
) -> Row:
    scores, graphs = problem.scores(device, dtype), problem.graphs()
    work = alignment_work(problem, scores.element_size())
    return Row(lambda: sh.viterbi(scores, graphs), work, least_share)


def alignment_work(problem: Ctc, score_bytes: int) -> Work:
    """Scores read once; a step a frame, of all sequences at the same time."""
    return Work(bytes=problem.batch * problem.frames * CLASSES * score_bytes, steps=problem.frames - 1)


def training(problem: Ctc, device: Device) -> Row:
    scores, graphs = problem.scores(device), problem.graphs()
    leaf = scores.clone().requires_grad_()

    @torch.enable_grad()
    def ours() -> tuple[Tensor, ...]:
        return torch.autograd.grad(sh.log_likelihood(leaf, graphs).sum(), leaf)

    peers = ctc_losses(problem, device)
    return Row(ours, training_work(problem), None, peers, lambda: -sh.log_likelihood(scores, graphs))


def training_work(problem: Ctc) -> Work:
    """Scores read and gradients written; the passes from both ends can run side by side, each a step a frame."""
    return Work(bytes=2 * 4 * problem.batch * problem.frames * CLASSES, steps=problem.frames - 1)


def forced_align(scores: Tensor, labels: Tensor) -> list[Peer]:
    """torchaudio's on the same device, where it is installed."""
    try:
        from torchaudio.functional import forced_align as align
    except (ImportError, OSError):
        return []

    def call() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is deprecated
            return align(scores, labels, blank=0)

    return [Peer("torchaudio forced_align", call, ALIGN_BAR, lambda: call()[1].double().sum(), SCORE_TOLERANCE)]


def ctc_losses(problem: Ctc, device: Device) -> list[Peer]:
    """torch's own kernels; and cuDNN's, which torch takes where the targets are int32, in one row and on the CPU, the
    scores float32, the blank 0, all sequences as long as the scores and all targets shorter than 256."""
    leaf = problem.scores(device).transpose(0, 1).contiguous().requires_grad_()
    frames, labels = [problem.frames] * problem.batch, [problem.labels] * problem.batch
    targets = {"native": problem.sequences().long().to(device.torch), "cuDNN": problem.sequences().flatten()}
    if not device.is_gpu:
        del targets["cuDNN"]

    def losses(kind: str, reduction: str) -> Tensor:
        with torch.backends.cudnn.flags(enabled=kind == "cuDNN"), torch.enable_grad():
            return torch.nn.functional.ctc_loss(leaf, targets[kind], frames, labels, reduction=reduction)

    def peer(kind: str) -> Peer:
        name = f"ctc_loss, {kind} ({operation_of(lambda: losses(kind, 'sum'))})"
        return Peer(
            name,
            lambda: torch.autograd.grad(losses(kind, "sum"), leaf),
            LOSS_BAR,
            lambda: losses(kind, "none"),
            LOSS_TOLERANCE,
        )

    return [peer(kind) for kind in targets]


class _Names(TorchDispatchMode):
    """The names of the operations that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func._schema.name.removeprefix("aten::"))
        return func(*args, **(kwargs or {}))


def operation_of(call: Callable[[], Any]) -> str:
    """Which implementation of the loss torch has chosen: ``_ctc_loss`` or ``_cudnn_ctc_loss``."""
    with _Names() as seen:
        call()
    chosen = {name for name in seen.names if name.endswith("ctc_loss") and not name.startswith("_use")}
    return ", ".join(sorted(chosen)) or "unknown"
