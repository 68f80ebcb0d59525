"""An hour with its text, with one that differs here and there, and with one of which half is missing.

    python bench/long.py [--model FILE] [--minutes 60] [--seed 2026] [--whole] [--json FILE]

bench/README.md tells what is counted. Exit code 2: the truth sets are not there.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from follow_edits import usable
from long_hour import RATE, Long, Piece, Script, edited, join, right_text, shuffled, with_more, without_middle
from long_judge import Boundaries, Errors, Flags, boundaries, flags
from measure import SPEECH, TRUTH, make_console, show, verdict, write_json
from truth import load_set

import streamhmm as sh
from streamhmm.align import decoding
from streamhmm.measure.machine import peak_bytes, reset_peak, resident_bytes
from streamhmm.text import tokenize

SETS = ("flite", "espeak")
SHARE = 0.05
MOST_MOVED_MS = 1.0
MODES: dict[str, dict[str, bool]] = {"align": {}, "imperfect": {"imperfect": True}}
MIB = 2**20


def main() -> int:
    options = _options()
    if not options.truth.is_dir():
        print(f"{options.truth}: not there; name the truth sets with --truth", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    console, aligner = make_console(), sh.Aligner(options.model)
    pieces = {"synthetic": _known(options.truth)}
    if options.speech.is_dir():
        pieces["learners"] = _unknown(aligner, options.speech)
    results = {name: _measure(console, aligner, name, mine, options) for name, mine in pieces.items()}
    write_json(options.json, {"minutes": options.minutes, "seed": options.seed, **results})
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Long recordings with right and with imperfect texts.")
    parser.add_argument("--model", default="en", help='acoustic model: "en" or a file (default: en)')
    parser.add_argument("--minutes", type=float, default=60, help="of each recording (default: 60)")
    parser.add_argument("--seed", type=int, default=2026, help="of recordings and differences (default: 2026)")
    parser.add_argument("--truth", type=Path, default=TRUTH, metavar="DIR", help="default: beside the repository")
    parser.add_argument("--speech", type=Path, default=SPEECH, metavar="DIR", help="default: beside the repository")
    parser.add_argument("--whole", action="store_true", help="align without cutting, too, and compare (minutes)")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    return parser.parse_args()


def _known(truth: Path) -> list[Piece]:
    """Utterances whose boundaries are known."""
    return [
        Piece(
            utterance.audio,
            tuple(utterance.text.split()),
            tuple((float(word.start or 0.0), float(word.end or 0.0)) for word in utterance.words),
        )
        for name in SETS
        for utterance in usable(load_set(truth / name))
        if len(utterance.text.split()) == len(utterance.words)
    ]


def _unknown(aligner: sh.Aligner, speech: Path) -> list[Piece]:
    """Adults' utterances, whose times are those of the alignment of each by itself."""
    with open(speech / "test.tsv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    found = []
    for row in rows:
        words = row["text"].lower().split()
        if int(row["age"]) >= 16 and len(tokenize(" ".join(words))) == len(words):
            alone = aligner.align(speech / row["file"], words)
            found.append(Piece(speech / row["file"], tuple(words), tuple((w.start, w.end) for w in alone.words)))
    return found


def _measure(
    console: Any, aligner: sh.Aligner, name: str, pieces: Sequence[Piece], options: argparse.Namespace
) -> dict[str, Any]:
    seed = options.seed
    recording = join(pieces, 60 * options.minutes, seed)
    alone = _errors_alone(aligner, pieces)
    scripts: dict[str, Callable[[], Script]] = {
        "right": lambda: right_text(recording),
        "5 % edited": lambda: edited(recording, SHARE, seed),
        "half missing": lambda: without_middle(recording),
        "as much again": lambda: with_more(recording, seed),
        "another text": lambda: shuffled(recording, seed),
    }
    rows = {
        (text, mode): _align(aligner, recording, make(), alone, keywords, options.whole)
        for text, make in scripts.items()
        for mode, keywords in MODES.items()
    }
    title = f"{name}: {recording.seconds:.0f} s, {len(recording.spoken)} words"
    _report_boundaries(console, title, rows)
    _report_flags(console, rows)
    _report_cost(console, rows, recording.seconds)
    return {" / ".join(key): row for key, row in rows.items()}


def _errors_alone(aligner: sh.Aligner, pieces: Sequence[Piece]) -> Errors:
    errors = {}
    for index, piece in enumerate(pieces):
        found = aligner.align((soundfile.read(piece.audio, dtype="float32")[0], RATE), list(piece.words))
        for place, (word, (start, end)) in enumerate(zip(found.words, piece.times, strict=True)):
            errors[index, place] = 1000 * abs(word.start - start), 1000 * abs(word.end - end)
    return errors


def _align(
    aligner: sh.Aligner, recording: Long, script: Script, alone: Errors, keywords: dict[str, bool], whole: bool
) -> dict[str, Any]:
    call = partial(aligner.align, (recording.samples, RATE), " ".join(script.words), **keywords)
    reset_peak()
    before, begin, processor = resident_bytes(), time.perf_counter(), time.process_time()
    found = call()
    cost = {
        "seconds": time.perf_counter() - begin,
        "processor_s": time.process_time() - processor,
        "extra_bytes": peak_bytes() - before,
    }
    groups = {
        group: _shares(boundaries(recording, script, found, alone, far=far))
        for group, far in (("far", True), ("near", False))
    }
    moved = {"moved": _moved(found, _uncut(call))} if whole else {}
    told = {"flags": flags(recording, script, found)._asdict(), "warnings": list(found.warnings)}
    return {**groups, **told, **cost, **moved}


def _uncut(call: Callable[[], sh.Alignment]) -> sh.Alignment:
    """The same without cutting."""
    before, decoding.LONG_FRAMES = decoding.LONG_FRAMES, sys.maxsize
    try:
        return call()
    finally:
        decoding.LONG_FRAMES = before


def _moved(found: sh.Alignment, other: sh.Alignment) -> float:
    """Share of all words that are elsewhere, or in one of them only."""
    places = [
        {index: (word.start, word.end) for index, word in zip(a.word_indices, a.words, strict=True)}
        for a in (found, other)
    ]
    indices = places[0].keys() | places[1].keys()
    return sum(places[0].get(index) != places[1].get(index) for index in indices) / len(indices)


def _shares(measured: Boundaries) -> dict[str, float]:
    if not measured.words:
        return {"words": 0}
    shares = {f"within_{limit}": float(np.mean(measured.errors <= limit)) for limit in (20, 50, 100)}
    alone = {f"alone_within_{limit}": float(np.mean(measured.single <= limit)) for limit in (20, 50, 100)}
    medians = {"median_ms": float(np.median(measured.errors)), "alone_median_ms": float(np.median(measured.single))}
    return {"words": measured.words, "found": measured.found, **medians, **shares, **alone}


def _report_boundaries(console: Any, title: str, rows: dict[tuple[str, str], dict[str, Any]]) -> None:
    lines = []
    for (text, mode), row in rows.items():
        far, near = row["far"], row["near"]
        if not far["words"]:
            continue
        moved = far["median_ms"] - far["alone_median_ms"]
        barred = text in ("right", "5 % edited")
        lines.append(
            [
                f"{text}, {mode}",
                f"{far['found']} of {far['words']}",
                f"{far['median_ms']:.2f} / {far['alone_median_ms']:.2f}",
                *(f"{far[f'within_{n}']:.1%} / {far[f'alone_within_{n}']:.1%}" for n in (20, 50, 100)),
                f"{near['within_50']:.1%}" if near["words"] else "",
                verdict(moved <= MOST_MOVED_MS) if barred else "",
            ]
        )
    columns = ["text", "found", "median, ms", "≤ 20 ms", "≤ 50 ms", "≤ 100 ms", "near ≤ 50 ms", ""]
    note = "word boundaries further than 3 words from a difference / in the single utterances; bar: median within 1 ms"
    show(console, title, columns, lines, note)


def _report_flags(console: Any, rows: dict[tuple[str, str], dict[str, Any]]) -> None:
    lines = []
    for (text, mode), row in rows.items():
        found = Flags(**row["flags"])
        lines.append(
            [
                f"{text}, {mode}",
                str(found.wrong),
                _share(found.skipped_rightly, found.skipped),
                _share(found.skipped_rightly, found.wrong),
                _share(found.low_rightly, found.low),
                _share(found.skipped_rightly + found.low_rightly, found.wrong),
                str(found.missing),
                _share(found.offscript_rightly, found.offscript),
                _share(found.heard, found.missing),
            ]
        )
    columns = [
        "text",
        "not spoken",
        "skipped",
        "recall",
        "low score",
        "or skipped",
        "not in it",
        "off script",
        "recall",
    ]
    note = "shares of what is flagged that is different, and of what is different that is flagged"
    show(console, "Differences found", columns, lines, note)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _report_cost(console: Any, rows: dict[tuple[str, str], dict[str, Any]], seconds: float) -> None:
    lines = [
        [
            f"{text}, {mode}",
            f"{row['seconds']:.1f}",
            f"{row['processor_s']:.1f}",
            f"{row['processor_s'] / seconds:.4f}",
            f"{row['extra_bytes'] / MIB:.0f}",
            f"{row['moved']:.2%}" if "moved" in row else "",
        ]
        for (text, mode), row in rows.items()
    ]
    columns = ["text", "s", "processor, s", "real-time factor", "MiB above model and samples", "moved by cutting"]
    show(console, "One thread", columns, lines)


if __name__ == "__main__":
    sys.exit(main())
