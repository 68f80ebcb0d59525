"""``streamhmm distill``: a smaller model that learns from another."""

from __future__ import annotations

import argparse

from streamhmm.cli.options import whole_number
from streamhmm.cli.output import write

WIDTH, HIDDEN, BLOCKS, EPOCHS, WEIGHT = 96, 192, 7, 20, 0.7


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    distill = commands.add_parser(
        "distill",
        help="train a smaller model on what another one says",
        description="Train a smaller student on a corpus, on the posteriors of its teacher and on the labels together. "
        "A tenth is held out, on which the report says how far the two agree.",
    )
    distill.add_argument(
        "--corpus",
        nargs=2,
        required=True,
        metavar=("IN", "OUT"),
        help="a corpus, and what streamhmm corpus made of it",
    )
    distill.add_argument("-o", "--output", metavar="OUT.safetensors", required=True, help="the model to write")
    distill.add_argument("--teacher", default="en", metavar="MODEL", help='"en" or a file (default: en)')
    for name, default, what in (
        ("--width", WIDTH, "channels of the student"),
        ("--hidden", HIDDEN, "hidden units of each of its blocks"),
        ("--blocks", BLOCKS, "its residual blocks"),
        ("--epochs", EPOCHS, "passes through the corpus"),
    ):
        distill.add_argument(name, type=whole_number, default=default, metavar="N", help=f"{what} (default: {default})")
    distill.add_argument(
        "--weight",
        type=_weight,
        default=WEIGHT,
        metavar="X",
        help=f"of the teacher's posteriors; the labels count the rest (default: {WEIGHT})",
    )
    distill.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    distill.set_defaults(run=run, parser=distill)


def run(options: argparse.Namespace) -> int:
    """Train a student; returns the exit code."""
    from streamhmm.cli.corpus import cores
    from streamhmm.corpus.distilling import distil, student_config

    source, results = options.corpus
    done = distil(
        source,
        results,
        options.output,
        student_config(options.width, options.hidden, options.blocks),
        teacher=options.teacher,
        weight=options.weight,
        epochs=options.epochs,
        threads=cores(),
        resume=options.resume,
    )
    (old_size, new_size), (old_ms, new_ms), found = done.sizes, done.ms, done.agreement
    write(
        f"{options.output}: {new_size / 1e6:.2f} MB of {old_size / 1e6:.2f}, {new_ms:.2f} ms of {old_ms:.2f} for a "
        f"second of audio in PyTorch\n"
        f"on {done.held_out} held-out utterances: {found.same_label:.2%} of frames with the same label as the teacher, "
        f"log-posteriors differ by {found.mean:.3f} on average, divergence {found.divergence:.1e} nats\n"
    )
    return 0


def _weight(text: str) -> float:
    """A number from 0 to 1, or an error for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1, got {text!r}")
    return value
