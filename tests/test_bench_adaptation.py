"""The bench of adaptation: its channels are what they say, its rows count what they should."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench"
sys.path.insert(0, str(BENCH))

import adaptation  # noqa: E402

from streamhmm.align.adaptation import Adaptation  # noqa: E402

TIME = np.arange(16000) / 16000
OFFSETS = Adaptation(None, (0.0,) * 40, 0.1, 8)


def gain_db(channel, hertz: float) -> float:
    tone = 0.01 * np.sin(2 * np.pi * hertz * TIME)
    return float(20 * np.log10(np.std(channel(tone)) / np.std(tone)))


@pytest.mark.parametrize("hertz", [250, 500, 1000, 2000, 4000])
@pytest.mark.parametrize(("name", "slope_db"), [("plain", 0.0), ("tilt", -9.0), ("bright", 6.0), ("child", 0.0)])
def test_channels_tilt_by_octaves(name: str, slope_db: float, hertz: float) -> None:
    assert gain_db(adaptation.CHANNELS[name], hertz) == pytest.approx(slope_db * np.log2(hertz / 1000), abs=0.01)


@pytest.mark.parametrize(("hertz", "expected_db"), [(100, -60.0), (300, 0.0), (3600, 0.0), (4000, -60.0)])
def test_a_telephone_has_its_band(hertz: float, expected_db: float) -> None:
    assert gain_db(adaptation.CHANNELS["telephone"], hertz) == pytest.approx(expected_db, abs=0.02)


def test_nothing_clips() -> None:
    assert np.abs(adaptation.tilted(np.sin(2 * np.pi * 100 * TIME), -9.0)).max() == pytest.approx(1.0)


def test_rows_pool_all_halves() -> None:
    halves = [adaptation.Half(None, [0.005], [0.005]), adaptation.Half(OFFSETS, [0.015, None], [-0.005, 0.06])]
    row = adaptation.summary(halves)
    assert row["kept"] == "1 offsets of 2"
    assert adaptation.figures(row["off"]) == "33.3/66.7/66.7, 10.0/10.0"
    assert adaptation.figures(row["on"]) == "66.7/66.7/66.7, 23.3/5.0"
    assert adaptation.kinds([None, None]) == "0 of 2"
