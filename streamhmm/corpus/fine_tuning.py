"""An acoustic model learns from a corpus that it has aligned."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console

from streamhmm.acoustic.checkpoint import load_checkpoint
from streamhmm.acoustic.shipped import find_model
from streamhmm.acoustic.training import train_as
from streamhmm.acoustic.training.config import Schedule, Source, TrainingConfig
from streamhmm.corpus.training_set import TrainingSet, write_training_set
from streamhmm.errors import OutputError, why_not_written

EPOCHS, LEARNING_RATE = 3, 5e-5
"""Labels are the model's own. Larger steps, and boundaries that may move beside them, made all later by 1 to 2 ms."""
BATCH, ROW_S = 16, 4.0


def fine_tune(
    source: str | os.PathLike[str],
    results: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    initial: str = "en",
    epochs: int = EPOCHS,
    threads: int = 1,
    learning_rate: float = LEARNING_RATE,
    keep_zeros: bool = False,
    fake_quantise: bool = False,
    resume: bool = False,
    console: Console | None = None,
) -> Path | None:
    """Fine-tune a model on a corpus that :func:`~streamhmm.corpus.align_corpus` has aligned.

    A tenth of its speakers or utterances is held out; the epoch under which their labels are likeliest is written to
    ``output``, if they are likelier than under the initial model. Manifests and checkpoint go to ``output``.training.
    With ``keep_zeros`` a pruned model stays pruned; with ``fake_quantise`` it learns to
    say with 8 bits what the initial model says.

    Returns:
        ``output``, or None where nothing is better than the initial model; nothing is written then.

    Raises:
        CorpusError, AudioError, TextError: the corpus can't be used, or is too small.
        ModelError: the initial model can't be used, or with ``resume`` there is nothing to go on from.
        OutputError: nothing can be written there.
    """
    network = load_checkpoint(find_model(initial)).network.config
    folder = training_folder(output)
    data = write_training_set(source, results, folder)
    config = TrainingConfig(
        os.fspath(output),
        os.fspath(folder),
        (Source(os.fspath(data.train), speeds=(0.95, 1.0, 1.05)),),
        (os.fspath(data.dev),),
        initial=initial,
        fine_tune=True,
        keep_zeros=keep_zeros,
        fake_quantise=fake_quantise,
        teacher=initial if fake_quantise else None,
        network=network,
        schedule=_schedule(data, epochs, threads, learning_rate, not fake_quantise),
    )
    return train_as(config, resume, console)


def training_folder(output: str | os.PathLike[str]) -> Path:
    """Where manifests and checkpoint of a model go, made if need be. Raises OutputError."""
    folder = Path(f"{os.fspath(output)}.training")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: {why_not_written(error, os.fspath(folder))}") from error
    return folder


def _schedule(data: TrainingSet, epochs: int, threads: int, learning_rate: float, bfloat16: bool) -> Schedule:
    return Schedule(
        epochs=epochs,
        batch=batch_size(data),
        row_s=ROW_S,
        learning_rate=learning_rate,
        warmup_steps=20,
        average=0.98,
        patience=epochs,
        threads=threads,
        bfloat16=bfloat16,
    )


def batch_size(data: TrainingSet) -> int:
    """Rows of a step: ten steps an epoch at least where the corpus is small."""
    return max(1, min(BATCH, int(data.train_s / ROW_S / 10)))
