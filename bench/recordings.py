"""Recordings of a wanted length with their text, joined from utterances that are there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from measure import REPOSITORY
from truth import load_set

RATE = 16_000


@dataclass(frozen=True)
class Recording:
    """A file, what is said in it, and its length."""

    audio: Path
    text: str
    seconds: float


def sources(truth: Path) -> tuple[str, list[tuple[Path, str]]]:
    """What to join, and its name: the set flite, or the bundled example where there are no truth sets."""
    if (truth / "flite").is_dir():
        return "truth set flite", [(utterance.audio, utterance.text) for utterance in load_set(truth / "flite")]
    example = REPOSITORY / "examples" / "quick_start" / "ferry.flac"
    return "bundled example, repeated", [(example, example.with_suffix(".txt").read_text())]


def join(pieces: list[tuple[Path, str]], seconds: float, path: Path) -> Recording:
    """Write whole utterances, the longest first, round after round as long as one fits into ``seconds``.

    At least one is written: the shortest, if none fits.
    """
    pieces = sorted(pieces, key=lambda piece: soundfile.info(piece[0]).frames, reverse=True)
    samples_wanted = max(round(seconds * RATE), soundfile.info(pieces[-1][0]).frames)
    texts, samples, fitted = [], 0, True
    with soundfile.SoundFile(path, "w", RATE, 1, format="FLAC") as file:
        while fitted:
            fitted = False
            for audio, text in pieces:
                if samples + soundfile.info(audio).frames > samples_wanted:
                    continue
                piece = _read(audio)
                file.write(piece)
                texts.append(text.strip())
                samples += len(piece)
                fitted = True
    return Recording(path, " ".join(texts), samples / RATE)


def _read(audio: Path) -> np.ndarray:
    piece, rate = soundfile.read(audio, dtype="float32")
    if rate != RATE or piece.ndim != 1:
        raise ValueError(f"{audio} must be mono at {RATE} Hz, got {rate} Hz, shape {np.shape(piece)}")
    return piece
