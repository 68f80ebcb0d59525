"""Evidence for a path, held against loops over its frames, phones and words."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
from statistics import fmean, pstdev

import pytest
import torch

from streamhmm.align.calibration import UNCALIBRATED, Logit
from streamhmm.align.evidence import (
    HURRIED_FRAMES,
    LONG_FRAMES,
    LOW_CONTRAST,
    Evidence,
    gather_evidence,
    judge,
    phone_logits,
    text_features,
    with_text,
    word_features,
)
from streamhmm.align.runs import Runs

V, SILENCE = 6, 5


def random_path(rng: random.Random) -> tuple[list[tuple[int, int, int]], list[int]]:
    """Runs (phone or −1, column, frames) of at least one phone, and the index of each phone's word."""
    runs, words = [], []
    for word in range(rng.randint(1, 6)):
        if rng.random() < 0.5:
            runs.append((-1, SILENCE, rng.randint(8, 12)))
        for _ in range(rng.randint(1, 4)):
            runs.append((len(words), rng.randrange(SILENCE), rng.choice((2, 3, 4, 9, 19, 20, 25))))
            words.append(word)
    return runs, words


def as_runs(runs: list[tuple[int, int, int]]) -> Runs:
    phones, columns, frames = zip(*runs, strict=True)
    return Runs(torch.tensor(phones), torch.tensor(columns), torch.tensor([0, *frames]).cumsum(0))


@pytest.mark.parametrize("seed", range(10))
def test_evidence_frame_by_frame(seed: int) -> None:
    rng = random.Random(seed)
    runs, words = random_path(rng)
    frames = sum(length for _, _, length in runs)
    log_posteriors = torch.randn(frames, V, generator=torch.Generator().manual_seed(seed)).log_softmax(1)
    scores = log_posteriors + torch.tensor([0.5, 0.1, -0.3, 0.0, 0.2, -1.0])
    loop = [rng.randrange(V) for _ in range(frames)]
    found = gather_evidence(as_runs(runs), torch.tensor(words), log_posteriors, scores, torch.tensor(loop), SILENCE)

    contrast, phones, lengths, intruding = [], [], [], 0
    t = 0
    for phone, column, length in runs:
        inside = range(t, t + length)
        t += length
        apart = [scores[f, column].item() - scores[f, loop[f]].item() for f in inside]
        contrast += apart
        if phone < 0:
            intruding += sum(loop[f] != SILENCE for f in inside)
            continue
        same = fmean(loop[f] == column for f in inside)
        phones.append([fmean(apart), fmean(log_posteriors[f, column].item() for f in inside), math.log(length), same])
        lengths.append((length, column))
    assert found.contrast.tolist() == pytest.approx(contrast, abs=1e-6)
    assert found.phones.flatten().tolist() == pytest.approx([x for phone in phones for x in phone], abs=1e-6)
    assert list(zip(found.frames.tolist(), found.pdfs.tolist(), strict=True)) == lengths
    assert found.words.tolist() == words
    assert found.speech_in_silence == pytest.approx(intruding / frames)
    assert found.loop_phones == sum(column != SILENCE for column, _ in itertools.groupby(loop))
    assert found.loop_frames == sum(column != SILENCE for column in loop)


def test_a_text_that_the_loop_hears_too_has_no_contrast() -> None:
    runs = as_runs([(-1, SILENCE, 8), (0, 2, 4), (1, 3, 5)])
    log_posteriors = torch.randn(17, V).log_softmax(1)
    loop = runs.of_frames(runs.pdfs)
    found = gather_evidence(runs, torch.tensor([0, 0]), log_posteriors, log_posteriors, loop, SILENCE)
    assert found.contrast.tolist() == [0.0] * 17
    assert found.phones[:, [0, 3]].tolist() == [[0.0, 1.0], [0.0, 1.0]]
    assert found.speech_in_silence == 0.0


def some_evidence(words: list[int], frames: list[int], seed: int = 0) -> Evidence:
    generator = torch.Generator().manual_seed(seed)
    return Evidence(
        contrast=-torch.rand(50, generator=generator),
        phones=torch.randn(len(words), 4, generator=generator, dtype=torch.float64),
        frames=torch.tensor(frames),
        pdfs=torch.arange(len(words)) % V,
        words=torch.tensor(words),
        speech_in_silence=0.125,
        loop_phones=7,
        loop_frames=40,
    )


def test_log_odds_of_phones_have_the_offset_of_their_column() -> None:
    evidence = some_evidence([0, 0, 1], [3, 4, 5])
    offsets = tuple(0.25 * column for column in range(40))
    linear, low, high = (1.0, 2.0, -1.0, 0.5), (-9.0,) * 4, (9.0,) * 4
    phone = Logit(0.75, linear, (0.0,) * 4, low, high)
    calibration = dataclasses.replace(UNCALIBRATED, phone=phone, phone_offsets=offsets)
    expected = [
        0.75 + sum(weight * x for weight, x in zip(linear, row, strict=True)) + 0.25 * column
        for row, column in zip(evidence.phones.tolist(), evidence.pdfs.tolist(), strict=True)
    ]
    assert phone_logits(evidence, calibration).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(10))
def test_features_of_words(seed: int) -> None:
    rng = random.Random(seed)
    words = sorted([*rng.choices(range(4), k=9), 0, 1, 2, 3])
    frames = [rng.choice((2, 3, 4, 7, 20, 31)) for _ in words]
    logits = [rng.uniform(-5, 5) for _ in words]
    found = word_features(some_evidence(words, frames), torch.tensor(logits, dtype=torch.float64))
    expected = []
    for word in range(4):
        mine = [(logits[i], frames[i]) for i, owner in enumerate(words) if owner == word]
        logs = [math.log(length) for _, length in mine]
        expected.append(
            [
                fmean(logit for logit, _ in mine),
                min(logit for logit, _ in mine),
                sum(logit * length for logit, length in mine) / sum(length for _, length in mine),
                math.log(len(mine)),
                max(logs),
                fmean(length <= HURRIED_FRAMES for _, length in mine),
                pstdev(logs),
            ]
        )
    assert found.shape == (4, 7)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-7)


@pytest.mark.parametrize("seed", range(10))
def test_features_of_a_text(seed: int) -> None:
    rng = random.Random(seed)
    words = sorted([*rng.choices(range(4), k=9), 0, 1, 2, 3])
    frames = [rng.choice((2, 3, 4, 7, 19, 20, 31)) for _ in words]
    logits = [rng.uniform(-5, 5) for _ in words]
    evidence = some_evidence(words, frames, seed)._replace(contrast=-3 * torch.rand(50))
    logs, contrast = [math.log(length) for length in frames], evidence.contrast.tolist()
    expected = [
        fmean(logits),
        fmean(contrast),
        fmean(value < LOW_CONTRAST for value in contrast),
        0.125,
        math.log(len(words)),
        fmean(logs),
        pstdev(logs),
        fmean(length <= HURRIED_FRAMES for length in frames),
        fmean(length >= LONG_FRAMES for length in frames),
        math.log(len(words) / 7),
        math.log(len(words) / 40),
    ]
    found = text_features(evidence, torch.tensor(logits, dtype=torch.float64))
    assert found.tolist() == pytest.approx(expected, abs=1e-7)


def test_features_of_a_text_of_one_phone() -> None:
    evidence, logits = some_evidence([0], [5]), torch.tensor([1.5], dtype=torch.float64)
    by_word = [1.5, 1.5, 1.5, 0.0, math.log(5), 0.0, 0.0]
    assert word_features(evidence, logits).tolist() == [pytest.approx(by_word, abs=1e-7)]
    expected = [0.0, math.log(5), 0.0, 0.0, 0.0, math.log(1 / 7), math.log(1 / 40)]
    assert text_features(evidence, logits)[4:].tolist() == pytest.approx(expected)


def constant(log_odds: float, features: int) -> Logit:
    zeros = (0.0,) * features
    return Logit(log_odds, zeros, zeros, zeros, zeros)


@pytest.mark.parametrize("text", [-7.0, -3.0, 0.0, 5.0])
def test_words_and_phones_of_a_wrong_text_are_less_likely(text: float) -> None:
    """Words by the text's log-odds, phones as much less likely as their words; doubts are those of a right text."""
    evidence = some_evidence([0, 0, 1, 2], [3, 4, 5, 6])
    word = Logit(0.5, (1.0, *(0.0,) * 6, 0.25), (0.0,) * 8, (-99.0,) * 8, (99.0,) * 8)
    calibration = dataclasses.replace(UNCALIBRATED, text=constant(text, 11), word=word, right_text=2.0)
    logits = phone_logits(evidence, calibration)
    own = 0.5 + word_features(evidence, logits)[:, 0]
    found = judge(evidence, calibration)
    assert found.text == pytest.approx(1 / (1 + math.exp(-text)))
    torch.testing.assert_close(found.words, (own + 0.25 * text).sigmoid())
    torch.testing.assert_close(found.doubts, -(own + 0.25 * 2.0))
    lowered = ((own + 0.25 * text).sigmoid() / (own + 0.5).sigmoid()).clamp(max=1.0)
    torch.testing.assert_close(found.phones, logits.sigmoid() * lowered[[0, 0, 1, 2]])


def test_words_are_judged_with_their_text() -> None:
    features = torch.randn(3, 7, dtype=torch.float64)
    joined = with_text(features, torch.tensor(-1.5, dtype=torch.float64))
    assert torch.equal(joined[:, :7], features)
    assert joined[:, 7].tolist() == [-1.5] * 3


def test_probabilities_follow_each_regression_of_the_calibration() -> None:
    evidence = some_evidence([0, 0, 1], [3, 4, 5])
    log_odds = {"phone": constant(1.0, 4), "word": constant(-2.0, 8), "text": constant(3.0, 11)}
    found = judge(evidence, dataclasses.replace(UNCALIBRATED, **log_odds))
    phone, word, text = (1 / (1 + math.exp(-x)) for x in (1.0, -2.0, 3.0))
    assert (found.phones.shape, found.words.shape) == ((3,), (2,))
    assert found.phones.tolist() == pytest.approx([phone] * 3)
    assert found.words.tolist() == pytest.approx([word] * 2)
    assert found.text == pytest.approx(text)


def test_a_loop_that_heard_nothing_counts_as_one_phone_of_one_frame() -> None:
    evidence = some_evidence([0, 1], [5, 6])._replace(loop_phones=0, loop_frames=0)
    features = text_features(evidence, torch.zeros(2, dtype=torch.float64))
    assert features[-2:].tolist() == pytest.approx([math.log(2), math.log(2)])
