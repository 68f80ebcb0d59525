"""Every program of examples/models runs, says what it should and draws a picture if it offers to."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "models"
PROGRAMS = sorted(FOLDER.glob("*.py"), key=lambda program: program.name)
SAID = {
    "durations.py": (
        r"^HMM: \d\d\.\d% of the minutes in the right state",
        r"^HSMM: 9\d\.\d% of the minutes in the right state",
    ),
    "neural.py": (r"\b9\d\.\d%",),
    "regimes.py": (
        r"^calm: \+0\.\d\d ± 0\.7\d % a day",
        r"^turbulent: -0\.\d\d ± 2\.\d\d % a day",
        r"^day 15\d\d: turbulent \((0\.[89]|1\.)",
        r"^right live: 9\d\.\d% of 500 days\nright afterwards: 9\d\.\d%",
    ),
    "speech_gmm.py": (
        r"\A  0\.00   0\.1\d s  pause\n",
        r"6\.42 s  pause\n(?!.* s )",
        r"^vowels: [56]\d% of the time, from low to high bands \[",
    ),
    "weather.py": (
        r"^log-likelihood: -36\.30 with the first guess, -31\.56 learned$",
        r"^most likely days  H{10}C{16}H{7}$",
        r"^tomorrow is hot with 0\.89$",
    ),
}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_it_says_what_it_should(
    program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    draws = "--plot" in program.read_text("utf-8")
    if draws:
        pytest.importorskip("matplotlib", reason="matplotlib is not installed (the extra plot)")
    picture = tmp_path / "picture.png"
    monkeypatch.setattr(sys, "argv", [str(program), *(["--plot", str(picture)] if draws else [])])
    runpy.run_path(str(program), run_name="__main__")
    said = capsys.readouterr().out
    assert len(said.splitlines()) >= 3
    assert not re.search(r"\bnan\b", said)
    for pattern in SAID.get(program.name, ()):
        assert re.search(pattern, said, re.MULTILINE), f"{pattern} is not in:\n{said}"
    assert picture.exists() == draws
    assert not draws or picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_it_is_short_and_the_folder_tells_of_it(program: Path) -> None:
    assert len(program.read_text("utf-8").splitlines()) < 70
    assert f"| `{program.name}` |" in (FOLDER / "README.md").read_text("utf-8")
