"""Training of acoustic models; nothing here is imported when a model is used."""

from __future__ import annotations

from streamhmm.acoustic.training.trainer import train

__all__ = ["train"]
