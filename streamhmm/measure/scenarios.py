"""Work as the backends meet it: single chunks, long audio, live streams, batches, whole alignments."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from streamhmm.acoustic import AcousticModel
from streamhmm.acoustic.features import SILENCE as SILENCE_LEVEL
from streamhmm.align.aligner import Aligner
from streamhmm.align.chunking import ChunkController
from streamhmm.measure.inputs import Recording
from streamhmm.measure.stages import OUTPUT, alignment_hooks, model_hooks, stream_hooks
from streamhmm.measure.subjects import Subject
from streamhmm.measure.timing import Hook, Sample, Stopwatch

SINGLE, SHORT = "single chunk, 1 s", "short, 3 s"
LONG_CHUNKS, LONG_BATCH, LONG_WHOLE = "10 s, chunk by chunk", "10 s, chunks in batch", "10 s, in one pass"
LIVE, ALIGNMENT = "stream, live chunks", "alignment to a file"
CHUNK_S, LONG_S, STREAM_S, UTTERANCE_S = 1.0, 10.0, 10.0, 10.0
"""The long audio is ten chunks of a second; the stream's chunks are those that the live controller picks."""
FIXED_CHUNKS_MS = (40, 80, 160)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Pass(Protocol):
    """Works through a scenario once, and returns what each call took."""

    def __call__(self, subject: Subject, watch: Stopwatch) -> list[Sample]: ...


@dataclass(frozen=True)
class Scenario:
    """Something to do on every backend.

    Attributes:
        once: does it. ``hooks``: the stages within it.
        share: of the rounds asked for, the fewer the longer it takes; 1 for the short ones.
        batch_size: recordings that go through the network at once, for a corpus; None for all else.
    """

    name: str
    once: Pass
    hooks: Callable[[AcousticModel], list[Hook]] = model_hooks
    share: float = 1.0
    batch_size: int | None = None


def network_scenarios(recordings: Sequence[Recording]) -> Iterator[Scenario]:
    """Those that need no text, on the recordings' first ten seconds, which are repeated if there are fewer."""
    rate = recordings[0].sample_rate
    audio = _repeated(torch.cat([recording.samples for recording in recordings]), round(LONG_S * rate))
    chunks = audio.split(round(CHUNK_S * rate))
    yield Scenario(SINGLE, partial(_whole, chunks[0]))
    yield Scenario(SHORT, partial(_whole, torch.cat(chunks[:3])))
    yield Scenario(LONG_CHUNKS, partial(_pushed, chunks), share=0.4)
    yield Scenario(LONG_BATCH, partial(_at_once, chunks), share=0.4)
    yield Scenario(LONG_WHOLE, partial(_whole, audio), share=0.4)


def stream_scenarios(recording: Recording, aligner: Aligner | None) -> Iterator[Scenario]:
    """A recording pushed into a live stream; without an aligner, or its text, as far as the network's scores."""
    samples = recording.samples[: round(STREAM_S * recording.sample_rate)]
    hooks: Callable[[AcousticModel], list[Hook]] = model_hooks
    make: Callable[[Subject], _Pushed] = _scores
    if aligner is not None and recording.text is not None:
        hooks, make = stream_hooks, partial(_stream, aligner, recording.text)
    yield Scenario(LIVE, partial(_followed, samples, recording.sample_rate, make), hooks, 0.2)
    for ms in FIXED_CHUNKS_MS:
        chunks = samples.split(round(ms / 1000 * recording.sample_rate))
        yield Scenario(f"stream, {ms} ms", partial(_streamed, chunks, make), hooks, 0.1)


def corpus_scenarios(recordings: Sequence[Recording], sizes: Sequence[int] = BATCH_SIZES) -> Iterator[Scenario]:
    """So many recordings, ten seconds of each at most, through the network at once; repeated if there are fewer."""
    most = round(UTTERANCE_S * recordings[0].sample_rate)
    for size in sizes:
        batch = [recording.samples[:most] for recording in islice(cycle(recordings), size)]
        yield Scenario(f"corpus, batch of {size}", partial(_at_once, batch), share=0.1, batch_size=size)


def alignment_scenario(recordings: Sequence[Recording], aligner: Aligner, folder: Path) -> Scenario:
    """Files with their texts to TextGrids in ``folder``."""
    return Scenario(ALIGNMENT, partial(_aligned, recordings, aligner, folder), alignment_hooks, 0.1)


def _repeated(samples: Tensor, length: int) -> Tensor:
    return samples.repeat(-(-length // len(samples)))[:length]


def _seconds(samples: Tensor, model: AcousticModel) -> float:
    return len(samples) / model.sample_rate


def _whole(samples: Tensor, subject: Subject, watch: Stopwatch) -> list[Sample]:
    model = subject.model
    return [watch.time(lambda: model.log_posteriors(samples), _seconds(samples, model))]


def _pushed(chunks: Sequence[Tensor], subject: Subject, watch: Stopwatch) -> list[Sample]:
    """With caches from chunk to chunk; the last one ends the audio."""
    stream = subject.model.stream()

    def push(index: int) -> None:
        stream.push(chunks[index])
        if index == len(chunks) - 1:
            stream.finish()

    return [watch.time(partial(push, index), _seconds(chunk, subject.model)) for index, chunk in enumerate(chunks)]


def _at_once(recordings: Sequence[Tensor], subject: Subject, watch: Stopwatch) -> list[Sample]:
    audio_s = sum(_seconds(samples, subject.model) for samples in recordings)
    return [watch.time(lambda: _batch_log_posteriors(subject.model, recordings), audio_s)]


@torch.inference_mode()
def _batch_log_posteriors(model: AcousticModel, recordings: Sequence[Tensor]) -> Tensor:
    """All in one batch, however much memory it takes, back on the CPU."""
    features = []
    for samples in recordings:
        frames, cache = model.features(samples.to(model.backend.device))
        features.append(torch.cat((frames, model.features.finish(cache))))
    padded = nn.utils.rnn.pad_sequence(features, batch_first=True, padding_value=SILENCE_LEVEL)
    posteriors, cache = model.backend.log_posteriors(padded, None)
    return torch.cat((posteriors, model.backend.finish(cache)), dim=1).cpu()


class _Pushed(Protocol):
    def push(self, samples: Tensor) -> object: ...


def _scores(subject: Subject) -> _Pushed:
    return subject.model.stream()


def _stream(aligner: Aligner, text: str, subject: Subject) -> _Pushed:
    return _on(aligner, subject).stream(text)


def _streamed(
    chunks: Sequence[Tensor], make: Callable[[Subject], _Pushed], subject: Subject, watch: Stopwatch
) -> list[Sample]:
    stream = make(subject)
    return [watch.time(partial(stream.push, chunk), _seconds(chunk, subject.model)) for chunk in chunks]


def _followed(
    samples: Tensor, sample_rate: int, make: Callable[[Subject], _Pushed], subject: Subject, watch: Stopwatch
) -> list[Sample]:
    """The controller chooses, as if the audio came in real time: what comes while a chunk is computed waits."""
    stream, controller = make(subject), ChunkController()
    taken, now_s, done = 0, 0.0, []
    while taken < len(samples):
        chunk = samples[taken : taken + max(1, round(controller.chunk_s * sample_rate))]
        taken += len(chunk)
        sample = watch.time(partial(stream.push, chunk), len(chunk) / sample_rate)
        now_s = max(now_s, taken / sample_rate) + sample.wall_s
        waiting_s = max(0.0, min(now_s, len(samples) / sample_rate) - taken / sample_rate)
        controller.observe(sample.audio_s, sample.wall_s, waiting_s)
        done.append(sample)
    return done


def _aligned(
    recordings: Sequence[Recording], aligner: Aligner, folder: Path, subject: Subject, watch: Stopwatch
) -> list[Sample]:
    own = _on(aligner, subject)

    def align(recording: Recording) -> None:
        alignment = own.align(recording.path, recording.text or "")
        watch.staged(OUTPUT, alignment.save)(folder / "out.TextGrid")

    return [watch.time(partial(align, recording), recording.duration_s) for recording in recordings]


def _on(aligner: Aligner, subject: Subject) -> Aligner:
    """The same aligner, lexicon and all, with the network on another runtime."""
    own = copy.copy(aligner)
    own.model = subject.model
    return own
