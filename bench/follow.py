"""How well the aligner follows a speaker who skips, goes back and talks, and what comes before the first word.

    python bench/follow.py [--model FILE] [--scripts 60] [--seed 1000] [--json FILE]

bench/README.md tells what is counted. Exit code 2: the truth sets or the speech are not there.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import torch
from follow_edits import KINDS, EditedReading, edit_reading, usable
from follow_judge import Counts, Outcome, counts, outcomes
from follow_sounds import RATE, at_level, babble, level, music, noise, speech
from measure import SPEECH, TRUTH, make_console, median, seconds_a_call, show, verdict, write_json
from truth import Utterance, load_set

import streamhmm as sh
from streamhmm.align.filler import with_filler
from streamhmm.align.paths import find_path
from streamhmm.align.results import find_edges
from streamhmm.align.topology import build_topology
from streamhmm.text import pronounce, tokenize

SETS = ("flite", "espeak")
PLAIN_SEEDS = 100_000
LEAD_S = 60.0
EVERY = 12
"""A lead-in of each kind is put before one of so many utterances."""
LEAST_RIGHT, LEAST_SAME, MOST_SLOWER = 0.95, 0.999, 3.0


def main() -> int:
    options = _options()
    crowd = sorted((options.speech / "test").rglob("*.opus"))
    if not options.truth.is_dir() or not crowd:
        print(f"{options.truth} or {options.speech}: not there; name them with --truth, --speech", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    console, aligner = make_console(), sh.Aligner(options.model)
    sets = {name: usable(load_set(options.truth / name)) for name in SETS}
    seeds = range(options.seed, options.seed + options.scripts)
    edited = [edit_reading(utterances, crowd, seed) for utterances in sets.values() for seed in seeds]
    plain = [
        edit_reading(utterances, crowd, PLAIN_SEEDS + seed, edits=0) for utterances in sets.values() for seed in seeds
    ]
    results = {
        "edits": _report_edits(console, aligner, edited),
        "plain": _report_plain(console, aligner, plain),
        "lead_in": _report_lead_in(console, aligner, [u for utterances in sets.values() for u in utterances], crowd),
    }
    write_json(options.json, results)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How well the aligner follows a speaker.")
    parser.add_argument("--model", default="en", help='acoustic model: "en" or a file (default: en)')
    parser.add_argument("--scripts", type=int, default=60, help="edited and plain readings of each set (default: 60)")
    parser.add_argument("--seed", type=int, default=1000, help="of the first (default: 1000)")
    parser.add_argument("--speech", type=Path, default=SPEECH, metavar="DIR", help="others that are heard")
    parser.add_argument("--truth", type=Path, default=TRUTH, metavar="DIR", help="default: beside the repository")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    return parser.parse_args()


def _report_edits(console: Any, aligner: sh.Aligner, readings: Sequence[EditedReading]) -> dict[str, Any]:
    found = [aligner.align((reading.samples, RATE), reading.text, follow=True) for reading in readings]
    judged = [o for truth, alignment in zip(readings, found, strict=True) for o in outcomes(truth, alignment)]
    total = Counts(*np.sum([counts(*pair) for pair in zip(readings, found, strict=True)], axis=0).tolist())
    groups = {**{kind: [o for o in judged if o.kind == kind] for kind in KINDS}, "all": judged}
    rows = {kind: _shares(group) for kind, group in groups.items() if group}
    show(
        console,
        "After an edit",
        ["edit", "n", "right in 1.5 s", "boundaries ≤ 100 ms", ""],
        [
            [kind, str(r["n"]), f"{r['right']:.1%}", f"{r['exact']:.1%}", verdict(r["right"] >= LEAST_RIGHT)]
            for kind, r in rows.items()
        ],
    )
    skipped = total.skipped_both / total.skipped_found, total.skipped_both / total.skipped_true
    talk = total.talk_both / total.talk_found, total.talk_both / total.talk_true
    show(
        console,
        "What is reported",
        ["", "true", "precision", "recall"],
        [
            ["words not read", f"{total.skipped_true:.0f}", *(f"{share:.1%}" for share in skipped)],
            ["seconds of other speech", f"{total.talk_true:.0f}", *(f"{share:.1%}" for share in talk)],
        ],
        "Other speech has pauses of its own, which count as silence.",
    )
    return {"rows": rows, "words_not_read": skipped, "other_speech": talk}


def _shares(group: Sequence[Outcome]) -> dict[str, float]:
    return {
        "n": len(group),
        "right": sum(outcome.is_right for outcome in group) / len(group),
        "exact": sum(outcome.exact for outcome in group) / sum(outcome.words for outcome in group),
    }


class Plain(NamedTuple):
    """Errors of the word boundaries of one reading without edits, ms, in order, and what was said of it wrongly."""

    errors: list[float]
    errors_followed: list[float]
    moved: int
    wrong: Counter[str]


def _report_plain(console: Any, aligner: sh.Aligner, readings: Sequence[EditedReading]) -> dict[str, Any]:
    measured = [_plain(aligner, reading) for reading in readings]
    errors, followed = ([e for one in measured for e in one[place]] for place in (0, 1))
    wrong = sum((one.wrong for one in measured), Counter[str]())
    words = sum(len(reading.labels) for reading in readings)
    longest = max(readings, key=lambda reading: len(reading.samples))
    seconds = [
        seconds_a_call(lambda follow=follow: aligner.align((longest.samples, RATE), longest.text, follow=follow), 5)
        for follow in (False, True, False, True)
    ][2:]
    same = 1 - sum(one.moved for one in measured) / len(errors)
    figures = {
        "words": words,
        "boundaries the same": same,
        "median error, ms": median(errors),
        "median error followed, ms": median(followed),
        "within 20 ms": float(np.mean(np.array(errors) <= 20)),
        "within 20 ms followed": float(np.mean(np.array(followed) <= 20)),
        **{name: wrong[name] for name in ("skipped", "read again", "off-script")},
        "recording, s": len(longest.samples) / RATE,
        "align, s": seconds[0],
        "followed, s": seconds[1],
        "slower": seconds[1] / seconds[0],
    }
    rows = [[name, f"{value:.4g}"] for name, value in figures.items()]
    rows[-1][-1] += f" {verdict(figures['slower'] <= MOST_SLOWER)}"
    show(console, "Readings without edits: what following does to them", ["", ""], rows)
    return figures


def _plain(aligner: sh.Aligner, reading: EditedReading) -> Plain:
    plain, followed = (aligner.align((reading.samples, RATE), reading.text, follow=follow) for follow in (False, True))
    first = {}
    for word, index in zip(followed.words, followed.word_indices, strict=True):
        first.setdefault(index, word)
    errors, errors_followed, moved = [], [], 0
    for word, truth in zip(plain.words, reading.readings, strict=True):
        other = first.get(truth.word)
        errors += [1000 * abs(word.start - truth.start), 1000 * abs(word.end - truth.end)]
        if other is None:
            moved += 2
            continue
        errors_followed += [1000 * abs(other.start - truth.start), 1000 * abs(other.end - truth.end)]
        moved += (word.start != other.start) + (word.end != other.end)
    wrong = Counter({"skipped": len(followed.skipped), "off-script": len(followed.offscript)})
    wrong["read again"] = sum(take > 0 for take in followed.takes)
    return Plain(errors, errors_followed, moved, wrong)


def _report_lead_in(
    console: Any, aligner: sh.Aligner, utterances: Sequence[Utterance], crowd: Sequence[Path]
) -> dict[str, Any]:
    samples = [soundfile.read(utterance.audio, dtype="float32")[0] for utterance in utterances]
    texts = [utterance.text for utterance in utterances]
    without = [_times_of_words(aligner, *pair, lead_in=False) for pair in zip(samples, texts, strict=True)]
    with_it = [_times_of_words(aligner, *pair, lead_in=True) for pair in zip(samples, texts, strict=True)]
    pairs = [pair for one, other in zip(without, with_it, strict=True) for pair in zip(one, other, strict=True)]
    same = sum(one == other for one, other in pairs) / len(pairs)
    chance = np.random.default_rng(1)
    sounds: dict[str, Callable[[], np.ndarray]] = {
        "babble": lambda: babble(LEAD_S, crowd, chance),
        "one person": lambda: speech(LEAD_S, crowd, chance),
        "music": lambda: music(LEAD_S, chance),
        "noise": lambda: noise(LEAD_S, chance),
        "silence": lambda: np.zeros(round(LEAD_S * RATE)),
    }
    rows = {}
    for name, make in sounds.items():
        moved = []
        for audio, text, starts in list(zip(samples, texts, without, strict=True))[::EVERY]:
            before = at_level(make(), level(audio)) if name != "silence" else make().astype(np.float32)
            found = _times_of_words(aligner, np.concatenate([before, audio]), text, lead_in=True)
            moved.append(1000 * abs(found[0] - starts[0] - LEAD_S))
        rows[name] = {"n": len(moved), "right": float(np.mean(np.array(moved) <= 100)), "median_ms": median(moved)}
    show(
        console,
        f"{LEAD_S:.0f} s before the first word",
        ["of", "n", "first word within 100 ms", "median, ms"],
        [[name, str(r["n"]), f"{r['right']:.1%}", f"{r['median_ms']:.0f}"] for name, r in rows.items()],
        f"beside where it is without; clean: {same:.3%} of all boundaries are the same {verdict(same >= LEAST_SAME)}",
    )
    return {"rows": rows, "same": same}


def _times_of_words(aligner: sh.Aligner, samples: np.ndarray, text: str, lead_in: bool) -> list[float]:
    """Seconds at which words begin and end, offline with a lead-in or without, in order."""
    words = pronounce(tokenize(text), aligner.lexicon).words
    model = aligner.model
    scores = with_filler(model.scores(torch.from_numpy(samples)), model.silence)
    path = find_path(scores, build_topology(words, aligner.columns, lead_in=lead_in), "bench")
    times = find_edges(path.runs, scores, model.frame_s, len(samples) / RATE, aligner.calibration).times
    spoken, readings = path.runs.spoken, path.phone_readings
    first = torch.ones_like(readings, dtype=torch.bool)
    first[1:] = readings[1:] != readings[:-1]
    return sorted([*times[:-1][spoken][first].tolist(), *times[1:][spoken][first.roll(-1)].tolist()])


if __name__ == "__main__":
    sys.exit(main())
