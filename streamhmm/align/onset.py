"""When a reader begins: what was before may have been silence, music, or other people."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from streamhmm.align.follow import LEAD_IN
from streamhmm.align.runs import read_runs
from streamhmm.align.topology import OFFSCRIPT, Topology
from streamhmm.online import Survivors

PHONES, MARGIN = 3, 12.0
"""A reader has begun when so many phones, the last ones, fit one after the other, better than anything else by so many
nats. In minutes of babble 8.5 were reached, in music none …"""
LONGEST_PHONE = 25
"""… but for single long vowels, which instruments hold."""
QUIET_FRAMES, QUIET_PHONES, QUIET_MARGIN = 10, 2, 3.0
"""Out of silence, with nothing before it, less is enough."""


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
        self._most = len(topology.phones)
        self._talk, self._quiet = False, 0

    def note(self, states: Tensor) -> None:
        """Takes note of decided states, which lie before the undecided ones."""
        self._talk |= bool((self._topology.phone_of_state[states] == OFFSCRIPT).any())
        self._quiet += len(states)

    def has_begun(self, survivors: Survivors, undecided: Tensor) -> bool:
        """Whether the best path of (m,) undecided states is in the text surely."""
        reading = self._word[survivors.states] >= 0
        if not bool(reading.any()):
            return False
        runs = read_runs(undecided, self._topology)
        word = self._word[undecided[runs.bounds[:-1]]] >= 0
        frames = runs.frames[word & runs.spoken].tolist()
        before = int(runs.frames[~word].sum()) + self._quiet
        is_quiet = before >= QUIET_FRAMES and not self._talk and not bool((runs.phones == OFFSCRIPT).any())
        phones, margin = (QUIET_PHONES, QUIET_MARGIN) if is_quiet else (PHONES, MARGIN)
        phones = min(phones, self._most)
        if len(frames) < phones or max(frames[-phones:]) > LONGEST_PHONE:
            return False
        others = (survivors.scores + self._paid[survivors.states])[~reading]
        return len(others) == 0 or float(survivors.scores[reading].max() - others.max()) > margin

    def state_dict(self) -> dict[str, Any]:
        """What was decided so far."""
        return {"talk": self._talk, "quiet": self._quiet}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on with it."""
        self._talk, self._quiet = state["talk"], state["quiet"]
