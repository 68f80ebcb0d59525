"""A training set of tones, one frequency a phone, and a configuration small enough to train in a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from streamhmm.acoustic.labels import LABELS
from streamhmm.acoustic.training.manifest import write_manifest

PHONES = ("SIL", "S", "IY", "K", "AA", "M", "SIL")
PHONE_S = 0.1

CONFIG = """\
output = "{folder}/out/model.safetensors"
work_dir = "{folder}/work"
dev = ["{folder}/dev.jsonl"]
{top}
[[train]]
manifest = "{folder}/train.jsonl"
speeds = [0.9, 1.0, 1.1]
aspirated = 0.5
{train}
[network]
width = 8
hidden = 16
kernel = 3
dilations = [1]
dropout = 0.1
[schedule]
epochs = 2
batch = 2
row_s = 0.5
warmup_steps = 2
{schedule}
"""


def tones(phones: tuple[str, ...] = PHONES) -> np.ndarray:
    """Each phone as a tone of 0.1 s at its own frequency, silence as silence; (N,) int16."""
    time = np.arange(round(PHONE_S * 16000)) / 16000
    parts = [0 * time if p == "SIL" else np.sin(2 * np.pi * 150 * (2 + LABELS.index(p)) * time) for p in phones]
    return np.round(8000 * np.concatenate(parts)).astype(np.int16)


def entry_of(name: str, phones: tuple[str, ...] = PHONES) -> dict[str, object]:
    """The manifest's line for a file of :func:`tones`."""
    units = [[phone, round(i * PHONE_S, 3), round((i + 1) * PHONE_S, 3)] for i, phone in enumerate(phones)]
    return {"audio": name, "text": "see Karma", "speaker": "tones", "source": "test", "phones": units}


def write_training_set(folder: Path, *, top: str = "", train: str = "", schedule: str = "") -> Path:
    """Four utterances to train on, one to choose by, and a configuration with additions; the configuration's path."""
    names = [f"{index}.wav" for index in range(5)]
    for index, name in enumerate(names):
        soundfile.write(folder / name, np.roll(tones(), 16 * index), 16000)
    write_manifest(folder / "train.jsonl", (entry_of(name) for name in names[:4]))
    write_manifest(folder / "dev.jsonl", [entry_of(names[4])])
    config = folder / "config.toml"
    config.write_text(CONFIG.format(folder=folder.as_posix(), top=top, train=train, schedule=schedule))
    return config
