"""A parity report as JSON, as a record for "auto", and as a table."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import torch

from streamhmm import __version__
from streamhmm.acoustic.automatic import PACKAGES
from streamhmm.acoustic.backends.remembered import installed_version, processor
from streamhmm.measure.combinations import Opened
from streamhmm.measure.parity_result import (
    FULL_ROUNDING,
    MOST_MOVED,
    MOVED_MS,
    ROUNDING,
    Parity,
    share_moved,
    shift_figures,
)
from streamhmm.metrics import TIERS

if TYPE_CHECKING:
    from rich.table import Table

LEAST_BOUNDARIES = 1000
"""A combination with fewer has proved nothing, and is not kept."""


def report_of(
    model: str | os.PathLike[str],
    fingerprint: str,
    corpus: str | os.PathLike[str],
    recordings: int,
    results: Sequence[Parity],
    others: Sequence[Opened],
    problems: Sequence[str],
) -> dict[str, Any]:
    """Everything as plain values; ``others`` are the combinations that do not run."""
    return {
        "model": os.fspath(model),
        "fingerprint": fingerprint,
        "corpus": os.path.basename(os.path.normpath(corpus)),
        "date": date.today().isoformat(),
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "versions": {"streamhmm": __version__, **_versions()},
        "recordings": recordings,
        "limits": {
            "share_moved_over_20_ms": MOST_MOVED,
            "mean_change_by_cut": ROUNDING,
            "mean_change_by_cut_fp32": FULL_ROUNDING,
        },
        "combinations": [_entry(parity) for parity in results],
        "not_running": [{"backend": one.backend, "precision": one.precision, "reason": one.problem} for one in others],
        "problems": list(problems),
    }


def telling_part(report: dict[str, Any]) -> dict[str, Any]:
    """The report with only those combinations that have enough boundaries to prove something, or that failed."""
    kept = [one for one in report["combinations"] if one["boundaries"] >= LEAST_BOUNDARIES or one["failures"]]
    return {**report, "combinations": kept}


def _versions() -> dict[str, str]:
    found = {name: installed_version(name) for name in ("torch", "torchao", *PACKAGES.values())}
    return {name: version for name, version in found.items() if version is not None}


def _entry(parity: Parity) -> dict[str, Any]:
    mean, p99, largest = shift_figures(parity.shifts_s)
    accuracy = {tier: parity.accuracy(tier) for tier in TIERS}
    return {
        "backend": parity.backend,
        "precision": parity.precision,
        "device": parity.device,
        "passed": not parity.flags,
        "flags": parity.flags,
        "failures": len(parity.failures),
        "ms": {hint: round(value, 4) for hint, value in parity.ms.items()},
        "log_posteriors": {
            "largest": _finite(parity.from_reference.largest),
            "mean": _finite(parity.from_reference.mean),
            "largest_by_cut": _finite(parity.from_whole.largest),
            "mean_by_cut": _finite(parity.from_whole.mean),
        },
        "boundaries": len(parity.shifts_s),
        "shift_ms": {"mean": mean, "p99": p99, "largest": largest},
        **{f"share_moved_over_{limit}_ms": share_moved(parity.shifts_s, limit) for limit in MOVED_MS},
        **{f"share_moved_by_cut_over_{limit}_ms": share_moved(parity.cut_shifts_s, limit) for limit in MOVED_MS},
        "accuracy": {
            tier: {
                "boundaries": found.boundaries,
                "within_20_ms": found.within[1],
                "mean_ms": _finite(found.mean_ms),
                "median_ms": _finite(found.median_ms),
            }
            for tier, found in accuracy.items()
            if found is not None
        },
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def parity_table(report: dict[str, Any]) -> Table:
    """The combinations, one a line; flagged ones in red."""
    from rich import box
    from rich.table import Table

    title = f"{report['model']} on {report['recordings']} recordings, against torch fp32"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False)
    names = ["", "max nats", "mean", "by cut", "mean ms", "p99", "max", "> 10 ms", "> 20 ms"]
    names += ["words ≤ 20 ms", "phones ≤ 20 ms", ""]
    for index, name in enumerate(names):
        table.add_column(name, justify="left" if index in (0, len(names) - 1) else "right")
    for entry in report["combinations"]:
        verdict = "[green]same" if entry["passed"] else "[red]flagged"
        table.add_row(_name(entry), *_figures(entry), verdict)
    return table


def parity_notes(report: dict[str, Any], named: Sequence[str]) -> list[str]:
    """Why combinations are flagged or do not run; that a backend lacks a precision is told only of those ``named``."""
    flagged = [f"{_name(entry)}: {flag}" for entry in report["combinations"] for flag in entry["flags"]]
    lacking = [
        one for one in report["not_running"] if one["precision"] in named or " has no precision " not in one["reason"]
    ]
    reasons = {one["reason"]: f"{one['backend']} {one['precision']}" for one in reversed(lacking)}  # each told once
    return flagged + [f"{name}: {reason}" for reason, name in reversed(reasons.items())]


def parity_lines(report: dict[str, Any]) -> str:
    """A tab-separated line a combination, for a pipe."""
    head = "combination\tlargest\tmean\tmean_by_cut\tmean_ms\tp99_ms\tlargest_ms\tover_10_ms\tover_20_ms\twords\tphones"
    rows = [
        "\t".join([_name(entry), *_figures(entry), "same" if entry["passed"] else "flagged"])
        for entry in report["combinations"]
    ]
    return "\n".join([f"{head}\tverdict", *rows]) + "\n"


def _name(entry: dict[str, Any]) -> str:
    return f"{entry['backend']} {entry['precision']} on {entry['device']}"


def _figures(entry: dict[str, Any]) -> list[str]:
    nats, shift = entry["log_posteriors"], entry["shift_ms"]
    apart = [nats["largest"], nats["mean"], nats["mean_by_cut"]]
    moved = [f"{100 * entry[f'share_moved_over_{limit}_ms']:.2f} %" for limit in MOVED_MS]
    accuracy = [entry["accuracy"].get(tier) for tier in TIERS]
    return [
        *("∞" if value is None else f"{value:.2g}" for value in apart),
        *(f"{shift[name]:.2f}" for name in ("mean", "p99", "largest")),
        *moved,
        *("–" if found is None else f"{found['within_20_ms']:.2f} %" for found in accuracy),
    ]
