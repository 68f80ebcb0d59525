"""Observations as users have them, made into what models compute with."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Sequences(NamedTuple):
    """Sequences one after another.

    Attributes:
        frames: (N, D) observations, those of all sequences.
        lengths: (B,) int64 on the CPU, frames of each; their sum is N.
        padded: the user gave (B, T, D), and results are to have that form.
        states: (N,) the state of each frame where it is known, else −1; None: of no frame.
    """

    frames: Tensor
    lengths: Tensor
    padded: bool
    states: Tensor | None = None

    @property
    def longest(self) -> int:
        """Frames of the longest sequence."""
        return int(self.lengths.max()) if len(self.lengths) else 0

    def pad(self, rows: Tensor) -> Tensor:
        """(B, T, …) from (N, …), zeros behind the ends."""
        count, longest = len(self.lengths), self.longest
        if len(rows) == count * longest:
            return rows.reshape(count, longest, *rows.shape[1:])
        result = rows.new_zeros(count, longest, *rows.shape[1:])
        result[self._inside(rows.device)] = rows
        return result

    def join(self, rows: Tensor) -> Tensor:
        """(N, …) from (B, T, …): what :meth:`pad` undoes."""
        if len(self.frames) == rows.shape[0] * rows.shape[1]:
            return rows.flatten(0, 1)
        return rows[self._inside(rows.device)]

    def times(self) -> Tensor:
        """(N,) where in its sequence each frame is: 0 the first one, 1 behind the last."""
        each = self.lengths.repeat_interleave(self.lengths)
        begins = (self.lengths.cumsum(0) - self.lengths).repeat_interleave(self.lengths)
        return ((torch.arange(len(each)) - begins) / each).to(self.frames)

    def part(self, first: int, last: int) -> Sequences:
        """Sequences ``first`` … ``last`` − 1."""
        ends = torch.cat((self.lengths.new_zeros(1), self.lengths.cumsum(0)))
        rows = slice(int(ends[first]), int(ends[last]))
        states = None if self.states is None else self.states[rows]
        return Sequences(self.frames[rows], self.lengths[first:last], self.padded, states)

    def barred(self, scores: Tensor, first: int = 0) -> Tensor:
        """(n, S) scores of the frames from ``first`` on, −inf for the states that a frame is known not to be in."""
        if self.states is None:
            return scores
        known, each = (
            self.states[first : first + len(scores), None],
            torch.arange(scores.shape[1], device=scores.device),
        )
        return scores.masked_fill((known >= 0) & (known != each), -torch.inf)

    def _inside(self, device: torch.device) -> Tensor:
        return (torch.arange(self.longest) < self.lengths[:, None]).to(device)


def as_sequences(x: Any, lengths: Any, dtype: torch.dtype, device: torch.device) -> Sequences:
    """Checked observations.

    Args:
        x: (N, D), the frames of all sequences one after another (as hmmlearn has them); or (B, T, D), padded. Anything
            that NumPy or torch makes an array of.
        lengths: frames of each sequence. Of (N, D) they add up to N, and are [N] by default; of (B, T, D) they are at
            most T, and T by default.

    Raises:
        ValueError: for other shapes and lengths, and for what are no numbers.
    """
    values = x if isinstance(x, Tensor) else _tensor_on(_as_array(x))
    if values.is_complex():
        raise ValueError(f"X must hold real numbers, got dtype {values.dtype}")
    if values.dim() not in (2, 3):
        hint = "; one feature is X[:, None], one frame X[None]" if values.dim() == 1 else ""
        raise ValueError(f"X must be (N, D), or (B, T, D) padded, got shape {tuple(values.shape)}{hint}")
    values = values.to(device, dtype)
    return _joined(values, lengths) if values.dim() == 2 else _from_padded(values, lengths)


def one_sequence(sequences: Sequences) -> Sequences:
    """The same. Raises ValueError where they are padded."""
    if sequences.padded:
        raise ValueError("X must be (n, D), got several sequences; give each a stream of its own")
    return sequences


def _as_array(x: Any) -> NDArray[Any]:
    """A contiguous array that torch takes; the same memory where that is one."""
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ValueError("X must be one array; join sequences one after another, and name their lengths") from error
    if array.dtype.kind not in "biufcO":
        raise ValueError(f"X must hold numbers, got dtype {array.dtype}")
    if array.dtype.kind == "O":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError("X must hold numbers, got dtype object") from error
    if not array.dtype.isnative or array.dtype.itemsize > 8:
        array = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
    return np.require(array, requirements="C")


def _tensor_on(values: NDArray[Any]) -> Tensor:
    """A tensor in the same memory, which may be a file's and read-only: nothing here writes to observations."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(values)


def _joined(values: Tensor, lengths: Any) -> Sequences:
    given = _as_lengths([len(values)] if lengths is None else lengths)
    if int(given.sum()) != len(values):
        raise ValueError(f"lengths must add up to the {len(values)} rows of X, got a sum of {int(given.sum())}")
    return Sequences(values, given, False)


def _from_padded(values: Tensor, lengths: Any) -> Sequences:
    count, frames = values.shape[:2]
    given = _as_lengths([frames] * count if lengths is None else lengths)
    if given.shape != (count,) or bool((given > frames).any()):
        raise ValueError(f"lengths must be ({count},) numbers from 0 to {frames}, got {given.tolist()}")
    whole = Sequences(values.flatten(0, 1), torch.full((count,), frames), True)
    if bool((given == frames).all()):
        return whole
    inside = (torch.arange(frames) < given[:, None]).to(values.device)
    return Sequences(values[inside], given, True)


def with_states(sequences: Sequences, states: Any, n_states: int) -> Sequences:
    """The same with states that are known: (N,), or (B, T) where observations are padded; −1: not known.

    Raises:
        ValueError: for another shape, or numbers that are no states.
    """
    given = torch.as_tensor(np.asarray(states) if isinstance(states, Sequence) else states)
    wanted = (len(sequences.lengths), sequences.longest) if sequences.padded else (len(sequences.frames),)
    if given.dim() != len(wanted) or given.shape[0] != wanted[0] or given.shape[-1] < wanted[-1]:
        raise ValueError(f"y must have shape {wanted}, got {tuple(given.shape)}")
    flat = sequences.join(given[:, : sequences.longest]) if sequences.padded else given
    if given.is_floating_point() or bool(((flat < -1) | (flat >= n_states)).any()):
        raise ValueError(f"y must hold states 0 … {n_states - 1}, or -1 where they are not known, got {flat.tolist()}")
    return sequences._replace(states=flat.to(sequences.frames.device, torch.int64))


def _as_lengths(lengths: Any) -> Tensor:
    message = f"lengths must be whole numbers from 0 on, one a sequence, got {lengths!r}"
    try:
        given = torch.as_tensor(lengths if isinstance(lengths, Tensor) else np.array(lengths)).cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(message) from error
    integers = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
    whole = given.dtype in integers or not given.numel()  # an empty list is of no type
    if given.dim() != 1 or not whole or bool((given < 0).any()):
        raise ValueError(message)
    return given.to(torch.int64)
