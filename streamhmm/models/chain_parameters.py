"""A model's chain by hmmlearn's names."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamhmm.models.chain import Chain
from streamhmm.models.parameters import as_numpy


class ChainParameters:
    """The probabilities of ``chain`` as NumPy arrays, which can be set."""

    chain: Chain

    @property
    def startprob_(self) -> NDArray[np.floating[Any]]:
        """(S,) probabilities of the first state."""
        return as_numpy(self.chain.initial)

    @startprob_.setter
    def startprob_(self, value: Any) -> None:
        self.chain.set_initial(self._tensor(value))

    @property
    def transmat_(self) -> NDArray[np.floating[Any]]:
        """(S, S) probabilities, row i those of what follows state i."""
        self._check_constant()
        return as_numpy(self.chain.transitions)

    @transmat_.setter
    def transmat_(self, value: Any) -> None:
        self._check_constant()
        self.chain.set_transitions(self._tensor(value))

    def _check_constant(self) -> None:
        """Raises ValueError where transitions vary with time."""

    def _tensor(self, value: Any) -> Tensor:
        given = value if isinstance(value, Tensor) else np.array(value, order="C")  # which may be backwards
        return torch.as_tensor(given).to(self.chain.initial_logits.device, torch.float64)
