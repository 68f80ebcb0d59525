"""The bench of many streams: who hears what, what is divided by what, and what counts as met."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import batching as bench


def test_every_way_hears_the_same_chunks_in_turn():
    heard = []
    ways = [lambda chunks, way=way: heard.append((way, [chunk.tolist() for chunk in chunks])) for way in (0, 1)]
    samples = np.arange(10_000, dtype=np.float32)
    times = bench.in_turn(ways, samples, count=3, size=4, seconds=2 * 4 / bench.RATE)
    assert [len(each) for each in times] == [2, 2]
    assert [way for way, _ in heard] == [0, 1] * (bench.WARM_UP + 2)
    for number in range(bench.WARM_UP + 2):
        starts = [4 * number + 1600 * stream for stream in range(3)]
        expected = [[float(start + sample) for sample in range(4)] for start in starts]
        assert heard[2 * number][1] == heard[2 * number + 1][1] == expected


def test_the_bar_is_on_the_scores_at_the_live_chunk():
    rows = [
        bench.Row("torch", 0.04, False, 8.0, 4.0, 20.0, 10.0),
        bench.Row("torch", 0.08, True, 6.0, 2.0, 12.0, 8.0),
        bench.Row("onnx", 0.08, True, 5.9, 2.0, 12.0, 8.0),
    ]
    lates = [bench.Late("torch", "alone", 0.08, [1.04, 2.0, 3.0], 1.0, 0.5)]
    text = io.StringIO()
    bench.report(Console(file=text, width=140), rows, lates, 50)
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.getvalue().splitlines()]
    assert ["torch", "40", "125", "250", "2.00", "", "50", "100", "2.00"] in cells
    assert ["torch", "80 (live)", "167", "500", "3.00", "met", "83", "125", "1.50"] in cells
    assert ["onnx", "80 (live)", "169", "500", "2.95", "missed", "83", "125", "1.50"] in cells
    assert ["torch", "80", "6.00", "2.00", "6.00"] in cells
    assert ["torch, alone", "80", "1.0", "2.0", "3.0", "1.0", "0.50"] in cells
