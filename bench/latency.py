"""Live alignment: what it costs, how late words are told, where the reader is thought to be.

    python bench/latency.py [--quick] [--day HOURS] [--streams N] [--json FILE]

bench/README.md tells what is measured.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from follow_edits import edit_reading, usable
from latency_follow import by_kind, follow
from latency_lead import SOUNDS, lead_in
from latency_report import report
from latency_speed import (
    MANY_WORDS,
    WORDS,
    Scripts,
    a_day,
    decoder_alone,
    differing,
    many_streams,
    over_hours,
    whole_stream,
)
from latency_words import MAX_LAG_S, Latencies
from measure import SPEECH, TRUTH, make_console, pin_to_one_core, write_json
from planted_errors import read_speech
from truth import load_set

import streamhmm as sh
from streamhmm.align.chunking import ChunkController
from streamhmm.measure.machine import machine

SETS = ("flite", "espeak")
READINGS, LEADS = 60, 16
CROWD_EVERY = 7
"""Other people are every so manieth utterance of speechocean762's test half."""


def main() -> int:
    options = _options()
    torch.set_num_threads(1)
    console = make_console()
    about = machine()
    console.print(f"{about['processor']}, torch {about['torch']}, load {about['load_average']:.2f}")
    aligner = sh.Aligner()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        scripts = Scripts(aligner, options.truth, Path(folder))
        if options.streams:  # on all cores, so before the rest
            results["streams"] = many_streams(aligner, scripts, options.streams, options.stream_chunk, 20.0)
        every = sorted(os.sched_getaffinity(0))
        pin_to_one_core()
        results |= _speed(aligner, scripts, 1 if options.quick else 5, 1 if options.quick else 10)
        if options.day:
            results["day"] = a_day(aligner, scripts, options.day)
    if options.truth.is_dir():
        results |= _truth(aligner, options)
    os.sched_setaffinity(0, every)
    report(console, results)
    write_json(options.json, results)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Live alignment: cost, latency, position.")
    parser.add_argument("--quick", action="store_true", help="every eighth utterance, few readings")
    parser.add_argument("--day", type=int, metavar="HOURS", help="so many hours of audio through one stream")
    parser.add_argument("--streams", type=int, metavar="N", help="so many streams at once")
    parser.add_argument("--stream-chunk", type=float, default=0.25, metavar="S", help="their chunks (default: 0.25)")
    parser.add_argument("--truth", type=Path, default=TRUTH, metavar="DIR", help="default: beside the repository")
    parser.add_argument("--speech", type=Path, default=SPEECH, metavar="DIR", help="speechocean762; likewise")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    return parser.parse_args()


def _speed(aligner: sh.Aligner, scripts: Scripts, rounds: int, hours: int) -> dict[str, Any]:
    short, long = scripts.scores(WORDS), scripts.scores(MANY_WORDS)
    differ = [differing(*scripts.scores(words)) for words in (WORDS, 10 * WORDS)]
    return {
        "audio": scripts.name,
        "own_choice": whole_stream(aligner, scripts, None),
        "chunk_10_ms": whole_stream(aligner, scripts, 0.01),
        "decoder_us": {
            "short_by_8": decoder_alone(*short, 8, rounds),
            "short_by_1": decoder_alone(*short, 1, rounds),
            "long_by_8": decoder_alone(*long, 8, rounds),
        },
        "states": {"short": short[1].graph.num_states, "long": long[1].graph.num_states},
        "hours": {"count": hours, **over_hours(*short, hours)},
        "differing": [sum(column) for column in zip(*differ, strict=True)],
    }


def _truth(aligner: sh.Aligner, options: argparse.Namespace) -> dict[str, Any]:
    utterances = [utterance for name in SETS for utterance in load_set(options.truth / name)]
    latencies = Latencies(aligner)
    for utterance in utterances[:: 8 if options.quick else 1]:
        latencies.add(utterance)
    results: dict[str, Any] = {"words": latencies.figures()}
    if not options.speech.is_dir():
        return results
    crowd = [recorded.path for recorded in read_speech(options.speech, "test")][::CROWD_EVERY]
    leading = [utterance for utterance in utterances if len(utterance.words) > 2]
    leading = leading[:: len(leading) // (4 if options.quick else LEADS)]
    results["lead_in"] = [lead_in(aligner, leading, crowd, MAX_LAG_S, sound) for sound in SOUNDS]
    results["follow"] = _follow(aligner, usable(utterances), crowd, 8 if options.quick else READINGS)
    return results


def _follow(aligner: sh.Aligner, utterances: list[Any], crowd: list[Path], count: int) -> dict[str, Any]:
    edited, plain = [], []
    for seed in range(count):
        edited.append(follow(aligner, edit_reading(utterances, crowd, seed), MAX_LAG_S, ChunkController()))
        if seed % 4 == 0:
            reading = edit_reading(utterances, crowd, seed, edits=0)
            plain.append(follow(aligner, reading, MAX_LAG_S, ChunkController()))
    said, true, both = (
        sum(len(words) for words in column)
        for column in zip(*((r.skipped_said, r.skipped, r.skipped_said & r.skipped) for r in edited), strict=True)
    )
    kinds = by_kind(edited)
    return {
        "kinds": {
            kind: {"edits": len(edits), "right": 100 * float(np.mean([edit.is_right for edit in edits]))}
            for kind, edits in sorted(kinds.items())
        },
        "edits": sum(len(edits) for edits in kinds.values()),
        "right": 100 * float(np.mean([edit.is_right for edits in kinds.values() for edit in edits])),
        "skipped_precision": 100 * both / max(1, said),
        "skipped_recall": 100 * both / max(1, true),
        "plain_near": 100 * float(np.mean([near for reading in plain for near in reading.near])),
        "plain_skipped": sum(len(reading.skipped_said) for reading in plain),
    }


if __name__ == "__main__":
    sys.exit(main())
