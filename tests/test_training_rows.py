"""Epochs of rows: every utterance once, at a random speed, labels beside their audio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_speech import PHONES, tones, write_training_set

from streamhmm.acoustic.features import HOP
from streamhmm.acoustic.labels import LABELS
from streamhmm.acoustic.training.config import Source, read_config
from streamhmm.acoustic.training.dataset import Item, epoch_rows, load_items
from streamhmm.acoustic.training.manifest import Unit

UNITS = tuple(Unit((phone,), index / 10, (index + 1) / 10) for index, phone in enumerate(PHONES))
SIL = LABELS.index("SIL")


def item(speed: float = 1.0, aspirated: float = 0.0) -> Item:
    return Item(tones(), UNITS, Source("", speeds=(speed,), aspirated=aspirated))


@pytest.mark.parametrize(("batch", "row_frames"), [(1, 70), (2, 35), (7, 10), (1, 280)])
def test_every_utterance_comes_once(batch: int, row_frames: int) -> None:
    """Also where one utterance fills several batches."""
    rows = list(epoch_rows([item()] * 4, batch, row_frames, seed=1))
    assert all(a.shape == (batch, row_frames * HOP) and t.first.shape == (batch, row_frames) for a, t in rows)
    audio = torch.cat([audio.flatten() for audio, _ in rows])
    targets = torch.cat([targets.certain().flatten() for _, targets in rows])
    assert torch.equal(targets, torch.tensor([LABELS.index(p) for p in PHONES]).repeat_interleave(10).repeat(4))
    expected = torch.from_numpy(tones().astype(np.float32)).repeat(4)
    torch.testing.assert_close(audio / audio.abs().max(), expected / expected.abs().max())


def test_long_utterances_give_all_their_batches() -> None:
    assert len(list(epoch_rows([item()], 1, 10, seed=1))) == 7


def test_what_does_not_fill_a_batch_is_dropped() -> None:
    assert len(list(epoch_rows([item()] * 3, 2, 50, seed=1))) == 2
    assert list(epoch_rows([item()], 1, 71, seed=1)) == []


@pytest.mark.parametrize(("speed", "frames"), [(0.5, 140), (1.25, 56)])
def test_labels_keep_step_with_another_speed(speed: float, frames: int) -> None:
    ((audio, targets),) = epoch_rows([item(speed)], 1, frames, seed=1)
    loud = audio.view(frames, HOP).abs().amax(1) > 0.5
    agree = (loud == (targets.certain()[0] != SIL)).float().mean()
    assert float(agree) > 0.95


def test_aspirated_utterances_have_later_vowels() -> None:
    ((_, plain),) = epoch_rows([item()], 1, 70, seed=1)
    ((_, aspirated),) = epoch_rows([item(aspirated=1.0)], 1, 70, seed=1)
    stop = LABELS.index("K")
    assert int((aspirated.certain() == stop).sum()) > int((plain.certain() == stop).sum()) == 10


def test_same_seed_gives_the_same_epoch(tmp_path: Path) -> None:
    items = load_items(read_config(write_training_set(tmp_path)).train[0])
    one, same, other = (list(epoch_rows(items, 2, 50, seed)) for seed in (1, 1, 2))
    assert len(one) == len(same)
    for (audio, targets), (same_audio, same_targets) in zip(one, same, strict=True):
        assert torch.equal(audio, same_audio)
        assert torch.equal(targets.certain(), same_targets.certain())
    assert not torch.equal(one[0][0], other[0][0])
