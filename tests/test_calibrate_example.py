"""The recipe's own arithmetic: calibration, and where voicing begins."""

from __future__ import annotations

import csv
import dataclasses
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from planted import decode_scores, runs_to_scores

import streamhmm as sh
from streamhmm.acoustic.labels import LABELS
from streamhmm.acoustic.training.manifest import write_manifest
from streamhmm.align.calibration import UNCALIBRATED, Calibration
from streamhmm.align.evidence import Evidence, judge, phone_logits, text_features
from streamhmm.align.mismatch import largest_stretch, speaks_against
from streamhmm.errors import AlignmentError
from streamhmm.text import SpokenWord

RECIPE = Path(__file__).resolve().parents[1] / "examples" / "english_model"
sys.path.insert(0, str(RECIPE))

import calibrate  # noqa: E402
import known  # noqa: E402
import label_speech  # noqa: E402
import voicing  # noqa: E402

COLUMNS = {label: column for column, label in enumerate(LABELS)}
CAT = SpokenWord("cat", (((("K", "AE", "T"),),),))
SHE = SpokenWord("she", (((("SH", "IY"),),),))


# ---- matched boundaries


def decoded(*runs: tuple[str, int], words: Sequence[SpokenWord] = (CAT, SHE)) -> Any:
    return decode_scores(list(words), COLUMNS, runs_to_scores(list(runs), COLUMNS))


SPOKEN = decoded(("SIL", 10), ("K", 6), ("AE", 8), ("T", 6), ("SIL", 20), ("SH", 9), ("IY", 9))


@pytest.mark.parametrize(
    ("truth", "matched"),
    [
        (["SIL", "K", "AE", "T", "SIL", "SH", "IY"], [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6)]),
        (["K", "AE", "T", "SIL", "SH", "IY"], [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]),  # no silence at first
        (["SIL", "K", "AA", "T", "SIL", "SH", "IY"], [(0, 1), (3, 4), (4, 5), (5, 6)]),  # another vowel
        (["SIL", "K", "AE", "T", "SH", "IY"], [(0, 1), (1, 2), (2, 3), (5, 5)]),  # no pause
        (["SIL", "K", "AE_T", "SIL", "SH", "IY"], [(0, 1), (4, 4), (5, 5)]),  # not told apart
        (["M", "UW"], []),
        ([], []),
    ],
)
def test_boundaries_are_matched_where_both_sides_are_the_same(truth: list[str], matched: list[tuple[int, int]]) -> None:
    starts = [(label, 0.25 * index) for index, label in enumerate(truth)]
    expected = [(index, 0.25 * place) for index, place in matched]
    assert list(known.matched_boundaries(SPOKEN, starts)) == expected


# ---- fitting scores


def evidence_of(wrong_words: Sequence[int], seed: int, words: int = 6) -> Evidence:
    """An alignment of words of three phones; the contrast of what was not spoken is lower, its phones are hurried."""
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(words), 3)
    wrong = np.isin(owners, list(wrong_words))
    frames = np.where(wrong, rng.integers(2, 5, len(owners)), rng.integers(4, 12, len(owners)))
    contrast = rng.normal(np.where(wrong, -2.0, -0.3), 0.6)
    posterior = contrast + rng.normal(0, 0.3, len(owners))
    same = np.clip(rng.normal(np.where(wrong, 0.2, 0.8), 0.2), 0, 1)
    return Evidence(
        contrast=torch.from_numpy(np.repeat(contrast, frames)),
        phones=torch.from_numpy(np.stack([contrast, posterior, np.log(frames), same], 1)),
        frames=torch.from_numpy(frames),
        pdfs=torch.from_numpy(rng.integers(0, 39, len(owners))),
        words=torch.from_numpy(owners),
        speech_in_silence=float(wrong.mean() * rng.random() / 3),
        loop_phones=int(rng.integers(len(owners) - 3, len(owners) + 4)),
        loop_frames=int(frames.sum()),
    )


@pytest.fixture(scope="module")
def examples() -> Any:
    return calibrate.Examples(
        right=[evidence_of([], seed) for seed in range(200)],
        planted=[(evidence_of([seed % 6], seed), seed % 6) for seed in range(200, 400)],
        wrong=[evidence_of(range(6), seed) for seed in range(400, 600)],
    )


@pytest.fixture(scope="module")
def calibration(examples: Any) -> Any:
    return calibrate.fit_scores(examples)


def word_probabilities(evidence: Evidence, calibration: Any) -> list[float]:
    return judge(evidence, calibration).words.tolist()


def text_probability(evidence: Evidence, calibration: Any) -> float:
    return float(calibration.text(text_features(evidence, phone_logits(evidence, calibration))).sigmoid())


def test_words_that_were_not_said_get_low_probabilities_also_in_unseen_texts(calibration: Any) -> None:
    right, wrong = [], []
    for seed in range(1000, 1100):
        scores = word_probabilities(evidence_of([seed % 6], seed), calibration)
        wrong.append(scores.pop(seed % 6))
        right += scores
    assert np.mean([score > 0.5 for score in right]) > 0.98
    assert np.mean([score < 0.5 for score in wrong]) > 0.98


def test_probabilities_are_as_frequent_as_what_they_were_fitted_on(examples: Any, calibration: Any) -> None:
    scores = [s for found in examples.right for s in word_probabilities(found, calibration)]
    scores += [s for found, _ in examples.planted for s in word_probabilities(found, calibration)]
    wrong = examples.wrong[:: calibrate.STRANGERS * calibrate.WRONG_TEXTS]
    scores += [s for found in wrong for s in word_probabilities(found, calibration)]
    assert np.mean(scores) == pytest.approx(1 - (200 + 6 * len(wrong)) / len(scores), abs=1e-3)
    judged = [*examples.right, *(found for found, _ in examples.planted)]
    phones = torch.cat([phone_logits(found, calibration).sigmoid() for found in judged])
    assert float(phones.mean()) == pytest.approx(1 - 200 / 2400, abs=1e-3)
    texts = [text_probability(found, calibration) for found in [*examples.right, *examples.wrong]]
    assert np.mean(texts) == pytest.approx(0.5, abs=1e-3)


def test_texts_that_were_not_said_get_low_probabilities(calibration: Any) -> None:
    assert all(text_probability(evidence_of([], seed), calibration) > 0.5 for seed in range(1000, 1050))
    assert all(text_probability(evidence_of(range(6), seed), calibration) < 0.5 for seed in range(1000, 1050))


def limits_of(examples: Any, calibration: Any, text_alarms: float = 0.01) -> Any:
    return calibrate.set_thresholds(calibration, examples, text_alarms)


@pytest.mark.parametrize("alarms", [0.0, 0.01, 0.1])
def test_texts_are_called_wrong_for_the_share_of_right_ones_that_is_allowed(
    examples: Any, calibration: Any, alarms: float
) -> None:
    limits = limits_of(examples, calibration, alarms)
    flagged = [text_probability(found, limits) < limits.least_text for found in examples.right]
    assert sum(flagged) == round(alarms * len(examples.right))


def test_limits_of_words_and_stretches_are_passed_as_often_as_said(examples: Any, calibration: Any) -> None:
    limits = limits_of(examples, calibration)
    against = torch.cat([judge(found, limits).doubts for found in examples.right])
    stretches = torch.tensor(
        [(largest_stretch(speaks_against(found.contrast)) or (0, 0, 0.0))[2] for found in examples.right]
    )
    for values, tail in ((against, limits.word_tail), (stretches, limits.stretch_tail)):
        assert int((values > tail.limit(0.01)).sum()) == round(0.01 * len(values))
        assert tail.scale > 0
        assert float(values.max()) >= tail.limit(0.001) > tail.limit(0.01)


def test_stretches_are_counted_by_the_mean_length_of_right_texts(examples: Any, calibration: Any) -> None:
    frames = [len(found.contrast) for found in examples.right]
    assert limits_of(examples, calibration).stretch_s == pytest.approx(np.mean(frames) * 0.01)


def test_setting_limits_leaves_the_rest_of_a_calibration_which_can_be_kept(examples: Any, calibration: Any) -> None:
    limits = limits_of(examples, calibration)
    changed = {name: getattr(limits, name) for name in ("least_text", "word_tail", "stretch_tail", "stretch_s")}
    assert limits == dataclasses.replace(calibration, **changed)
    assert Calibration.from_dict(limits.to_dict()) == limits


# ---- collecting


class Told:
    """An aligner that notes what it is asked, and refuses texts with the word "no"."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []

    def examine(self, audio: Path, text: list[str]) -> Any:
        self.asked.append((audio.name, text))
        if "no" in text:
            raise AlignmentError("too short")
        return SimpleNamespace(evidence=(audio.name, tuple(text)))


def write_table(folder: Path, texts: Sequence[str]) -> Path:
    path = folder / "train.tsv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(["file", "speaker", "gender", "age", "text"])
        writer.writerows([f"{index}.wav", "s", "m", "20", text] for index, text in enumerate(texts))
    return path


def test_each_utterance_is_examined_with_its_own_a_changed_and_another_text(tmp_path: Path) -> None:
    texts = ["THE BLACK CAT", "A DOG", "WE RAN"]
    own = [tuple(text.lower().split()) for text in texts]
    told = Told()
    found = calibrate.collect(told, write_table(tmp_path, texts), seed=3)
    assert found.right == [(f"{index}.wav", text) for index, text in enumerate(own)]
    for index, ((name, text), place) in enumerate(found.planted):
        assert name == f"{index}.wav"
        assert [i for i, word in enumerate(own[index]) if text[i] != word] == [place]
        assert len(text) == len(own[index])
        assert text[place] in {word for words in own for word in words}
    for index, (name, text) in enumerate(found.wrong):
        assert name == f"{index // calibrate.STRANGERS}.wav"
        assert text in own
        assert text != own[index // calibrate.STRANGERS]
    again = Told()
    calibrate.collect(again, write_table(tmp_path, texts), seed=3)
    assert again.asked == told.asked


def test_what_cannot_be_aligned_is_left_out_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = calibrate.collect(Told(), write_table(tmp_path, ["NO NO", "A DOG"]), seed=1)
    assert found.right == [("1.wav", ("a", "dog"))]
    assert [name for name, _ in found.wrong] == ["0.wav"] * calibrate.STRANGERS
    assert "left out: too short" in capsys.readouterr().out


# ---- spread


class Certain:
    """An aligner that is sure of its boundaries, which lie at whole frames."""

    def examine(self, audio: Any, text: str) -> Any:
        samples, rate = audio
        assert (len(samples), rate) == (6_000, 16_000)
        scores = 100 * runs_to_scores([("K", 9), ("AE", 12), ("T", 17)], COLUMNS)
        return decode_scores([CAT], COLUMNS, scores)


@pytest.mark.parametrize("error_ms", [1.5, 4.0, 8.0])
def test_certain_boundaries_get_the_floor_that_makes_their_errors_likeliest(tmp_path: Path, error_ms: float) -> None:
    soundfile.write(tmp_path / "cat.wav", np.zeros(6_000), 16_000)
    late = error_ms / 1000
    phones = [["K", 0.0, 0.09 + late], ["AE", 0.09 + late, 0.21 - late], ["T", 0.21 - late, 0.375]]
    entry = {"audio": "cat.wav", "text": "cat", "speaker": "s", "source": "test", "phones": phones}
    write_manifest(tmp_path / "manifest.jsonl", [entry])
    fitted = calibrate.fit_spread(UNCALIBRATED, Certain(), [tmp_path / "manifest.jsonl"])
    # log sd + √2 · |error| / sd is least at sd = √2 · |error|
    assert fitted.spread_floor_ms == pytest.approx(math.sqrt(2) * error_ms, abs=0.13)
    assert dataclasses.replace(fitted, spread_scale=0.2, spread_gain=1.0, spread_floor_ms=5.0) == UNCALIBRATED


# ---- voicing

RATE = voicing.RATE


def stop_and_vowel(onset_s: float, total_s: float = 0.4, seed: int = 0) -> NDArray[np.float32]:
    """A closure of 80 ms, noise until the onset, then a vowel: 120 Hz with its harmonics."""
    time = np.arange(round(total_s * RATE)) / RATE
    rng = np.random.default_rng(seed)
    breath = 0.05 * rng.normal(size=len(time)) * ((time >= 0.08) & (time < onset_s))
    voice = sum(np.sin(2 * np.pi * 120 * n * (time - onset_s)) / n for n in range(1, 20)) * 0.2
    return (breath + voice * (time >= onset_s) + 1e-4 * rng.normal(size=len(time))).astype(np.float32)


@pytest.mark.parametrize("onset_s", [0.12, 0.15, 0.153, 0.2])
@pytest.mark.parametrize("boundary_error_s", [-0.03, -0.01, 0.0, 0.01, 0.03])
@pytest.mark.parametrize("seed", range(3))
def test_the_onset_of_a_voice_is_found_within_5_ms(onset_s: float, boundary_error_s: float, seed: int) -> None:
    level = voicing.low_level(stop_and_vowel(onset_s, seed=seed))
    assert voicing.voicing_onset(level, onset_s + boundary_error_s, 0.35) == pytest.approx(onset_s, abs=0.005)


@pytest.mark.parametrize("boundary_s", [0.05, 0.1, 0.25])
def test_no_onset_is_given_far_from_the_boundary(boundary_s: float) -> None:
    level = voicing.low_level(stop_and_vowel(0.15))
    assert voicing.voicing_onset(level, boundary_s, 0.35) is None


@pytest.mark.parametrize(("boundary", "vowel_end"), [(0.2, 0.2), (0.2, 0.1), (0.5, 0.6)])
def test_no_onset_without_a_vowel(boundary: float, vowel_end: float) -> None:
    level = voicing.low_level(stop_and_vowel(0.15))
    assert voicing.voicing_onset(level, boundary, vowel_end) is None


def test_no_onset_where_the_voice_never_stopped() -> None:
    time = np.arange(RATE // 2) / RATE
    level = voicing.low_level(np.sin(2 * np.pi * 120 * time).astype(np.float32))
    assert voicing.voicing_onset(level, 0.25, 0.35) is None


def test_the_level_is_that_of_the_low_band() -> None:
    time = np.arange(RATE) / RATE
    middle = slice(RATE // 4, -RATE // 4)
    for hertz, expected in ((120, math.sqrt(0.5)), (400, math.sqrt(0.5)), (40, 0.0), (1000, 0.0)):
        level = voicing.low_level(np.sin(2 * np.pi * hertz * time).astype(np.float32))
        assert level.shape == (RATE,)
        assert level[middle].mean() == pytest.approx(expected, abs=0.01)


# ---- stops until voicing


def labelled(*phones: tuple[str, float, float]) -> list[sh.Segment]:
    return [sh.Segment(*phone) for phone in phones]


def test_a_voiceless_stop_ends_where_voicing_begins() -> None:
    phones = labelled(("T", 0.08, 0.13), ("AA", 0.13, 0.3), ("M", 0.3, 0.4))
    found = label_speech.stops_until_voicing(phones, stop_and_vowel(0.15))
    assert [phone.label for phone in found] == ["T", "AA", "M"]
    assert found[0].end == found[1].start == pytest.approx(0.15, abs=0.005)
    assert (found[0].start, found[1].end, found[2]) == (0.08, 0.3, phones[2])


@pytest.mark.parametrize(
    "phones",
    [
        (("D", 0.08, 0.13), ("AA", 0.13, 0.3)),  # voiced
        (("T", 0.08, 0.13), ("S", 0.13, 0.3)),  # no voice follows
        (("T", 0.08, 0.13), ("AA", 0.14, 0.3)),  # not at once
        (("T", 0.145, 0.165), ("AA", 0.165, 0.3)),  # the stop would be too short …
        (("T", 0.08, 0.12), ("AA", 0.12, 0.155)),  # … or the vowel
        (("T", 0.05, 0.1), ("AA", 0.1, 0.3)),  # too far away
    ],
)
def test_other_phones_stay_where_they_are(phones: tuple[tuple[str, float, float], ...]) -> None:
    before = labelled(*phones)
    assert label_speech.stops_until_voicing(before, stop_and_vowel(0.15)) == before
