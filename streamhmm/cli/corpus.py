"""``streamhmm corpus``: many recordings with their texts."""

from __future__ import annotations

import argparse
import os
import signal
import time
from typing import TYPE_CHECKING

from streamhmm.cli.options import add_freedom, add_model, add_target_lang, positive_number, whole_number
from streamhmm.cli.output import complain, write

if TYPE_CHECKING:
    from streamhmm.corpus import Outcome, Settings


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    corpus = commands.add_parser(
        "corpus",
        help="align many recordings, and report which to look at",
        description="Align a corpus. The same command goes on where an earlier one ended, and does again what changed.",
    )
    corpus.add_argument(
        "source",
        metavar="IN",
        help="folder of recordings and texts of the same stem, Kaldi data folder, NeMo manifest, or lhotse cuts",
    )
    corpus.add_argument("results", metavar="OUT", help="folder for results and report")
    corpus.add_argument(
        "--format",
        action="append",
        help="of the results, as convert --help lists them; repeatable (default: textgrid)",
    )
    corpus.add_argument(
        "--adapt",
        action="store_true",
        help="adapt to each speaker first, or to the whole corpus, where that helps on held-out utterances",
    )
    corpus.add_argument("--jobs", type=whole_number, metavar="N", help="processes (default: one a core)")
    corpus.add_argument(
        "--batch-seconds",
        type=positive_number,
        metavar="S",
        help="audio that goes through the network at once, at most (default: 30 on a CPU, else what memory holds)",
    )
    add_freedom(corpus)
    add_model(corpus)
    add_target_lang(corpus)
    corpus.add_argument("--device", default="auto", help="cpu or auto (default: auto)")
    corpus.set_defaults(run=run, parser=corpus)


def run(options: argparse.Namespace) -> int:
    """Align a corpus; returns the exit code."""
    from streamhmm.cli.corpus_progress import shown_progress
    from streamhmm.corpus import align_corpus

    jobs = options.jobs or cores()
    try:
        settings = settings_of(options)
    except ValueError as error:
        options.parser.error(f"--format: {error}")
    try:
        settings = settings.decided()
    except ValueError as error:
        options.parser.error(f"--backend: {error}")
    if options.verbose:
        complain(f"runtime: {settings.runtime}")
    began = time.monotonic()
    signal.signal(signal.SIGTERM, _leave)
    with shown_progress(options.results) as show:
        outcome = align_corpus(options.source, options.results, settings, jobs=jobs, on_progress=show)
    write(summary(outcome, options.results, time.monotonic() - began))
    return int(bool(outcome.problems))


def _leave(number: int, frame: object) -> None:
    """Ends the program as an error does: workers are ended too, and what is done is reported."""
    raise SystemExit(128 + number)


def settings_of(options: argparse.Namespace) -> Settings:
    """What the options say. Raises ValueError: formats that are none, or that do not go together."""
    from streamhmm.corpus import Settings

    return Settings(
        model=options.model,
        backend=options.backend,
        precision=options.precision,
        device=options.device,
        lexicon=tuple(options.lexicon),
        follow=options.follow,
        imperfect=options.imperfect,
        strict=options.strict,
        channel=options.channel,
        formats=tuple(options.format or ["textgrid"]),
        adapt=options.adapt,
        target_lang=options.target_lang,
        batch_s=options.batch_seconds,
    )


def summary(outcome: Outcome, results: str, seconds: float) -> str:
    """What a run came to, for people."""
    new = outcome.done - outcome.kept
    lines = [f"{outcome.done} of {outcome.total} aligned, {outcome.kept} of them before"]
    if new:
        pace = outcome.audio_s / max(seconds, 1e-3)
        lines.append(f"{outcome.audio_s / 3600:.2f} h of audio in {seconds:.0f} s, {pace:.0f} hours an hour")
    if outcome.backed_up:
        lines.append(f"{len(outcome.backed_up)} files that were not written by streamhmm, or changed, are kept as .bak")
    if outcome.problems:
        lines.append(f"{len(outcome.problems)} failed")
    lines.append(f"which to look at: {os.path.join(results, 'report.html')}")
    return "\n".join(lines) + "\n"


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))
