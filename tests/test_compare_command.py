"""``streamhmm compare`` as its users run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_comparison import SPOKEN, jittered, tiers

from streamhmm import cli
from streamhmm.formats import save


@pytest.fixture
def corpus(tmp_path: Path) -> tuple[str, str]:
    """Two speakers with three recordings each, as TextGrids and as JSON."""
    for speaker in ("anna", "ben"):
        for side in ("ref", "hyp"):
            (tmp_path / side / speaker).mkdir(parents=True)
        for index in range(3):
            save(tmp_path / "ref" / speaker / f"{index}.TextGrid", tiers(SPOKEN))
            save(tmp_path / "hyp" / speaker / f"{index}.json", jittered(SPOKEN, index))
    return str(tmp_path / "ref"), str(tmp_path / "hyp")


def test_lines_in_a_pipe(corpus: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", *corpus]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:4] == ["tier", "group", "segments", "missing"]
    assert {len(line) for line in lines} == {len(lines[0])}
    assert [line[:3] for line in lines[1:]] == [
        ["words", "all", "24"],
        ["phones", "all", "48"],
        ["words", "speaker anna", "12"],
        ["words", "speaker ben", "12"],
        ["phones", "speaker anna", "24"],
        ["phones", "speaker ben", "24"],
        ["phones", "class stop", "18"],
        ["phones", "class nasal", "6"],
        ["phones", "class vowel", "24"],
    ]


def test_json_holds_everything(corpus: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    assert cli.main(["compare", *corpus, "--json", str(file), "--seed", "3", "--tolerance-ms", "25"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = json.loads(file.read_text())
    assert (found["recordings"], found["seed"], found["tolerance_ms"]) == (6, 3, 25.0)
    assert found["intervals"] == {"level": 0.95, "units": 6, "of_stretches": False}
    words = found["tiers"]["words"]
    assert (words["segments"], words["missing"], words["extra"], words["boundaries"]) == (24, 0, 0, 48)
    assert words["mean_ms"]["low"] <= words["mean_ms"]["value"] <= words["mean_ms"]["high"]
    column = lines[0].split("\t").index("mean_ms")
    assert lines[1].split("\t")[column] == f"{words['mean_ms']['value']:.4g}"
    assert sorted(found["speakers"]["phones"]) == ["anna", "ben"]
    assert found["class_pairs"][0]["left"] == "nasal"
    assert cli.main(["compare", *corpus, "--json", "-", "--seed", "3", "--tolerance-ms", "25"]) == 0
    assert json.loads(capsys.readouterr().out) == found


def test_tables_on_a_terminal(
    corpus: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("streamhmm.cli.compare.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["compare", *corpus, "--tiers", "words"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("boundaries: % within so many ms, and ms")
    rows = [line.split() for line in lines]
    assert ["n", "missed", "≤", "10", "≤", "20", "≤", "25", "≤", "50", "≤", "100", "mean", "median", "bias"] in rows
    assert [row[:3] for row in rows if row[:1] == ["words"]] == [
        ["words", "48", "0"],
        ["words", "0", "0"],
        ["words", "by", "speaker"],
    ]
    assert [row[0] for row in rows if row and row[0] in ("anna", "ben", "from", "to")] == ["from", "to"] * 2 + [
        "anna",
        "ben",
    ]
    assert "6 recordings; 95 % intervals from 6 recordings; detected within 20 ms" in lines
    assert not any("phones" in line for line in lines)


def test_what_can_not_be_compared_is_named(
    corpus: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference, hypothesis = map(Path, corpus)
    save(reference / "lost.TextGrid", tiers("to"))
    save(hypothesis / "more.json", tiers("to"))
    (hypothesis / "ben" / "2.json").write_text("{")
    assert cli.main(["compare", *corpus, "--json", str(tmp_path / "f.json")]) == 1
    captured = capsys.readouterr()
    assert captured.err.splitlines()[:2] == [
        f"streamhmm: lost: there is none in {hypothesis}",
        f"streamhmm: more: there is none in {reference}",
    ]
    assert captured.err.splitlines()[2].startswith(f"streamhmm: {hypothesis}/ben/2.json: damaged")
    assert captured.out.splitlines()[1].startswith("words\tall\t20\t")
    found = json.loads((tmp_path / "f.json").read_text())
    assert (found["only_reference"], found["only_hypothesis"]) == (["lost"], ["more"])
    assert (list(found["failed"]), found["recordings"]) == (["ben/2"], 5)


def test_more_than_the_reference_has_is_no_failure(corpus: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    save(Path(corpus[1]) / "more.json", tiers("to"))
    assert cli.main(["compare", *corpus]) == 0
    assert capsys.readouterr().err == f"streamhmm: more: there is none in {corpus[0]}\n"


def test_two_files(corpus: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", f"{corpus[0]}/anna/0.TextGrid", f"{corpus[1]}/ben/1.json"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("words\tall\t4\t0\t0\t8\t0\t")


def test_files_with_many_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ref.ctm").write_text("a 1 0.5 0.5 hello\na 1 1.0 0.4 you\nb 1 0.1 0.2 yes\nc 1 0.1 0.2 no\n")
    (tmp_path / "hyp.ctm").write_text("b 1 0.1 0.3 yes\na 1 0.5 0.5 hello\na 1 1.0 0.4 you\n")
    assert cli.main(["compare", f"{tmp_path}/ref.ctm", f"{tmp_path}/hyp.ctm", "--json", f"{tmp_path}/f.json"]) == 1
    captured = capsys.readouterr()
    assert captured.err == f"streamhmm: ref/c: there is none in {tmp_path}/hyp.ctm\n"
    found = json.loads((tmp_path / "f.json").read_text())
    assert (found["recordings"], list(found["failed"])) == (2, ["ref/c"])
    assert found["tiers"]["words"]["mean_ms"]["value"] == pytest.approx(100 / 6)
    assert list(found["tiers"]) == ["words"]


def test_other_formats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, suffixes in (
        ("ref", (".csv", ".phones.ctm", ".TextGrid")),
        ("hyp", (".TextGrid", ".phones.txt", ".vtt")),
    ):
        (tmp_path / folder).mkdir()
        for name, suffix in zip("abc", suffixes, strict=True):
            save(tmp_path / folder / (name + suffix), tiers(SPOKEN))
    assert cli.main(["compare", str(tmp_path / "ref"), str(tmp_path / "hyp"), "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["recordings"] == 3
    assert (found["tiers"]["words"]["segments"], found["tiers"]["words"]["missing"]) == (8, 0)
    assert (found["tiers"]["phones"]["segments"], found["tiers"]["phones"]["missing"]) == (24, 8)
    assert found["tiers"]["words"]["mean_ms"]["value"] == found["tiers"]["phones"]["mean_ms"]["value"] == 0.0


def test_textgrids_whose_tiers_have_other_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "a.TextGrid", tiers(SPOKEN))
    text = (tmp_path / "a.TextGrid").read_text()
    (tmp_path / "b.TextGrid").write_text(text.replace('"words"', '"ORT-MAU"').replace('"phones"', '"MAU"'))
    given = ["compare", f"{tmp_path}/a.TextGrid", f"{tmp_path}/b.TextGrid"]
    assert cli.main(given) == 1
    assert (
        "b.TextGrid: has no interval tier 'words' or 'phones'; its tiers are ['MAU', 'ORT-MAU']"
        in capsys.readouterr().err
    )
    assert cli.main([*given, "--words-tier", "ORT-MAU", "--phones-tier", "MAU"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("words\tall\t4\t0\t0\t8\t0\t100\t")
    assert lines[2].startswith("phones\tall\t8\t0\t0\t16\t0\t100\t")


def test_nothing_to_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", str(tmp_path), str(tmp_path)]) == 1
    message = f"streamhmm: {tmp_path}, {tmp_path}: nothing could be compared; check the two paths\n"
    assert capsys.readouterr().err == message
    save(tmp_path / "a.json", tiers("to"))
    assert cli.main(["compare", f"{tmp_path}/a.json", f"{tmp_path}/a.json", "--tiers", "phones"]) == 1
    assert capsys.readouterr().err == f"streamhmm: {tmp_path}/a.json: there are no phones in it; check --tiers\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{ref}", "{hyp}/anna/0.json"], "compare two files or two folders"),
        (["{ref}/anna/0.TextGrid", "{hyp}/a.wav"], "the suffix of"),
        (["{ref}", "{hyp}", "--plot", "a.gif"], "the suffix of 'a.gif' must be one of .png, .svg, .pdf, got '.gif'"),
        (["{ref}", "{hyp}", "--tolerance-ms", "-1"], "must be a number of milliseconds from 0 on, got '-1'"),
        (["{ref}", "{hyp}", "--tolerance-ms", "nan"], "must be a number of milliseconds from 0 on, got 'nan'"),
        (["{ref}", "{hyp}", "--seed", "-1"], "--seed: must be a whole number from 0 on, got '-1'"),
        (["{ref}", "{hyp}", "--tiers", "syllables"], "invalid choice: 'syllables'"),
    ],
)
def test_wrong_usage(
    corpus: tuple[str, str], arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [argument.format(ref=corpus[0], hyp=corpus[1]) for argument in arguments]
    with pytest.raises(SystemExit) as caught:
        cli.main(["compare", *given])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_a_file_that_is_not_there(corpus: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", "none.json", f"{corpus[1]}/anna/0.json"]) == 1
    assert "none.json: can't be read (No such file or directory); check the path" in capsys.readouterr().err


def test_pytorch_is_not_waited_for(corpus: tuple[str, str]) -> None:
    program = (
        "import sys; from streamhmm import cli; cli.main(['compare', *sys.argv[1:]]); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, *corpus], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
