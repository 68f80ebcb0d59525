"""The programs of examples/live do what their README says."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
from fake_stream import FakeAligner

import streamhmm as sh

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "live"


def test_the_reader_of_events_prints_the_word_that_is_lit(tmp_path):
    (tmp_path / "a.txt").write_text("One two –\n\nthree!", "utf-8")
    events = [("partial", 0), ("final", 0), ("partial", 1), ("skipped", 1), ("gap", None), ("partial", 2)]
    lines = "".join(json.dumps({"kind": kind, "index": index, "start": 1.25}) + "\n" for kind, index in events)
    done = subprocess.run(
        [sys.executable, FOLDER / "karaoke.py", tmp_path / "a.txt"],
        input=lines.encode(),
        capture_output=True,
        check=True,
        env={"PYTHONUTF8": "1"},
    )
    assert done.stdout.decode("utf-8").splitlines() == [
        "   1.25 s  ONE two –",
        "   1.25 s  One TWO –",
        "   1.25 s  THREE!",
    ]


def test_the_session_in_python(monkeypatch, capsys, tmp_path):
    (tmp_path / "a.txt").write_text("One two", "utf-8")
    soundfile.write(tmp_path / "a.wav", np.zeros(4_000), 16_000)
    monkeypatch.setattr(sh, "Aligner", FakeAligner())
    monkeypatch.setattr(sys, "argv", ["session.py", str(tmp_path / "a.txt"), str(tmp_path / "a.wav")])
    runpy.run_path(str(FOLDER / "session.py"))
    first, second, last = capsys.readouterr().out.splitlines()
    assert (first, second) == ("  0.000   0.100 One", "  0.100   0.200 two")
    assert last.startswith("0.25 s heard; LiveStatus(")
