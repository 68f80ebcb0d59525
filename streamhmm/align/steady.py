"""How frames become decided: for good, or by what is best so far."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from streamhmm.graph import Graph
from streamhmm.online import OnlineViterbi, Survivors


class Decoder(Protocol):
    """What a stream asks of the text's decoder; :class:`~streamhmm.OnlineViterbi` is one."""

    def push(self, scores: Tensor) -> Tensor: ...
    def finish(self) -> Tensor: ...
    def restart(self, initial: Tensor) -> Tensor: ...
    def extend(self, graph: Graph) -> None: ...
    def survivors(self) -> Survivors: ...
    def undecided(self) -> Tensor: ...
    @property
    def complete(self) -> bool: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Wanderer:
    """Tells each frame's state ``max_lag`` frames later, as the best path then has it, and stays free to think again.

    A path that leaves the order of the words pays once for it and wins over many frames; a decoder that gave up what
    contradicts the frames told would never come to it. So the told states may leap where the best path becomes another
    one. Its own decoder gives up only what is ``memory`` frames old.
    """

    def __init__(self, graph: Graph, max_lag: int, memory: int, beam: float | None) -> None:
        self._decoder = OnlineViterbi(graph, max(memory, max_lag), beam)
        self._lag = max_lag
        self._decided = torch.empty(0, dtype=torch.int64)  # and not told
        self._frames = self._told = 0

    def push(self, scores: Tensor) -> Tensor:
        """The states that are told with the next frames."""
        self._frames += len(scores)
        return self._tell(self._decoder.push(scores), self._lag)

    def finish(self) -> Tensor:
        """The rest."""
        return self._tell(self._decoder.finish(), 0)

    def restart(self, initial: Tensor) -> Tensor:
        """The rest; the next frame starts anew."""
        return self._tell(self._decoder.restart(initial), 0)

    def extend(self, graph: Graph) -> None:
        """Goes on in a larger graph."""
        self._decoder.extend(graph)

    def survivors(self) -> Survivors:
        """Where live paths end."""
        found: Survivors = self._decoder.survivors()
        return found

    def undecided(self) -> Tensor:
        """The states of the best path that are not told."""
        return self._open()[max(0, self._told - self._first) :]

    @property
    def complete(self) -> bool:
        """Whether the end of the text was reached."""
        return bool(self._decoder.complete)

    def state_dict(self) -> dict[str, Any]:
        """Where it stands."""
        own = {"decided": self._decided, "frames": self._frames, "told": self._told}
        return {"decoder": self._decoder.state_dict(), **own}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on there."""
        self._decoder.load_state_dict(state["decoder"])
        self._decided, self._frames, self._told = state["decided"], state["frames"], state["told"]

    @property
    def _first(self) -> int:
        """The frame that the open path begins with."""
        return int(self._decoder.committed_frames) - len(self._decided)

    def _open(self) -> Tensor:
        return torch.cat([self._decided, self._decoder.undecided()])

    def _tell(self, decided: Tensor, lag: int) -> Tensor:
        self._decided = torch.cat([self._decided, decided])
        path, first, end = self._open(), self._first, max(self._told, self._frames - lag)
        told = path[self._told - first : end - first]
        self._decided = self._decided[max(0, end - first) :]
        self._told = end
        return told
