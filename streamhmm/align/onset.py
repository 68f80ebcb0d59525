"""When a reader begins: what was before may have been silence, music, or other people."""

from __future__ import annotations

import torch
from torch import Tensor

from streamhmm.align.follow import LEAD_IN
from streamhmm.align.runs import read_runs
from streamhmm.align.topology import OFFSCRIPT, Topology
from streamhmm.online import Survivors

PHONES = 3
"""A reader has begun when so many phones fit one after the other (babble and music hold a vowel for a while) …"""
MARGIN = 12.0
"""… and better than anything else by so many nats. In minutes of babble 8.5 were reached, in music none."""


class Onset:
    """Looks for the beginning of a text in what a decoder has not given up."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._word = topology.word_of_state.cummax(0).values
        talk = (topology.phone_of_state == OFFSCRIPT).nonzero()
        # What talk before the first word costs is there to be sure of its times, not of whether it has begun.
        self._paid = torch.zeros(len(self._word), dtype=torch.float64)
        if len(talk) > 0:
            self._paid[int(talk[0]) :] = -LEAD_IN
        self._least = min(PHONES, len(topology.phones))

    def has_begun(self, survivors: Survivors, undecided: Tensor) -> bool:
        """Whether the best path of (m,) undecided states, which are all since the beginning, is in the text surely."""
        reading = self._word[survivors.states] >= 0
        if not bool(reading.any()) or self._phones(undecided) < self._least:
            return False
        others = (survivors.scores + self._paid[survivors.states])[~reading]
        return len(others) == 0 or float(survivors.scores[reading].max() - others.max()) > MARGIN

    def _phones(self, undecided: Tensor) -> int:
        states = undecided[self._word[undecided] >= 0]
        return 0 if len(states) == 0 else int((read_runs(states, self._topology).phones >= 0).sum())
