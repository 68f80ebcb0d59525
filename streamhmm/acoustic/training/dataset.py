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
from streamhmm.acoustic.training.config import Source
from streamhmm.acoustic.training.manifest import Unit, Utterance, read_manifest
from streamhmm.acoustic.training.targets import Masks, frame_targets
from streamhmm.errors import AudioError, TextError


@dataclass(frozen=True)
class Item:
    """A labelled utterance in memory."""

    samples: npt.NDArray[np.int16]
    units: tuple[Unit, ...]
    masks: Masks
    speeds: tuple[float, ...]
    aspirated: float = 0.0  # share of voiceless stops that get an aspiration, see aspiration.py


def load_items(source: Source) -> list[Item]:
    """The utterances of a manifest to train on.

    Raises:
        TextError, AudioError: the manifest or an audio file can't be used.
    """
    utterances = read_labelled(Path(source.manifest))
    return [Item(load_samples(u), u.units or (), source.masks, source.speeds, source.aspirated) for u in utterances]


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


def epoch_rows(items: Sequence[Item], batch: int, row_frames: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches (samples (B, 160 F), targets (B, F)) of one epoch: every utterance once, at a random speed.

    The same seed gives the same epoch. What does not fill the last batch is dropped.
    """
    random = np.random.default_rng(seed)
    audio: list[Tensor] = []
    targets: list[Tensor] = []
    held = 0
    for index in random.permutation(len(items)):
        item = items[index]
        samples, labels = _varied(item, random)
        audio.append(samples)
        targets.append(labels)
        held += len(labels)
        while held >= batch * row_frames:
            all_audio, all_targets = torch.cat(audio), torch.cat(targets)
            frames = batch * row_frames
            yield all_audio[: frames * HOP].view(batch, -1), all_targets[:frames].view(batch, -1)
            audio, targets, held = [all_audio[frames * HOP :]], [all_targets[frames:]], held - frames


def _varied(item: Item, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    speed = float(random.choice(item.speeds))
    units = item.units
    samples = to_float(item.samples)
    if item.aspirated > 0:
        breathed, units = aspirate(samples.numpy(), units, item.aspirated, random)
        samples = torch.from_numpy(breathed)
    if speed != 1.0:
        samples = torch.from_numpy(soxr.resample(samples.numpy(), SAMPLE_RATE * speed, SAMPLE_RATE, quality="MQ"))
    samples = samples / samples.square().mean().sqrt().clamp(min=1e-4)
    frames = len(samples) // HOP
    return samples[: frames * HOP], frame_targets(units, frames, item.masks, 1 / speed)
