"""The acoustic front end: audio samples to per-frame scores of phones. Training stands apart, in ``training``."""

from __future__ import annotations

from streamhmm.acoustic.model import AcousticModel, ScoreStream

__all__ = ["AcousticModel", "ScoreStream"]
