"""Training of acoustic models; nothing here is imported when a model is used."""

from __future__ import annotations

from streamhmm.acoustic.training.trainer import train, train_as

__all__ = ["train", "train_as"]
