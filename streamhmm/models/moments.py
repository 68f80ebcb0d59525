"""Weighted sums of frames and of their squares, block by block, so that what is made on the way stays in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from streamhmm.models import diagonal

BLOCK_CELLS = 1 << 16
"""Numbers in a block on one thread: half a megabyte in double precision, which the fastest caches hold."""
SHARED_BLOCK_CELLS = 1 << 18
"""Where torch's threads or a device share the work: they wait for each other in every operation of every block."""


def blocks(*rows: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The same rows of each (N, …), so many that no block has too many numbers, one block after another."""
    count = _block_rows(rows[0], max(each[:1].numel() for each in rows))
    yield from zip(*(each.split(count) for each in rows), strict=True)


def in_blocks(function: Callable[[Tensor], Tensor], frames: Tensor, cells: int) -> Tensor:
    """``function(frames)``, a function of each frame alone that makes so many ``cells`` of it; whole where gradients
    are taken, which keep it all."""
    count = _block_rows(frames, max(cells, frames.shape[1]))
    if torch.is_grad_enabled() or len(frames) <= count:
        return function(frames)
    parts = frames.split(count)
    first = function(parts[0])
    result = first.new_empty(len(frames), *first.shape[1:])
    for part, room in zip(parts, result.split(count), strict=True):
        room.copy_(first if part is parts[0] else function(part))
    return result


def _block_rows(like: Tensor, cells: int) -> int:
    alone = like.is_cpu and torch.get_num_threads() == 1
    return max(1, (BLOCK_CELLS if alone else SHARED_BLOCK_CELLS) // max(1, cells))


class Moments:
    """Σ_n w_nk · (1, x_n, and x_n² or, with ``matrices``, x_n x_nᵀ) of K columns of weights and D features.

    The x_n are frames about the ``points``: (D,) one for all columns, or (K, D), which takes longer.
    """

    def __init__(self, weights: int, matrices: bool, points: Tensor) -> None:
        self._matrices, self._points = matrices, points
        features = points.shape[-1]
        self._mass = points.new_zeros(weights)
        self._total = points.new_zeros(features, weights)
        self._squares = points.new_zeros((weights * features, features) if matrices else (features, weights))

    def add(self, frames: Tensor, weights: Tensor) -> None:
        """(n, D) frames with (n, K) weights."""
        is_plain = self._points.dim() == 1 and not self._matrices
        if is_plain and diagonal.serves(frames, weights, self._points):
            mass, total, squares = diagonal.moments(frames, weights, self._points)
            self._mass += mass
            self._total += total.mT
            self._squares += squares.mT
            return
        for part, weight in blocks(frames, weights):
            self._add_block(part, weight)

    def _add_block(self, frames: Tensor, weights: Tensor) -> None:
        self._mass += weights.sum(0)
        if self._points.dim() == 1:
            self._add_all(frames - self._points, weights)
            return
        for column, point in enumerate(self._points):
            self._add_one(column, frames - point, weights[:, column])

    def _add_one(self, column: int, frames: Tensor, weights: Tensor) -> None:
        self._total[:, column].addmv_(frames.mT, weights)
        if self._matrices:
            size = frames.shape[1]
            self._squares[column * size :][:size].addmm_((frames * weights[:, None]).mT, frames)
        else:
            self._squares[:, column].addmv_(frames.square().mT, weights)

    def _add_all(self, frames: Tensor, weights: Tensor) -> None:
        self._total.addmm_(frames.mT, weights)
        if self._matrices:
            weighted = weights.mT[:, None, :] * frames.mT
            self._squares.addmm_(weighted.flatten(0, 1), frames)
        else:
            self._squares.addmm_(frames.square().mT, weights)

    @property
    def mass(self) -> Tensor:
        """(K,)."""
        return self._mass

    @property
    def total(self) -> Tensor:
        """(K, D)."""
        return self._total.mT.contiguous()

    @property
    def squares(self) -> Tensor:
        """(K, D) or (K, D, D)."""
        if self._matrices:
            return self._squares.reshape(len(self._mass), -1, self._squares.shape[1])
        return self._squares.mT.contiguous()


def outer(a: Tensor, b: Tensor) -> Tensor:
    """(K, D, D) from (K, D) and (K, D)."""
    return a[:, :, None] * b[:, None, :]


def about(means: Tensor, mass: Tensor, total: Tensor, squares: Tensor) -> Tensor:
    """Squares about (K, D) means from such moments about 0: (K,), (K, D), and (K, D) or (K, D, D)."""
    if squares.dim() == 2:
        return squares - 2 * means * total + means**2 * mass[:, None]
    cross = outer(total, means)
    return squares - cross - cross.mT + outer(means, means) * mass[:, None, None]
