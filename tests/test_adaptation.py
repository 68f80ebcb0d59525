"""Adaptation to a speaker: what was planted is found back, and nothing where nothing helps."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from torch import Tensor

import streamhmm as sh
from streamhmm.acoustic.features import N_MELS
from streamhmm.acoustic.labels import LABELS
from streamhmm.align.adaptation import (
    COSINES,
    LEAST_UTTERANCES,
    RIDGE,
    Adaptation,
    Sample,
    estimate,
    likeliest_offsets,
    mean_shift,
)
from streamhmm.errors import ModelError

FLAC = Path(__file__).resolve().parents[1] / "examples" / "quick_start" / "ferry.flac"
SAMPLES, RATE = soundfile.read(FLAC, dtype="float32")
AUDIO = torch.from_numpy(SAMPLES)
TEXT = FLAC.with_suffix(".txt").read_text()
V = len(LABELS)
SILENCE = V - 1
FRAMES = 120
MEANS = torch.randn(V, N_MELS, generator=torch.Generator().manual_seed(1))
SHIFT = tuple(0.4 * math.cos(math.pi * (bin + 0.5) / N_MELS) for bin in range(N_MELS))
"""One of the cosines that a shift consists of."""


class Nearest:
    """A model that knows what each label looks like: log-posteriors fall with the squared distance to it."""

    silence = SILENCE

    def __init__(self, label_means: Tensor | None = MEANS) -> None:
        self.label_means = label_means

    def features_log_posteriors(self, features: Sequence[Tensor]) -> list[Tensor]:
        return [(-torch.cdist(frames, MEANS).square() / 40).log_softmax(1) for frames in features]


def spoken(count: int, shifts: Sequence[Tensor], model: Any) -> list[Sample]:
    """Utterances of random labels, of which the features are not what the model knows, but lower by a shift each."""
    generator = torch.Generator().manual_seed(2)
    labels = [torch.randint(0, V, (FRAMES,), generator=generator) for _ in range(count)]
    noise = [0.3 * torch.randn(FRAMES, N_MELS, generator=generator) for _ in range(count)]
    planted = [shifts[index % len(shifts)] for index in range(count)]
    features = [MEANS[one] + own - shift for one, own, shift in zip(labels, noise, planted, strict=True)]
    scored = model.features_log_posteriors(features)
    return [Sample(*sample) for sample in zip(features, scored, labels, strict=True)]


PLANTED = torch.tensor(SHIFT) * 6


def test_a_planted_shift_is_found_back() -> None:
    exact = [sample._replace(features=MEANS[sample.labels] - PLANTED) for sample in spoken(3, [PLANTED], Nearest())]
    torch.testing.assert_close(mean_shift(exact, MEANS, SILENCE), PLANTED, atol=1e-5, rtol=0)
    rough = torch.cos(math.pi * COSINES * (torch.arange(N_MELS) + 0.5) / N_MELS)  # the first one that is left out
    moved = [sample._replace(features=sample.features - rough) for sample in exact]
    torch.testing.assert_close(mean_shift(moved, MEANS, SILENCE), PLANTED, atol=1e-5, rtol=0)


def test_silence_says_nothing_of_a_speaker() -> None:
    silent = Sample(torch.ones(5, N_MELS), torch.zeros(5, V), torch.full((5,), SILENCE))
    assert mean_shift([silent], MEANS, SILENCE).tolist() == [0.0] * N_MELS
    exact = [sample._replace(features=MEANS[sample.labels] - PLANTED) for sample in spoken(2, [PLANTED], Nearest())]
    torch.testing.assert_close(mean_shift([*exact, silent], MEANS, SILENCE), PLANTED, atol=1e-5, rtol=0)


def biased(count: int, bias: float) -> list[Sample]:
    """Utterances in which the first of two labels that look alike is more frequent than the log-posteriors say."""
    generator = torch.Generator().manual_seed(3)
    logits = torch.full((V,), -20.0)
    logits[:2] = 0.0
    truth = logits.clone()
    truth[0] += bias
    labels = torch.multinomial(truth.softmax(0), count * FRAMES, replacement=True, generator=generator)
    posteriors = logits.log_softmax(0).expand(FRAMES, V)
    return [Sample(torch.zeros(FRAMES, N_MELS), posteriors, part) for part in labels.split(FRAMES)]


def test_planted_offsets_are_found_back() -> None:
    samples = biased(40, 1.5)
    offsets = likeliest_offsets(samples)
    assert float(offsets[0] - offsets[1]) == pytest.approx(1.5, abs=0.25)  # less, by the ridge
    labels = torch.cat([sample.labels for sample in samples])
    expected = (samples[0].log_posteriors[0] + offsets).softmax(0)
    found = torch.bincount(labels, minlength=V) / len(labels)
    torch.testing.assert_close(found - expected, 2 * RIDGE * offsets, atol=2e-3, rtol=0)  # where the slope is 0


@pytest.mark.parametrize("count", [LEAST_UTTERANCES, 2 * LEAST_UTTERANCES + 1])
def test_an_estimate_has_what_was_planted_and_says_what_it_gains(count: int) -> None:
    samples = spoken(count, [PLANTED], Nearest())
    found = estimate(samples, Nearest())
    assert found is not None
    assert (found.kind, found.utterances) == ("features", count)
    torch.testing.assert_close(torch.tensor(found.feature_shift), PLANTED, atol=0.02, rtol=0)
    right = spoken(count, [0 * PLANTED], Nearest())
    gains = [
        float((one.log_posteriors - other.log_posteriors).gather(1, one.labels[:, None]).mean())
        for one, other in zip(right, samples, strict=True)
    ]
    assert found.gain == pytest.approx(sum(gains) / count, rel=0.05)


@pytest.mark.parametrize(
    ("samples", "model"),
    [
        (spoken(LEAST_UTTERANCES - 1, [PLANTED], Nearest()), Nearest()),  # too few
        ([], Nearest()),
        (spoken(16, [0 * PLANTED], Nearest()), Nearest()),  # nothing to make up for
        (spoken(16, [PLANTED, PLANTED, -PLANTED, -PLANTED], Nearest()), Nearest()),  # no two halves agree
        (biased(16, 0.0), Nearest(None)),
    ],
)
def test_where_nothing_helps_there_is_no_adaptation(samples: list[Sample], model: Any) -> None:
    assert estimate(samples, model) is None


def test_offsets_alone() -> None:
    found = estimate(biased(16, 1.5), Nearest(None))
    assert found is not None
    assert (found.kind, found.feature_shift) == ("offsets", None)
    without_means = estimate(spoken(16, [PLANTED], Nearest()), Nearest(None))
    assert without_means is not None
    assert without_means.kind == "offsets"
    assert found.class_offsets == pytest.approx(likeliest_offsets(biased(16, 1.5)).tolist(), abs=1e-4)


# ---- kept in files

SOME = Adaptation(SHIFT, tuple(0.1 * index for index in range(V)), 0.25, 12)


@pytest.mark.parametrize(
    ("adaptation", "kind"),
    [
        (SOME, "both"),
        (Adaptation(SHIFT, None, 0.2, 8), "features"),
        (Adaptation(None, SOME.class_offsets, 0.2, 8), "offsets"),
    ],
)
def test_an_adaptation_comes_back_from_its_file(adaptation: Adaptation, kind: str, tmp_path: Path) -> None:
    adaptation.save(tmp_path / "ann.json")
    assert Adaptation.load(tmp_path / "ann.json") == adaptation
    assert adaptation.kind == kind


@pytest.mark.parametrize(
    "text",
    [None, "", "[]", "{}", json.dumps({**SOME.to_dict(), "feature_shift": [1.0]}), '{"digest": "x", "helps": false}'],
)
def test_a_file_without_an_adaptation_is_named(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ann.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ModelError, match=r"ann\.json: there is no adaptation in it \(.*\); name another"):
        Adaptation.load(path)


@pytest.mark.parametrize(
    ("shift", "offsets", "message"),
    [
        ((0.0,), None, "feature_shift must be 80 finite numbers"),
        (None, (math.nan,) * V, "class_offsets must be 40 finite numbers"),
    ],
)
def test_what_is_no_adaptation(shift: Any, offsets: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Adaptation(shift, offsets, 0.0, 8)


# ---- used


@pytest.fixture(scope="module")
def aligner() -> sh.Aligner:
    return sh.Aligner()


def test_features_are_shifted_and_posteriors_offset(aligner: sh.Aligner) -> None:
    plain, adapted = aligner.model, aligner.adapted(SOME).model
    torch.testing.assert_close(adapted.log_mel(AUDIO), plain.log_mel(AUDIO) + torch.tensor(SHIFT))
    shifted = plain.adapted(torch.tensor(SHIFT), None).log_posteriors(AUDIO)
    expected = (shifted + torch.tensor(SOME.class_offsets)).log_softmax(1)
    torch.testing.assert_close(adapted.log_posteriors(AUDIO), expected)
    (together, _) = adapted.batch_log_posteriors([AUDIO, AUDIO[: RATE // 2]])
    torch.testing.assert_close(together, expected, atol=1e-4, rtol=1e-4)
    (directly,) = plain.features_log_posteriors([adapted.log_mel(AUDIO)])
    torch.testing.assert_close(directly, shifted, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(plain.log_mel(AUDIO), sh.Aligner().model.log_mel(AUDIO))


def test_streams_are_adapted_as_well(aligner: sh.Aligner) -> None:
    adapted = aligner.adapted(SOME)
    stream = adapted.stream(TEXT, max_lag=None, beam=None)
    for start in range(0, len(SAMPLES), 1600):
        stream.push(SAMPLES[start : start + 1600])
    found, whole = stream.finish(), adapted.align((SAMPLES, RATE), TEXT)
    assert [word.end for word in found.words] == pytest.approx([word.end for word in whole.words], abs=0.02)
    assert whole.words != aligner.align((SAMPLES, RATE), TEXT).words


def dull(samples: Any) -> Any:
    """As behind a curtain: the higher, the softer."""
    spectrum = torch.fft.rfft(torch.from_numpy(samples))
    octaves = torch.log2(torch.linspace(0, RATE / 2, len(spectrum)).clamp(min=50) / 1000)
    return torch.fft.irfft(spectrum * 10 ** (-9 / 20 * octaves), len(samples)).numpy()


def test_a_dull_channel_is_made_up_for(aligner: sh.Aligner) -> None:
    recordings = [((SAMPLES[160 * i :], RATE), TEXT) for i in range(LEAST_UTTERANCES)]
    assert aligner.estimate_adaptation(recordings) is None
    dulled = [((dull(samples), rate), text) for (samples, rate), text in recordings]
    found = aligner.estimate_adaptation([*dulled, ((SAMPLES[:100], RATE), TEXT)])
    assert found is not None
    assert found.feature_shift is not None
    assert found.utterances == LEAST_UTTERANCES
    assert found.gain > 0.05
    assert found.feature_shift[-1] - found.feature_shift[0] > 0.2  # louder again, the higher
    before, after = (one.align((dull(SAMPLES), RATE), TEXT).quality for one in (aligner, aligner.adapted(found)))
    assert before is not None
    assert after is not None
    assert after.contrast > before.contrast


def test_recordings_that_can_not_be_aligned_are_left_out(aligner: sh.Aligner) -> None:
    assert aligner.estimate_adaptation([("none.wav", TEXT)] * 9) is None
