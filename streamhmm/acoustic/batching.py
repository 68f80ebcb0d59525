"""Scores of many streams at once: their chunks go through features and network together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from streamhmm.acoustic.features import FFT_SIZE, HOP, N_MELS, WINDOW
from streamhmm.acoustic.model import PRIOR_SCALE, AcousticModel, ScoreStream
from streamhmm.acoustic.staging import Downloaded, Staged
from streamhmm.acoustic.stream_slots import AROUND, MOST_FRAMES, MOST_SAMPLES, MOST_STEPS, RING, SPARE, StreamSlots

SIZES = (1, 2, 4, 8)
"""Sizes of batches where few are wanted; above the last one its multiples."""

LOST = "the stream has lost audio in a batch that failed; finish it, and go on with a new one"


class BatchedScores:
    """What :class:`ScoreStream` gives, for many streams at once; each has a slot, from :meth:`open` to :meth:`close`.

    Every stream gets the scores that it would get alone, up to rounding: rows of a batch do not know of each other, and
    no row is longer than its chunk. Chunks of unequal length share the FFT, and the network where they overlap: with
    K₁, K₂, … steps of 20 ms to go, all at once if those are equal, else by their binary digits, 16 steps of all that
    have 16 or more, then 8 of those that have 8 left, and so on. After the first chunks nothing is allocated here
    besides what the FFT and the runtime's step return.

    One call at a time.

    Args:
        model: whose network runs.
        max_batch: so many streams go through the network together at most; more do so one batch after the other.
        few_sizes: fill batches up to a size of ``SIZES`` or a multiple of 8, because the runtime prepares for each
            size; None: on CUDA, where it does.
        prior_scale: as of :meth:`AcousticModel.stream`.
    """

    def __init__(
        self,
        model: AcousticModel,
        max_batch: int = 64,
        *,
        few_sizes: bool | None = None,
        prior_scale: float = PRIOR_SCALE,
    ) -> None:
        if max_batch < 1:
            raise ValueError(f"max_batch must be at least 1, got {max_batch}")
        self._model, self._backend, self.max_batch = model, model.backend, max_batch
        self._prior_scale = prior_scale
        device, config = model.backend.device, model.backend.config
        on_cuda = device.type == "cuda"
        copies = torch.cuda.Stream(device) if on_cuda else None
        self._few_sizes = on_cuda if few_sizes is None else few_sizes
        self._offset = (prior_scale * model.log_prior).to(device)
        self._slots = StreamSlots(config, device, max_batch)
        windows, read = max_batch * MOST_FRAMES, max_batch * (MOST_FRAMES + AROUND)
        self._windows = Staged((windows, FFT_SIZE), torch.float32, device, copies)
        self._write = Staged((windows,), torch.int64, device, copies)
        self._read = Staged((read,), torch.int64, device, copies)
        self._which = Staged((max_batch,), torch.int64, device, copies)
        self._power = torch.zeros(windows, FFT_SIZE // 2 + 1, device=device)
        self._features = torch.zeros(windows, N_MELS, device=device)
        self._frames = torch.zeros(read, N_MELS, device=device)
        self._states = torch.zeros(max_batch, sum(config.pasts), config.width, device=device)
        self._after: Tensor | None = None
        self._after_of: list[int] = []
        self._scores = Downloaded((max_batch, MOST_FRAMES, config.n_labels), copies)

    @property
    def streams(self) -> int:
        """How many have a slot."""
        return self._slots.in_use

    @torch.inference_mode()
    def open(self) -> int:
        """A slot for a new stream."""
        self._settle()
        return self._slots.take()

    def close(self, slot: int) -> None:
        """Its stream has ended."""
        self._slots.give_back(slot)

    def check(self, slot: int) -> None:
        """Raises RuntimeError if a batch with that stream has failed before, so that it has lost audio."""
        if self._slots.failed[slot] is not None:
            raise RuntimeError(LOST) from self._slots.failed[slot]

    @torch.inference_mode()
    def push(self, slots: Sequence[int], chunks: Sequence[Tensor]) -> list[Tensor]:
        """(T', V) scores of the frames that each stream's (N,) float32 samples complete; T' may be 0.

        They stand in memory that the stream's next call uses again.

        Raises:
            RuntimeError: one of the streams has lost audio, as :meth:`check` tells. Nothing has changed then.
            ValueError: two chunks of one stream.
        """
        if len(set(slots)) < len(slots):
            raise ValueError("two chunks are of one stream; give each stream one")
        for slot in slots:
            self.check(slot)
        size = self.max_batch
        found: list[Tensor] = []
        for first in range(0, len(slots), size):
            end = first + size
            try:
                found += self._batch(slots[first:end], chunks[first:end])
            except BaseException as error:
                self.fail(slots[:end], error)  # nobody will have the scores of the batches before, either
                raise
        return found

    def fail(self, slots: Sequence[int], error: BaseException) -> None:
        """These streams have lost audio because of ``error``."""
        for slot in slots:
            self._slots.failed[slot] = error

    @torch.inference_mode()
    def finish(self, slot: int) -> Tensor:
        """The remaining scores of a stream, which starts anew afterwards. It goes through the network alone.

        None remain of one that was in a batch that failed.
        """
        if self._slots.failed[slot] is not None:
            self._settle()
            self._slots.reset(slot)
            return self._slots.scores[slot, :0]
        stream = ScoreStream(self._model, self._prior_scale)
        stream.load_state_dict(self.state_dict(slot))
        self._slots.reset(slot)
        return stream.finish()

    @torch.inference_mode()
    def state_dict(self, slot: int) -> dict[str, Any]:
        """Where a stream stands, as :meth:`ScoreStream.state_dict` tells."""
        self._settle()
        return self._slots.state_dict(slot)

    @torch.inference_mode()
    def load_state_dict(self, slot: int, state: dict[str, Any]) -> None:
        """Goes on there."""
        self._settle()
        self._slots.load_state_dict(slot, state)

    def _batch(self, slots: Sequence[int], chunks: Sequence[Tensor]) -> list[Tensor]:
        if max(map(len, chunks)) <= MOST_SAMPLES:
            return self._piece(slots, chunks)
        return self._pieces(slots, chunks)

    def _pieces(self, slots: Sequence[int], chunks: Sequence[Tensor]) -> list[Tensor]:
        """Chunks of which some are long."""
        parts: list[list[Tensor]] = [[] for _ in slots]
        for begin in range(0, max(map(len, chunks)), MOST_SAMPLES):
            rows = [row for row, chunk in enumerate(chunks) if len(chunk) > begin or begin == 0]
            found = self._piece(
                [slots[row] for row in rows], [chunks[row][begin : begin + MOST_SAMPLES] for row in rows]
            )
            for row, scores in zip(rows, found, strict=True):
                parts[row].append(scores.clone())
        return [torch.cat(part) for part in parts]

    def _piece(self, slots: Sequence[int], chunks: Sequence[Tensor]) -> list[Tensor]:
        own, frames = self._slots, 0
        windows, write = self._windows.refill(), self._write.refill()
        for slot, chunk in zip(slots, chunks, strict=True):
            frames += self._hear(slot, chunk, windows[frames:], write[frames:])
        if frames:
            self._compute_features(frames)
        wanted = [max(0, (own.pending[slot] - AROUND) // 2) for slot in slots]
        for steps, those in _rounds(slots, wanted):
            self._step(those, steps)
        return [own.scores[slot, : own.given[slot]] for slot in slots]

    def _hear(self, slot: int, chunk: Tensor, windows: NDArray[Any], write: NDArray[Any]) -> int:
        """Takes a chunk; the windows that it completes, and where their frames belong, go into the first rows."""
        own = self._slots
        audio, filled = own.audio[slot], own.filled[slot] + len(chunk)
        audio[own.filled[slot] : filled] = chunk.numpy()
        own.given[slot] = 0
        frames = max(0, (filled - WINDOW) // HOP + 1)
        if frames:
            windows[:frames, :WINDOW] = own.windows[slot, :frames]
            begin = (own.first[slot] + own.pending[slot]) % RING
            write[:frames] = own.ring[slot, begin : begin + frames]
            audio[: filled - frames * HOP] = audio[frames * HOP : filled]
        own.filled[slot] = filled - frames * HOP
        own.pending[slot] += frames
        return frames

    def _compute_features(self, frames: int) -> None:
        windows = self._windows.upload(frames)
        windows[:, :WINDOW].mul_(self._model.features.window)
        features = self._model.features.energies(windows, self._power[:frames], self._features[:frames])
        self._slots.frames.index_copy_(0, self._write.upload(frames), features)

    def _step(self, slots: list[int], steps: int) -> None:
        """So many steps of each of these streams."""
        own, size, length = self._slots, self._size(len(slots)), 2 * steps + AROUND
        read = self._read.refill()[: size * length].reshape(size, length)
        read[len(slots) :] = own.ring[SPARE, :length]
        for row, slot in enumerate(slots):
            begin = own.first[slot]
            read[row] = own.ring[slot, begin : begin + length]
        torch.index_select(own.frames, 0, self._read.upload(size * length), out=self._frames[: size * length])
        frames = self._frames[: size * length].view(size, length, N_MELS)
        posteriors, after = self._backend.step(frames, self._states_of(slots, size))
        self._after, self._after_of = after, slots
        self._keep(slots, self._scores.fetch(posteriors.sub_(self._offset)))

    def _states_of(self, slots: list[int], size: int) -> Tensor:
        """The states where these streams stand; where the last step left them, if it was one of the same streams."""
        if slots == self._after_of and self._after is not None and len(self._after) == size:
            return self._after
        self._settle()
        which = self._which.refill()
        which[: len(slots)], which[len(slots) : size] = slots, SPARE
        return torch.index_select(self._slots.states, 0, self._which.upload(size), out=self._states[:size])

    def _settle(self) -> None:
        """Puts the states after the last step where they belong."""
        if self._after is not None:
            count = len(self._after_of)
            self._which.refill()[:count] = self._after_of
            self._slots.states.index_copy_(0, self._which.upload(count), self._after[:count])
            self._after, self._after_of = None, []

    def _keep(self, slots: Sequence[int], scores: Any) -> None:
        own, frames = self._slots, scores.shape[1]
        kept = own.scores.numpy()
        for row, slot in enumerate(slots):
            kept[slot, own.given[slot] : own.given[slot] + frames] = scores[row]
            own.given[slot] += frames
            own.first[slot] = (own.first[slot] + frames) % RING
            own.pending[slot] -= frames

    def _size(self, streams: int) -> int:
        """Rows of a batch with so many streams."""
        if not self._few_sizes:
            return streams
        above = -(-streams // SIZES[-1]) * SIZES[-1]
        return min(next((size for size in SIZES if size >= streams), above), self.max_batch)


def _rounds(slots: Sequence[int], wanted: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Numbers of steps, and who takes them, so that each of the ``slots`` comes to the ``wanted`` number."""
    if len(set(wanted)) == 1 and wanted[0] > 0:
        yield wanted[0], sorted(slots)
        return
    steps = MOST_STEPS
    while steps:
        those = sorted(slot for slot, number in zip(slots, wanted, strict=True) if number & steps)
        if those:
            yield steps, those
        steps //= 2
