"""From scores to decided frames: the text's graph, and a free phone loop beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from streamhmm.acoustic import AcousticModel
from streamhmm.align.filler import with_filler
from streamhmm.align.onset import Onset
from streamhmm.align.steady import Decoder
from streamhmm.graph import Graph
from streamhmm.online import OnlineViterbi, Survivors

LOOP_LAG, LOOP_BEAM = 15, 50.0
LOOK_EVERY = 4
"""Frames after which the beginning of the text is looked for."""


class Frames(NamedTuple):
    """Decided frames.

    Attributes:
        number: (n,) their number in the stream.
        states: (n,) of the text's graph.
        scores: (n, V + 1), the filler last.
        loop: (n,) columns along the path of the phone loop.
    """

    number: Tensor
    states: Tensor
    scores: Tensor
    loop: Tensor

    def part(self, first: int, last: int | None = None) -> Frames:
        """Some of them."""
        return Frames(*(tensor[first:last] for tensor in self))

    def and_then(self, other: Frames) -> Frames:
        """Those, then others."""
        return Frames(*(torch.cat(pair) for pair in zip(self, other, strict=True)))


class Source(Protocol):
    """Where the scores of a stream come from; :class:`~streamhmm.acoustic.model.ScoreStream` is one."""

    def push(self, samples: Tensor) -> Tensor: ...
    def finish(self) -> Tensor: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Hearing:
    """One stream's way from the model's scores through the two decoders. ``source`` gives the last of them.

    Until the reader has begun, only what is decided for good comes out; ``on_onset`` makes the decoder decide sooner.
    ``decoded`` frames have scores so far.
    """

    def __init__(
        self,
        model: AcousticModel,
        source: Source,
        phone_loop: Graph,
        decoder: Decoder,
        onset: Onset,
        on_onset: Callable[[], None],
    ) -> None:
        self._silence = model.silence
        self._source = source
        self._decoder = decoder
        self._loop = _LoopPath(phone_loop)
        self._scores = torch.empty(0, len(model.labels) + 1)  # of the frames that are not decided
        self._onset = onset
        self._on_onset = on_onset
        self.decoded = 0
        self.has_begun = False
        self.seeming: int | None = None  # a state that a reader seems to have come to

    def push(self, scores: Tensor) -> Frames:
        """What (n, V) scores decide."""
        scores = with_filler(scores, self._silence)
        self.decoded += len(scores)
        self._scores = torch.cat([self._scores, scores])
        self._loop.push(scores)
        return self._frames(torch.cat(list(self._decide(scores))))

    def finish(self) -> tuple[Frames, bool]:
        """The rest, and whether it ends where the text may end."""
        last = self.push(self._source.finish())
        rest = self._frames(self._decoder.finish())
        return last.and_then(rest), self._decoder.complete

    def restart(self, initial: Tensor) -> Frames:
        """Decides what is open; the next frame starts anew."""
        self._begin()
        return self._frames(self._decoder.restart(initial))

    def extend(self, graph: Graph, onset: Onset) -> None:
        """Goes on in a larger graph."""
        self._decoder.extend(graph)
        onset.load_state_dict(self._onset.state_dict())
        self._onset = onset

    def survivors(self) -> Survivors:
        """Where the text's live paths end."""
        return self._decoder.survivors()

    def undecided(self, state: int | None = None) -> Tensor:
        """(m,) states of the best path, or of that to a ``state``, through the frames that are not decided."""
        return self._decoder.undecided(state)

    def state_dict(self) -> dict[str, Any]:
        """Where it stands."""
        return {
            "source": self._source.state_dict(),
            "decoder": self._decoder.state_dict(),
            "loop": self._loop.state_dict(),
            "scores": self._scores,
            "decoded": self.decoded,
            "has_begun": self.has_begun,
            "seeming": self.seeming,
            "onset": self._onset.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on there."""
        self._source.load_state_dict(state["source"])
        self._decoder.load_state_dict(state["decoder"])
        self._loop.load_state_dict(state["loop"])
        self._scores, self.decoded = state["scores"], state["decoded"]
        self.seeming = state["seeming"]
        self._onset.load_state_dict(state["onset"])
        if state["has_begun"]:
            self._begin()

    def _decide(self, scores: Tensor) -> Iterator[Tensor]:
        """Decided states. A beginning of the text is looked for at places that chunks do not change."""
        done, told, first = 0, 0, self.decoded - len(scores)
        while done < len(scores) and not self.has_begun:
            size = LOOK_EVERY - (first + done) % LOOK_EVERY
            part = scores[done : done + size]
            states = self._decoder.push(part)
            self._onset.note(states)
            yield states
            done, told = done + len(part), told + len(states)
            if (first + done) % LOOK_EVERY == 0 and self._look(told):
                self._decoder.keep(self._onset.reads)
                self._begin()
        yield self._decoder.push(scores[done:])

    def _look(self, told: int) -> bool:
        begun, self.seeming = self._onset.look(self._decoder, self._scores[told:])
        return begun

    def _begin(self) -> None:
        if not self.has_begun:
            self.has_begun = True
            self._on_onset()

    def _frames(self, states: Tensor) -> Frames:
        count, first = len(states), self.decoded - len(self._scores)
        frames = Frames(torch.arange(first, first + count), states, self._scores[:count], self._loop.take(count))
        self._scores = self._scores[count:]
        return frames


class _LoopPath:
    """The phone loop's path, frame after frame: as decided, or as it stands where nothing is decided yet."""

    def __init__(self, graph: Graph) -> None:
        self._pdfs = graph.pdfs
        self._decoder = OnlineViterbi(graph, LOOP_LAG, LOOP_BEAM)
        self._columns = torch.empty(0, dtype=torch.int64)  # decided and not taken
        self._taken = 0

    def push(self, scores: Tensor) -> None:
        """The next frames' scores."""
        before = self._decided
        states = self._decoder.push(scores)
        self._columns = torch.cat([self._columns, self._pdfs[states[max(0, self._taken - before) :]]])

    def take(self, count: int) -> Tensor:
        """(count,) columns of the next frames."""
        columns = self._columns[:count]
        if len(columns) < count:
            standing = self._decoder.undecided()
            first = max(0, self._taken - self._decided)
            columns = torch.cat([columns, self._pdfs[standing[first : first + count - len(columns)]]])
        self._columns = self._columns[count:]
        self._taken += count
        return columns

    @property
    def _decided(self) -> int:
        return int(self._decoder.committed_frames)

    def state_dict(self) -> dict[str, Any]:
        return {"decoder": self._decoder.state_dict(), "columns": self._columns, "taken": self._taken}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._decoder.load_state_dict(state["decoder"])
        self._columns, self._taken = state["columns"], state["taken"]
