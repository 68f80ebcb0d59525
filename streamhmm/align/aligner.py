"""Offline alignment: a whole recording against its text."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any, BinaryIO, ParamSpec, TypeVar

import numpy as np
import torch
from torch import Tensor

from streamhmm.acoustic import AcousticModel, RuntimeSettings
from streamhmm.acoustic.ctc_model import CtcModel
from streamhmm.acoustic.hub import is_hugging_face
from streamhmm.align.adaptation import Adaptation, Sample, apply, estimate
from streamhmm.align.assembly import Task, assemble
from streamhmm.align.calibration import UNCALIBRATED, Calibration
from streamhmm.align.checks import check_level
from streamhmm.align.ctc import CtcTask, align_ctc
from streamhmm.align.ctc_graph import least_frames as least_ctc_frames
from streamhmm.align.ctc_units import Vocabulary
from streamhmm.align.decoding import Decoding, decode
from streamhmm.align.follow import IMPERFECT, Follow
from streamhmm.align.phone_loop import phone_loop
from streamhmm.align.results import Alignment
from streamhmm.align.stream import BEAM, CERTAINTY, KEEP_S, AlignmentStream
from streamhmm.align.topology import least_frames
from streamhmm.audio import Audio, as_audio, load_audio
from streamhmm.errors import AlignmentError, ModelError, StreamHMMError
from streamhmm.text import Lexicon, pronounce, tokenize

P = ParamSpec("P")
Result = TypeVar("Result")
AudioInput = str | os.PathLike[str] | BinaryIO | Audio | tuple[Any, int]


class Aligner:
    """Finds when each word and phone of a known text is spoken.

    Args:
        model: "en", or the path of a checkpoint; or a Hugging Face CTC model of letters or of phones (wav2vec 2.0,
            HuBERT, WavLM, MMS …) with safetensors weights: a folder, or its name on the hub, with "hf:" before it if
            need be. Such a model aligns recordings with texts as they are read; it can't stream, follow, make up for
            imperfect texts or be adapted.
        backend: the runtime of the network: a name, several with commas between of which the first that works is taken,
            "auto", or what says it all: ``RuntimeSettings``, or a file ending in ".json" that their ``save`` wrote.
        precision: of the network: "fp32", "tf32", "fp16", "bf16", "int8", "int4", or "auto".
        device: "cpu", "cuda", "cuda:N", or "auto".
        lexicon: one or more files of pronunciations (``WORD PH PH PH``) that come before the built-in dictionary.
        target_lang: language of a Hugging Face model's adapter, as its files name it ("fra").

    ``runtime`` names what runs and ``runtime_reason`` tells why; ``settings`` are the :class:`RuntimeSettings` that ask
    for the same again, and can be saved. With "auto" it is what the environment's STREAMHMM_BACKEND names, or else the
    fastest that is installed and proven to give the same alignments, measured once on each machine.

    Raises:
        BackendUnavailable: a backend, precision or device that is not here.
        ModelError, TextError: a checkpoint or a lexicon that can't be read.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "en",
        backend: str | RuntimeSettings = "auto",
        precision: str = "auto",
        device: str = "auto",
        *,
        lexicon: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
        target_lang: str | None = None,
    ) -> None:
        self.model = open_model(model, runtime_settings(backend, precision, device), target_lang)
        self.lexicon = Lexicon([lexicon] if isinstance(lexicon, (str, os.PathLike)) else list(lexicon))
        self.settings = self.model.running
        self.runtime = f"{self.settings.backend} {self.settings.precision} on {self.settings.device}"
        self.runtime_reason = self.model.backend.reason
        self.calibration = _calibration(self.model)
        if isinstance(self.model, CtcModel):
            self._vocabulary = Vocabulary(self.model.layout)
        else:
            self.columns = {label: column for column, label in enumerate(self.model.labels)}
            self.phone_loop = phone_loop(len(self.model.labels))
        self._warm_up()

    def align(
        self,
        audio: AudioInput,
        text: str | Sequence[str],
        *,
        follow: bool = False,
        imperfect: bool = False,
        channel: int | None = None,
        strict: bool = False,
    ) -> Alignment:
        """Align a recording with its text.

        Args:
            audio: a path, an open binary file, an ``Audio``, or (samples, sample_rate) with samples (n,) or
                (n, channels), full scale ±1.
            text: what is spoken, as a string or as a list of words.
            follow: the speaker may leave out words and sentences, go back, hesitate and say something else in between.
                Punctuation and line breaks tell where sentences and phrases begin.
            imperfect: text and speech differ here and there. Words that are not spoken are left out and listed in
                ``skipped``; speech that the text lacks is in ``offscript``. Nothing is read twice.
            channel: the channel to use, counted from 1; by default all are mixed.
            strict: refuse words that no lexicon has, instead of guessing their pronunciation.

        Raises:
            AudioError, TextError: the audio or the text can't be used.
            AlignmentError: the audio is too short for the text; never with ``follow`` or ``imperfect``.
            ModelError: either of them with a Hugging Face model.
            ValueError: both of them.
        """
        task = self._task(audio, text, self._costs(follow, imperfect), channel, strict)
        return self._alignment(task, self.model.log_posteriors(torch.from_numpy(task.recording.samples)))

    def align_batch(
        self,
        recordings: Iterable[tuple[AudioInput, str | Sequence[str]]],
        *,
        follow: bool = False,
        imperfect: bool = False,
        channel: int | None = None,
        strict: bool = False,
    ) -> list[Alignment | StreamHMMError]:
        """Align several recordings, each with its text; those of similar length share passes through the network.

        Of a recording or a text that can't be aligned the error stands in its place. For the arguments see
        :meth:`align`.
        """
        costs = self._costs(follow, imperfect)
        tasks = [_or_error(self._task, audio, text, costs, channel, strict) for audio, text in recordings]
        ready = [task for task in tasks if not isinstance(task, StreamHMMError)]
        samples = [torch.from_numpy(task.recording.samples) for task in ready]
        scored = iter(self.model.batch_log_posteriors(samples))
        return [
            task if isinstance(task, StreamHMMError) else _or_error(self._alignment, task, next(scored))
            for task in tasks
        ]

    def stream(
        self,
        text: str | Sequence[str],
        max_lag: float | None = 0.3,
        follow: bool = False,
        *,
        beam: float | None = BEAM,
        certainty: float | None = CERTAINTY,
        keep: float = KEEP_S,
        strict: bool = False,
    ) -> AlignmentStream:
        """Align speech while somebody speaks. Many streams may share one aligner.

        Args:
            text: what is going to be spoken; more may come later (:meth:`AlignmentStream.extend`).
            max_lag: seconds, counted from the newest sample received, after which words are final at the latest; None:
                nothing is forced, and words become final when no other alignment is possible, which may be late.
            follow: as in :meth:`align`.
            beam: nats; alignments so much worse than the best one so far are given up. None: none are.
            certainty: probability at which what was said becomes final before ``max_lag``; only with that. None: never.
            keep: seconds of audio and of words that :meth:`AlignmentStream.finish` and
                :meth:`AlignmentStream.realign` can reach back; what is older has been told and is given up.
            strict: as in :meth:`align`.

        Raises:
            TextError: the text can't be used.
            ModelError: the model is a Hugging Face one.
            ValueError: ``max_lag`` is less than the model's look-ahead, and other arguments that are not as said.
        """
        return AlignmentStream(
            self,
            text,
            max_lag=max_lag,
            follow=Follow() if follow else None,
            beam=beam,
            certainty=certainty,
            keep=keep,
            strict=strict,
        )

    def adapted(self, adaptation: Adaptation) -> Aligner:
        """An aligner, and a maker of streams, for the speaker of an adaptation; it shares the model's weights.

        Raises:
            ModelError: the model is a Hugging Face one.
        """
        aligner = copy.copy(self)
        aligner.model = apply(self.own_model("be adapted"), adaptation)
        return aligner

    def estimate_adaptation(
        self, recordings: Iterable[tuple[AudioInput, str | Sequence[str]]], *, channel: int | None = None
    ) -> Adaptation | None:
        """What makes up for the speaker or the channel of recordings with their texts; None where nothing helps.

        At least 8 are needed, and a minute of speech is enough. Those that can't be aligned are left out.

        Raises:
            ModelError: the model is a Hugging Face one.
        """
        model = self.own_model("be adapted")
        tasks = [_or_error(self._task, audio, text, None, channel, False) for audio, text in recordings]
        kept = [task for task in tasks if isinstance(task, Task)]
        features = [model.log_mel(torch.from_numpy(task.recording.samples)) for task in kept]
        scored = zip(kept, features, model.features_log_posteriors(features), strict=True)
        samples = [_or_error(self._sample, task, frames, posteriors) for task, frames, posteriors in scored]
        return estimate([sample for sample in samples if isinstance(sample, Sample)], model)

    def examine(self, audio: AudioInput, text: str | Sequence[str]) -> Decoding:
        """The path that :meth:`align` would report, with the evidence for it: what a calibration is fitted on.

        Raises:
            AudioError, TextError, AlignmentError: as :meth:`align`.
            ModelError: the model is a Hugging Face one.
        """
        model = self.own_model("be calibrated")
        task = self._task(audio, text, None, None, False)
        assert isinstance(task, Task)
        return self._decoding(task, model.log_posteriors(torch.from_numpy(task.recording.samples)))

    def own_model(self, purpose: str) -> AcousticModel:
        """The model, if it is one of streamhmm's own. Raises ModelError: it is not, so it can't do what it is for."""
        if isinstance(self.model, CtcModel):
            raise ModelError(f'a Hugging Face model can\'t {purpose}; use model="en" (--model en) for that')
        return self.model

    def _costs(self, follow: bool, imperfect: bool) -> Follow | None:
        if follow and imperfect:
            raise ValueError("follow and imperfect do not go together: who follows a speaker allows for all of it")
        if follow or imperfect:
            self.own_model("follow a speaker" if follow else "make up for an imperfect text")
        return Follow() if follow else IMPERFECT if imperfect else None

    def _task(
        self, audio: AudioInput, text: str | Sequence[str], costs: Follow | None, channel: int | None, strict: bool
    ) -> Task | CtcTask:
        whole_text = text if isinstance(text, str) else " ".join(text)
        if isinstance(self.model, CtcModel):
            spelling = self._vocabulary.spell(tokenize(text), self.lexicon, strict)
            recording = self._recording(audio, channel)
            doubts = check_level(recording.samples, recording.name)
            words = spelling.script.words
            self._check_length(recording, least_ctc_frames(words), len(words))
            return CtcTask(recording, whole_text, spelling, doubts)
        script = pronounce(tokenize(text), self.lexicon, strict=strict)
        recording = self._recording(audio, channel)
        doubts = check_level(recording.samples, recording.name)
        if costs is None:
            self._check_length(recording, least_frames(script.words), len(script.words))
        return Task(recording, whole_text, script, costs, doubts)

    def _decoding(self, task: Task, log_posteriors: Tensor) -> Decoding:
        return decode(
            log_posteriors,
            task.script.words,
            self.columns,
            task.costs,
            self.own_model("be decoded"),
            self.phone_loop,
            task.recording.name,
        )

    def _sample(self, task: Task, features: Tensor, log_posteriors: Tensor) -> Sample:
        runs = self._decoding(task, log_posteriors).runs
        return Sample(features, log_posteriors, runs.of_frames(runs.pdfs))

    def _alignment(self, task: Task | CtcTask, log_posteriors: Tensor) -> Alignment:
        if isinstance(task, CtcTask):
            assert isinstance(self.model, CtcModel)
            return align_ctc(task, log_posteriors, self.model, self._vocabulary)
        return assemble(self._decoding(task, log_posteriors), task, self.model.frame_s, self.calibration)

    def _warm_up(self) -> None:
        """Does now what would slow the first alignment: imports soundfile, reads the dictionary, aligns a murmur."""
        import_module("streamhmm.audio.decode")
        self.align((np.full(self.model.sample_rate // 2, 0.01, np.float32), self.model.sample_rate), "a")

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

    def _check_length(self, recording: Audio, needed: int, words: int) -> None:
        if self.model.frames(len(recording.samples)) < needed:
            raise AlignmentError(
                f"{recording.name}: the audio is too short for the text: it lasts {recording.duration:.2f} s, and "
                f"{words} word{'' if words == 1 else 's'} can't take less than {needed * self.model.frame_s:.2f} s; "
                "check that audio and text belong together"
            )


def _or_error(work: Callable[P, Result], *arguments: P.args, **options: P.kwargs) -> Result | StreamHMMError:
    try:
        return work(*arguments, **options)
    except StreamHMMError as error:
        return error


def open_model(
    model: str | os.PathLike[str], settings: RuntimeSettings, target_lang: str | None
) -> AcousticModel | CtcModel:
    """A model of either kind. Raises ModelError, BackendUnavailable."""
    if is_hugging_face(model):
        return CtcModel.load(model, settings, target_lang)
    if target_lang is not None:
        raise ModelError(f"{os.fspath(model)}: target_lang {target_lang} is for Hugging Face models; leave it out")
    return AcousticModel.load(model, settings)


def runtime_settings(
    backend: str | RuntimeSettings, precision: str, device: str, hint: str = "latency"
) -> RuntimeSettings:
    """What an aligner's arguments ask for; ``hint`` is for what they leave open.

    Raises:
        BackendUnavailable: a file of settings that can't be read.
        ValueError: settings, or a file of them, and a precision or a device beside them.
    """
    if not isinstance(backend, RuntimeSettings):
        if not backend.endswith(".json"):
            return RuntimeSettings(backend, precision, device, hint)
        backend = RuntimeSettings.load(backend)
    if (precision, device) != ("auto", "auto"):
        raise ValueError(f"the settings name precision and device already, got {precision!r} and {device!r}, too")
    return backend


def _calibration(model: AcousticModel | CtcModel) -> Calibration:
    if model.calibration is None:
        return UNCALIBRATED
    try:
        return Calibration.from_dict(model.calibration)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"the model's calibration is damaged ({error!r}); get the model file again, or calibrate it anew"
        ) from error
