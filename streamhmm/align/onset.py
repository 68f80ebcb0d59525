"""When a reader begins: what was before may have been silence, music, or other people."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from streamhmm.align.follow import LEAD_IN, PAID_LEAVING, START
from streamhmm.align.place import place_of_state
from streamhmm.align.runs import Runs, read_runs
from streamhmm.align.steady import Decoder
from streamhmm.align.topology import OFFSCRIPT, Topology

PHONES, GAIN = 3, 35.0
"""A reader has begun when so many phones, the last ones, fit one after the other, by so many nats better than babble
and music would. In minutes of these 34 were reached …"""
LONGEST_PHONE = 25
"""… but for single long vowels, which instruments hold."""
LEAST_MARGIN = 12.0
"""Nats by which reading must fit better than none."""
QUIET_FRAMES = 10
"""Out of so much silence, with nothing before it, it seems so as soon as one phone fits."""
BABBLE_COST, BABBLE_PHONES = 1.6, 4
"""Babble scores as the best phone less the cost, or as the mean of so many best ones: several voices sound like any."""


class Signs(NamedTuple):
    """Whether a reader has ``begun``; and, where it only seems so, the live ``state`` that speaks for it."""

    begun: bool
    state: int | None


class Onset:
    """Looks for the beginning of a text in what a decoder has not given up."""

    def __init__(self, topology: Topology, silence: int) -> None:
        self._topology = topology
        self._silence = silence
        self.reads = place_of_state(topology) >= 0  # (S,) the first word or what comes after it
        # What the graph charges for talk and for the first word is there to be sure of its times; here it is undone.
        self._paid = torch.full((len(self.reads),), -START, dtype=torch.float64)
        before = int((~self.reads).sum())
        talk = topology.phone_of_state[:before] == OFFSCRIPT
        behind_talk = (talk.cumsum(0) > 0) & ~talk
        self._paid[:before] = -LEAD_IN * (talk * (1 - PAID_LEAVING) + behind_talk.double())
        self._nothing = torch.empty(0, dtype=torch.int64)
        self._most = len(topology.phones)
        self._talk = self._reads = False
        self._quiet = 0

    def note(self, states: Tensor) -> None:
        """Takes note of decided states, which lie before the undecided ones."""
        self._reads |= bool(self.reads[states].any())
        self._talk |= bool((self._topology.phone_of_state[states] == OFFSCRIPT).any())
        self._quiet += len(states)

    def look(self, decoder: Decoder, scores: Tensor) -> Signs:
        """What the best of the paths that are in the text by now speaks for.

        Args:
            decoder: of the text.
            scores: (m, V + 1) of the frames that are not decided.
        """
        survivors = decoder.survivors()
        reading = self.reads[survivors.states]
        if not bool(reading.any()):
            return Signs(self._reads, None)
        undone = survivors.scores + self._paid[survivors.states]
        margin = math.inf if bool(reading.all()) else float(undone[reading].max() - undone[~reading].max())
        state = int(survivors.states[reading][survivors.scores[reading].argmax()])
        # In a long silence the path is long, too: it is looked at only where something speaks for it.
        path = decoder.undecided(state) if margin > LEAST_MARGIN else self._nothing
        if len(path) == 0:
            return Signs(self._reads, None)
        runs = read_runs(path, self._topology)
        words = self.reads[path[runs.bounds[:-1]]]
        frames = runs.frames[words & runs.spoken].tolist()
        seems = len(frames) > 0 and self._is_quiet(runs, ~words)
        fits = len(frames) >= min(PHONES, self._most) and max(frames[-PHONES:]) <= LONGEST_PHONE
        begun = fits and float(self._gain(path, scores[: len(path)])[runs.of_frames(words)].sum()) > GAIN
        return Signs(self._reads or begun, state if seems else None)

    def _is_quiet(self, runs: Runs, before: Tensor) -> bool:
        quiet = int(runs.frames[before].sum()) + self._quiet >= QUIET_FRAMES
        return quiet and not self._talk and not bool((runs.phones == OFFSCRIPT).any())

    def _gain(self, path: Tensor, scores: Tensor) -> Tensor:
        """(m,) score of a path above that of babble."""
        phones = torch.cat([scores[:, : self._silence], scores[:, self._silence + 1 : -1]], dim=1)
        best = phones.topk(BABBLE_PHONES, dim=1).values
        babble = torch.maximum(torch.maximum(best[:, 0] - BABBLE_COST, best.mean(1)), scores[:, self._silence])
        return scores.gather(1, self._topology.graph.pdfs[path][:, None])[:, 0] - babble

    def state_dict(self) -> dict[str, Any]:
        """What was decided so far."""
        return {"talk": self._talk, "quiet": self._quiet, "reads": self._reads}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on with it."""
        self._talk, self._quiet, self._reads = state["talk"], state["quiet"], state["reads"]
