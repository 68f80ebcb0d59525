"""What pictures of models share: the names and colours of states, and the stretches of a path."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamhmm.plots.canvas import COLOURS

if TYPE_CHECKING:
    from streamhmm.models.estimator import Estimator


class Run(NamedTuple):
    """``frames`` frames in one state from frame ``start`` on; ``cut``: a sequence's end cuts it off, maybe."""

    state: int
    start: int
    frames: int
    cut: bool


class Decoded(NamedTuple):
    """What a model makes of the frames of all sequences, one after another.

    Attributes:
        frames: (N, D) observations.
        posteriors: (N, S).
        states: (N,), −1 where no path fits.
        lengths: frames of each sequence.
    """

    frames: NDArray[Any]
    posteriors: NDArray[np.floating[Any]]
    states: NDArray[np.int64]
    lengths: tuple[int, ...]


def state_names(model: Estimator, names: Sequence[str] | None) -> list[str]:
    """Those given, or the states' numbers. Raises ValueError unless there is one a state."""
    count = model.n_components
    if names is not None and len(names) != count:
        raise ValueError(f"names must be one for each of the {count} states, got {len(names)}")
    return [str(name) for name in (range(count) if names is None else names)]


def chain_names(model: Estimator, labels: Sequence[str]) -> list[str]:
    """Of the chain's states: those of their emissions, numbered from 1 where several share one."""
    pdfs = model.chain.topology.pdfs.tolist()
    if len(pdfs) == len(labels):
        return [labels[pdf] for pdf in pdfs]
    return [f"{labels[pdf]}.{pdfs[: state + 1].count(pdf)}" for state, pdf in enumerate(pdfs)]


def state_colour(state: int) -> str:
    """Of one of ten; then they begin again."""
    return COLOURS[state % len(COLOURS)]


def decoded(model: Estimator, x: Any, lengths: Any, **given: Any) -> Decoded:
    """Posteriors and path of observations as :meth:`Estimator.fit` takes them; ``given``: what else the model asks."""
    frames, each = _joined(as_array(x), x, lengths)
    posteriors, _ = _joined(as_array(model.predict_proba(x, lengths, **given)), x, lengths)
    return Decoded(frames, posteriors, decoded_path(model, x, lengths, **given)[0], each)


def decoded_path(model: Estimator, x: Any, lengths: Any, **given: Any) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    """(N,) states of the frames of all sequences, −1 where no path fits, and the frames of each sequence."""
    return _joined(as_array(model.predict(x, lengths, **given)), x, lengths)


def _joined(values: NDArray[Any], x: Any, lengths: Any) -> tuple[NDArray[Any], tuple[int, ...]]:
    """What belongs to the frames of ``x``, (N, …) or padded, without the padding."""
    padded = len(np.shape(x)) == 3
    if lengths is None:
        given = np.full(values.shape[0], values.shape[1]) if padded else np.array([len(values)])
    else:
        given = as_array(lengths)
    if padded:
        values = values[np.arange(values.shape[1]) < given[:, None]]
    return values, tuple(map(int, given))


def runs_of(states: NDArray[np.int64], lengths: Sequence[int]) -> list[Run]:
    """The stretches of one state in each sequence's path; those at its ends are marked as cut."""
    runs, offset = [], 0
    for length in lengths:
        part = states[offset : offset + length]
        edges = [0, *(np.flatnonzero(np.diff(part)) + 1), length] if length else []
        for start, end in itertools.pairwise(edges):
            cut = start == 0 or end == length
            runs.append(Run(int(part[start]), int(offset + start), int(end - start), cut))
        offset += length
    return [run for run in runs if run.state >= 0]


def as_array(values: Any) -> NDArray[Any]:
    """NumPy's, of what may be a tensor on another device."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
