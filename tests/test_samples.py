"""Recordings chosen from a corpus, whatever it looks like."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from streamhmm.acoustic import AcousticModel
from streamhmm.corpus.samples import features_of, sample_features
from streamhmm.errors import CorpusError


def recordings(folder: Path, count: int) -> list[Path]:
    """Of 0.1 s, 0.2 s …, so that their lengths tell which they are."""
    folder.mkdir()
    paths = [folder / f"{index:02}.wav" for index in range(count)]
    for index, path in enumerate(paths):
        soundfile.write(path, 0.1 * np.random.default_rng(index).standard_normal(1600 * (index + 1)), 16000)
    return paths


def test_they_are_spread_over_a_folder_without_texts(tmp_path: Path) -> None:
    recordings(tmp_path / "in", 20)
    found = sample_features(tmp_path / "in", 8)
    assert [len(features) // 10 - 1 for features in found.used] == [0, 2, 4, 6, 10, 12, 14, 16]
    assert [len(features) // 10 - 1 for features in found.held_out] == [8, 18]
    seconds = pytest.approx(sum(0.1 * (index + 1) for index in (0, 2, 4, 6, 10, 12, 14, 16)))
    assert found.description == {"source": "in", "recordings": 8, "seconds": seconds}


@pytest.mark.parametrize("count", [2, 3, 4])
def test_of_few_one_is_held_out(tmp_path: Path, count: int) -> None:
    recordings(tmp_path / "in", count)
    found = sample_features(tmp_path / "in", 100)
    assert (len(found.used), len(found.held_out)) == (count - 1, 1)


@pytest.mark.parametrize("kind", ["nemo", "training"])
def test_manifests_of_both_kinds(tmp_path: Path, kind: str) -> None:
    paths = recordings(tmp_path / "in", 3)
    manifest = tmp_path / "in.jsonl"
    lines = [
        {"audio_filepath": str(path), "text": "see", "duration": 0.1}
        if kind == "nemo"
        else {"audio": str(path), "text": "see", "phones": None}
        for path in paths
    ]
    manifest.write_text("\n".join(map(json.dumps, lines)) + "\n")
    found = sample_features(manifest, 2)
    assert [len(features) for features in (*found.used, *found.held_out)] == [10, 20, 30]


def test_features_are_those_of_the_model(tmp_path: Path) -> None:
    (path,) = recordings(tmp_path / "in", 1)
    samples = torch.as_tensor(soundfile.read(path, dtype="float32")[0])
    assert torch.equal(features_of(str(path)), AcousticModel.load("en").log_mel(samples))


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_are_named(tmp_path: Path, count: int) -> None:
    recordings(tmp_path / "in", count)
    with pytest.raises(CorpusError, match=rf"in: {count} recordings, it takes 2 or more; name a larger corpus"):
        sample_features(tmp_path / "in", 5)
    with pytest.raises(CorpusError, match="there is no such folder or manifest"):
        sample_features(tmp_path / "none", 5)
