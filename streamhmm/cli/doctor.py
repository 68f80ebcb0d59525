"""``streamhmm doctor``: what works here, what to install, and what is broken."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streamhmm.cli.options import TRUST
from streamhmm.cli.output import STDOUT, complain, is_terminal, write
from streamhmm.errors import BackendUnavailable, OutputError, why_not_written

if TYPE_CHECKING:
    from rich.table import Table

    from streamhmm.acoustic import RuntimeSettings
    from streamhmm.measure.doctor import BackendState, Diagnosis

ROUNDS = 24
COLOURS = {"works": "green", "missing": "dim", "fails": "red"}


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    doctor = commands.add_parser(
        "doctor",
        help="what works here, what to install, and what is broken",
        description="Try every backend at every precision, and tell which work, which are missing and how to install "
        "them, how fast they are, what auto takes and why, whether memory grows over repeated runs; and which "
        "instruction sets, cards and microphones there are. Exit code 1: something that should work is broken, or a "
        "backend that was named is missing.",
    )
    doctor.add_argument("--model", default="en", help=f'acoustic model: "en" or a file; {TRUST} (default: en)')
    doctor.add_argument("--backend", action="append", default=[], metavar="NAME", help="only this one; repeatable")
    doctor.add_argument("--device", default="auto", help="cpu, cuda, cuda:N or auto (default: auto)")
    doctor.add_argument(
        "--rounds",
        type=_rounds,
        default=ROUNDS,
        metavar="N",
        help=f"repeat work so often to see whether memory grows, 0 or from 4 on (default: {ROUNDS})",
    )
    doctor.add_argument("--json", metavar="FILE", help="write everything; - is standard output")
    doctor.add_argument("--save", metavar="FILE", help="save what auto takes as a set-up for --backend: .json")
    doctor.add_argument(
        "--hint", choices=("latency", "throughput"), default="latency", help="what --save is for (default: latency)"
    )
    doctor.set_defaults(run=run, parser=doctor)


def run(options: argparse.Namespace) -> int:
    """Look at everything; returns the exit code."""
    from streamhmm.acoustic.backends import MODULES
    from streamhmm.measure.doctor import examine

    if options.save and not options.save.endswith(".json"):
        options.parser.error(f"--save: the name of a set-up ends in .json, got {options.save}")
    unknown = [name for name in options.backend if name not in MODULES]
    if unknown:
        options.parser.error(f"--backend: {', '.join(unknown)} is unknown; choose one of: {', '.join(MODULES)}")
    with shown_steps() as show:
        found = examine(
            options.model, device=options.device, rounds=options.rounds, backends=options.backend, on_progress=show
        )
    tell(found, options.json)
    for problem in found.problems:
        complain(problem)
    missing = list(_named_and_missing(found, options.backend))
    for reason in missing:
        complain(reason)
    if options.save and options.hint not in found.auto:
        raise BackendUnavailable(f"{options.save} was not written: auto finds nothing for {options.hint} here")
    if options.save:
        save(found.auto[options.hint].settings, options.save)
    return int(bool(found.problems or missing))


def _named_and_missing(found: Diagnosis, backends: Sequence[str]) -> Iterator[str]:
    """Why a backend that was named is missing at every precision."""
    for backend in backends:
        own = [state for state in found.backends if state.backend == backend]
        if all(state.state == "missing" for state in own):
            yield f"{backend}: {own[0].note}"


def tell(found: Diagnosis, target: str | None) -> None:
    """Show everything, and write it where it was asked for."""
    text = json.dumps(found.as_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if target == STDOUT:
        write(text)
        return
    if is_terminal():
        from rich.console import Console

        console = Console(highlight=False)
        console.print(table(found))
    else:
        write("".join("\t".join(row) + "\n" for row in rows(found)))
    write("\n".join(facts(found)) + "\n")
    if target:
        from streamhmm.formats import atomic_write

        with atomic_write(target) as file:
            file.write(text)


def save(settings: RuntimeSettings, path: str) -> None:
    """Write a set-up. Raises OutputError."""
    try:
        settings.save(path)
    except OSError as error:
        raise OutputError(f"{path}: {why_not_written(error, path)}") from error


def rows(found: Diagnosis) -> list[list[str]]:
    """A line for each backend and precision: its state, speed, parity, growth of memory, and what is to be said."""
    return [_row(state) for state in found.backends]


def _row(state: BackendState) -> list[str]:
    speeds = [f"{state.ms[hint]:.2f}" if hint in state.ms else "" for hint in ("latency", "throughput")]
    growth = "" if state.growth is None else f"{max(0.0, state.growth) / 1024:.0f}"
    return [state.backend, state.precision, state.state, state.device, *speeds, state.parity, growth, state.note]


def table(found: Diagnosis) -> Table:
    """The same for people; precisions that a backend does not have are left out, and what is missing is told once."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False)
    for name in ("backend", "", "", "device", "ms/s stream", "ms/s batch", "parity", "KiB/round", ""):
        shown.add_column(name, justify="right" if "/" in name else "left", overflow="fold")
    told: set[str] = set()
    for row in rows(found):
        if " has no precision " not in row[-1] and row[-1] not in told:
            told |= {row[-1]} - {""}
            shown.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in row))
    return shown


def facts(found: Diagnosis) -> list[str]:
    """All else, a line each."""
    core, cuda, cache = found.core, found.cuda, found.cache
    cards = ", ".join(cuda["cards"]) or "no card"
    built = "with" if cuda["engine"] else "without"
    lines = [
        f"machine: {found.machine['processor']}, {found.machine['system']}, {found.machine['cores']} cores",
        f"versions: {', '.join(f'{name} {version}' for name, version in found.versions.items())}",
        f"engine: uses {core['used']} of {', '.join(core['available'])}",
        f"CUDA: engine {built} kernels, torch {cuda['torch'] or 'without CUDA'}, {cards}",
        *(f"microphone: {line}" for line in found.audio),
        f"cache: {cache['folder']}, {cache['files']} files, {cache['bytes'] / 1e6:.1f} MB",
    ]
    for hint, state in found.auto.items():
        runtime = f"{state.settings.backend} {state.settings.precision} on {state.settings.device}"
        lines.append(f"auto for {hint}: {runtime}: {state.reason}")
    return lines


@contextmanager
def shown_steps() -> Iterator[Callable[[str], None]]:
    """A function that shows what is being done, on a terminal only."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda what: None
        return
    with console.status("looking") as status:
        yield status.update


def _rounds(text: str) -> int:
    if not text.isdecimal() or 0 < int(text) < 4:
        raise argparse.ArgumentTypeError(f"must be 0 or a whole number from 4 on, got {text!r}")
    return int(text)
