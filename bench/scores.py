"""Whether scores and warnings tell what is wrong: planted errors in speech that the model has not heard.

    python bench/scores.py [--model FILE] [--utterances 2500] [--jobs 2] [--json FILE]

bench/README.md tells what is planted and counted. Exit code 2: the speech is not there.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch
from measure import SPEECH, make_console, write_json
from planted_errors import CASES, REPLACED, Planted, plant, read_speech
from scores_report import report
from scores_statistics import Scored, summarise_scores, summarise_warnings

import streamhmm as sh
from streamhmm.errors import StreamHMMError

MISMATCH = {
    "text": "the text does not seem",
    "words": "not in the audio",
    "speech": "speech that",
    "durations": "implausibly",
    "gaps": "no words from",
}
"""How the warnings begin that say that text and audio do not fit."""


def main() -> int:
    options = _options()
    if not options.speech.is_dir():
        print(f"{options.speech}: speechocean762 is not there; name its folder with --speech", file=sys.stderr)
        return 2
    utterances = read_speech(options.speech, "test")
    utterances = random.Random(options.seed).sample(utterances, min(options.utterances, len(utterances)))
    begin = time.perf_counter()
    scored: dict[str, list[Scored]] = {kind: [] for kind in REPLACED}
    warned: dict[str, list[dict[str, bool]]] = defaultdict(list)
    failed: list[str] = []
    cases = plant(utterances, options.seed)
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), _open, (options.model,)) as pool:
        for case, found in zip(cases, pool.map(_align, cases, chunksize=16), strict=True):
            if isinstance(found, str):
                failed.append(f"{case.kind}: {found}")
                continue
            scores, warnings = found
            warned[case.kind].append(_flags(warnings))
            for kind in REPLACED:
                if case.kind in ("right text", kind):
                    scored[kind] += [Scored(score, i != case.word, case.age) for i, score in enumerate(scores)]
    figures = {
        "scores": {kind: summarise_scores(words) for kind, words in scored.items()},
        "warnings": {kind: summarise_warnings(warned[kind], warned["right text"]) for kind in CASES},
        "utterances": len(utterances),
        "failed": failed,
        "seconds": time.perf_counter() - begin,
    }
    report(make_console(), figures)
    write_json(options.json, {"model": options.model, **figures})
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Whether scores and warnings tell what is wrong.")
    parser.add_argument("--model", default="en", help='acoustic model: "en" or a file (default: en)')
    parser.add_argument("--speech", type=Path, default=SPEECH, metavar="DIR", help="default: beside the repository")
    parser.add_argument("--utterances", type=int, default=2500, help="of the test half (default: all)")
    parser.add_argument("--jobs", type=int, default=1, help="processes, one thread each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    return parser.parse_args()


_aligner: sh.Aligner  # one a process


def _open(model: str) -> None:
    global _aligner
    torch.set_num_threads(1)
    _aligner = sh.Aligner(model=model)


def _align(case: Planted) -> tuple[list[float], tuple[str, ...]] | str:
    """Scores of the words and warnings, or why there are none."""
    try:
        alignment = _aligner.align(case.audio(), case.text)
    except StreamHMMError as error:
        return str(error)
    return [word.score or 0.0 for word in alignment.words], alignment.warnings


def _flags(warnings: Iterable[str]) -> dict[str, bool]:
    """Which of the warnings of ``MISMATCH`` were given."""
    given = list(warnings)
    return {name: any(w.startswith(beginning) for w in given) for name, beginning in MISMATCH.items()}


if __name__ == "__main__":
    sys.exit(main())
