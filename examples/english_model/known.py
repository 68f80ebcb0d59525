"""What is known of the speech that models are trained, calibrated and compared on."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import streamhmm as sh
from streamhmm.acoustic.features import SAMPLE_RATE
from streamhmm.acoustic.labels import SILENCE
from streamhmm.acoustic.training.dataset import load_samples, read_labelled, to_float
from streamhmm.acoustic.training.targets import FRAME_S
from streamhmm.align.boundaries import crossings
from streamhmm.align.decoding import Decoding


class Boundary(NamedTuple):
    """A boundary of a path whose place is known: its index, its error in ms, and the phones on both sides."""

    index: int
    error_ms: float
    before: str
    after: str


def read_table(table: Path) -> list[dict[str, str]]:
    """The rows of one of speechocean762's tables: file, speaker, gender, age, text."""
    with open(table, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def known_boundaries(aligner: sh.Aligner, manifest: Path) -> Iterator[tuple[Decoding, list[Boundary]]]:
    """Each utterance of a manifest with exact phones, aligned with its text, and what of it can be compared."""
    for utterance in read_labelled(manifest):
        decoding = aligner.examine((to_float(load_samples(utterance)), SAMPLE_RATE), utterance.text)
        truth = [("_".join(unit.phones), unit.start) for unit in utterance.units or ()]
        times_ms = (crossings(decoding.runs, decoding.scores) * (1000 * FRAME_S)).tolist()
        labels = run_labels(decoding)
        yield (
            decoding,
            [
                Boundary(index, times_ms[index] - 1000 * start, labels[index], labels[index + 1])
                for index, start in matched_boundaries(decoding, truth)
            ],
        )


def run_labels(decoding: Decoding) -> list[str]:
    """The phone of each run of a path."""
    spoken = iter(decoding.phones)
    return [next(spoken).label if phone >= 0 else SILENCE for phone in decoding.runs.phones.tolist()]


def matched_boundaries(decoding: Decoding, truth: list[tuple[str, float]]) -> Iterator[tuple[int, float]]:
    """(index of a boundary on the path, its true time) where the phones on both sides are the same in both."""
    matcher = difflib.SequenceMatcher(None, [label for label, _ in truth], run_labels(decoding), autojunk=False)
    for block in matcher.get_matching_blocks():
        for step in range(1, block.size):
            yield block.b + step - 1, truth[block.a + step][1]
