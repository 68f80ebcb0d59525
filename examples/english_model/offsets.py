"""Whether boundaries of a kind are off by the same amount in speech from different sources.

    python offsets.py model.safetensors flite_dev/manifest.jsonl espeak_dev/manifest.jsonl

For each pair of phone classes the median error is taken on one manifest and subtracted on the others. It is worth
having in the aligner only if errors get smaller there too.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from itertools import permutations
from pathlib import Path
from statistics import fmean, median

import torch
from known import known_boundaries
from rich.console import Console
from rich.table import Table

import streamhmm as sh
from streamhmm.acoustic.labels import SILENCE, SONORANTS, VOWELS

STOPS = frozenset(("P", "B", "T", "D", "K", "G", "CH", "JH"))
NASALS = frozenset(("M", "N", "NG"))
FEWEST = 15
"""A pair of classes seen less often than this has no offset."""

Errors = dict[tuple[str, str], list[float]]


def phone_class(phone: str) -> str:
    """The class of a phone, by manner."""
    if phone == SILENCE:
        return "silence"
    groups = {"vowel": VOWELS, "stop": STOPS, "nasal": NASALS, "approximant": SONORANTS}
    return next((name for name, group in groups.items() if phone in group), "fricative")


def measure(aligner: sh.Aligner, manifest: Path) -> Errors:
    """Errors in ms by the classes of the phones on both sides."""
    errors: Errors = defaultdict(list)
    for _, boundaries in known_boundaries(aligner, manifest):
        for boundary in boundaries:
            errors[phone_class(boundary.before), phone_class(boundary.after)].append(boundary.error_ms)
    return errors


def figures(errors: Errors, offsets: dict[tuple[str, str], float]) -> tuple[str, str]:
    """Mean error and % within 20 ms after the offsets are taken off."""
    sizes = [abs(error - offsets.get(pair, 0.0)) for pair, group in errors.items() for error in group]
    return f"{fmean(sizes):.2f}", f"{100 * fmean(size <= 20 for size in sizes):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("manifests", type=Path, nargs="+", help="two or more")
    options = parser.parse_args()
    torch.set_num_threads(1)
    aligner = sh.Aligner(options.model)
    found = {path.parent.name: measure(aligner, path) for path in options.manifests}
    offsets = {
        name: {pair: median(group) for pair, group in errors.items() if len(group) >= FEWEST}
        for name, errors in found.items()
    }
    table = Table("offsets from", "measured on", "mean ms", "≤ 20 ms", "without: mean ms", "≤ 20 ms")
    for source, target in permutations(found, 2):
        table.add_row(source, target, *figures(found[target], offsets[source]), *figures(found[target], {}))
    Console().print(table)
    pairs = Table("before", "after", *(f"{name}: ms" for name in found))
    for pair in sorted(set.intersection(*(set(table) for table in offsets.values()))):
        pairs.add_row(*pair, *(f"{offsets[name][pair]:+.1f}" for name in found))
    Console().print(pairs)


if __name__ == "__main__":
    main()
