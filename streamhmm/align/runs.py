"""A path as stretches of one phone or of silence."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.align.topology import Topology


class Runs(NamedTuple):
    """What a path stays in, and when it changes.

    Attributes:
        phones: (R,) index of the phone in the topology, −1 for silence.
        pdfs: (R,) score column.
        bounds: (R + 1,) first frame of each run, then the number of frames.
    """

    phones: Tensor
    pdfs: Tensor
    bounds: Tensor

    @property
    def frames(self) -> Tensor:
        """(R,) length of each run."""
        return self.bounds.diff()

    @property
    def spoken(self) -> Tensor:
        """(R,) True for phones."""
        return self.phones >= 0

    def of_frames(self, values: Tensor) -> Tensor:
        """(T,) from one value a run."""
        return values.repeat_interleave(self.frames)

    def means(self, values: Tensor) -> Tensor:
        """(R,) means of (T,) values, in double."""
        sums = torch.cat([values.new_zeros(1, dtype=torch.float64), values.double().cumsum(0)])
        return sums[self.bounds].diff() / self.frames


def read_runs(states: Tensor, topology: Topology) -> Runs:
    """The runs of (T,) states."""
    phone_of_frame = topology.phone_of_state[states]
    changes = torch.nonzero(phone_of_frame[1:] != phone_of_frame[:-1])[:, 0] + 1
    firsts = torch.cat([changes.new_zeros(1), changes])
    bounds = torch.cat([firsts, changes.new_tensor([len(states)])])
    return Runs(phone_of_frame[firsts], topology.graph.pdfs[states[firsts]], bounds)
