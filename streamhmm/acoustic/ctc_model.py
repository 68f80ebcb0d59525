"""CTC networks of others as the aligner uses them: samples in, log-posteriors out; long audio in windows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from streamhmm.acoustic.backends.runtime import RuntimeSettings

INNER_S, CONTEXT_S = 20.0, 4.0
"""Frames of a window that count, at most, and what it sees beside them on either side, if there is so much."""
BATCH_S = 60.0
"""Windows that go through the network together last so long at most, padded."""


class CtcLayout(NamedTuple):
    """What goes into a CTC network and what comes out.

    Attributes:
        labels: names of the V columns.
        blank, delimiter: columns of CTC's blank and of what stands between words; None: there is nothing between.
        specials: columns that never stand for a sound: beginning, end, unknown, …
        is_phonetic: whether the vocabulary is one of phones by the network's own word.
        sample_rate: Hz.
        stride, receptive: samples from frame to frame, and that a frame is computed from, without attention.
        normalises: whether recordings are to have mean 0 and variance 1.
        can_pad: whether recordings of different lengths may go through together.
    """

    labels: tuple[str, ...]
    blank: int
    delimiter: int | None
    specials: frozenset[int]
    is_phonetic: bool
    sample_rate: int
    stride: int
    receptive: int
    normalises: bool
    can_pad: bool


class CtcNetwork(Protocol):
    """A network on some runtime.

    Attributes:
        layout: of its inputs and outputs.
        name, precision, device: what runs it and where, as in ``Runtime``. ``reason``: why that.
    """

    layout: CtcLayout
    name: str
    precision: str
    device: torch.device
    reason: str

    def log_posteriors(self, samples: Tensor, lengths: Sequence[int]) -> Tensor:
        """(B, T, V) float32 on the CPU from (B, N) float32 samples, zeros behind the ``lengths`` of each row."""
        ...


class Window(NamedTuple):
    """Frames that a window gives, first to last, from those that it sees, begin to end; ends are exclusive."""

    begin: int
    first: int
    last: int
    end: int


class CtcModel:
    """A CTC network with its labels.

    Attributes:
        labels: names of the V columns. ``layout`` tells what they are for.
        sample_rate: what it hears, Hz. ``frame_s``: seconds from frame to frame.
        offset_s: frame t stands for the ``frame_s`` seconds from t · frame_s + offset_s on: the middle of those lies in
            the middle of what the frame is computed from.
        backend: the network on its runtime; its ``name``, ``precision`` and ``device`` tell what runs.
        settings: what was asked for; ``running`` asks for what runs, with nothing left to choose.
        calibration: None, these models have none.
    """

    calibration = None

    def __init__(self, network: CtcNetwork, settings: RuntimeSettings | None = None) -> None:
        self.backend, self.layout = network, network.layout
        self.settings = settings or RuntimeSettings()
        self.labels, self.sample_rate = self.layout.labels, self.layout.sample_rate
        self.frame_s = self.layout.stride / self.sample_rate
        self.offset_s = (self.layout.receptive - self.layout.stride) / 2 / self.sample_rate

    @classmethod
    def load(
        cls, model: str | os.PathLike[str], settings: RuntimeSettings | None = None, target_lang: str | None = None
    ) -> CtcModel:
        """A Hugging Face model: a folder, or a name on the hub, if need be with "hf:" before it.

        Raises:
            ModelError: there is no such model, it has no safetensors weights, or it is of a kind that can't be used.
            BackendUnavailable: transformers is not installed, or a runtime, precision or device is not here.
        """
        from streamhmm.acoustic.hugging_face import load_network

        return cls(load_network(model, settings or RuntimeSettings(), target_lang), settings)

    @property
    def running(self) -> RuntimeSettings:
        """The settings that ask for the same runtime again."""
        backend = self.backend
        return replace(self.settings, backend=backend.name, precision=backend.precision, device=str(backend.device))

    def frames(self, samples: int) -> int:
        """How many frames so many samples give."""
        return max(0, (samples - self.layout.receptive) // self.layout.stride + 1)

    def log_posteriors(self, samples: Tensor) -> Tensor:
        """(T, V) log-posteriors of (N,) float32 samples, T as :meth:`frames` says."""
        return self.batch_log_posteriors([samples])[0]

    @torch.inference_mode()
    def batch_log_posteriors(self, recordings: Sequence[Tensor]) -> list[Tensor]:
        """The same for several recordings, windows of similar length together; equal up to rounding.

        A recording of more than ``INNER_S`` + 2 ``CONTEXT_S`` seconds goes through in windows, of which the inner
        frames are kept. That is the same as the whole at once where a frame depends on no more than ``CONTEXT_S`` on
        either side of it.
        """
        results = [torch.empty(self.frames(len(samples)), len(self.labels)) for samples in recordings]
        inputs = [self._normalised(samples) for samples in recordings]
        pieces = [
            (index, window, self._seen(inputs[index], window))
            for index, result in enumerate(results)
            for window in windows(len(result), round(INNER_S / self.frame_s), round(CONTEXT_S / self.frame_s))
        ]
        for batch in self._batches([len(seen) for _, _, seen in pieces]):
            rows = [pieces[place] for place in batch]
            padded = nn.utils.rnn.pad_sequence([seen for _, _, seen in rows], batch_first=True)
            scored = self.backend.log_posteriors(padded, [len(seen) for _, _, seen in rows])
            for (index, window, _), frames in zip(rows, scored, strict=True):
                kept = frames[window.first - window.begin : window.last - window.begin]
                results[index][window.first : window.last] = kept
        return results

    def _normalised(self, samples: Tensor) -> Tensor:
        """By the whole recording, as the network was trained, so that windows do not differ."""
        if not self.layout.normalises or len(samples) == 0:
            return samples
        return (samples - samples.mean()) / (samples.var(correction=0) + 1e-7).sqrt()

    def _seen(self, samples: Tensor, window: Window) -> Tensor:
        """With the last frame, all that is behind it, too: some networks normalise over all that they see."""
        stride, receptive = self.layout.stride, self.layout.receptive
        is_last = window.end == self.frames(len(samples))
        return samples[window.begin * stride : None if is_last else (window.end - 1) * stride + receptive]

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Indices of windows that go through together: of similar length, or one by one."""
        batch: list[int] = []
        for index in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
            padded = lengths[batch[0]] * (len(batch) + 1) if batch else 0
            if batch and (not self.layout.can_pad or padded > BATCH_S * self.sample_rate):
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch


def windows(frames: int, inner: int, context: int) -> list[Window]:
    """Windows whose inner parts are a recording's frames, each once and in order, of equal size give or take one.

    A recording that fits into one window with its context is one window.
    """
    count = 1 if frames <= inner + 2 * context else -(-frames // inner)
    bounds = [frames * place // count for place in range(count + 1)] if frames else []
    return [
        Window(max(0, first - context), first, last, min(frames, last + context)) for first, last in pairwise(bounds)
    ]
