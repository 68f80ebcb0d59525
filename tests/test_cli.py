"""``streamhmm align`` as its users run it: options, streams, exit codes, messages."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from permissions import unprivileged
from results import SUFFIXES
from shipped import hint_lines

import streamhmm as sh
from streamhmm import cli, formats
from streamhmm.acoustic import RuntimeSettings, training
from streamhmm.align import aligner as aligner_module

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "quick_start"
FLAC, TXT = str(EXAMPLE / "ferry.flac"), str(EXAMPLE / "ferry.txt")
PROGRAM = [sys.executable, "-m", "streamhmm.cli"]


@pytest.fixture(scope="module")
def aligner():
    torch.set_num_threads(1)
    return sh.Aligner()


@pytest.fixture(scope="module")
def expected(aligner):
    return aligner.align(FLAC, Path(TXT).read_text(encoding="utf-8"))


@pytest.fixture
def loaded(aligner, monkeypatch):
    """The command line with a model that is there already."""
    aligner.lexicon.lookup("warm")
    monkeypatch.setattr(aligner_module, "Aligner", lambda *arguments, **options: aligner)


def lines_of(alignment):
    rows = [f"{word.start:.3f}\t{word.end:.3f}\t{word.score:.2f}\t{word.label}\n" for word in alignment.words]
    return "".join(["start\tend\tscore\tword\n", *rows])


def run(*arguments, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, check=False, timeout=120, **options)


def usage_error(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


# Streams of a process of its own


def test_audio_from_standard_input_json_to_standard_output_whatever_the_locale(aligner, expected):
    text = "The last ferry to the island leaves at half past nine, so we’d better hurry, unless you would räther swim."
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    done = run("align", "-", "--text", text, "-o", "-", input=Path(FLAC).read_bytes(), stdin=None, env=environment)
    assert (done.returncode, done.stderr.decode()) == (0, hint_lines(aligner, "<stdin>"))
    found = json.loads(done.stdout.decode("utf-8"))
    assert found["audio"] == "<stdin>"
    assert found["text"] == text
    labels = [word["label"] for word in found["words"]]
    assert " ".join(labels[9:]) == "past nine so we’d better hurry unless you would räther swim"
    assert found["duration"] == expected.duration


def test_text_from_standard_input_lines_to_a_pipe(aligner, expected):
    done = run("align", FLAC, "-", input=Path(TXT).read_bytes(), stdin=None)
    assert (done.returncode, done.stderr.decode()) == (0, hint_lines(aligner, FLAC))
    assert done.stdout.decode() == lines_of(expected)


def test_a_reader_that_goes_away_is_no_reason_to_complain(aligner):
    process = subprocess.Popen([*PROGRAM, "align", FLAC, TXT], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read().decode() == hint_lines(aligner, FLAC)
    process.stderr.close()
    assert process.wait() == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_device_behind_standard_output_is_named(aligner):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*PROGRAM, "align", FLAC, TXT], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    message = "streamhmm: standard output: can't be written (No space left on device); name a file with -o\n"
    assert done.stderr.decode() == hint_lines(aligner, FLAC) + message


def interrupted(process):
    """What a program writes after Ctrl-C, which is pressed again as people do.

    Of a signal that comes between Python's look for signals and its wait for the pipe only a flag is left.
    """
    for _ in range(6):
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=10)
    raise AssertionError("Ctrl-C is not heeded")


def test_ctrl_c_ends_the_program_by_the_signal_without_a_traceback(tmp_path):
    pipe = tmp_path / "text"
    os.mkfifo(pipe)
    heeded = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a job in the background starts with it ignored
    command = [*PROGRAM, "align", FLAC, pipe]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heeded) as process:
        writer = None
        while writer is None and process.poll() is None:
            time.sleep(0.01)
            with contextlib.suppress(OSError):  # as long as it does not read
                writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        try:
            out, complaint = interrupted(process)
        finally:
            process.kill()
            os.close(writer)
    assert (process.returncode, out, complaint) == (-signal.SIGINT, b"", b"streamhmm: interrupted\n")


def test_wrong_usage_of_the_program():
    done = run("align", FLAC)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().startswith("usage: streamhmm align [-h]")
    assert done.stderr.decode().endswith("streamhmm align: error: give the text once: a TEXT file or --text\n")


def test_a_table_on_a_terminal(loaded, expected, monkeypatch):
    ours, theirs = pty.openpty()
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    with open(theirs, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        assert cli.main(["align", FLAC, "--text", "The last ferry [b]to[/b] the island"]) == 0
        monkeypatch.undo()
        lines = os.read(ours, 65_536).decode("utf-8").split("\r\n")
    os.close(ours)
    assert lines[0].strip() == "ferry.flac"
    cells = [[cell.strip() for cell in line.strip("┃│").replace("┃", "│").split("│")] for line in lines]
    assert cells[2] == ["start", "end", "score", "word", "phones"]
    assert [row[3] for row in cells[4:10]] == ["The", "last", "ferry", "b]to[/b", "the", "island"]
    assert cells[6][4] == "F EH R IY"
    assert len({len(line) for line in lines[1:-1]}) == 1


def test_words_are_never_cut_on_a_narrow_terminal(loaded, monkeypatch):
    ours, theirs = pty.openpty()
    monkeypatch.setenv("COLUMNS", "40")
    word = "antidisestablishment"
    with open(theirs, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        assert cli.main(["align", FLAC, "--text", word]) == 0
        monkeypatch.undo()
        lines = os.read(ours, 65_536).decode("utf-8").split("\r\n")
    os.close(ours)
    assert "".join(line.split("│")[4].strip() for line in lines if line.startswith("│")) == word


# In this process


def test_lines_in_a_pipe(loaded, aligner, expected, capsys):
    assert cli.main(["align", FLAC, TXT]) == 0
    assert capsys.readouterr() == (lines_of(expected), hint_lines(aligner, FLAC))


def test_every_output_is_written(loaded, aligner, expected, capsys, tmp_path):
    outputs = [tmp_path / "a.TextGrid", tmp_path / "a.json", tmp_path / "b.JSON", tmp_path / "a.csv"]
    options = [option for output in outputs for option in ("-o", str(output))]
    assert cli.main(["align", FLAC, TXT, *options, "--output", "-"]) == 0
    out, complaint = capsys.readouterr()
    assert complaint == hint_lines(aligner, FLAC)
    assert out == outputs[1].read_text("utf-8") == outputs[2].read_text("utf-8")
    for output in outputs:
        found = formats.load(output)
        assert [word.label for word in found.words] == [word.label for word in expected.words]
        assert [(p.start, p.end) for p in found.phones] == [
            (pytest.approx(p.start, abs=1e-6), pytest.approx(p.end, abs=1e-6)) for p in expected.phones
        ]


def test_every_option_of_the_model(capsys, tmp_path):
    lexicon = tmp_path / "my.dict"
    lexicon.write_text("ferry F AA R IY\n")
    model = Path(aligner_module.__file__).parents[1] / "acoustic" / "models" / "en" / "model.safetensors"
    options = ["--lexicon", str(lexicon), "--channel", "1", "--model", str(model)]
    options += ["--backend", "torch", "--precision", "fp32", "--device", "cpu", "-o", "-"]
    assert cli.main(["align", FLAC, TXT, *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [phone["label"] for phone in found["phones"] if phone["word"] == 2] == ["F", "AA", "R", "IY"]


def test_warnings_go_to_standard_error(loaded, aligner, capsys):
    assert cli.main(["align", FLAC, "--text", "The last frobnik to the island"]) == 0
    out, complaint = capsys.readouterr()
    assert out.startswith("start\tend\tscore\tword\n")
    first = complaint.removeprefix(hint_lines(aligner, FLAC)).splitlines()[0]
    assert first == (
        f"streamhmm: {FLAC}: no pronunciation known, guessed from the spelling: frobnik (add them to a lexicon file)"
    )


def test_strict_refuses_words_that_no_lexicon_has(loaded, capsys, tmp_path):
    text = tmp_path / "my.txt"
    text.write_text("The last frobnik to the island")
    for source, name in ((["--text", text.read_text()], "--text"), ([str(text)], str(text))):
        assert cli.main(["align", FLAC, *source, "--strict"]) == 1
        assert capsys.readouterr() == (
            "",
            f"streamhmm: {name}: these words are not in the lexicon: 'frobnik'; give their phones in a lexicon file, "
            "one WORD PH PH PH a line, and name it with --lexicon\n",
        )
    assert cli.main(["align", FLAC, TXT, "--strict"]) == 0


def test_an_output_that_cannot_be_written_does_not_lose_the_others(loaded, aligner, capsys, tmp_path):
    (tmp_path / "folder.json").mkdir()
    bad, folder, good = tmp_path / "no" / "a.json", tmp_path / "folder.json", tmp_path / "a.TextGrid"
    assert cli.main(["align", FLAC, TXT, "-o", str(bad), "-o", str(folder), "-o", str(good)]) == 1
    assert capsys.readouterr() == (
        "",
        f"{hint_lines(aligner, FLAC)}streamhmm: {bad}: there is no folder {tmp_path / 'no'}; make it first\n"
        f"streamhmm: {folder}: this is a directory; name a file in it\n",
    )
    assert [word.label for word in formats.load(good).words][:3] == ["The", "last", "ferry"]


def test_an_output_folder_without_permission(loaded, capsys):
    recording = Path(FLAC).read_bytes()
    with unprivileged() as folder:
        (folder / "a.flac").write_bytes(recording)
        folder.chmod(0o555)
        out = folder / "a.json"
        assert cli.main(["align", str(folder / "a.flac"), "--text", "the last ferry", "-o", str(out)]) == 1
        message = f"streamhmm: {out}: no permission to write it; choose another folder or change the permissions\n"
        assert capsys.readouterr().err.endswith(message)
        assert [path.name for path in folder.iterdir()] == ["a.flac"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_an_output_on_a_full_device(loaded, aligner, capsys, tmp_path):
    out = tmp_path / "a.json"
    out.symlink_to("/dev/full")
    assert cli.main(["align", FLAC, TXT, "-o", str(out)]) == 1
    message = f"{out}: the device is full, nothing was written; free some space or choose another folder"
    assert capsys.readouterr() == ("", f"{hint_lines(aligner, FLAC)}streamhmm: {message}\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("output", [[], ["-o", "-"]])
def test_a_full_standard_output(loaded, aligner, capsys, monkeypatch, output):
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert cli.main(["align", FLAC, TXT, *output]) == 1
    message = "standard output: can't be written (No space left on device); name a file with -o"
    assert capsys.readouterr().err == f"{hint_lines(aligner, FLAC)}streamhmm: {message}\n"


def test_a_pipe_that_nobody_reads(loaded, aligner, capsys, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert cli.main(["align", FLAC, TXT]) == 1
    assert capsys.readouterr().err == hint_lines(aligner, FLAC)


def test_standard_streams_that_the_shell_closed(loaded, aligner, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        assert cli.main(["align", FLAC, TXT]) == 1
    message = "standard output: it is closed; name a file with -o"
    assert capsys.readouterr().err == f"{hint_lines(aligner, FLAC)}streamhmm: {message}\n"
    monkeypatch.setattr(sys, "stdin", None)
    assert cli.main(["align", FLAC, "-"]) == 1
    message = "<stdin>: the file is empty; write the words that are spoken into it"
    assert capsys.readouterr().err == f"streamhmm: {message}\n"


def test_ctrl_c_in_the_middle(monkeypatch, capsys):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.align, "run", interrupted)
    raised = []
    monkeypatch.setattr(signal, "raise_signal", raised.append)
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt):
            cli.main(["align", FLAC, TXT])
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)
    assert raised == [signal.SIGINT]
    assert capsys.readouterr().err == "streamhmm: interrupted\n"


@pytest.mark.parametrize(
    ("handler", "meanwhile"),
    [(signal.default_int_handler, signal.SIG_DFL), (signal.SIG_IGN, signal.SIG_IGN)],
)
def test_ctrl_c_does_not_wait_for_the_engine(aligner, monkeypatch, capsys, handler, meanwhile):
    seen = []

    class Watched:
        model = aligner.model

        def align(self, audio, text, *, follow, imperfect, strict):
            seen.append(signal.getsignal(signal.SIGINT))
            return aligner.align(audio, text, strict=strict)

    monkeypatch.setattr(aligner_module, "Aligner", lambda *arguments, **options: Watched())
    before = signal.signal(signal.SIGINT, handler)
    try:
        assert cli.main(["align", FLAC, TXT]) == 0
        assert cli.main(["align", FLAC, "--text", "?"]) == 1
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [meanwhile, meanwhile]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "streamhmm: error: the following arguments are required: COMMAND"),
        (["sing"], "streamhmm: error: argument COMMAND: invalid choice: 'sing' (choose from"),
        (["align"], "streamhmm align: error: the following arguments are required: AUDIO"),
        (["align", FLAC], "streamhmm align: error: give the text once: a TEXT file or --text"),
        (["align", FLAC, TXT, "--text", "a"], "streamhmm align: error: give the text once: a TEXT file or --text"),
        (["align", "-", "-"], "streamhmm align: error: standard input can hold the audio or the text, not both"),
        (
            ["align", FLAC, TXT, "-o", "a.TextGrid", "-o", "a.doc"],
            f"streamhmm align: error: the suffix of 'a.doc' must be one of {SUFFIXES}, got '.doc'",
        ),
        (["align", FLAC, TXT, "-o", "a"], f"the suffix of 'a' must be one of {SUFFIXES}, got ''"),
        (["align", FLAC, TXT, "--channel", "0"], "argument --channel: must be a whole number of at least 1, got '0'"),
        (["align", FLAC, TXT, "--channel", "left"], "--channel: must be a whole number of at least 1, got 'left'"),
        (["align", FLAC, TXT, "--chanel", "1"], "streamhmm: error: unrecognized arguments: --chanel 1"),
        (["train"], "streamhmm train: error: one of the arguments --config --corpus is required"),
    ],
)
def test_wrong_usage_is_told_before_any_work(monkeypatch, capsys, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(aligner_module, "Aligner", None)
    complaint = usage_error(capsys, *arguments)
    assert message in complaint
    assert complaint.startswith("usage: streamhmm")
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_option_and_the_exit_codes_of_help_are_0(capsys):
    for arguments in (["--help"], ["align", "--help"], ["convert", "--help"], ["train", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        assert caught.value.code == 0
    shown = capsys.readouterr().out
    for option in ("--text", "--output", "--lexicon", "--strict", "--channel", "--model", "--backend", "--precision"):
        assert option in shown
    assert "--device" in shown
    for known in formats.FORMATS:
        assert known.name in shown
        assert shown.count(known.suffix) >= 2  # in -o and in convert
    for words in ("align a recording with its text", "train an acoustic model", "--resume", sh.__version__):
        assert words in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "nobody"], "no shipped model is called 'nobody'; shipped are: en; or give a model file's path"),
        (["--backend", "abacus"], "backend abacus is unknown; choose one of: auto, torch, "),
        (["--backend", "torch", "--precision", "int4"], "backend torch has no precision int4; choose one of: auto, "),
        (
            ["--backend", "torch", "--device", "cuda:9"],
            "backend torch can't run on device cuda:9; choose one of: auto, ",
        ),
        (["--channel", "2"], f"{FLAC}: there is no channel 2; the recording's channels are 1 to 1"),
    ],
)
def test_what_is_not_there_is_named(capsys, options, message):
    assert cli.main(["align", FLAC, TXT, *options]) == 1
    shown, complaint = capsys.readouterr()
    assert shown == ""
    assert complaint.startswith(f"streamhmm: {message}")
    assert complaint.count("\n") == 1


def test_training_gets_its_options(monkeypatch):
    calls = []
    monkeypatch.setattr(training, "train", lambda *options, **named: calls.append((*options, named)) or "a")
    assert cli.main(["train", "--config", "a.toml"]) == 0
    assert cli.main(["train", "--config", "a.toml", "--resume", "--init", "en"]) == 0
    assert calls == [("a.toml", {"resume": False, "initial": None}), ("a.toml", {"resume": True, "initial": "en"})]


def test_verbose_says_what_runs_and_why(capsys):
    assert cli.main(["align", FLAC, TXT, "--verbose"]) == 0
    assert "streamhmm: torch fp32 on cpu: STREAMHMM_BACKEND names it\n" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["align", "corpus"])
def test_a_set_up_beside_options_that_it_names_is_refused(capsys, tmp_path, command):
    RuntimeSettings("torch").save(tmp_path / "fast.json")
    with pytest.raises(SystemExit) as caught:
        cli.main([command, FLAC, TXT, "--backend", str(tmp_path / "fast.json"), "--precision", "fp32"])
    assert caught.value.code == 2
    message = "--backend: the settings name precision and device already, got 'fp32' and 'auto', too\n"
    assert capsys.readouterr().err.endswith(message)


def test_options_of_a_set_up_that_its_backend_lacks_are_refused(capsys, tmp_path):
    RuntimeSettings("torch", options={"colour": "red"}).save(tmp_path / "fast.json")
    with pytest.raises(SystemExit) as caught:
        cli.main(["align", FLAC, TXT, "--backend", str(tmp_path / "fast.json")])
    assert caught.value.code == 2
    assert "--backend: backend torch has no option colour; it has: " in capsys.readouterr().err


def test_a_wrong_value_in_a_model_is_not_taken_for_the_backends(monkeypatch):
    def refuse(*_: object) -> None:
        raise ValueError("of the model")

    monkeypatch.setattr("streamhmm.align.aligner.open_model", refuse)
    with pytest.raises(ValueError, match="of the model"):
        cli.main(["align", FLAC, TXT])


def test_a_saved_set_up_runs(capsys, tmp_path):
    RuntimeSettings("torch", "fp32", "cpu").save(tmp_path / "fast.json")
    assert cli.main(["align", FLAC, TXT, "--backend", str(tmp_path / "fast.json"), "--verbose"]) == 0
    assert "streamhmm: torch fp32 on cpu: it was named\n" in capsys.readouterr().err
