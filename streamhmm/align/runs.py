"""A path as stretches of one phone, of silence or of speech that is not in the text."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.align.topology import Topology


class Runs(NamedTuple):
    """What a path stays in, and when it changes.

    Attributes:
        phones: (R,) index of the phone in the topology, or ``SILENT``, ``OFFSCRIPT``.
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

    def where(self, kept: Tensor) -> Runs:
        """Those that are True in (R,) ``kept``, as if the frames of the others had not been."""
        return Runs(self.phones[kept], self.pdfs[kept], torch.nn.functional.pad(self.frames[kept].cumsum(0), (1, 0)))

    def of_frames(self, values: Tensor) -> Tensor:
        """(T,) from one value a run."""
        return values.repeat_interleave(self.frames)

    def means(self, values: Tensor) -> Tensor:
        """(R,) means of (T,) values, in double."""
        sums = torch.cat([values.new_zeros(1, dtype=torch.float64), values.double().cumsum(0)])
        return sums[self.bounds].diff() / self.frames


def read_runs(states: Tensor, topology: Topology) -> Runs:
    """The runs of (T,) states. A word that is read again at once begins a new run, even if it has but one phone."""
    phone_of_frame, pdfs = topology.phone_of_state[states], topology.graph.pdfs[states]
    changed = (phone_of_frame[1:] != phone_of_frame[:-1]) | (pdfs[1:] != pdfs[:-1]) | topology.begins_word[states[1:]]
    changes = torch.nonzero(changed)[:, 0] + 1
    firsts = torch.cat([changes.new_zeros(1), changes])
    bounds = torch.cat([firsts, changes.new_tensor([len(states)])])
    return Runs(phone_of_frame[firsts], pdfs[firsts], bounds)
