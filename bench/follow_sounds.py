"""What is heard beside the text: other people, babble, music, noise, a hesitation. 16 kHz, as loud as wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
VOICES = 6
NEUTRAL, MURMUR = (550.0, 1200.0, 2500.0), (250.0, 1100.0, 2300.0)
"""Formants of "uh" and "m", Hz."""
CHORDS = ((0, 4, 7, 12), (9, 12, 16, 21), (5, 9, 12, 17), (7, 11, 14, 19))
"""Semitones above the lowest tone."""
BEAT_S, LOWEST_TONE = 0.5, 130.8


def level(samples: np.ndarray) -> float:
    """Root mean square of the louder half of 10 ms frames: the level of the speech, whatever pauses there are."""
    hop = RATE // 100
    frames = samples[: len(samples) // hop * hop].reshape(-1, hop).astype(np.float64)
    power = np.sort(np.mean(frames**2, axis=1))
    return float(np.sqrt(np.mean(power[len(power) // 2 :])))


def at_level(samples: np.ndarray, wanted: float) -> np.ndarray:
    """The same sound at another level."""
    return (samples * (wanted / max(level(samples), 1e-9))).astype(np.float32)


def speech(seconds: float, crowd: Sequence[Path], chance: np.random.Generator) -> np.ndarray:
    """One person of ``crowd`` after another."""
    parts, length = [], 0
    while length < seconds * RATE:
        part, rate = soundfile.read(crowd[chance.integers(len(crowd))], dtype="float32")
        assert rate == RATE
        parts.append(at_level(part, 0.05))
        length += len(part)
    return np.concatenate(parts)[: round(seconds * RATE)]


def babble(seconds: float, crowd: Sequence[Path], chance: np.random.Generator) -> np.ndarray:
    """``VOICES`` of ``crowd`` at once."""
    return np.sum([speech(seconds, crowd, chance) for _ in range(VOICES)], axis=0)


def music(seconds: float, chance: np.random.Generator) -> np.ndarray:
    """Chords of plucked tones, a bass drum on each beat and a snare on every other."""
    beats = int(np.ceil(seconds / BEAT_S))
    parts = [_beat(beat, chance) for beat in range(beats)]
    return np.concatenate(parts)[: round(seconds * RATE)]


def _beat(beat: int, chance: np.random.Generator) -> np.ndarray:
    t = np.arange(round(BEAT_S * RATE)) / RATE
    tones = LOWEST_TONE * 2 ** (np.array(CHORDS[beat // 4 % len(CHORDS)]) / 12)
    chord = sum(np.sin(2 * np.pi * tone * k * t) / k for tone in tones for k in (1, 2, 3, 4)) * np.exp(-2 * t)
    drum = 6 * np.sin(2 * np.pi * 55 * t) * np.exp(-12 * t)
    snare = (beat % 2) * 4 * chance.standard_normal(len(t)) * np.exp(-25 * t)
    return (0.02 * (chord + drum + snare)).astype(np.float32)


def noise(seconds: float, chance: np.random.Generator) -> np.ndarray:
    """White."""
    return 0.05 * chance.standard_normal(round(seconds * RATE)).astype(np.float32)


def hesitation(seconds: float, chance: np.random.Generator) -> np.ndarray:
    """A voice that says "um": a vowel, then a murmur, with a pitch that sinks a little."""
    t = np.arange(round(seconds * RATE)) / RATE
    pitch = chance.uniform(90, 200) * (1 - 0.1 * t / seconds)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    murmur = np.clip((t - 0.6 * seconds) / (0.1 * seconds), 0, 1)
    voice = np.zeros(len(t))
    for harmonic in range(1, 30):
        strengths = [_resonance(harmonic * pitch.mean(), formants) for formants in (NEUTRAL, MURMUR)]
        voice += ((1 - murmur) * strengths[0] + 0.5 * murmur * strengths[1]) * np.sin(harmonic * phase)
    edge = np.minimum(1, np.minimum(t, seconds - t) / 0.03)
    return (voice * edge).astype(np.float32)


def _resonance(frequency: float, formants: Sequence[float]) -> float:
    widths = (80.0, 120.0, 160.0)
    slope = 1 / (1 + (frequency / 400) ** 1.5)
    return slope * sum(1 / (1 + ((frequency - f) / width) ** 2) for f, width in zip(formants, widths, strict=True))
