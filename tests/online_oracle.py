"""Viterbi decoding of a stream, slow and obvious: every live state carries its whole path along."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor

from streamhmm.reference import Arcs

NEVER = float("-inf")
SETTLE_EVERY = 4


@dataclass
class OnlineOracle:
    """The rules of csrc/online_viterbi.h in Python's floats. ``live`` maps a state to its score and its path."""

    arcs: Arcs
    max_lag: int | None = None
    beam: float | None = None
    certainty: float | None = None
    live: dict[int, tuple[float, tuple[int, ...]]] = field(default_factory=dict)
    frames: int = 0
    decided: list[int] = field(default_factory=list)

    def push(self, scores: Tensor) -> None:
        for row in scores.tolist():
            self._advance(row)
        self._settle()

    def finish(self) -> bool:
        """Decides the rest; returns whether it ends in a final state."""
        final = self.arcs.final.tolist()
        ends = {state: score + final[state] for state, (score, _) in self.live.items() if final[state] > NEVER}
        totals = ends or {state: score for state, (score, _) in self.live.items()}
        self._decide_all(_best(totals))
        return bool(ends)

    def restart(self, initial: Tensor) -> None:
        self._decide_all(self.current())
        self.arcs = self.arcs._replace(initial=initial)
        self.live = {}

    def current(self) -> int:
        return _best({state: score for state, (score, _) in self.live.items()})

    def _advance(self, row: list[float]) -> None:
        pdfs = self.arcs.pdfs.tolist()
        entered: dict[int, tuple[float, tuple[int, ...]]] = {}
        if not self.live and self.frames == len(self.decided):  # the beginning, or after restart
            starts = enumerate(self.arcs.initial.tolist())
            entered = {state: (weight, tuple(self.decided)) for state, weight in starts if weight > NEVER}
        order = sorted(zip(*(column.tolist() for column in self.arcs[1:4]), strict=True))
        for source, target, weight in order:  # the lowest source first: it wins ties
            if source not in self.live or weight == NEVER:
                continue
            score, path = self.live[source]
            if score + weight > entered.get(target, (NEVER, ()))[0]:
                entered[target] = (score + weight, path)
        found = {state: (score + row[pdfs[state]], (*path, state)) for state, (score, path) in entered.items()}
        self.live = {state: end for state, end in found.items() if end[0] > NEVER}
        self.frames += 1
        self._narrow()

    def _narrow(self) -> None:
        if self.beam is not None and self.live:
            least = max(score for score, _ in self.live.values()) - self.beam
            self.live = {state: end for state, end in self.live.items() if end[0] >= least}
        if self.max_lag is None and self.certainty is None:
            return
        if self.frames % SETTLE_EVERY == 0:
            self._settle()
            while self._certain():
                self._settle()
        while self.max_lag is not None and self.frames - len(self.decided) > self.max_lag:
            before = len(self.decided)
            self._settle()
            if len(self.decided) == before:
                self._keep(self.live[self.current()][1][before])

    def _certain(self) -> bool:
        frame = len(self.decided)
        if self.certainty is None or not self.live or frame == self.frames:
            return False
        if len({path[frame] for _, path in self.live.values()}) == 1:
            return False
        best, path = self.live[self.current()]
        weights = [(math.exp(score - best), other[frame] == path[frame]) for score, other in self.live.values()]
        if sum(w for w, same in weights if same) < self.certainty * sum(w for w, _ in weights):
            return False
        self._keep(path[frame])
        return True

    def _keep(self, state: int) -> None:
        frame = len(self.decided)
        self.live = {end: value for end, value in self.live.items() if value[1][frame] == state}

    def _settle(self) -> None:
        if not self.live:
            self.decided += [-1] * (self.frames - len(self.decided))
            return
        paths = [path for _, path in self.live.values()]
        while len(self.decided) < self.frames and len({path[len(self.decided)] for path in paths}) == 1:
            self.decided.append(paths[0][len(self.decided)])

    def _decide_all(self, state: int) -> None:
        path = self.live[state][1] if self.live else (*self.decided, *[-1] * (self.frames - len(self.decided)))
        self.decided = list(path)


def _best(totals: dict[int, float]) -> int:
    return min(totals, key=lambda state: (-totals[state], state)) if totals else -1
