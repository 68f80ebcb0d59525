"""Gaussians with diagonal covariances: log-densities and moments of frames, by the compiled core.

It serves float32 and float64 on the CPU, rows contiguous, while no gradients are recorded. The rest (gradients, other
devices and layouts) is torch's, in covariance.py and moments.py: its products are fast where they are large.
"""

from __future__ import annotations

import torch
from torch import Tensor

from streamhmm import _C


def serves(*matrices: Tensor) -> bool:
    """The core can read them: one type, rows contiguous, on the CPU, and nobody asks for gradients."""
    dtype = matrices[0].dtype
    if torch.is_grad_enabled() or dtype not in (torch.float32, torch.float64):
        return False
    return all(each.is_cpu and each.dtype == dtype and _has_contiguous_rows(each) for each in matrices)


def densities(frames: Tensor, origin: Tensor, constant: Tensor, linear: Tensor, square: Tensor) -> Tensor:
    """(N, K): ``constant + x @ linear + x² @ square`` with x the (N, D) frames less the (D,) origin.

    All of them such that the core serves; the polynomials' coefficients (K,), (D, K), (D, K).

    Raises:
        ValueError: their sizes differ.
    """
    dims, gaussians = linear.shape
    if frames.shape[1] != dims:
        raise ValueError(f"frames must have {dims} features, got {frames.shape[1]}")
    origin, constant, linear, square = (each.contiguous() for each in (origin, constant, linear, square))
    found = frames.new_empty(len(frames), gaussians)
    _C.diagonal_densities(
        _rows(frames, origin),
        gaussians,
        constant.data_ptr(),
        linear.data_ptr(),
        square.data_ptr(),
        found.data_ptr(),
    )
    return found


def moments(frames: Tensor, weights: Tensor, origin: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Σ_n w_nk · (1, x_n, x_n²) in float64: (K,), (K, D), (K, D). x are (N, D) frames less the (D,) origin, w (N, K).

    Both such that the core serves. The sums do not depend on the number of threads.

    Raises:
        ValueError: there are not as many rows of weights as of frames.
    """
    if len(weights) != len(frames):
        raise ValueError(f"weights must have a row for each of the {len(frames)} frames, got {len(weights)}")
    origin = None if origin is None else origin.contiguous()
    mass = torch.empty(weights.shape[1], dtype=torch.float64)
    total = torch.empty(weights.shape[1], frames.shape[1], dtype=torch.float64)
    squares = torch.empty_like(total)
    _C.diagonal_moments(
        _rows(frames, origin),
        weights.shape[1],
        weights.data_ptr(),
        weights.stride(0),
        mass.data_ptr(),
        total.data_ptr(),
        squares.data_ptr(),
    )
    return mass, total, squares


def _rows(frames: Tensor, origin: Tensor | None) -> _C.FrameRows:
    return _C.FrameRows(
        frames.data_ptr(),
        frames.dtype == torch.float64,
        frames.shape[0],
        frames.shape[1],
        frames.stride(0),
        0 if origin is None else origin.data_ptr(),
        torch.get_num_threads(),
    )


def _has_contiguous_rows(matrix: Tensor) -> bool:
    return matrix.layout == torch.strided and (matrix.shape[-1] <= 1 or matrix.stride(-1) == 1)
