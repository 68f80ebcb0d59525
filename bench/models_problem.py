"""What bench/models.py computes on: frames drawn from a model, and the parameters that training starts from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
STAY = 0.9
"""Probability that the next frame is of the same state."""


@dataclass(frozen=True)
class Problem:
    """``sequences`` of ``frames`` frames each, of ``features`` features; a model of ``states`` and ``mixtures``."""

    states: int
    features: int
    sequences: int
    frames: int
    mixtures: int = 1

    @property
    def rows(self) -> int:
        """N frames in all."""
        return self.sequences * self.frames

    @property
    def lengths(self) -> list[int]:
        """Frames of each sequence."""
        return [self.frames] * self.sequences

    @property
    def name(self) -> str:
        """The size, for a row's name."""
        mixtures = "" if self.mixtures == 1 else f" × {self.mixtures} mixtures"
        return f"{self.states} states{mixtures} × {self.features} dims, {self.rows:,} frames in {self.sequences}"

    @cached_property
    def path(self) -> Array:
        """(N,) the states that the frames were drawn from."""
        random = np.random.default_rng(1)
        new = random.random(self.rows) > STAY
        return random.integers(0, self.states, self.rows)[np.maximum.accumulate(np.where(new, np.arange(self.rows), 0))]

    @cached_property
    def centres(self) -> Array:
        """(S, M, D) means that the frames were drawn about, with variance 1."""
        random = np.random.default_rng(2)
        states = random.normal(size=(self.states, 1, self.features))
        return states + 0.5 * random.normal(size=(self.states, self.mixtures, self.features))

    @cached_property
    def vectors(self) -> Array:
        """(N, D) frames of Gaussians."""
        random = np.random.default_rng(3)
        mixture = random.integers(0, self.mixtures, self.rows)
        return self.centres[self.path, mixture] + random.normal(size=(self.rows, self.features))

    @cached_property
    def counts(self) -> Array:
        """(N, D) whole numbers about 1 + 3 · state."""
        rates = 1.0 + 3.0 * self.path[:, None] + np.zeros(self.features)
        return np.random.default_rng(4).poisson(rates)

    @cached_property
    def symbols(self) -> Array:
        """(N, 1) numbers below 4 · states, those of a state's own four most often."""
        random = np.random.default_rng(5)
        own = 4 * self.path + random.integers(0, 4, self.rows)
        return np.where(random.random(self.rows) < 0.2, random.integers(0, 4 * self.states, self.rows), own)[:, None]

    @cached_property
    def chain(self) -> dict[str, Array]:
        """The first guess at initial and transition probabilities."""
        even = np.full((self.states, self.states), 0.3 / self.states) + 0.7 * np.eye(self.states)
        return {"startprob_": np.full(self.states, 1 / self.states), "transmat_": even}

    def gaussians(self, kind: str) -> dict[str, Array]:
        """The first guess of a GaussianHMM."""
        means = self.centres[:, 0] + 0.3 * np.random.default_rng(6).normal(size=(self.states, self.features))
        matrices = np.broadcast_to(1.5 * np.eye(self.features), (self.states, self.features, self.features)).copy()
        return {**self.chain, "means_": means, "covars_": np.full(means.shape, 1.5) if kind == "diag" else matrices}

    @property
    def mixture(self) -> dict[str, Array]:
        """The first guess of a GMMHMM with variances."""
        means = self.centres + 0.3 * np.random.default_rng(7).normal(size=self.centres.shape)
        even = np.full((self.states, self.mixtures), 1 / self.mixtures)
        return {**self.chain, "means_": means, "covars_": np.full(means.shape, 1.5), "weights_": even}

    @property
    def rates(self) -> dict[str, Array]:
        """The first guess of a PoissonHMM."""
        return {**self.chain, "lambdas_": 1.5 + 3.0 * np.arange(self.states)[:, None] + np.zeros(self.features)}

    @property
    def emissions(self) -> dict[str, Array]:
        """The first guess of a CategoricalHMM."""
        own = np.repeat(np.eye(self.states), 4, axis=1) / 4
        return {**self.chain, "emissionprob_": 0.5 * own + 0.5 / (4 * self.states)}


def with_parameters(model: Any, parameters: dict[str, Array]) -> Any:
    """The model, of whichever library has hmmlearn's names, with copies of these parameters."""
    for name, value in parameters.items():
        setattr(model, name, value.copy())
    return model
