"""Offline alignment: a whole recording against its text."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, BinaryIO

import torch

from streamhmm import ops
from streamhmm.acoustic import AcousticModel
from streamhmm.acoustic.model import PRIOR_SCALE
from streamhmm.align.checks import check_fit, check_level
from streamhmm.align.results import Alignment, phone_segments, word_segments
from streamhmm.align.topology import build_topology
from streamhmm.audio import Audio, as_audio, load_audio
from streamhmm.errors import AlignmentError
from streamhmm.text import Lexicon, Script, pronounce, tokenize

AudioInput = str | os.PathLike[str] | BinaryIO | Audio | tuple[Any, int]


class Aligner:
    """Finds when each word and phone of a known text is spoken.

    Args:
        model: "en", or the path of a checkpoint.
        backend: the runtime of the network: "torch", or "auto".
        precision: "fp32", or "auto".
        device: "cpu", or "auto".
        lexicon: one or more files of pronunciations (``WORD PH PH PH``) that come before the built-in dictionary.

    ``runtime`` names what runs.

    Raises:
        BackendUnavailable: a backend, precision or device that is not here.
        ModelError, TextError: a checkpoint or a lexicon that can't be read.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "en",
        backend: str = "auto",
        precision: str = "auto",
        device: str = "auto",
        *,
        lexicon: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    ) -> None:
        self.model = AcousticModel.load(model, backend=backend, precision=precision, device=device)
        self.lexicon = Lexicon([lexicon] if isinstance(lexicon, (str, os.PathLike)) else list(lexicon))
        running = self.model.backend
        self.runtime = f"{running.name} {running.precision} on {running.device}"
        self._columns = {label: column for column, label in enumerate(self.model.labels)}
        self._warm_up()

    def align(self, audio: AudioInput, text: str | Sequence[str], *, channel: int | None = None) -> Alignment:
        """Align a recording with its text.

        Args:
            audio: a path, an open binary file, an ``Audio``, or (samples, sample_rate) with samples (n,) or
                (n, channels), full scale ±1.
            text: what is spoken, as a string or as a list of words.
            channel: the channel to use, counted from 1; by default all are mixed.

        Raises:
            AudioError, TextError: the audio or the text can't be used.
            AlignmentError: the audio is too short for the text.
        """
        script = pronounce(tokenize(text), self.lexicon)
        recording = self._recording(audio, channel)
        doubts = check_level(recording.samples, recording.name)
        topology = build_topology(script.words, self._columns)
        frames = -(-len(recording.samples) // round(self.model.sample_rate * self.model.frame_s))
        self._check_length(recording, frames, topology.min_frames, len(script.words))
        log_posteriors = self.model.log_posteriors(torch.from_numpy(recording.samples))
        scores = log_posteriors - PRIOR_SCALE * self.model.log_prior
        path = ops.viterbi(scores, topology.graph)
        if not torch.isfinite(path.score):
            raise AlignmentError(
                f"{recording.name}: no path through the text fits the audio; check that they belong together"
            )
        phones = phone_segments(path.states, topology, log_posteriors, scores, self.model.frame_s, recording.duration)
        return Alignment(
            words=word_segments([word.label for word in script.words], phones),
            phones=phones.segments,
            phone_words=phones.words,
            duration=recording.duration,
            audio=recording.name,
            text=text if isinstance(text, str) else " ".join(text),
            warnings=(*_unknown_words(script), *doubts, *check_fit(phones.segments, len(self.model.labels))),
        )

    def _warm_up(self) -> None:
        """Does now what would slow the first alignment: imports soundfile, reads the dictionary, runs the network."""
        import_module("streamhmm.audio.decode")
        self.lexicon.lookup("a")
        self.model.log_posteriors(torch.zeros(self.model.sample_rate // 10))

    def _recording(self, audio: AudioInput, channel: int | None) -> Audio:
        target_rate = self.model.sample_rate
        if isinstance(audio, Audio):
            if audio.sample_rate == target_rate:
                return audio
            return as_audio(audio.samples, audio.sample_rate, target_rate=target_rate, name=audio.name)
        if isinstance(audio, tuple):
            if len(audio) != 2:
                raise ValueError(f"audio must be (samples, sample_rate), got a tuple of {len(audio)}")
            samples, sample_rate = audio
            return as_audio(samples, sample_rate, target_rate=target_rate, channel=channel)
        return load_audio(audio, sample_rate=target_rate, channel=channel)

    def _check_length(self, recording: Audio, frames: int, needed: int, words: int) -> None:
        if frames < needed:
            raise AlignmentError(
                f"{recording.name}: the audio is too short for the text: it lasts {recording.duration:.2f} s, and "
                f"{words} word{'' if words == 1 else 's'} can't take less than {needed * self.model.frame_s:.2f} s; "
                "check that audio and text belong together"
            )


def _unknown_words(script: Script) -> tuple[str, ...]:
    if not script.unknown:
        return ()
    names = ", ".join(script.unknown)
    return (f"no pronunciation known, spelled by simple rules: {names} (add them to a lexicon file)",)
