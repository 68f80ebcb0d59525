"""A smaller student learns from a model, on a corpus that the model has aligned."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from streamhmm.acoustic.backends import open_backend
from streamhmm.acoustic.backends.runtime import RuntimeSettings
from streamhmm.acoustic.checkpoint import load_checkpoint
from streamhmm.acoustic.compress.agreement import Agreement, agreement
from streamhmm.acoustic.compress.speed import step_ms
from streamhmm.acoustic.network import NetworkConfig
from streamhmm.acoustic.shipped import find_model
from streamhmm.acoustic.training import train_as
from streamhmm.acoustic.training.config import Schedule, Source, TrainingConfig
from streamhmm.acoustic.training.manifest import read_manifest
from streamhmm.corpus.fine_tuning import ROW_S, batch_size, training_folder
from streamhmm.corpus.samples import features_of
from streamhmm.corpus.training_set import write_training_set

EPOCHS, WEIGHT = 20, 0.7
DILATIONS = (1, 2, 4)
"""Of the blocks of a student, over and over."""


class Distilled(NamedTuple):
    """A student beside its teacher.

    Attributes:
        sizes: bytes of the files, the teacher's first; ``ms``: of a second of audio in PyTorch.
        agreement: of the student with the teacher on ``held_out`` utterances.
    """

    sizes: tuple[int, int]
    ms: tuple[float, float]
    agreement: Agreement
    held_out: int


def student_config(width: int, hidden: int, blocks: int) -> NetworkConfig:
    """Sizes of a student."""
    dilations = tuple(DILATIONS[index % len(DILATIONS)] for index in range(blocks))
    return NetworkConfig(width=width, hidden=hidden, dilations=dilations)


def distil(
    source: str | os.PathLike[str],
    results: str | os.PathLike[str],
    output: str | os.PathLike[str],
    student: NetworkConfig,
    *,
    teacher: str = "en",
    weight: float = WEIGHT,
    epochs: int = EPOCHS,
    threads: int = 1,
    resume: bool = False,
    console: Console | None = None,
) -> Distilled:
    """Train a student on a corpus that :func:`~streamhmm.corpus.align_corpus` has aligned.

    A tenth of its speakers or utterances is held out; the epoch whose boundaries are nearest to the labels there is
    written to ``output``. It has no calibration. Manifests and checkpoint go to ``output``.training.

    Args:
        weight: of what the teacher makes of each frame; the labels count the rest.

    Raises:
        CorpusError, AudioError, TextError: the corpus can't be used, or is too small.
        ModelError: the teacher can't be used, or with ``resume`` there is nothing to go on from.
        OutputError: nothing can be written there.
    """
    path = find_model(teacher)
    model = load_checkpoint(path)
    folder = training_folder(output)
    data = write_training_set(source, results, folder)
    config = TrainingConfig(
        os.fspath(output),
        os.fspath(folder),
        (Source(os.fspath(data.train), speeds=(0.9, 1.0, 1.1)),),
        (os.fspath(data.dev),),
        network=student,
        teacher=teacher,
        teacher_weight=weight,
        schedule=Schedule(
            epochs=epochs, batch=batch_size(data), row_s=ROW_S, average=0.98, patience=epochs, threads=threads
        ),
    )
    train_as(config, resume, console)
    settings = RuntimeSettings("torch", "fp32")
    old, new = (open_backend(each, settings) for each in (model, load_checkpoint(output)))
    held_out = [features_of(os.fspath(utterance.audio)) for utterance in read_manifest(data.dev)]
    return Distilled(
        (path.stat().st_size, Path(output).stat().st_size),
        (step_ms(old), step_ms(new)),
        agreement(old, new, held_out),
        len(held_out),
    )
