"""Utterances in memory, and epochs of equal rows cut from their random concatenation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile  # type: ignore[import-untyped]
import soxr  # type: ignore[import-untyped]
import torch
from torch import Tensor

from streamhmm.acoustic.features import HOP, SAMPLE_RATE
from streamhmm.acoustic.training.aspiration import aspirate
from streamhmm.acoustic.training.codec import CODECS, coded
from streamhmm.acoustic.training.config import Source
from streamhmm.acoustic.training.manifest import Unit, Utterance, read_manifest
from streamhmm.acoustic.training.targets import FrameTargets, concatenated, frame_targets
from streamhmm.errors import AudioError, TextError

QUIETEST = 1e-4
"""Utterances are scaled to unit level, silent ones as if they had this one."""


@dataclass(frozen=True)
class Item:
    """A labelled utterance in memory, and how its source is to be varied."""

    samples: npt.NDArray[np.int16]
    units: tuple[Unit, ...]
    source: Source


def load_items(source: Source) -> list[Item]:
    """The utterances of a manifest to train on.

    Raises:
        TextError, AudioError: the manifest or an audio file can't be used.
    """
    utterances = read_labelled(Path(source.manifest))
    return [Item(load_samples(utterance), utterance.units or (), source) for utterance in utterances]


def read_labelled(path: Path) -> list[Utterance]:
    """The utterances of a manifest, all of which have phones.

    Raises:
        TextError: the manifest can't be used, or an utterance has none.
    """
    utterances = read_manifest(path)
    for utterance in utterances:
        if not utterance.units:
            raise TextError(f"{path}: {utterance.audio.name} has no phones; label the manifest first")
    return utterances


def load_samples(utterance: Utterance) -> npt.NDArray[np.int16]:
    """The utterance's 16 kHz samples.

    Raises:
        AudioError: it can't be read, or has another rate or more than one channel.
    """
    try:
        samples, rate = soundfile.read(utterance.audio, dtype="int16")
    except (OSError, soundfile.LibsndfileError) as error:
        raise AudioError(f"{utterance.audio}: can't be read ({error}); correct the manifest") from error
    if rate != SAMPLE_RATE or samples.ndim != 1:
        found = f"{rate} Hz and {1 if samples.ndim == 1 else samples.shape[1]} channel(s)"
        raise AudioError(f"{utterance.audio}: training takes 16 kHz mono, got {found}; convert it first")
    return np.asarray(samples)


def to_float(samples: npt.NDArray[np.int16]) -> Tensor:
    """Samples in −1…1 as a float32 tensor."""
    return torch.from_numpy(samples.astype(np.float32) / 32768)


def epoch_rows(items: Sequence[Item], batch: int, row_frames: int, seed: int) -> Iterator[tuple[Tensor, FrameTargets]]:
    """Batches (samples (B, 160 F), targets (B, F)) of one epoch: every utterance once, at a random speed.

    The same seed gives the same epoch. What does not fill the last batch is dropped.
    """
    random = np.random.default_rng(seed)
    audio: list[Tensor] = []
    targets: list[FrameTargets] = []
    held, needed = 0, batch * row_frames
    for index in random.permutation(len(items)):
        samples, labels = _varied(items[index], random)
        audio.append(samples)
        targets.append(labels)
        held += len(labels.first)
        while held >= needed:
            all_audio, all_targets = torch.cat(audio), concatenated(targets)
            yield all_audio[: needed * HOP].view(batch, -1), all_targets.frames(0, needed).in_rows(batch)
            audio, targets = [all_audio[needed * HOP :]], [all_targets.frames(needed, held)]
            held -= needed


def _varied(item: Item, random: np.random.Generator) -> tuple[Tensor, FrameTargets]:
    source, units = item.source, item.units
    samples = to_float(item.samples).numpy()
    speed = float(random.choice(source.speeds))
    if source.aspirated > 0:
        samples, units = aspirate(samples, units, source.aspirated, random)
    if speed != 1.0:
        samples = soxr.resample(samples, SAMPLE_RATE * speed, SAMPLE_RATE, quality="MQ")
    if random.random() < source.coded:
        samples = coded(samples, CODECS[random.integers(len(CODECS))])
    level = max(float(np.sqrt(np.mean(np.square(samples)))), QUIETEST)
    frames = len(samples) // HOP
    audio = torch.from_numpy(samples[: frames * HOP] / np.float32(level))
    return audio, frame_targets(units, frames, source.masks, 1 / speed)
