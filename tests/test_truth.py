"""The shipped model against known boundaries: each tenth utterance of the truth sets; bench/accuracy.py takes all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import streamhmm as sh

TRUTH = Path(__file__).resolve().parents[2] / "shared" / "data" / "truth"
pytestmark = pytest.mark.skipif(not TRUTH.is_dir(), reason="the truth sets (../shared/data/truth) are not here")


@pytest.fixture(scope="module")
def aligner() -> sh.Aligner:
    return sh.Aligner()


def every_tenth(name: str) -> list[tuple[Path, dict]]:
    chosen = sorted((TRUTH / name).glob("*.json"))[::10]
    return [(path.with_suffix(".flac"), json.loads(path.read_text(encoding="utf-8"))) for path in chosen]


def share_within(errors: list[float], seconds: float) -> float:
    return sum(abs(error) <= seconds for error in errors) / len(errors)


@pytest.mark.parametrize(
    ("name", "within_20_ms", "within_50_ms"),
    [("flite", 0.81, 0.96), ("espeak", 0.72, 0.90)],  # what pocketsphinx reaches on the whole sets
)
def test_word_boundaries(aligner: sh.Aligner, name: str, within_20_ms: float, within_50_ms: float) -> None:
    errors = []
    for audio, truth in every_tenth(name):
        words = aligner.align(audio, truth["text"]).words
        assert len(words) == len(truth["words"])
        for found, true in zip(words, truth["words"], strict=True):
            errors += [
                at - known
                for at, known in ((found.start, true["start"]), (found.end, true["end"]))
                if known is not None
            ]
    assert share_within(errors, 0.02) >= within_20_ms
    assert share_within(errors, 0.05) >= within_50_ms


def test_voice_onsets_of_real_speech(aligner: sh.Aligner) -> None:
    errors = []
    for audio, truth in every_tenth("voice_onset"):
        event = truth["events"][0]
        alignment = aligner.align(audio, truth["text"])
        stop = alignment.phones[alignment.phone_words.index(event["word"])]
        errors.append(stop.end - event["voicing"])
    assert share_within(errors, 0.02) >= 0.7
    assert share_within(errors, 0.05) == 1.0
