"""``streamhmm convert`` as its users run it: files, folders, standard output, failures, wrong usage."""

import contextlib
import os
import pty
import subprocess
import sys

import pytest
from permissions import unprivileged
from results import SUFFIXES, small

from streamhmm import cli, formats
from streamhmm.formats import FORMATS, Tiers
from streamhmm.segment import Segment

MANY = "u1 1 0 1 a\nu2 1 0 1 b\n"


def convert(*arguments):
    return cli.main(["convert", *map(str, arguments)])


def labels(path, **options):
    return [word.label for word in formats.load(path, **options).words]


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def source(tmp_path):
    """A folder of results: ``a.json``, ``sub/b c.TextGrid``, ``sub/d.csv`` and what is none."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    formats.save(folder / "a.json", small())
    formats.save(folder / "sub" / "b c.TextGrid", small())
    formats.save(folder / "sub" / "d.csv", small())
    (folder / "a.wav").write_bytes(b"")
    (folder / "a.txt").write_text("Hello,")
    (folder / ".hidden.json").write_text("")
    return folder


# One file


@pytest.mark.parametrize("known", FORMATS, ids=[known.name for known in FORMATS])
def test_a_file_to_every_format(tmp_path, capsys, known):
    formats.save(tmp_path / "a.json", small())
    target = tmp_path / ("b" + known.suffix)
    assert convert(tmp_path / "a.json", target, "--to", known.name) == 0
    assert target.read_bytes().decode() == known.format(small())
    assert convert(tmp_path / "a.json", "-", "--to", known.name) == 0
    assert capsys.readouterr() == (known.format(small()), "")


def test_the_suffix_names_the_format_and_to_goes_before_it(tmp_path):
    formats.save(tmp_path / "a.csv", small())
    assert convert(tmp_path / "a.csv", tmp_path / "b.TextGrid") == 0
    long = (tmp_path / "b.TextGrid").read_text("utf-8")
    assert "intervals [1]:" in long
    assert convert(tmp_path / "b.TextGrid", tmp_path / "c.any", "--to", "textgrid-short") == 0
    assert "intervals" not in (tmp_path / "c.any").read_text("utf-8")
    assert convert(tmp_path / "c.any", tmp_path / "d.TextGrid", "--from", "textgrid") == 0
    assert (tmp_path / "d.TextGrid").read_text("utf-8") == long


def test_standard_output_is_json_by_default(tmp_path, capsys):
    formats.save(tmp_path / "a.json", small())
    assert convert(tmp_path / "a.json", "-") == 0
    assert capsys.readouterr() == ((tmp_path / "a.json").read_text("utf-8"), "")


def test_a_recording_without_a_name_is_called_as_its_file(tmp_path, capsys):
    formats.save(tmp_path / "a b.TextGrid", small())
    assert convert(tmp_path / "a b.TextGrid", "-", "--to", "ctm") == 0
    assert capsys.readouterr().out.splitlines()[0] == "a%20b 1 0.100000 0.300000 Hello,"
    formats.save(tmp_path / "a.json", small())
    assert convert(tmp_path / "a.json", tmp_path / "a.ctm") == 0
    assert formats.load(tmp_path / "a.ctm").audio == "café"


def test_a_file_into_a_folder(tmp_path):
    formats.save(tmp_path / "a.json", small())
    assert convert(tmp_path / "a.json", f"{tmp_path}/new/sub/", "--to", "ctm-phones") == 0
    (tmp_path / "there").mkdir()
    assert convert(tmp_path / "a.json", tmp_path / "there", "--to", "ctm-phones") == 0
    assert files(tmp_path) == ["a.json", "new/sub/a.phones.ctm", "there/a.phones.ctm"]


def test_many_utterances_become_a_file_each(tmp_path, capsys):
    path = tmp_path / "all.ctm"
    path.write_text(MANY)
    assert convert(path, tmp_path / "out", "--to", "textgrid") == 1
    assert (
        capsys.readouterr().err
        == f"streamhmm: {path}: holds 2 results; name a folder as OUT, then each gets its file\n"
    )
    assert convert(path, f"{tmp_path}/out/", "--to", "textgrid") == 0
    assert files(tmp_path / "out") == ["u1.TextGrid", "u2.TextGrid"]
    assert labels(tmp_path / "out" / "u2.TextGrid") == ["b"]


@pytest.mark.parametrize("name", ["../u1", "a/b", "..", "."])
def test_an_utterance_whose_name_is_no_file_name(tmp_path, capsys, name):
    path = tmp_path / "in" / "all.ctm"
    path.parent.mkdir()
    path.write_text(MANY.replace("u1", name))
    assert convert(path, f"{tmp_path}/out/", "--to", "json") == 1
    assert capsys.readouterr().err == (
        f"streamhmm: {path}: holds a result named {name!r}, which can't be a file's name; rename it there\n"
    )
    assert files(tmp_path) == ["in/all.ctm"]


def test_what_can_not_be_read_or_written_is_named(tmp_path, capsys):
    formats.save(tmp_path / "a.json", small())
    assert convert(tmp_path / "b.json", tmp_path / "b.csv") == 1
    assert capsys.readouterr().err == (
        f"streamhmm: {tmp_path}/b.json: can't be read (No such file or directory); check the path\n"
    )
    assert convert(tmp_path / "a.json", tmp_path / "no" / "b.csv") == 1
    assert (
        capsys.readouterr().err == f"streamhmm: {tmp_path}/no/b.csv: there is no folder {tmp_path}/no; make it first\n"
    )
    assert convert(tmp_path / "a.json", f"{tmp_path}/a.json/", "--to", "csv") == 1
    assert "a.json/a.csv: can't be written" in capsys.readouterr().err
    late = Tiers((Segment("a", 0.0, 36_001.0),), (), (), 40_000.0)
    formats.save(tmp_path / "late.json", late)
    assert convert(tmp_path / "late.json", tmp_path / "late.ass") == 1
    message = "subtitles of this format end at 10 hours; write .vtt, or split the recording"
    assert capsys.readouterr().err == f"streamhmm: {tmp_path}/late.ass: {message}\n"


# Folders


def test_a_folder_with_its_sub_folders(source, tmp_path, capsys):
    assert convert(source, tmp_path / "out", "--to", "ctm") == 0
    assert capsys.readouterr() == ("", "")
    assert files(tmp_path / "out") == ["a.ctm", "sub/b c.ctm", "sub/d.ctm"]
    for name in files(tmp_path / "out"):
        assert labels(tmp_path / "out" / name) == ["Hello,", "O’Neill"]
    assert formats.load(tmp_path / "out" / "sub" / "b c.ctm").audio == "b c"


def test_a_bar_on_a_terminal_only(source, tmp_path):
    command = [sys.executable, "-m", "streamhmm.cli", "convert", str(source), str(tmp_path / "out"), "--to", "csv"]
    ours, theirs = pty.openpty()
    shown = b""
    with subprocess.Popen(command, stderr=theirs, env={**os.environ, "TERM": "xterm"}) as process:
        os.close(theirs)
        with contextlib.suppress(OSError):  # nobody has the other end any more
            while chunk := os.read(ours, 65_536):
                shown += chunk
    os.close(ours)
    assert (process.returncode, b"100%" in shown) == (0, True)
    done = subprocess.run(command, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_only_files_of_one_format(source, tmp_path):
    assert convert(source, tmp_path / "out", "--to", "json", "--from", "textgrid-short") == 0
    assert files(tmp_path / "out") == ["sub/b c.json"]


def test_of_several_results_of_one_name_json_counts(source, tmp_path):
    (source / "a.vtt").write_text("nonsense")
    (source / "a.TextGrid").write_text("nonsense")
    assert convert(source, tmp_path / "out", "--to", "srt") == 0
    assert files(tmp_path / "out") == ["a.srt", "sub/b c.srt", "sub/d.srt"]


def test_failures_are_named_and_the_rest_goes_on(source, tmp_path, capsys):
    (source / "b.json").write_text("{")
    (source / "sub" / "d.TextGrid").write_text("")
    assert convert(source, tmp_path / "out", "--to", "vtt") == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" would")[0].split(" damaged")[0] for line in lines] == [
        f"streamhmm: {source}/b.json:",
        f"streamhmm: {source}/sub/d.TextGrid, {source}/sub/d.csv:",
    ]
    assert lines[1].endswith("would become the same file; choose a format with --from")
    assert files(tmp_path / "out") == ["a.vtt", "sub/b c.vtt"]


def test_a_folder_into_itself_keeps_its_files(source, capsys):
    before = (source / "a.json").read_bytes()
    assert convert(source, source, "--to", "json") == 1
    assert capsys.readouterr().err == (
        f"streamhmm: {source}/a.json: is its own input and stays as it is; choose another folder\n"
    )
    assert (source / "a.json").read_bytes() == before
    assert files(source) == [
        ".hidden.json",
        "a.json",
        "a.txt",
        "a.wav",
        "sub/b c.TextGrid",
        "sub/b c.json",
        "sub/d.csv",
        "sub/d.json",
    ]


def test_an_output_folder_within_the_input_is_not_input(source):
    for _ in range(2):
        assert convert(source, source / "out", "--to", "json") == 0
        assert files(source / "out") == ["a.json", "sub/b c.json", "sub/d.json"]


def test_many_utterances_within_a_folder_get_a_folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "all.ctm").write_text(MANY)
    assert convert(tmp_path / "in", tmp_path / "out", "--to", "json") == 0
    assert files(tmp_path / "out") == ["all/u1.json", "all/u2.json"]


def test_a_folder_without_results(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    assert convert(tmp_path / "in", tmp_path / "out", "--to", "json") == 1
    message = "has no results to convert; see streamhmm convert --help for the suffixes"
    assert capsys.readouterr().err == f"streamhmm: {tmp_path}/in: {message}\n"
    assert not (tmp_path / "out").exists()


def test_a_folder_that_can_not_be_read(capsys):
    with unprivileged() as folder:
        (folder / "in" / "locked").mkdir(parents=True)
        formats.save(folder / "in" / "a.json", small())
        (folder / "in" / "locked").chmod(0)
        try:
            assert convert(folder / "in", folder / "out", "--to", "csv") == 1
        finally:
            (folder / "in" / "locked").chmod(0o755)
        message = f"{folder}/in/locked: can't be read (Permission denied); change the permissions"
        assert capsys.readouterr().err == f"streamhmm: {message}\n"
        assert files(folder / "out") == ["a.csv"]


# Usage


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.json"], "the following arguments are required: OUT"),
        (["a.json", "b.doc"], f"the suffix of 'b.doc' must be one of {SUFFIXES}, got '.doc'"),
        (["a.txt", "b.json"], f"the suffix of 'a.txt' must be one of {SUFFIXES}, got '.txt'"),
        (
            ["a.json", "b", "--to", "doc"],
            "format must be one of textgrid, textgrid-short, json, csv, ctm, ctm-phones, ",
        ),
        (["a.json", "b.csv", "--from", "doc"], "format must be one of textgrid, textgrid-short, json, csv, ctm, "),
        (["a.json", "a.json"], "IN and OUT are the same file"),
        (["a.json", "./link.json"], "IN and OUT are the same file"),
        (["a.json", "folder"], "name the format to write with --to"),
        (["a.json", "new/"], "name the format to write with --to"),
        (["folder", "new"], "name the format to write with --to"),
        (["folder", "-", "--to", "csv"], "OUT must be a folder if IN is one"),
        (["folder", "a.json", "--to", "csv"], "OUT must be a folder if IN is one"),
    ],
)
def test_wrong_usage_is_told_and_nothing_is_touched(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    formats.save("a.json", small())
    os.symlink("a.json", "link.json")
    os.mkdir("folder")
    with pytest.raises(SystemExit) as caught:
        convert(*arguments)
    assert caught.value.code == 2
    out, complaint = capsys.readouterr()
    assert (out, f"streamhmm convert: error: {message}" in complaint) == ("", True)
    assert sorted(os.listdir()) == ["a.json", "folder", "link.json"]
    assert formats.load("a.json") == small()


def test_it_does_not_wait_for_pytorch_nor_for_what_the_formats_do_not_need(tmp_path):
    formats.save(tmp_path / "a.json", small())
    program = (
        "import sys; from streamhmm import cli; cli.main(sys.argv[1:]); "
        "print(sorted({'torch', 'numpy', 'praatio', 'pysubs2', 'rich'} & set(sys.modules)))"
    )
    command = [
        sys.executable,
        "-W",
        "error",
        "-c",
        program,
        "convert",
        str(tmp_path / "a.json"),
        str(tmp_path / "a.vtt"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_report_of_a_corpus_is_no_result(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        formats.save(tmp_path / folder / "a.json", small())
        (tmp_path / folder / "report.csv").write_text("file,status\n")
    (tmp_path / "one" / ".streamhmm").mkdir()
    assert convert(tmp_path / "one", tmp_path / "out", "--to", "srt") == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.srt"]
    assert convert(tmp_path / "two", tmp_path / "out", "--to", "srt") == 1
