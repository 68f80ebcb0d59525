"""The command line: ``streamhmm align``, ``corpus``, ``live``, ``compare``, ``metrics``, ``plot``, ``convert``,
``rtf``, ``train``, ``export``, ``quantize``, ``prune``, ``distill``, ``parity``, ``doctor``.

Exit codes: 0 done, 1 some input failed (named on standard error), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Sequence

from streamhmm import __version__
from streamhmm.cli import (
    align,
    compare,
    convert,
    corpus,
    distill,
    doctor,
    export,
    live,
    metrics,
    parity,
    plot,
    prune,
    quantize,
    rtf,
    train,
)
from streamhmm.cli.output import complain
from streamhmm.errors import StreamHMMError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except StreamHMMError as error:
        complain(str(error))
        return 1
    except BrokenPipeError:
        return 1  # whoever read the output went away: nothing left to say
    except KeyboardInterrupt:
        complain("interrupted")
        # A shell stops its loop over many files only if the signal itself ended the program.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
        raise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="streamhmm", description="Word and phone times of a known text in speech.")
    parser.add_argument("--version", action="version", version=f"streamhmm {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (
        align,
        corpus,
        live,
        compare,
        metrics,
        plot,
        convert,
        rtf,
        train,
        export,
        quantize,
        prune,
        distill,
        parity,
        doctor,
    ):
        command.add_to(commands)
    return parser
