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
    def keep(self, allowed: Tensor) -> None: ...
    def extend(self, graph: Graph) -> None: ...
    def survivors(self) -> Survivors: ...
    def undecided(self, state: int | None = None) -> Tensor: ...
    @property
    def complete(self) -> bool: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Wanderer:
    """Tells each frame's state some frames later, as the best path then has it, and stays free to think again.

    A path that leaves the order of the words pays once for it and wins over many frames; a decoder that gave up what
    contradicts the frames told would never come to it. So the told states may leap where the best path becomes another
    one. Its own decoder gives up only what is ``memory`` frames old, and that alone is told until a lag is set.
    """

    def __init__(self, graph: Graph, memory: int, beam: float | None) -> None:
        self._decoder = OnlineViterbi(graph, memory, beam)
        self._lag: int | None = None
        self._decided = torch.empty(0, dtype=torch.int64)  # and not told
        self._frames = self._told = 0

    def push(self, scores: Tensor) -> Tensor:
        """The states that are told with the next frames."""
        self._frames += len(scores)
        return self._tell(self._decoder.push(scores), self._lag)

    def keep(self, allowed: Tensor) -> None:
        """Gives up the paths that end elsewhere than in ``allowed`` states."""
        self._decoder.keep(allowed)

    def change(self, max_lag: int | None) -> None:
        """Another lag, in frames."""
        self._lag = max_lag

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

    def undecided(self, state: int | None = None) -> Tensor:
        """The states of the best path, or of that to a ``state``, that are not told."""
        return self._open(state)[max(0, self._told - self._first) :]

    @property
    def complete(self) -> bool:
        """Whether the end of the text was reached."""
        return bool(self._decoder.complete)

    def state_dict(self) -> dict[str, Any]:
        """Where it stands."""
        own = {"decided": self._decided, "frames": self._frames, "told": self._told, "lag": self._lag}
        return {"decoder": self._decoder.state_dict(), **own}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on there."""
        self._decoder.load_state_dict(state["decoder"])
        self._decided, self._lag = state["decided"], state["lag"]
        self._frames, self._told = state["frames"], state["told"]

    @property
    def _first(self) -> int:
        """The frame that the open path begins with."""
        return int(self._decoder.committed_frames) - len(self._decided)

    def _open(self, state: int | None = None) -> Tensor:
        return torch.cat([self._decided, self._decoder.undecided(state)])

    def _tell(self, decided: Tensor, lag: int | None) -> Tensor:
        self._decided = torch.cat([self._decided, decided])
        path, first = self._open(), self._first
        end = first + len(self._decided) if lag is None else max(self._told, self._frames - lag)
        told = path[self._told - first : end - first]
        self._decided = self._decided[max(0, end - first) :]
        self._told = end
        return told
