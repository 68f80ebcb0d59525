"""Some recordings of a corpus, whose texts do not matter: what a network is calibrated and measured on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from streamhmm.acoustic.features import HOP, SAMPLE_RATE, LogMel
from streamhmm.acoustic.training.manifest import read_manifest
from streamhmm.audio import load_audio
from streamhmm.audio.suffixes import AUDIO_SUFFIXES
from streamhmm.corpus.layouts import find_utterances
from streamhmm.corpus.layouts.kaldi import is_kaldi
from streamhmm.corpus.recordings import part_of
from streamhmm.corpus.utterance import Part, Utterance
from streamhmm.errors import CorpusError

FRAME_S = HOP / SAMPLE_RATE
HELD_OUT_EVERY = 5
"""One recording of so many is kept for measuring."""


class Samples(NamedTuple):
    """(T, 80) features of recordings to use and of others to measure on, and what they are, for notes."""

    used: list[Tensor]
    held_out: list[Tensor]
    description: dict[str, object]


def sample_features(source: str | os.PathLike[str], count: int) -> Samples:
    """Features of ``count`` recordings and of a quarter as many others, evenly spread over a corpus.

    Args:
        source: what ``streamhmm corpus`` takes, where a folder needs no texts, or a manifest as ``streamhmm train``
            takes it.
        count: from 1; where there are fewer recordings, all are taken.

    Raises:
        CorpusError, TextError: the source can't be read, or has fewer than two recordings.
        AudioError: a recording can't be read.
    """
    utterances = _utterances(os.fspath(source))
    wanted = min(len(utterances), count + -(-count // (HELD_OUT_EVERY - 1)))
    if wanted < 2:
        raise CorpusError(f"{os.fspath(source)}: {wanted} recordings, it takes 2 or more; name a larger corpus")
    chosen = [utterances[index * len(utterances) // wanted] for index in range(wanted)]
    features = [_features(utterance) for utterance in chosen]
    held_out = [index % HELD_OUT_EVERY == min(HELD_OUT_EVERY, wanted) - 1 for index in range(wanted)]
    used = [one for one, is_held_out in zip(features, held_out, strict=True) if not is_held_out]
    measured = [one for one, is_held_out in zip(features, held_out, strict=True) if is_held_out]
    description: dict[str, object] = {
        "source": Path(source).name,
        "recordings": len(used),
        "seconds": round(sum(map(len, used)) * FRAME_S, 1),
    }
    return Samples(used, measured, description)


def _utterances(source: str) -> list[Utterance]:
    if os.path.isdir(source) and not is_kaldi(source):
        paths = (path for path in sorted(Path(source).rglob("*")) if path.suffix.lower() in AUDIO_SUFFIXES)
        return [_of_file(path) for path in paths]
    if os.path.isfile(source) and _is_training_manifest(source):
        return [_of_file(utterance.audio) for utterance in read_manifest(Path(source))]
    return list(find_utterances(source).utterances)


def _of_file(path: Path) -> Utterance:
    return Utterance(path.stem, os.fspath(path), (Part(""),))


def _is_training_manifest(path: str) -> bool:
    try:
        with open(path, encoding="utf-8") as file:
            return "audio" in json.loads(file.readline())
    except (ValueError, TypeError):
        return False


def _features(utterance: Utterance) -> Tensor:
    audio = load_audio(utterance.audio, sample_rate=SAMPLE_RATE, channel=utterance.channel)
    return _log_mel(torch.as_tensor(part_of(audio, utterance.parts[0], utterance).samples))


def features_of(path: str) -> Tensor:
    """(T, 80) features of a recording. Raises AudioError."""
    return _log_mel(torch.as_tensor(load_audio(path, sample_rate=SAMPLE_RATE).samples))


@torch.inference_mode()
def _log_mel(samples: Tensor) -> Tensor:
    extractor = LogMel()
    frames, cache = extractor(samples)
    return torch.cat((frames, extractor.finish(cache)))
