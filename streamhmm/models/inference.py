"""What may be asked of any model, with hmmlearn's names: likelihood, states and their probabilities."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from streamhmm.models.parameters import as_numpy
from streamhmm.models.sequences import Sequences, as_sequences
from streamhmm.ops import Path

ALGORITHMS = ("viterbi", "map")


class Inference(nn.Module):
    """Answers from three computations: likelihoods, best paths and posteriors of :class:`Sequences`.

    ``X`` is (N, D), the frames of all sequences one after another with their ``lengths``, or (B, T, D), padded; NumPy
    or torch. Results are NumPy's, or tensors where ``X`` is one, and padded where it is: states −1, posteriors 0.
    ``given``: what else the model is told, where it takes anything (the ``context`` of a NeuralHMM).
    """

    algorithm: str = "viterbi"

    @abstractmethod
    def sequence_log_prob(self, sequences: Sequences) -> Tensor:
        """(B,) log-likelihoods, with gradients."""

    @abstractmethod
    def sequence_paths(self, sequences: Sequences) -> Path:
        """The states along the best paths (B, T), −1 behind the ends, and the paths' scores (B,)."""

    @abstractmethod
    def sequence_posteriors(self, sequences: Sequences) -> Tensor:
        """(B, T, S) probabilities of the states given all frames."""

    @abstractmethod
    def free_parameters(self) -> int:
        """How many numbers it takes to describe the model."""

    @abstractmethod
    def check_frames(self, frames: Tensor) -> None:
        """Raises ValueError for (N, D) frames that the model never gives."""

    def log_prob(self, X: Any, lengths: Any = None, **given: Any) -> Tensor:
        """(B,) log-likelihood of each sequence, with gradients to the parameters."""
        return self.sequence_log_prob(self._sequences(X, lengths, **given))

    @torch.no_grad()
    def score(self, X: Any, lengths: Any = None, **given: Any) -> float:
        """The log-likelihood of all sequences."""
        return float(self.log_prob(X, lengths, **given).sum())

    @torch.no_grad()
    def score_samples(self, X: Any, lengths: Any = None, **given: Any) -> tuple[float, Any]:
        """:meth:`score` and :meth:`predict_proba`."""
        return self.score(X, lengths, **given), self.predict_proba(X, lengths, **given)

    def decode(self, X: Any, lengths: Any = None, algorithm: str | None = None, **given: Any) -> tuple[float, Any]:
        """The states, (N,) or (B, T), after their log-probability, or the sum of their probabilities ("map")."""
        sequences = self._sequences(X, lengths, **given)
        if known_algorithm(algorithm or self.algorithm) == "viterbi":
            path = self.sequence_paths(sequences)
            return float(path.score.sum()), _result(path.states, sequences, X)
        best = self.sequence_posteriors(sequences).max(-1)
        states = best.indices.masked_fill(best.values == 0, -1)
        return float(sequences.join(best.values).sum()), _result(states, sequences, X)

    def predict(self, X: Any, lengths: Any = None, **given: Any) -> Any:
        """The states alone."""
        return self.decode(X, lengths, **given)[1]

    def predict_proba(self, X: Any, lengths: Any = None, **given: Any) -> Any:
        """Probabilities of the states given all frames, (N, S) or (B, T, S)."""
        sequences = self._sequences(X, lengths, **given)
        return _result(self.sequence_posteriors(sequences), sequences, X)

    def aic(self, X: Any, lengths: Any = None, **given: Any) -> float:
        """Akaike's information criterion: −2 · log-likelihood + 2 · free parameters; lower is better (Akaike 1974)."""
        return -2 * self.score(X, lengths, **given) + 2 * self.free_parameters()

    def bic(self, X: Any, lengths: Any = None, **given: Any) -> float:
        """The Bayesian one: −2 · log-likelihood + free parameters · log N; lower is better (Schwarz 1978).

        N counts the frames that show something. Raises ValueError where there are none.
        """
        frames = int((~self._sequences(X, lengths, **given).frames.isnan()).any(1).sum())
        if frames == 0:
            raise ValueError("X must have rows that show something, got none")
        return -2 * self.score(X, lengths, **given) + self.free_parameters() * math.log(frames)

    def _sequences(self, x: Any, lengths: Any, **given: Any) -> Sequences:
        if given:
            raise TypeError(f"{type(self).__name__} takes no {', '.join(given)}")
        like = next(self.parameters())
        sequences = as_sequences(x, lengths, like.dtype, like.device)
        self.check_frames(sequences.frames)
        return sequences


def _result(padded: Tensor, sequences: Sequences, x: Any) -> Any:
    """In the form of ``x``: an array or a tensor, joined or as wide as that is."""
    result = sequences.join(padded)
    if sequences.padded:
        behind = np.shape(x)[1] - padded.shape[1]
        empty = 0 if padded.is_floating_point() else -1
        result = pad(padded, (0, 0) * (padded.dim() - 2) + (0, behind), value=empty)
    return result if isinstance(x, Tensor) else as_numpy(result)


def known_algorithm(name: str) -> str:
    """The name. Raises ValueError unless it is one of ``ALGORITHMS``."""
    if name not in ALGORITHMS:
        raise ValueError(f"algorithm must be one of {', '.join(ALGORITHMS)}, got {name!r}")
    return name
