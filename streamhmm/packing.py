"""How a graph's weights and arcs become the two tensors that csrc/graph.h describes, and the checks on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from streamhmm.graph import Graph

NEVER = float("-inf")
FAMILIES = ("linear", "sparse", "dense")  # in the order of csrc/graph.h

LARGEST_EVERYWHERE = 1e38  # smaller numbers are finite in single precision, too

Weights = float | Sequence[float] | Tensor


@dataclass(frozen=True)
class Piece:
    """A run of ``size`` packed weights: ``values`` spread over it, or put at ``places`` and −inf elsewhere."""

    name: str
    values: Tensor
    size: int
    places: Tensor | None = None
    given: bool = False  # the user's own tensor, which may change between calls
    settled: bool = False  # known to be weights in every type

    def packed(self, dtype: torch.dtype) -> Tensor:
        values = self.values.to(dtype)
        if values.dim() > 1:
            values = values.reshape(-1)
        if not self.settled:
            check_weights(values, self.name)
        if self.places is None:
            return values.expand(self.size)
        return values.new_full((self.size,), NEVER).index_put((self.places,), values)

    def to(self, device: torch.device | str) -> Piece:
        places = None if self.places is None else self.places.to(device)
        return replace(self, values=self.values.to(device), places=places)


def tracing() -> bool:
    """Whether ``torch.compile`` or ``torch.export`` is at work: then tensors have no values to look at."""
    return torch.compiler.is_compiling()


def check_weights(values: Tensor, name: str) -> None:
    """Raises ValueError for NaN or +inf. Values on a GPU are not waited for: its kernels look at them."""
    if (
        tracing() or values.is_cuda or values.numel() == 0 or float(values.detach().max()) < float("inf")
    ):  # not so with a NaN
        return
    wrong = ~(values.detach() < float("inf"))
    if bool(wrong.any()):
        found = values.detach().expand(wrong.shape)[wrong].flatten()[0].item()
        raise ValueError(f"{name} must be finite or -inf as {values.dtype}, got {found}")


def make_piece(weights: Weights, size: int, name: str) -> Piece:
    if isinstance(weights, (int, float)) and (abs(weights) < LARGEST_EVERYWHERE or weights == NEVER):
        return Piece(name, torch.tensor(float(weights), dtype=torch.float64), size, settled=True)
    given = isinstance(weights, Tensor)
    if isinstance(weights, Tensor):
        values = weights if weights.is_floating_point() else weights.to(torch.float64)
    else:
        try:
            values = torch.as_tensor(weights, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError):
            kind = type(weights).__name__
            raise TypeError(f"{name} must be a number, numbers or a tensor, got {kind}") from None
    if values.dim() > 0 and tuple(values.shape) != (size,):
        raise ValueError(f"{name} must be one number or ({size},), got shape {tuple(values.shape)}")
    check_weights(values, name)
    return Piece(name, values, size, given=given)


def make_matrix(weights: Tensor | Sequence[Sequence[float]], name: str) -> Piece:
    """(S, S) or (T, S, S) weights; the user's own tensor stays as it is."""
    given = isinstance(weights, Tensor)
    try:
        values = torch.as_tensor(weights, dtype=None if given else torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name} must be a tensor or rows of numbers, got {type(weights).__name__}") from None
    shape = tuple(values.shape)
    if len(shape) not in (2, 3) or shape[-1] != shape[-2] or 0 in shape:
        raise ValueError(f"{name} must be (S, S) or (T, S, S) with S and T at least 1, got shape {shape}")
    if not values.is_floating_point():
        values = values.to(torch.float64)
    check_weights(values, name)
    return Piece(name, values, values.numel(), given=given)


def barred_but(states: int, allowed: slice, name: str) -> Piece:
    """0 for some states, −inf for the others."""
    weights = torch.full((states,), NEVER, dtype=torch.float64)
    weights[allowed] = 0.0
    return Piece(name, weights, states, settled=True)


@torch.inference_mode(False)
def pack_structure(graphs: Sequence[Graph]) -> Tensor:
    """The int32 tensor of csrc/graph.h that describes the graphs of a batch."""
    header: list[int] = [len(graphs)]
    offset, weights_offset = 1 + 6 * len(graphs), 0
    for graph in graphs:
        header += [FAMILIES.index(graph.family), *graph.record, offset, weights_offset]
        offset += len(graph.body)
        weights_offset += graph.num_weights
    if max(offset, weights_offset) >= 2**31:
        raise ValueError(f"the graphs of a batch must fit in 2^31 entries, got {max(offset, weights_offset)}")
    return torch.cat([torch.tensor(header, dtype=torch.int32), *(graph.body for graph in graphs)])


def index_tensor(values: Sequence[int] | Tensor, name: str, *, allow_empty: bool = False) -> Tensor:
    tensor = torch.as_tensor(values)
    if tensor.dim() != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {tuple(tensor.shape)}")
    if len(tensor) == 0:
        if allow_empty:
            return tensor.to(torch.int64)
        raise ValueError(f"{name} must not be empty")
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise TypeError(f"{name} must be integers, got {tensor.dtype}")
    tensor = tensor.detach().to("cpu", torch.int64)
    if not tracing() and int(tensor.min()) < 0:
        raise ValueError(f"{name} must be at least 0, got {int(tensor.min())}")
    return tensor


def pdf_tensor(pdfs: Sequence[int] | Tensor) -> Tensor:
    tensor = index_tensor(pdfs, "pdfs")
    if not tracing() and int(tensor.max()) >= 2**31:
        raise ValueError(f"pdfs must be below 2^31, got {int(tensor.max())}")
    return tensor.clone()  # the caller's own may change


def state_pdfs(pdfs: Sequence[int] | Tensor | None, num_states: int) -> Tensor:
    """The given columns, or state s's own number."""
    columns = torch.arange(num_states) if pdfs is None else pdf_tensor(pdfs)
    if len(columns) != num_states:
        raise ValueError(f"pdfs must be ({num_states},), one a state, got shape ({len(columns)},)")
    return columns


def state_tensor(values: Sequence[int] | Tensor, num_states: int, name: str) -> Tensor:
    tensor = index_tensor(values, name, allow_empty=True)
    if len(tensor) > 0 and int(tensor.max()) >= num_states:
        raise ValueError(f"{name} must be in 0…{num_states - 1}, got {int(tensor.max())}")
    return tensor
