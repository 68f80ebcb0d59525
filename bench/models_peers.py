"""The peers of bench/models.py as calls on a problem: what they compute, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from models_problem import Array, Problem, with_parameters

Model = Callable[..., Any]


def one_iteration(make: Model, parameters: dict[str, Array], data: Array, lengths: list[int]) -> Callable[[], Any]:
    """``fit`` of one iteration from the same start at each call; returns the model. ``make``: ours or hmmlearn's."""

    def call() -> Any:
        model = with_parameters(make(n_iter=1, init_params=""), parameters)
        return model.fit(data, lengths)

    return call


def learnt(model: Any, parameters: dict[str, Array], rows: int) -> Array:
    """What an iteration found: the log-likelihood of a frame before it, and all parameters after it."""
    values = [np.atleast_1d(model.monitor_.history[-1] / rows)]
    for name, start in parameters.items():
        value = np.asarray(getattr(model, name))
        if value.ndim > start.ndim:  # hmmlearn shows variances as matrices
            value = np.diagonal(value, axis1=-2, axis2=-1)
        values.append(value)
    return np.concatenate([value.ravel() for value in values])


def pomegranate_model(problem: Problem) -> Any:
    """A DenseHMM of Gaussians with variances at the same start, in single precision, as all that it makes of numbers.

    Its paths end with probability 1/S, ours with 1.
    """
    from pomegranate.distributions import Normal
    from pomegranate.hmm import DenseHMM

    start = {name: torch.tensor(value).float() for name, value in problem.gaussians("diag").items()}
    gaussians = [
        Normal(mean, variances, covariance_type="diag")
        for mean, variances in zip(start["means_"], start["covars_"], strict=True)
    ]
    ends = torch.full((problem.states,), 1 / problem.states)
    return DenseHMM(gaussians, edges=start["transmat_"], starts=start["startprob_"], ends=ends, max_iter=1)


def single_frames(problem: Problem) -> torch.Tensor:
    """(B, T, D) frames in single precision."""
    return torch.from_numpy(problem.vectors).float().reshape(problem.sequences, problem.frames, problem.features)


def pomegranate_iteration(problem: Problem) -> Callable[[], Any]:
    """``fit`` of one iteration of the same start."""
    frames = single_frames(problem)

    def call() -> Any:
        with torch.no_grad():
            return pomegranate_model(problem).fit(frames)

    return call


def pomegranate_learnt(problem: Problem, model: Any) -> Array:
    """As :func:`learnt`, without transitions: pomegranate counts an end as one more of them."""
    frames = single_frames(problem)
    with torch.no_grad():
        total = float(pomegranate_model(problem).log_probability(frames).double().sum())
    total += problem.sequences * np.log(problem.states)
    means, variances = (
        np.stack([getattr(each, name).numpy() for each in model.distributions]) for name in ("means", "covs")
    )
    return np.concatenate(([total / problem.rows], means.ravel(), variances.ravel()))
