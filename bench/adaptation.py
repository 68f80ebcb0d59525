"""What adaptation to speakers and channels does to boundaries of the truth sets and to the fit of learners' speech.

    python bench/adaptation.py [--model FILE] [--sets flite espeak] [--conditions plain tilt bright telephone child]
                               [--utterances 40] [--speakers 16] [--json FILE]

Each voice's utterances are two halves: what one half says is measured on the other, in turn. Exit code 2: the sets are
not there.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from accuracy import compare
from conditions import RATE, load
from measure import SPEECH, TRUTH, make_console, show, write_json
from truth import Utterance, load_set

import streamhmm as sh
from streamhmm.align.adaptation import Adaptation
from streamhmm.metrics import summarise

Recording = tuple[tuple[np.ndarray, int], str]


def tilted(samples: np.ndarray, db_an_octave: float) -> np.ndarray:
    """Louder by so much with each octave, around 1 kHz; never clipped."""
    return _filtered(samples, lambda hertz: 10 ** (db_an_octave / 20 * np.log2(np.maximum(hertz, 50) / 1000)))


def telephone(samples: np.ndarray) -> np.ndarray:
    """What a telephone leaves, 250 to 3,700 Hz; the rest lies 60 dB lower."""
    return _filtered(samples, lambda hertz: ((hertz > 250) & (hertz < 3700)) + 1e-3)


def _filtered(samples: np.ndarray, gains: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    spectrum = np.fft.rfft(samples.astype(np.float64)) * gains(np.fft.rfftfreq(len(samples), 1 / RATE))
    changed = np.fft.irfft(spectrum, len(samples))
    return (changed / max(1.0, np.abs(changed).max())).astype(np.float32)


CHANNELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "plain": lambda samples: samples,
    "tilt": lambda samples: tilted(samples, -9.0),
    "bright": lambda samples: tilted(samples, 6.0),
    "telephone": telephone,
    "child": lambda samples: samples,  # conditions.py moves the formants
}


class Half(NamedTuple):
    """What one half of a voice's utterances says of the other: errors without and with the adaptation."""

    adaptation: Adaptation | None
    without: list[float | None]
    adapted: list[float | None]


def main() -> int:
    options = parse_options()
    if not options.truth.is_dir() or not options.speech.is_dir():
        print(f"{options.truth}, {options.speech}: one is not there; name it with --truth, --speech", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    console, aligner = make_console(), sh.Aligner(model=options.model)
    results: dict[str, Any] = {"boundaries": {}, "speakers": {}}
    lines = []
    for name in options.sets:
        utterances = load_set(options.truth / name)
        for condition in options.conditions:
            halves = measure_set(aligner, utterances, condition, options.utterances)
            results["boundaries"][f"{name} {condition}"] = row = summary(halves)
            lines.append([f"{name} {condition}", row["kept"], *(figures(row[side]) for side in ("off", "on"))])
    show(console, "Word boundaries, % within 10/20/50 ms, mean/median ms", HEADER, lines)
    if options.speakers:
        table = options.speech / "test.tsv"
        results["speakers"] = speakers = measure_speakers(aligner, table, options.speakers)
        show(console, "Contrast of learners' speech, nats a frame", SPEAKERS_HEADER, [speakers_line(speakers)])
    write_json(options.json, {"model": options.model, **results})
    return 0


HEADER = ("set, condition", "kept (of halves)", "off", "on")
SPEAKERS_HEADER = ("", "kept (of halves)", "off", "on", "on, those kept")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What adaptation does to boundaries and to the fit of speech.")
    parser.add_argument("--model", default="en", help='acoustic model: "en" or a file (default: en)')
    parser.add_argument("--sets", nargs="+", choices=("flite", "espeak"), default=("flite", "espeak"))
    parser.add_argument("--conditions", nargs="+", choices=CHANNELS, default=tuple(CHANNELS))
    parser.add_argument("--utterances", type=int, default=40, help="of each voice (default: 40)")
    parser.add_argument("--speakers", type=int, default=16, help="of speechocean's test half; 0: none (default: 16)")
    parser.add_argument("--truth", type=Path, default=TRUTH, metavar="DIR")
    parser.add_argument("--speech", type=Path, default=SPEECH, metavar="DIR")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    return parser.parse_args()


def measure_set(aligner: sh.Aligner, utterances: Sequence[Utterance], condition: str, count: int) -> list[Half]:
    """Two halves of each voice."""
    voices: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        voices[utterance.speaker].append(utterance)
    found = []
    for voice in voices.values():
        chosen = voice[:count]
        found += [measure_half(aligner, chosen[half::2], chosen[1 - half :: 2], condition) for half in (0, 1)]
    return found


def measure_half(aligner: sh.Aligner, known: Sequence[Utterance], others: Sequence[Utterance], condition: str) -> Half:
    """What ``known`` says is measured on ``others``."""
    adaptation = aligner.estimate_adaptation([recording(one, condition) for one in known])
    without = word_errors(aligner, others, condition)
    if adaptation is None:
        return Half(None, without, without)
    return Half(adaptation, without, word_errors(aligner.adapted(adaptation), others, condition))


def recording(utterance: Utterance, condition: str) -> Recording:
    samples, rate = load(utterance.audio, "child" if condition == "child" else "clean", ())
    return (CHANNELS[condition](samples), rate), utterance.text


def word_errors(aligner: sh.Aligner, utterances: Sequence[Utterance], condition: str) -> list[float | None]:
    found = aligner.align_batch([recording(one, condition) for one in utterances])
    outcomes = [
        compare(utterance, one if isinstance(one, sh.Alignment) and len(one.words) == len(utterance.words) else None)
        for utterance, one in zip(utterances, found, strict=True)
    ]
    return [error for outcome in outcomes for error in outcome.errors["words"]]


def summary(halves: Sequence[Half]) -> dict[str, Any]:
    """What halves of voices come to."""
    sides = {"off": [half.without for half in halves], "on": [half.adapted for half in halves]}
    pooled = {side: summarise(list(chain.from_iterable(errors)))._asdict() for side, errors in sides.items()}
    adaptations = [None if half.adaptation is None else asdict(half.adaptation) for half in halves]
    return {"kept": kinds([half.adaptation for half in halves]), **pooled, "adaptations": adaptations}


def kinds(adaptations: Sequence[Adaptation | None]) -> str:
    counts = Counter(adaptation.kind for adaptation in adaptations if adaptation is not None)
    return f"{', '.join(f'{count} {kind}' for kind, count in sorted(counts.items())) or '0'} of {len(adaptations)}"


def figures(row: dict[str, Any]) -> str:
    shares = "/".join(f"{row['within'][index]:.1f}" for index in (0, 1, 3))
    return f"{shares}, {row['mean_ms']:.1f}/{row['median_ms']:.1f}"


def measure_speakers(aligner: sh.Aligner, table: Path, count: int) -> dict[str, Any]:
    """Contrast of each half of a speaker's utterances without and with what the other half says."""
    speakers: dict[str, list[dict[str, str]]] = defaultdict(list)
    with open(table, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            speakers[row["speaker"]].append(row)
    halves = []
    for speaker in list(speakers)[:: max(1, len(speakers) // count)]:
        pairs = [(table.parent / row["file"], row["text"].lower()) for row in speakers[speaker]]
        for half in (0, 1):
            known, others = pairs[half::2], pairs[1 - half :: 2]
            adaptation = aligner.estimate_adaptation(known)
            off = contrast(aligner, others)
            on = off if adaptation is None else contrast(aligner.adapted(adaptation), others)
            halves.append((adaptation, off, on))
    changed = [on - off for adaptation, off, on in halves if adaptation is not None]
    return {
        "kept": kinds([adaptation for adaptation, _, _ in halves]),
        "off": float(np.mean([off for _, off, _ in halves])),
        "on": float(np.mean([on for _, _, on in halves])),
        "gain_of_kept": float(np.mean(changed)) if changed else 0.0,
    }


def contrast(aligner: sh.Aligner, pairs: Sequence[tuple[Path, str]]) -> float:
    found = [one.quality for one in aligner.align_batch(pairs) if isinstance(one, sh.Alignment)]
    return float(np.mean([quality.contrast for quality in found if quality is not None]))


def speakers_line(row: dict[str, Any]) -> list[str]:
    return ["speechocean762", row["kept"], f"{row['off']:.4f}", f"{row['on']:.4f}", f"{row['gain_of_kept']:+.4f}"]


if __name__ == "__main__":
    sys.exit(main())
