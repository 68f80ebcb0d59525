"""What the streams of a batch need from chunk to chunk, each in a slot of shared memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from streamhmm.acoustic.features import HOP, LEAD, N_MELS, SILENCE, WINDOW
from streamhmm.acoustic.network import FUTURE_FRAMES, PAST_FRAMES, NetworkConfig

MOST_STEPS = 32
"""The network takes so many steps of a stream at once; longer chunks go through in pieces."""
MOST_FRAMES = 2 * MOST_STEPS
MOST_SAMPLES = MOST_FRAMES * HOP
AROUND = PAST_FRAMES + FUTURE_FRAMES
RING = MOST_FRAMES + AROUND + 2
SPARE = 0
"""The slot of nobody, for the rows that fill a batch up."""


class StreamSlots:
    """Audio, frames, states and scores of many streams; a stream's slot is an index into all of them.

    Frames stand in a ring of ``RING`` rows a slot, so that nothing has to be moved when some are used up.

    Attributes:
        audio: (slots, samples) array on the host; the first ``filled[slot]`` wait for their windows' ends.
        windows: (slots, frames, 400) view of it.
        frames: (slots · RING, 80) on the device; ``pending[slot]`` of them, from ``first[slot]`` on, are not used up.
        states: (slots, S, width) of the network, on the device.
        scores: (slots, MOST_FRAMES, V) on the host; ``given[slot]`` are of the present piece.
        ring: (slots, 2 · RING) rows of ``frames`` in the order of time, twice.
        failed: what made a batch with that slot fail, or None.
    """

    def __init__(self, config: NetworkConfig, device: torch.device, count: int) -> None:
        self._config, self._device = config, device
        self.filled: list[int] = []
        self.first: list[int] = []
        self.pending: list[int] = []
        self.given: list[int] = []
        self.failed: list[BaseException | None] = []
        self._free: list[int] = []
        self._make(count + 1)
        self._free.remove(SPARE)

    @property
    def in_use(self) -> int:
        """How many streams have one."""
        return len(self.filled) - 1 - len(self._free)

    def take(self) -> int:
        """A slot for a stream that has heard nothing yet. If none is free there will be twice as many."""
        if not self._free:
            audio, frames, states, scores = self.audio, self.frames, self.states, self.scores
            self._make(2 * len(audio))
            self.audio[: len(audio)], self.frames[: len(frames)] = audio, frames
            self.states[: len(states)], self.scores[: len(scores)] = states, scores
        slot = self._free.pop()
        self.reset(slot)
        return slot

    def give_back(self, slot: int) -> None:
        """Its stream has ended."""
        self._free.append(slot)

    def reset(self, slot: int) -> None:
        """Nothing has been heard."""
        self.audio[slot, :LEAD] = 0.0
        self.frames[self._rows(slot)] = SILENCE
        self.states[slot] = 0.0
        self.filled[slot], self.first[slot], self.pending[slot], self.given[slot] = LEAD, 0, PAST_FRAMES, 0
        self.failed[slot] = None

    def state_dict(self, slot: int) -> dict[str, Any]:
        """As :meth:`ScoreStream.state_dict`."""
        audio = torch.from_numpy(self.audio[slot, : self.filled[slot]].copy()).to(self._device)
        start, pending = self.first[slot], self.pending[slot]
        at = torch.from_numpy(self.ring[slot, start : start + pending]).to(self._device)
        network = (self.frames[at][None], self.states[slot : slot + 1].clone(), pending - PAST_FRAMES)
        return {"audio": audio, "network": network}

    def load_state_dict(self, slot: int, state: dict[str, Any]) -> None:
        """Goes on there."""
        self.reset(slot)
        if state["audio"] is not None:
            self.filled[slot] = len(state["audio"])
            self.audio[slot, : self.filled[slot]] = state["audio"].cpu().numpy()
        if state["network"] is not None:
            frames, states, _ = state["network"]
            self.pending[slot] = frames.shape[1]
            self.frames[self._rows(slot)][: frames.shape[1]] = frames[0].to(self._device)
            self.states[slot] = states[0].to(self._device)

    def _rows(self, slot: int) -> slice:
        return slice(slot * RING, (slot + 1) * RING)

    def _make(self, count: int) -> None:
        """Memory for ``count`` slots in place of what there is; those that are new are free."""
        new = range(len(self.filled), count)
        config, device = self._config, self._device
        self.audio = np.zeros((count, WINDOW + MOST_SAMPLES), np.float32)
        self.windows = np.lib.stride_tricks.sliding_window_view(self.audio, WINDOW, axis=1)[:, ::HOP]
        self.frames = torch.full((count * RING, N_MELS), SILENCE, device=device)
        self.states = torch.zeros(count, sum(config.pasts), config.width, device=device)
        self.scores = torch.zeros(count, MOST_FRAMES, config.n_labels)
        self.ring = np.arange(count)[:, None] * RING + np.arange(2 * RING) % RING
        for each in (self.filled, self.first, self.pending, self.given):
            each += [0] * len(new)
        self.failed += [None] * len(new)
        self._free += reversed(new)
