"""The checks of what is given to OnlineViterbi."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from streamhmm.graph import Graph
from streamhmm.library import HALF_PRECISION, weights_dtype

Chunks = Tensor | list[Tensor]  # (B, n, V), or of each stream (n_b, V)
Options = tuple[float, int, float]  # beam, max_lag, certainty: +inf, -1 and above 1 where there is none


def check_lag(max_lag: int | None) -> int:
    if max_lag is None:
        return -1
    if not isinstance(max_lag, int):
        raise TypeError(f"max_lag must be a whole number of frames or None, got {max_lag!r}")
    if max_lag < 0:
        raise ValueError(f"max_lag must be at least 0 frames, got {max_lag}")
    return max_lag


def check_certainty(certainty: float | None) -> float:
    if certainty is None:
        return 2.0
    if not isinstance(certainty, (int, float)):
        raise TypeError(f"certainty must be a probability or None, got {certainty!r}")
    if not 0.5 <= certainty <= 1.0:
        raise ValueError(f"certainty must be in 0.5…1, got {certainty}")
    return float(certainty)


def check_chunks(scores: Any, graphs: Sequence[Graph], widest: Graph | None) -> Chunks:
    """The next frames of streams, without gradients. ``widest`` reads the most columns of all graphs."""
    if len(scores) != len(graphs):
        raise ValueError(f"scores must be those of {len(graphs)} streams, got {len(scores)}")
    if isinstance(scores, Tensor) and scores.dim() == 3 and widest is not None:
        _check_chunk(scores[0], widest)
        return scores.detach()
    chunks = [_check_chunk(chunk, graph) for chunk, graph in zip(scores, graphs, strict=True)]
    if len({(chunk.shape[1], weights_dtype(chunk.dtype), chunk.device) for chunk in chunks}) > 1:
        raise ValueError("scores must have the same columns and dtype in every stream, on the same device")
    return chunks


def _check_chunk(scores: Any, graph: Graph) -> Tensor:
    if not isinstance(scores, Tensor):
        raise TypeError(f"scores must be a torch.Tensor, got {type(scores).__name__}")
    if scores.dim() != 2:
        raise ValueError(f"scores must be (n, V), got shape {tuple(scores.shape)}")
    if scores.device.type not in ("cpu", "cuda"):
        raise ValueError(f"scores must be on the CPU or a CUDA device, got {scores.device}")
    if scores.dtype not in (*HALF_PRECISION, torch.float32, torch.float64):
        raise TypeError(f"scores must be float16, bfloat16, float32 or float64, got {scores.dtype}")
    if graph.num_pdfs > scores.shape[1]:
        raise ValueError(f"graph reads score column {graph.num_pdfs - 1}, but scores have {scores.shape[1]} columns")
    return scores.detach()


def check_slices(graphs: Sequence[Graph], received: Sequence[int], more: Sequence[int]) -> None:
    """Raises ValueError where a graph has transitions for fewer frames than there are with the next ones."""
    for graph, frames, new in zip(graphs, received, more, strict=True):
        if graph.num_slices is not None and graph.num_slices < frames + new:
            raise ValueError(f"graph has transitions for {graph.num_slices} frames, but the stream has {frames + new}")
