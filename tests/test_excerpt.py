"""A part of a recording equals that part of the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamhmm.audio import load_audio
from streamhmm.audio.excerpt import load_excerpt
from streamhmm.errors import AudioError


@pytest.fixture(scope="module")
def stereo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audio") / "stereo.flac"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, (50_000, 2)), 16_000)
    return path


@pytest.mark.parametrize(("start", "end"), [(0, 1), (0, 50_000), (16_383, 16_385), (16_384, 32_768), (40_000, 60_000)])
def test_samples_are_those_of_the_whole(stereo: Path, start: int, end: int) -> None:
    found = load_excerpt(stereo, start / 16_000, end / 16_000, channel=2)
    np.testing.assert_array_equal(found.samples, load_audio(stereo, channel=2).samples[start:end])
    assert (found.name, found.source_channels, found.sample_rate) == (str(stereo), 2, 16_000)


def test_another_rate(stereo: Path) -> None:
    found = load_excerpt(stereo, 1.0, 2.0, sample_rate=8000)
    whole = load_audio(stereo, sample_rate=8000).samples[8000:16_000]
    assert len(found.samples) == 8000
    np.testing.assert_allclose(found.samples[200:-200], whole[200:-200], atol=1e-4)


def test_what_lies_behind_is_not_looked_at(stereo: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.flac"
    cut.write_bytes(stereo.read_bytes()[: stereo.stat().st_size // 2])
    assert len(load_excerpt(cut, 0.0, 0.5).samples) == 8000
    with pytest.raises(AudioError, match="truncated"):
        load_excerpt(cut, 0.0, 3.0)


def test_beyond_the_end_and_wrong_times(stereo: Path) -> None:
    with pytest.raises(AudioError, match=r"stereo.flac: the recording ends before 4 s; choose an earlier part"):
        load_excerpt(stereo, 4.0, 5.0)
    with pytest.raises(ValueError, match=r"start_s and end_s must be 0 ≤ start < end, got 2 and 1"):
        load_excerpt(stereo, 2, 1)
