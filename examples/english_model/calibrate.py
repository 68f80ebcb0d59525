"""Make a model's scores mean something: fit its calibration on training speech with planted wrong words.

    python calibrate.py speechocean762/train.tsv model.safetensors --boundaries flite_dev/manifest.jsonl …

Each utterance is aligned with its own text, with a text in which one word is replaced by another of the corpus, and
with the texts of two other utterances. Of these, regressions give the probability that a phone, a word, a text is what
was spoken. The limits of the warnings follow from what right texts reach. The spread of boundaries is fitted to the
errors on the manifests of ``--boundaries``, whose phones are known. The calibration is written into the model's file.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from statistics import fmean

import torch
from known import known_boundaries, read_table
from rich.progress import track
from torch import Tensor

import streamhmm as sh
from streamhmm.acoustic.checkpoint import load_checkpoint, save_checkpoint
from streamhmm.acoustic.labels import LABELS
from streamhmm.acoustic.training.targets import FRAME_S
from streamhmm.align.boundaries import spreads
from streamhmm.align.calibration import UNCALIBRATED, Calibration, Logit, fit_logit, fit_offsets, fit_tail
from streamhmm.align.evidence import Evidence, judge, phone_logits, text_features, with_text, word_features
from streamhmm.align.mismatch import largest_stretch, speaks_against
from streamhmm.errors import StreamHMMError

STRANGERS, WRONG_TEXTS = 2, 4
"""Texts of others for each utterance; the words of one such text are judged for every fourth utterance."""
SCALES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0)
GAINS = torch.linspace(0.0, 4.0, 41, dtype=torch.float64)
FLOORS_MS = torch.linspace(1.0, 15.0, 57, dtype=torch.float64)


@dataclass
class Examples:
    """Evidence of right texts, of texts with a wrong word (its index beside), and of wrong texts."""

    right: list[Evidence] = field(default_factory=list)
    planted: list[tuple[Evidence, int]] = field(default_factory=list)
    wrong: list[Evidence] = field(default_factory=list)


def collect(aligner: sh.Aligner, table: Path, seed: int) -> Examples:
    """Align every utterance of the table with its right and its wrong texts."""
    chance = random.Random(seed)
    rows = read_table(table)
    texts = [row["text"].lower().split() for row in rows]
    vocabulary = sorted({word for text in texts for word in text})
    examples = Examples()
    for index in track(range(len(rows)), "examining", disable=not sys.stdout.isatty()):
        audio, text = table.parent / rows[index]["file"], texts[index]
        place = chance.randrange(len(text))
        other = chance.choice([word for word in vocabulary if word != text[place]])
        strangers = chance.choices([candidate for candidate in texts if candidate != text], k=STRANGERS)
        examples.right += evidence(aligner, audio, text)
        changed = [*text[:place], other, *text[place + 1 :]]
        examples.planted += [(found, place) for found in evidence(aligner, audio, changed)]
        examples.wrong += [found for stranger in strangers for found in evidence(aligner, audio, stranger)]
    return examples


def evidence(aligner: sh.Aligner, audio: Path, text: Sequence[str]) -> list[Evidence]:
    """The evidence of one alignment, none if there is no alignment."""
    try:
        return [aligner.examine(audio, list(text)).evidence]
    except StreamHMMError as error:
        print(f"left out: {error}")
        return []


def fit_scores(examples: Examples) -> Calibration:
    """Phones first, then texts from their phones, then words from both."""
    judged = [(found, -1) for found in examples.right] + examples.planted
    phones = torch.cat([found.phones for found, _ in judged])
    pdfs = torch.cat([found.pdfs for found, _ in judged])
    right = torch.cat([found.words != place for found, place in judged])
    phone = fit_logit(phones, right)
    offsets = fit_offsets(phone(phones), pdfs, right, len(LABELS))
    calibration = replace(UNCALIBRATED, phone=phone, phone_offsets=offsets)
    known = [(found, True) for found in examples.right] + [(found, False) for found in examples.wrong]
    texts = torch.stack([text_features(found, phone_logits(found, calibration)) for found, _ in known])
    calibration = replace(calibration, text=fit_logit(texts, torch.tensor([right for _, right in known])))
    calibration = replace(calibration, right_text=float(calibration.text(texts[: len(examples.right)]).median()))
    return replace(calibration, word=fit_words(judged, examples.wrong[:: STRANGERS * WRONG_TEXTS], calibration))


def fit_words(judged: Sequence[tuple[Evidence, int]], wrong: Sequence[Evidence], calibration: Calibration) -> Logit:
    """Words of ``judged``, all right but one, and of ``wrong`` texts, of which none is."""
    features, right = [], []
    for found, place in (*judged, *((found, None) for found in wrong)):
        logits = phone_logits(found, calibration)
        text = calibration.text(text_features(found, logits))
        features.append(with_text(word_features(found, logits), text))
        words = torch.arange(len(features[-1]))
        right.append(words != place if place is not None else words < 0)
    return fit_logit(torch.cat(features), torch.cat(right))


def set_thresholds(calibration: Calibration, examples: Examples, text_alarms: float) -> Calibration:
    """Limits of the warnings; that of texts is passed by ``text_alarms`` of the right ones."""
    judged = [judge(found, calibration) for found in examples.right]
    stretches = [(largest_stretch(speaks_against(found.contrast)) or (0, 0, 0.0))[2] for found in examples.right]
    texts = torch.tensor([judgement.text for judgement in judged], dtype=torch.float64)
    return replace(
        calibration,
        least_text=float(texts.quantile(text_alarms)),
        word_tail=fit_tail(torch.cat([judgement.doubts for judgement in judged])),
        stretch_tail=fit_tail(torch.tensor(stretches)),
        stretch_s=fmean(len(found.contrast) for found in examples.right) * FRAME_S,
    )


def fit_spread(calibration: Calibration, aligner: sh.Aligner, manifests: Sequence[Path]) -> Calibration:
    """The scale, gain and floor under which the known boundaries are likeliest (errors as Laplace distributed)."""
    errors: list[float] = []
    posterior: dict[float, list[Tensor]] = {scale: [] for scale in SCALES}
    for manifest in manifests:
        for decoding, boundaries in known_boundaries(aligner, manifest):
            errors += [boundary.error_ms for boundary in boundaries]
            for scale, found in posterior.items():
                widths_ms = 1000 * FRAME_S * spreads(decoding.runs, decoding.scores, scale)
                found += [widths_ms[boundary.index] for boundary in boundaries]
    sizes = torch.tensor(errors, dtype=torch.float64).abs()[:, None, None]
    best = (float("inf"), 0.0, 0.0, 0.0)
    for scale, widths in posterior.items():
        sd = ((torch.stack(widths)[:, None, None] * GAINS[:, None]).square() + FLOORS_MS.square()).sqrt()
        loss = (sd.log() + 2**0.5 * sizes / sd).mean(0)
        gain, floor = divmod(int(loss.argmin()), len(FLOORS_MS))
        best = min(best, (float(loss.min()), scale, float(GAINS[gain]), float(FLOORS_MS[floor])))
    return replace(calibration, spread_scale=best[1], spread_gain=best[2], spread_floor_ms=best[3])


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--boundaries", type=Path, nargs="+", required=True, help="manifests with exact phones")
    parser.add_argument(
        "--text-alarms", type=float, default=0.008, help="share of right texts that may be called wrong"
    )
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    torch.set_num_threads(1)
    aligner = sh.Aligner(options.model)
    examples = collect(aligner, options.table, options.seed)
    calibration = set_thresholds(fit_scores(examples), examples, options.text_alarms)
    calibration = fit_spread(calibration, aligner, options.boundaries)
    save_checkpoint(replace(load_checkpoint(options.model), calibration=calibration.to_dict()), options.model)
    for item in fields(calibration)[4:]:  # what is a number or two
        print(f"{item.name}: {getattr(calibration, item.name)}")


if __name__ == "__main__":
    main()
