"""The comparison of aligners: how errors are counted, flite's word times, the CTC network."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest
import torch

import streamhmm as sh

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import aligners
import aligners_network as network
from flite_library import Flite
from truth import Interval, Utterance

UTTERANCE = Utterance(Path("rms_1.flac"), "to be", (Interval("to", 0.25, 0.5), Interval("be", 0.5, None)), (), {})


def flite(voice: str) -> Flite:
    try:
        return Flite(voice)
    except OSError:
        pytest.skip("Debian's flite is not installed")


def test_errors_of_the_boundaries_that_are_known():
    words = [sh.Segment("to", 0.0, 0.5), sh.Segment("be", 0.75, 0.9)]
    assert aligners._errors(UTTERANCE, words) == [-0.25, 0.0, 0.25]
    assert aligners._errors(UTTERANCE, None) == [None, None, None]
    parts = [aligners.Outcome([0.0], ["a"]), aligners.Outcome([0.02, None], [])]
    assert aligners._joined(parts) == aligners.Outcome([0.0, 0.02, None], ["a"])
    row = aligners._row("DTW", "together", aligners._joined(parts), 94.2)
    assert row == ("DTW, together", "3", "1", "33.3 %", "66.7 %", "66.7 %", "66.7 %", "10.0", "10.0", "10.0", "94.2 %")
    assert aligners._row("DTW", "flite", aligners._joined(parts), 94.2)[-1] == ""


def test_flite_tells_its_words():
    spoken = flite("slt").speak("Three ships, two boats.")
    assert spoken.sample_rate == 16000
    ends = [time for word in spoken.words for time in word]
    assert len(spoken.words) == 4
    assert ends == sorted(ends)
    assert 0.1 < ends[0] < ends[-1] < len(spoken.samples) / spoken.sample_rate
    assert spoken.words[2].start - spoken.words[1].end > 0.1  # the pause at the comma belongs to no word


def test_speech_against_another_voice_by_dtw():
    dtw = aligners._Dtw({voice: flite(voice) for voice in aligners.REFERENCE_VOICES})
    text = "The old lighthouse keeper climbed the stairs."
    spoken = flite("slt").speak(text)
    samples = torch.from_numpy(spoken.samples).float() / 32768
    found = dtw(Utterance(Path("slt_1.flac"), text, (), (), {}), samples)
    errors = [abs(word.start - true.start) for word, true in zip(found, spoken.words, strict=True)]
    assert max(errors) < 0.05
    same = dtw(Utterance(Path("rms_1.flac"), text, (), (), {}), samples)  # takes slt for rms: no difference is left
    assert [(word.start, word.end) for word in same] == [pytest.approx(tuple(true)) for true in spoken.words]


def example(phones: list[int], frames: int) -> network.Example:
    generator = torch.Generator().manual_seed(frames)
    return network.Example(torch.randn(frames, 80, generator=generator).half(), phones)


def test_the_loss_is_that_of_ctc():
    torch.manual_seed(0)
    untrained = network.CtcNetwork().eval()
    batch = [example([3, 3, 7], 41), example([0, 38], 24)]
    features = torch.nn.utils.rnn.pad_sequence([one.features.float() for one in batch], batch_first=True)
    expected = torch.nn.functional.ctc_loss(
        untrained(features).transpose(0, 1),
        torch.tensor([3, 3, 7, 0, 38]),
        torch.tensor([21, 12]),
        torch.tensor([3, 2]),
        blank=network.BLANK,
        reduction="sum",
    )
    assert float(network._loss(untrained, batch).detach()) == pytest.approx(float(expected.detach()) / 5, rel=1e-5)


def test_the_network_is_trained_and_kept(tmp_path: Path):
    torch.manual_seed(0)
    trained = network.CtcNetwork()
    examples = [example([place % 3, 5], 30) for place in range(network.BATCH)]
    before = float(network._loss(trained, examples).detach())
    assert list(network._train(trained, examples, [], argparse.Namespace(seed=1, epochs=2))) == [1, 2]
    assert float(network._loss(trained, examples).detach()) < before
    torch.save(trained.state_dict(), tmp_path / "ctc.pt")
    loaded = network.load_network(tmp_path / "ctc.pt")
    features = examples[0].features.float()[None]
    log_probs = loaded(features)
    assert log_probs.shape == (1, 15, 40)
    assert torch.equal(log_probs, trained(features))
    assert torch.allclose(log_probs.exp().sum(2), torch.ones(1, 15))
