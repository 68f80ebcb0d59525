"""``streamhmm parity``: whether other runtimes give the same alignments."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamhmm.cli.options import TRUST, whole_number
from streamhmm.cli.output import STDOUT, complain, is_terminal, write
from streamhmm.errors import BackendUnavailable, CorpusError, OutputError, why_not_written

if TYPE_CHECKING:
    from streamhmm.measure.combinations import Opened


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parity = commands.add_parser(
        "parity",
        help="hold the alignments of every runtime against those of torch at full precision",
        description="Align a corpus with every backend at every precision that works here, and hold log-posteriors and "
        "boundaries against those of torch fp32, whole recordings against chunks and batches, and both against the "
        "TextGrids that lie beside the recordings. What moves more than 1 % of the boundaries by more than 20 ms, or "
        'depends on how audio is cut, is flagged; "auto" takes reduced precision only where it was not. The report is '
        "kept for this machine.",
    )
    parity.add_argument("corpus", metavar="CORPUS", help="as streamhmm corpus reads it")
    parity.add_argument("--model", default="en", help=f'acoustic model: "en" or a file; {TRUST} (default: en)')
    parity.add_argument(
        "--reference", metavar="MODEL", help="a model whose torch fp32 is held to be right (default: the same model)"
    )
    parity.add_argument(
        "--backend", action="append", default=[], metavar="NAME", help="only this one; repeatable; it has to run"
    )
    parity.add_argument(
        "--precision", action="append", default=[], metavar="NAME", help="only this one; repeatable; it has to run"
    )
    parity.add_argument("--device", default="auto", help="cpu, cuda, cuda:N or auto (default: auto)")
    parity.add_argument("--limit", type=whole_number, metavar="N", help="take N recordings, spread over the corpus")
    parity.add_argument("--json", metavar="FILE", help="write all figures; - is standard output")
    parity.add_argument("--record", metavar="FILE", help="keep the report in this file of records, too")
    parity.set_defaults(run=run, parser=parity)


def run(options: argparse.Namespace) -> int:
    """Compare runtimes; returns the exit code: 1 if what was named does not run, or a recording can't be used."""
    from streamhmm.acoustic.exported.model import FORMS
    from streamhmm.align.aligner import Aligner
    from streamhmm.measure.combinations import open_combination, own_model, wanted_combinations
    from streamhmm.measure.parity import compare_runtimes, read_samples
    from streamhmm.measure.parity_report import report_of

    found, problems = read_samples(options.corpus)
    utterances = spread(found, options.limit)
    if not utterances:
        raise CorpusError(f"{options.corpus}: there are no recordings with texts in it")
    try:
        reference = Aligner(options.reference or options.model, "torch", "fp32", options.device)
    except BackendUnavailable as error:
        if options.reference or Path(options.model).suffix.lower() not in FORMS:
            raise
        raise BackendUnavailable(f"{error}; name a model that torch can run with --reference") from error
    named = bool(options.backend)
    opened = [
        open_combination(options.model, *one, options.device, compile=named)
        for one in wanted_combinations(options.backend, options.precision)
    ]
    aligners = [one.aligner for one in opened if one.aligner is not None]
    if not aligners:
        raise BackendUnavailable(f"nothing of what was named runs here: {opened[0].problem}")
    with shown_progress("comparing", len(utterances)) as show:
        results, failed = compare_runtimes(utterances, reference, aligners, on_progress=show)
    others = [one for one in opened if one.aligner is None]
    problems += failed
    measured = len(utterances) - len(failed)
    fingerprint = own_model(aligners[0]).fingerprint
    report = report_of(options.model, fingerprint, options.corpus, measured, results, others, problems)
    tell(report, options)
    keep(report, options.record)
    return int(bool(problems) or any(parity.failures for parity in results) or is_lacking(opened, options))


def spread(utterances: Sequence[Any], limit: int | None) -> Sequence[Any]:
    """At most so many, from beginning to end."""
    if limit is None or limit >= len(utterances):
        return utterances
    return [utterances[index * len(utterances) // limit] for index in range(limit)]


def is_lacking(opened: Sequence[Opened], options: argparse.Namespace) -> bool:
    """Whether something that was named does not run: each pair of both, or one that runs in no pair at all."""
    if options.backend and options.precision:
        return any(one.aligner is None for one in opened)
    running = {name for one in opened if one.aligner is not None for name in (one.backend, one.precision)}
    return not {*options.backend, *options.precision} <= running


def tell(report: dict[str, Any], options: argparse.Namespace) -> None:
    """Show the report, and write it where it was asked for."""
    from streamhmm.formats import atomic_write
    from streamhmm.measure.parity_report import parity_lines, parity_notes, parity_table

    for line in (*report["problems"], *parity_notes(report, options.precision)):
        complain(line)
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if options.json == STDOUT:
        write(text)
        return
    if is_terminal():
        from rich.console import Console

        Console().print(parity_table(report))
    else:
        write(parity_lines(report))
    if options.json:
        with atomic_write(options.json) as file:
            file.write(text)


def keep(report: dict[str, Any], record: str | None) -> None:
    """Keep the report for "auto", here and in the file that is named. Raises OutputError."""
    from streamhmm.acoustic.backends.proven import add_record
    from streamhmm.measure.parity_report import LEAST_BOUNDARIES, telling_part

    kept = telling_part(report)
    if len(kept["combinations"]) < len(report["combinations"]):
        complain(f"fewer than {LEAST_BOUNDARIES} boundaries prove nothing: what has fewer is not kept for auto")
    if not kept["combinations"]:
        return
    for path in [None, *([record] if record else [])]:
        try:
            add_record(kept, path)
        except OSError as error:
            where = path or "the cache folder"
            raise OutputError(f"{where}: {why_not_written(error, path or '')}") from error


@contextmanager
def shown_progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A function that shows how many are done: a bar on a terminal, nothing in a pipe."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
