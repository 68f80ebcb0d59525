"""``streamhmm prune``: a network with fewer weights."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from streamhmm.cli.options import whole_number
from streamhmm.cli.output import write

if TYPE_CHECKING:
    from streamhmm.acoustic.checkpoint import Checkpoint
    from streamhmm.acoustic.compress.prune import LayerStatistics
    from streamhmm.acoustic.compress.sensitivity import Sensitivity

METHODS = ("magnitude", "structured")
AMOUNT, COUNT, EPOCHS = 0.5, 32, 3
LEARNING_RATE = 3e-4
"""Pruned networks have more to learn than those that ``train --corpus`` fine-tunes."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    prune = commands.add_parser(
        "prune",
        help="take weights or hidden units out of a model",
        description="Prune a model. magnitude: the smallest weights become zero, the file stays as large; structured: "
        "hidden units are taken out, file and network become smaller. With --corpus the pruned model is fine-tuned; "
        "with --sensitivity a table says what pruning each layer alone does.",
    )
    prune.add_argument("model", metavar="MODEL", help='what to prune: "en" or a .safetensors file')
    prune.add_argument("-o", "--output", metavar="OUT.safetensors", help="the model to write")
    prune.add_argument("--method", choices=METHODS, default=METHODS[0], help="default: magnitude")
    prune.add_argument("--amount", type=_share, default=AMOUNT, metavar="X", help=f"share to prune (default: {AMOUNT})")
    prune.add_argument(
        "--global", action="store_true", dest="together", help="choose over the whole network, not layer by layer"
    )
    prune.add_argument(
        "--sensitivity",
        metavar="IN",
        help="recordings to measure on: a folder, or a manifest as corpus and train take it",
    )
    prune.add_argument(
        "--count", type=whole_number, default=COUNT, metavar="N", help=f"recordings for it (default: {COUNT})"
    )
    prune.add_argument("--plot", metavar="FIG", help="draw it into a .png, .svg or .pdf, too")
    prune.add_argument(
        "--corpus", nargs=2, metavar=("IN", "OUT"), help="fine-tune on a corpus, and what streamhmm corpus made of it"
    )
    prune.add_argument(
        "--epochs", type=whole_number, default=EPOCHS, metavar="N", help=f"passes through it (default: {EPOCHS})"
    )
    prune.set_defaults(run=run, parser=prune)


def run(options: argparse.Namespace) -> int:
    """Prune, measure, or both; returns the exit code."""
    if options.output is None and options.sensitivity is None:
        options.parser.error("give -o, the model to write, or --sensitivity, recordings to measure on")
    if options.plot is not None and options.sensitivity is None:
        options.parser.error("--plot needs --sensitivity, recordings to measure on")
    if options.output is None and options.corpus is not None:
        options.parser.error("--corpus needs -o, the model to write")
    if options.plot is not None:
        _check_format(options)
    from streamhmm.acoustic.checkpoint import load_checkpoint
    from streamhmm.acoustic.shipped import find_model

    checkpoint = load_checkpoint(find_model(options.model))
    if options.sensitivity is not None:
        found = _sensitivity(options, checkpoint)
        write(_sensitivity_table(found))
        if options.plot is not None:
            _plot(options, found)
    if options.output is not None:
        _prune(options, checkpoint)
    return 0


def _check_format(options: argparse.Namespace) -> None:
    from streamhmm.plots import figure_format

    try:
        figure_format(options.plot)
    except ValueError as error:
        options.parser.error(f"--plot: {error}")


def _prune(options: argparse.Namespace, checkpoint: Checkpoint) -> None:
    from streamhmm.acoustic.checkpoint import save_checkpoint
    from streamhmm.acoustic.compress.prune import pruned, statistics
    from streamhmm.errors import OutputError, why_not_written

    smaller = pruned(checkpoint, options.method, options.amount, together=options.together)
    try:
        save_checkpoint(smaller, options.output)
    except OSError as error:
        raise OutputError(f"{options.output}: {why_not_written(error, options.output)}") from error
    write(_statistics_table(statistics(checkpoint.network, smaller.network)))
    if options.corpus is not None:
        _fine_tune(options)
    write(f"{options.output}\n")


def _fine_tune(options: argparse.Namespace) -> None:
    from streamhmm.cli.corpus import cores
    from streamhmm.corpus.fine_tuning import fine_tune

    source, results = options.corpus
    written = fine_tune(
        source,
        results,
        options.output,
        initial=options.output,
        epochs=options.epochs,
        threads=cores(),
        learning_rate=LEARNING_RATE,
        keep_zeros=options.method == "magnitude",
    )
    if written is None:
        write("fine-tuning made nothing better on what was held out; the model is as it was pruned\n")


def _sensitivity(options: argparse.Namespace, checkpoint: Checkpoint) -> list[Sensitivity]:
    from rich.console import Console
    from rich.progress import Progress

    from streamhmm.acoustic.compress.sensitivity import sensitivity
    from streamhmm.corpus.samples import sample_features

    samples = sample_features(options.sensitivity, options.count)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("")
        return sensitivity(
            checkpoint,
            samples.used,
            options.method,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _plot(options: argparse.Namespace, found: list[Sensitivity]) -> None:
    from streamhmm.plots import plot_sensitivity

    plot_sensitivity(found, options.plot)
    write(f"{options.plot}\n")


def _statistics_table(layers: list[LayerStatistics]) -> str:
    rows = [*layers, type(layers[0])("all", *(sum(values) for values in list(zip(*layers, strict=True))[1:]))]
    cells = [
        (row.layer, f"{row.before:,}", f"{row.after:,}", f"{row.zeros / row.after:.1%}", f"{_left(row):.1%}")
        for row in rows
    ]
    return _table(("layer", "weights", "after", "zeros", "in use"), cells)


def _left(row: LayerStatistics) -> float:
    return (row.after - row.zeros) / row.before


def _sensitivity_table(found: list[Sensitivity]) -> str:
    cells = [
        (
            row.layer,
            f"{row.amount:.0%}",
            f"{row.agreement.divergence:.1e}",
            f"{row.agreement.mean:.3f}",
            f"{row.agreement.same_label:.1%}",
            f"{row.moved:.1%}",
        )
        for row in found
    ]
    return _table(("layer", "pruned", "divergence, nats", "mean difference", "same label", "moved > 20 ms"), cells)


def _table(header: tuple[str, ...], cells: Sequence[tuple[str, ...]]) -> str:
    from rich.console import Console
    from rich.table import Table

    table = Table(*header)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in cells:
        table.add_row(*row)
    console = Console()
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def _share(text: str) -> float:
    """A number from 0 up to, not including, 1, or an error for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"must be from 0 up to, not including, 1, got {text!r}")
    return value
