"""``streamhmm train``: an acoustic model of one's own."""

from __future__ import annotations

import argparse

from streamhmm.cli.options import whole_number
from streamhmm.cli.output import write


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    train = commands.add_parser(
        "train",
        help="train an acoustic model",
        description="Train as a file says (--config), or fine-tune a model on a corpus that it has aligned (--corpus). "
        "Fine-tuning holds out a tenth, and writes nothing where that is not better than with the initial model.",
    )
    how = train.add_mutually_exclusive_group(required=True)
    how.add_argument("--config", metavar="FILE", help="what to train on and how, in TOML")
    how.add_argument("--corpus", nargs=2, metavar=("IN", "OUT"), help="a corpus, and what streamhmm corpus made of it")
    train.add_argument("--init", metavar="MODEL", help='where to begin: "en" or a file (--corpus: default en)')
    train.add_argument("-o", "--output", metavar="FILE", help="the model to write (--corpus)")
    train.add_argument("--epochs", type=whole_number, metavar="N", help="passes through the corpus (default: 3)")
    train.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    train.set_defaults(run=run, parser=train)


def run(options: argparse.Namespace) -> int:
    """Train; returns the exit code."""
    if options.corpus is not None:
        return _fine_tune(options)
    if options.output is not None or options.epochs is not None:
        options.parser.error("--output and --epochs go with --corpus; the file of --config says both")
    from streamhmm.acoustic.training import train

    if train(options.config, resume=options.resume, initial=options.init) is None:
        write("nothing is better than the initial model on what was held out; no model is written\n")
    return 0


def _fine_tune(options: argparse.Namespace) -> int:
    if options.output is None:
        options.parser.error("--corpus needs -o, the model to write")
    from streamhmm.cli.corpus import cores
    from streamhmm.corpus.fine_tuning import EPOCHS, fine_tune

    initial = options.init or "en"
    source, results = options.corpus
    written = fine_tune(
        source,
        results,
        options.output,
        initial=initial,
        epochs=options.epochs or EPOCHS,
        threads=cores(),
        resume=options.resume,
    )
    write(
        f"{written}\n" if written else f"nothing is better than {initial} on what was held out; no model is written\n"
    )
    return 0
