"""Forced alignment, CTC and DTW side by side on the truth sets: how many word boundaries each puts within 50 ms.

    python bench/aligners_network.py MANIFEST … --output ctc.pt
    python bench/aligners.py --network ctc.pt [--sets flite espeak] [--truth DIR] [--json FILE]

* Forced alignment: ``sh.Aligner("en")``, the shipped model, from audio and text.
* CTC: ``sh.CTCAligner`` on the phones of each word's first pronunciation, by the network of bench/aligners_network.py,
  which was trained without times. Without ``--network`` it is left out.
* DTW: ``sh.DTWAligner`` against flite's speech of the text, whose word times flite tells, in another voice: rms, and
  slt where rms is aligned. 20 cepstra, their mean over the recording taken off; euclidean, symmetric1: chosen by
  other sentences in voices of both synthesisers.

Every start and end of a word is counted; what could not be aligned counts as missed. Exit code 2: the truth sets are
not there, or flite is not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr
import torch
from aligners_network import BLANK, FRAME_S, PHONES, CtcNetwork, load_network
from flite_library import Flite
from measure import TRUTH, make_console, show, write_json
from rich.console import Console
from truth import Utterance, load_set

import streamhmm as sh
from streamhmm.acoustic.features import HOP, SAMPLE_RATE, log_mel, mfcc
from streamhmm.errors import StreamHMMError
from streamhmm.measure.machine import machine
from streamhmm.metrics import summarise
from streamhmm.metrics.boundaries import THRESHOLDS_MS
from streamhmm.text import Lexicon, pronounce, tokenize

SETS = ("flite", "espeak")
REFERENCE_VOICES = ("rms", "slt")
PUBLISHED = {"forced alignment": 96.1, "CTC": 91.8, "DTW": 94.2}
"""% within 50 ms, as pytorch_hmm publishes them, of recordings that are not ours."""
CEPSTRA = 20
SHOWN_MS = (10, 20, 50, 100)

Method = Callable[[Utterance, torch.Tensor], Sequence[sh.Segment]]
"""From an utterance and its samples to its words."""


class Outcome(NamedTuple):
    """Errors of boundaries in seconds, None where missed, and what could not be aligned."""

    errors: list[float | None]
    failures: list[str]


def main() -> int:
    options = _options()
    if not options.truth.is_dir():
        print(f"{options.truth}: the truth sets are not there; name their folder with --truth", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    try:
        voices = {voice: Flite(voice) for voice in REFERENCE_VOICES}
    except OSError as error:
        print(f"{error}: install Debian's flite", file=sys.stderr)
        return 2
    methods: dict[str, Method] = {"forced alignment": _Forced(), "DTW": _Dtw(voices)}
    if options.network is not None:
        methods["CTC"] = _Ctc(load_network(options.network))
    console = make_console()
    about = machine()
    console.print(f"{about['processor']}, torch {about['torch']}, load {about['load_average']:.2f}")
    found = {
        name: {part: _measure(load_set(options.truth / part), method) for part in options.sets}
        for name, method in methods.items()
    }
    _report(console, found)
    write_json(options.json, {name: {part: one._asdict() for part, one in of.items()} for name, of in found.items()})
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Forced alignment, CTC and DTW on the truth sets.")
    parser.add_argument("--network", type=Path, metavar="FILE", help="what bench/aligners_network.py wrote")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS, help="default: both")
    parser.add_argument("--truth", type=Path, default=TRUTH, metavar="DIR", help="default: beside the repository")
    parser.add_argument("--json", metavar="FILE", help="write every error here")
    return parser.parse_args()


class _Forced:
    def __init__(self) -> None:
        self._aligner = sh.Aligner("en")

    def __call__(self, utterance: Utterance, samples: torch.Tensor) -> Sequence[sh.Segment]:
        return self._aligner.align((samples.numpy(), SAMPLE_RATE), utterance.text).words


class _Ctc:
    def __init__(self, network: CtcNetwork) -> None:
        self._network = network
        self._aligner = sh.CTCAligner(BLANK, frame_s=FRAME_S)
        self._lexicon = Lexicon([])

    @torch.inference_mode()
    def __call__(self, utterance: Utterance, samples: torch.Tensor) -> Sequence[sh.Segment]:
        spoken = pronounce(tokenize(utterance.text), self._lexicon).words
        phones = [[phone for part in word.readings[0] for phone in part[0]] for word in spoken]
        words = [number for number, own in enumerate(phones) for _ in own]
        log_probs = self._network(log_mel(samples)[None])[0]
        found = self._aligner.align(log_probs, [PHONES.index(phone) for own in phones for phone in own])
        return found.word_segments([word.label for word in spoken], words)


class _Dtw:
    def __init__(self, voices: dict[str, Flite]) -> None:
        self._voices = voices
        self._aligner = sh.DTWAligner(step="symmetric1", frame_s=HOP / SAMPLE_RATE)

    def __call__(self, utterance: Utterance, samples: torch.Tensor) -> Sequence[sh.Segment]:
        first, second = REFERENCE_VOICES
        spoken = self._voices[second if utterance.speaker == first else first].speak(utterance.text)
        reference = soxr.resample(spoken.samples.astype(np.float32) / 32768, spoken.sample_rate, SAMPLE_RATE)
        alignment = self._aligner.align(_cepstra(torch.from_numpy(reference)), _cepstra(samples))
        return alignment.transfer(sh.Segment("", *word) for word in spoken.words)


def _cepstra(samples: torch.Tensor) -> torch.Tensor:
    cepstra = mfcc(samples, CEPSTRA)
    return cepstra - cepstra.mean(0)


def _measure(utterances: Sequence[Utterance], method: Method) -> Outcome:
    errors: list[float | None] = []
    failures = []
    for utterance in utterances:
        samples = torch.from_numpy(soundfile.read(utterance.audio, dtype="float32")[0])
        try:
            words = method(utterance, samples)
            if len(words) != len(utterance.words):
                raise StreamHMMError(f"{len(words)} words of {len(utterance.words)}")
            errors += _errors(utterance, words)
        except StreamHMMError as error:
            failures.append(f"{utterance.audio.name}: {error}")
            errors += _errors(utterance, None)
    return Outcome(errors, failures)


def _errors(utterance: Utterance, words: Sequence[sh.Segment] | None) -> list[float | None]:
    """Found − true, of the starts and ends that are known."""
    found: list[float | None] = []
    for index, word in enumerate(utterance.words):
        own = None if words is None else words[index]
        if word.start is not None:
            found.append(None if own is None else own.start - word.start)
        if word.end is not None:
            found.append(None if own is None else own.end - word.end)
    return found


def _report(console: Console, found: dict[str, dict[str, Outcome]]) -> None:
    rows = []
    for name, published in PUBLISHED.items():
        if name not in found:
            continue
        parts = {**found[name], "together": _joined(found[name].values())}
        rows += [_row(name, part, outcome, published) for part, outcome in parts.items()]
        for failure in parts["together"].failures:
            console.print(f"{name}: {failure}")
    heads = ("boundaries", "missed", *(f"≤ {limit} ms" for limit in SHOWN_MS), "mean ms", "median ms", "bias ms")
    show(console, "Word boundaries", ("aligner", *heads, "pytorch_hmm"), rows)
    if "CTC" not in found:
        console.print("CTC: left out, as no --network was named")
    console.print("pytorch_hmm: the share within 50 ms that it publishes, of other recordings")


def _joined(outcomes: Iterable[Outcome]) -> Outcome:
    errors, failures = (list(chain.from_iterable(parts)) for parts in zip(*outcomes, strict=True))
    return Outcome(errors, failures)


def _row(name: str, part: str, outcome: Outcome, published: float) -> tuple[str, ...]:
    summary = summarise(outcome.errors)
    within = dict(zip(THRESHOLDS_MS, summary.within, strict=True))
    figures: list[Any] = [summary.mean_ms, summary.median_ms, summary.bias_ms]
    return (
        f"{name}, {part}",
        f"{summary.boundaries}",
        f"{summary.missed}",
        *(f"{within[limit]:.1f} %" for limit in SHOWN_MS),
        *(f"{figure:.1f}" for figure in figures),
        f"{published} %" if part == "together" else "",
    )


if __name__ == "__main__":
    sys.exit(main())
