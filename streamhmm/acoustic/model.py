"""The acoustic model as the aligner uses it: samples in, log-posteriors or HMM scores out."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from streamhmm.acoustic.backends import Backend, open_backend
from streamhmm.acoustic.backends.runtime import RuntimeSettings
from streamhmm.acoustic.batch_size import BatchSize
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.exported import ExportedModel, load_model
from streamhmm.acoustic.features import HOP, SAMPLE_RATE, LogMel
from streamhmm.acoustic.features import SILENCE as SILENCE_LEVEL
from streamhmm.acoustic.labels import SILENCE
from streamhmm.acoustic.network import AcousticNetwork, NetworkCache
from streamhmm.acoustic.shipped import find_model

PRIOR_SCALE = 0.5
"""Share of the log prior taken from the log-posterior to get the HMM's score."""
BLOCK_S = 30.0
"""Long audio goes through the network in blocks of this many seconds, with caches, which bounds the memory."""


class AcousticModel:
    """Features and network with their labels.

    Attributes:
        labels: names of the V columns: 39 phones in alphabetical order, then "SIL", whose column is ``silence``.
        log_prior: (V,) log relative frequency of the labels in training.
        sample_rate: 16000. ``frame_s``: 0.01, from ``offset_s``, 0, on.
        lookahead_s: audio needed after the end of a frame before its scores come out, at most.
        backend: the network on its runtime; its ``name``, ``precision`` and ``device`` tell what runs.
        settings: what was asked for; ``running`` asks for what runs, with nothing left to choose.
        batch_size: of recordings that go through the network together; adapted models share it.
        fingerprint: the same for equal networks.
        training: notes on how the model was trained.
        calibration: what the aligner needs to make scores of this model mean something, or None.
        label_means: (V, 80) features that are usual for each label, or None.
    """

    sample_rate = SAMPLE_RATE
    frame_s = HOP / SAMPLE_RATE
    offset_s = 0.0

    def __init__(self, checkpoint: Checkpoint | ExportedModel, settings: RuntimeSettings | None = None) -> None:
        self.labels = checkpoint.labels
        self.silence = checkpoint.labels.index(SILENCE)
        self.log_prior = checkpoint.log_prior
        self.lookahead_s = AcousticNetwork.lookahead_s
        self.fingerprint = checkpoint.fingerprint
        self.training = checkpoint.training
        self.calibration = checkpoint.calibration
        self.label_means = checkpoint.label_means
        self.settings = settings or RuntimeSettings()
        self.backend: Backend = open_backend(checkpoint, self.settings)
        self.features = LogMel().to(self.backend.device)
        self.batch_size = BatchSize(self.backend.device)

    @classmethod
    def load(
        cls, name_or_path: str | os.PathLike[str] = "en", settings: RuntimeSettings | None = None
    ) -> AcousticModel:
        """A shipped model by its name, or a model file by its path.

        Raises:
            ModelError: there is no such model, or the file is damaged or of another kind.
            BackendUnavailable: the runtime, precision or device is not available here.
        """
        return cls(load_model(find_model(name_or_path)), settings)

    @property
    def running(self) -> RuntimeSettings:
        """The settings that ask for the same runtime again."""
        backend = self.backend
        return replace(self.settings, backend=backend.name, precision=backend.precision, device=str(backend.device))

    def frames(self, samples: int) -> int:
        """How many frames so many samples give."""
        return -(-samples // HOP)

    @torch.inference_mode()
    def log_posteriors(self, samples: Tensor) -> Tensor:
        """(T, V) log-posteriors of (N,) float32 samples, T = ceil(N / 160)."""
        stream = ScoreStream(self, prior_scale=0.0)
        result = samples.new_empty(self.frames(len(samples)), len(self.labels))
        done = 0
        size = round(BLOCK_S * SAMPLE_RATE)
        for start in range(0, len(samples), size):
            part = stream.push(samples[start : start + size])
            result[done : done + len(part)] = part
            done += len(part)
        result[done:] = stream.finish()
        return result

    @torch.inference_mode()
    def batch_log_posteriors(self, recordings: Sequence[Tensor]) -> list[Tensor]:
        """The same for several recordings, those of similar length together; equal up to rounding."""
        results: dict[int, Tensor] = {}

        def work(batch: list[int]) -> None:
            if len(batch) == 1:
                results[batch[0]] = self.log_posteriors(recordings[batch[0]])
            else:
                features = [self._log_mel(recordings[index]) for index in batch]
                results.update(zip(batch, self._padded(features), strict=True))

        self.batch_size.run([len(samples) / SAMPLE_RATE for samples in recordings], work)
        return [results[index] for index in range(len(recordings))]

    @torch.inference_mode()
    def features_log_posteriors(self, features: Sequence[Tensor]) -> list[Tensor]:
        """(T, V) log-posteriors of each of several recordings' (T, 80) features, as :meth:`log_mel` gives them."""
        results: dict[int, Tensor] = {}

        def work(batch: list[int]) -> None:
            results.update(zip(batch, self._padded([features[index] for index in batch]), strict=True))

        self.batch_size.run([len(frames) * self.frame_s for frames in features], work)
        return [results[index] for index in range(len(features))]

    def adapted(self, feature_shift: Tensor | None, class_offsets: Tensor | None) -> AcousticModel:
        """The same model with (80,) added to its features, and (V,) to its log-posteriors, which then are normalised.

        Weights are shared. What this model adds already stays.
        """
        model = copy.copy(self)
        if feature_shift is not None:
            device = self.backend.device
            model.features = LogMel(shift=self.features.shift + feature_shift.to(device)).to(device)
        if class_offsets is not None:
            model.backend = self.backend.with_offsets(class_offsets)
        return model

    def log_mel(self, samples: Tensor) -> Tensor:
        """(T, 80) features of (N,) float32 samples, T = ceil(N / 160)."""
        return self._log_mel(samples).cpu()

    def _log_mel(self, samples: Tensor) -> Tensor:
        frames, cache = self.features(samples.to(self.backend.device))
        return torch.cat((frames, self.features.finish(cache)))

    def _padded(self, features: Sequence[Tensor]) -> list[Tensor]:
        """What is behind the end of a recording is silence, as it is for :meth:`ScoreStream.finish`."""
        padded = nn.utils.rnn.pad_sequence(list(features), batch_first=True, padding_value=SILENCE_LEVEL)
        posteriors, cache = self.backend.log_posteriors(padded.to(self.backend.device), None)
        whole = torch.cat((posteriors, self.backend.finish(cache)), dim=1).cpu()
        return [rows[: len(frames)] for rows, frames in zip(whole, features, strict=True)]

    @torch.inference_mode()
    def scores(self, samples: Tensor, prior_scale: float = PRIOR_SCALE) -> Tensor:
        """(T, V) scores for the HMM: log-posterior − ``prior_scale`` · log prior."""
        return self.log_posteriors(samples).sub_(prior_scale * self.log_prior)

    def stream(self, prior_scale: float = PRIOR_SCALE) -> ScoreStream:
        """An object that takes samples as they come and gives the same scores."""
        return ScoreStream(self, prior_scale)


class ScoreStream:
    """Scores of audio that comes in chunks of any size; equal to :meth:`AcousticModel.scores` of the whole."""

    def __init__(self, model: AcousticModel, prior_scale: float) -> None:
        self._model = model
        self._offset = prior_scale * model.log_prior
        self._audio_cache: Tensor | None = None
        self._network_cache: NetworkCache | None = None

    @torch.inference_mode()
    def push(self, samples: Tensor) -> Tensor:
        """(T', V) scores of the frames that (N,) float32 samples complete; T' may be 0."""
        backend = self._model.backend
        frames, self._audio_cache = self._model.features(samples.to(backend.device), self._audio_cache)
        posteriors, self._network_cache = backend.log_posteriors(frames[None], self._network_cache)
        return posteriors[0].cpu() - self._offset

    @torch.inference_mode()
    def finish(self) -> Tensor:
        """The remaining scores; the stream starts anew afterwards."""
        frames = self._model.features.finish(self._audio_cache)
        posteriors, cache = self._model.backend.log_posteriors(frames[None], self._network_cache)
        rest = self._model.backend.finish(cache)
        self._audio_cache = self._network_cache = None
        return torch.cat((posteriors, rest), dim=1)[0].cpu() - self._offset

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands, as tensors and plain values."""
        network = None if self._network_cache is None else tuple(self._network_cache)
        return {"audio": self._audio_cache, "network": network}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on there."""
        self._audio_cache = state["audio"]
        self._network_cache = None if state["network"] is None else NetworkCache(*state["network"])
