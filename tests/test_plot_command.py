"""``streamhmm plot`` as its users run it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from test_plots import many_words

import streamhmm as sh
from streamhmm import cli
from streamhmm.align import aligner as aligner_module
from streamhmm.formats import save

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "quick_start"
FLAC, TXT = str(EXAMPLE / "ferry.flac"), str(EXAMPLE / "ferry.txt")


@pytest.fixture
def inputs(tmp_path: Path) -> tuple[str, str]:
    """40 s of noise and its alignment."""
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 40 * 8000), 8000)
    save(tmp_path / "a.json", many_words(40.0))
    return str(tmp_path / "a.wav"), str(tmp_path / "a.json")


def test_a_picture_of_a_part(inputs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figure = tmp_path / "a.svg"
    assert cli.main(["plot", *inputs, "-o", str(figure), "--start", "35"]) == 0
    assert capsys.readouterr() == ("", "")
    assert figure.read_bytes().startswith(b"<?xml")


def test_the_first_part_of_what_is_too_long(
    inputs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = tmp_path / "a.png"
    assert cli.main(["plot", *inputs, "-o", str(figure)]) == 0
    assert capsys.readouterr().err == (
        f"streamhmm: {figure}: shows 0 to 30 s of 40 s; choose with --start and --end, "
        "or make an .html page, which has it all\n"
    )


def test_a_page(inputs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plot", *inputs, "-o", str(tmp_path / "a.HTML")]) == 0
    assert capsys.readouterr() == ("", "")
    assert "<title>a.wav</title>" in (tmp_path / "a.HTML").read_text()


def test_a_text_is_aligned_first_and_posteriors_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    drawn = []
    monkeypatch.setattr("streamhmm.plots.plot_alignment", lambda *given, **options: drawn.append((given, options)))
    figure = str(tmp_path / "a.png")
    assert cli.main(["plot", FLAC, "--text", Path(TXT).read_text(), "-o", figure, "--start", "2", "--posteriors"]) == 0
    ((audio, alignment, path), options) = drawn[0]
    assert (audio, path) == (FLAC, figure)
    aligner = aligner_module.Aligner()
    assert alignment == aligner.align(FLAC, Path(TXT).read_text())
    assert (options["start"], options["end"]) == (2.0, alignment.duration)
    posteriors = options["posteriors"]
    assert (posteriors.labels, posteriors.start_s) == (tuple(aligner.model.labels), 1.0)
    assert np.allclose(posteriors.probabilities.sum(axis=1), 1, atol=1e-5)
    whole = aligner.model.log_posteriors(torch.from_numpy(soundfile.read(FLAC, dtype="float32")[0])).exp().numpy()
    after = posteriors.probabilities[100:]  # what the context of a second before is for
    assert np.abs(after - whole[200:]).mean() < 0.01
    assert isinstance(alignment, sh.Alignment)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{json}", "--text", "a", "-o", "a.png"], "give an ALIGNMENT file or --text, one of them"),
        (["-o", "a.png"], "give an ALIGNMENT file or --text, one of them"),
        (["{json}", "-o", "a.gif"], "the suffix of 'a.gif' must be one of .png, .svg, .pdf, .html"),
        (["{json}", "-o", "a.html", "--start", "1"], "--start is for pictures; a page holds the whole recording"),
        (["{json}", "-o", "a.html", "--posteriors"], "--posteriors is for pictures"),
        (["{json}", "-o", "a.png", "--start", "50"], "start and end must be 0 ≤ start < end, within 40 s"),
        (["{json}", "-o", "a.png", "--start", "0", "--end", "31"], "a PNG file holds 30 s"),
        (["{json}", "-o", "a.png", "--end", "x"], "must be a number of seconds from 0 on, got 'x'"),
        (["a.doc", "-o", "a.png"], "the suffix of 'a.doc' must be one of"),
        (["{json}"], "the following arguments are required: -o/--output"),
    ],
)
def test_wrong_usage(
    inputs: tuple[str, str], arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["plot", inputs[0], *(argument.format(json=inputs[1]) for argument in arguments)])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_files_that_are_not_there(inputs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plot", "none.wav", inputs[1], "-o", str(tmp_path / "a.html")]) == 1
    assert "none.wav: there is no such file" in capsys.readouterr().err
    assert cli.main(["plot", inputs[0], "none.json", "-o", str(tmp_path / "a.html")]) == 1
    assert "none.json: can't be read" in capsys.readouterr().err
