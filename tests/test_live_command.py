"""``streamhmm live`` as its users run it: options, lines, events, files, Ctrl-C, and devices that fail."""

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

import numpy as np
import pytest
import soundfile
from fake_sounddevice import FakeSoundDevice, PortAudioError, microphone
from fake_stream import FakeAligner
from results import SUFFIXES

from streamhmm import cli, formats
from streamhmm.acoustic import RuntimeSettings
from streamhmm.align import aligner as aligner_module
from streamhmm.audio import load_audio
from streamhmm.audio import microphone as microphone_module
from streamhmm.cli import live_run
from streamhmm.errors import AlignmentError, TextError

TEXT = "One two, three four!"
WORDS = ["One", "two", "three", "four"]
LINES = "start\tend\tscore\tword\n" + "".join(
    f"{index / 10:.3f}\t{(index + 1) / 10:.3f}\t0.88\t{word}\n" for index, word in enumerate(WORDS)
)
PATIENCE_S = 30
UNREAD = "the text was not read to its end"


@pytest.fixture
def aligner(monkeypatch):
    aligner = FakeAligner()
    monkeypatch.setattr(aligner_module, "Aligner", aligner)
    return aligner


@pytest.fixture
def sound(tmp_path):
    """0.5 s of noise, as a file."""
    samples = np.random.default_rng(0).integers(-9_000, 9_000, 8_000) / np.float32(32768)
    soundfile.write(tmp_path / "sound.wav", samples, 16_000)
    return str(tmp_path / "sound.wav")


@pytest.fixture
def device(monkeypatch):
    """A microphone that brings noise as long as it is listened to."""
    system = FakeSoundDevice(microphone("Mic", 1))
    monkeypatch.setitem(sys.modules, "sounddevice", system)
    monkeypatch.setattr(microphone_module, "LOOK_S", 0.001)
    monkeypatch.setattr(microphone_module, "RETRY_S", 0.001)
    monkeypatch.setattr(microphone_module, "SILENT_LOOKS", 1_000_000)

    def speak(stream):
        def bring():
            block = np.full((160, 1), 0.25, np.float32)
            while stream.active:
                stream.bring(block)
                time.sleep(0.001)

        threading.Thread(target=bring, daemon=True).start()

    system.on_start = speak
    return system


def live(*options):
    return cli.main(["live", "--text", TEXT, *options])


def finals(out):
    return [event["word"] for event in map(json.loads, out.splitlines()) if event["kind"] == "final"]


# What is written


def test_lines_of_the_words_in_a_pipe(aligner, sound, capsys):
    assert live("--file", sound, "--fast") == 0
    assert capsys.readouterr() == (LINES, "")


def test_in_real_time_it_is_the_same(aligner, sound, capsys):
    assert live("--file", sound) == 0
    assert capsys.readouterr() == (LINES, "")


def test_a_text_file_and_standard_input(aligner, sound, capsys, monkeypatch, tmp_path):
    (tmp_path / "a.txt").write_text(TEXT, "utf-8")
    assert cli.main(["live", str(tmp_path / "a.txt"), "--file", sound, "--fast"]) == 0
    with open(tmp_path / "a.txt", encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert cli.main(["live", "-", "--file", sound, "--fast"]) == 0
    assert capsys.readouterr() == (LINES * 2, "")
    assert [asked[0] for asked in aligner.asked] == [TEXT, TEXT]


def test_events_as_json_lines(aligner, sound, capsys):
    def skipping(stream):
        event = stream._event("skipped", 1, None)
        stream.on_push = lambda stream: None
        advance = stream._advance
        stream._advance = lambda samples: [event, *advance(samples)] if not stream.received else advance(samples)

    aligner.prepare = skipping
    before = time.monotonic()
    assert live("--file", sound, "--fast", "--jsonl") == 0
    out, complaint = capsys.readouterr()
    assert complaint == ""
    events = [json.loads(line) for line in out.splitlines()]
    fields = ["kind", "index", "take", "word", "start", "end", "score", "audio_time", "emitted_at", "is_final"]
    assert all(list(event) == fields for event in events)
    emitted = [event.pop("emitted_at") for event in events]
    assert before - 1e-3 <= emitted[1] <= emitted[-1] <= time.monotonic() + 1e-3
    assert events[0] == {
        "kind": "skipped",
        "index": 1,
        "take": 0,
        "word": "two",
        "start": None,
        "end": None,
        "score": None,
        "audio_time": 0.0,
        "is_final": True,
    }
    assert events[1] == {
        "kind": "partial",
        "index": 0,
        "take": 0,
        "word": "One",
        "start": 0.0,
        "end": 0.05,
        "score": None,
        "audio_time": 0.05,
        "is_final": False,
    }
    assert events[2] == {
        "kind": "final",
        "index": 0,
        "take": 0,
        "word": "One",
        "start": 0.0,
        "end": 0.1,
        "score": 0.8765,
        "audio_time": 0.1,
        "is_final": True,
    }
    assert [event["kind"] for event in events] == ["skipped"] + ["partial", "final"] * 4


def test_words_that_are_not_ascii_are_themselves(aligner, sound, capsysbinary):
    assert cli.main(["live", "--text", "räther", "--file", sound, "--fast", "--jsonl"]) == 0
    assert '"word": "räther"'.encode() in capsysbinary.readouterr().out


def test_results_are_written_in_every_format(aligner, sound, capsys, tmp_path):
    outputs = [tmp_path / f"a{suffix}" for suffix in (".TextGrid", ".json", ".csv", ".ctm", ".vtt", ".ass")]
    options = [option for output in outputs for option in ("-o", str(output))]
    assert live("--file", sound, "--fast", *options) == 0
    assert capsys.readouterr() == (LINES, "")
    for output in outputs:
        found = formats.load(output)
        assert [(word.label, word.start) for word in found.words] == [
            (word, pytest.approx(index / 10)) for index, word in enumerate(WORDS)
        ]
    assert json.loads(outputs[1].read_text("utf-8"))["audio"] == sound


def test_json_on_standard_output_stands_there_alone(aligner, sound, capsys):
    assert live("--file", sound, "--fast", "-o", "-") == 0
    assert [word["label"] for word in json.loads(capsys.readouterr().out)["words"]] == WORDS


def test_what_is_heard_is_kept(aligner, sound, capsys, tmp_path):
    record = tmp_path / "kept.flac"
    assert live("--file", sound, "--fast", "--record", str(record), "-o", str(tmp_path / "a.json")) == 0
    assert np.array_equal(load_audio(record).samples, load_audio(sound).samples)
    assert json.loads((tmp_path / "a.json").read_text("utf-8"))["audio"] == str(record)
    assert aligner.streams[0].pushed == load_audio(sound).samples.tolist()


def test_the_second_pass(aligner, sound, capsys, tmp_path):
    aligner.prepare = lambda stream: setattr(stream, "second_pass", 0.01)
    assert live("--file", sound, "--fast", "--realign", "-o", str(tmp_path / "a.json")) == 0
    found = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert [word["start"] for word in found["words"]] == pytest.approx([0.01, 0.11, 0.21, 0.31])
    assert found["audio"] == sound
    assert capsys.readouterr() == (LINES, "")


def test_a_second_pass_that_fails_leaves_the_live_times(aligner, sound, capsys, tmp_path):
    aligner.prepare = lambda stream: setattr(stream, "second_pass", AlignmentError("no path"))
    assert live("--file", sound, "--fast", "--realign", "-o", str(tmp_path / "a.json")) == 1
    assert [word["start"] for word in json.loads((tmp_path / "a.json").read_text("utf-8"))["words"]] == pytest.approx(
        [0, 0.1, 0.2, 0.3]
    )
    complaint = "streamhmm: the second pass failed, the results have the live times: no path\n"
    assert capsys.readouterr() == (LINES, complaint)


def test_a_text_that_is_not_read_to_its_end_is_a_warning(aligner, sound, capsys):
    assert cli.main(["live", "--text", TEXT * 2, "--file", sound, "--fast"]) == 0
    assert capsys.readouterr().err == f"streamhmm: {sound}: {UNREAD}\n"


def test_an_output_that_cannot_be_written(aligner, sound, capsys, tmp_path):
    bad = tmp_path / "no" / "a.json"
    assert live("--file", sound, "--fast", "-o", str(bad), "-o", str(tmp_path / "a.json")) == 1
    complaint = f"streamhmm: {bad}: there is no folder {tmp_path / 'no'}; make it first\n"
    assert capsys.readouterr() == (LINES, complaint)
    assert (tmp_path / "a.json").exists()


def test_a_recording_that_cannot_be_made_ends_the_program_before_it_listens(aligner, sound, capsys, tmp_path):
    bad = tmp_path / "no" / "a.wav"
    assert live("--file", sound, "--record", str(bad)) == 1
    assert capsys.readouterr() == ("", f"streamhmm: {bad}: there is no folder {tmp_path / 'no'}; make it first\n")
    assert aligner.streams[0].received == 0


def test_a_recording_that_cannot_be_continued_is_told_once_and_the_session_goes_on(
    aligner, sound, capsys, monkeypatch, tmp_path
):
    write = soundfile.SoundFile.write

    def failing(file, samples):
        if file.tell() > 0:
            raise soundfile.LibsndfileError(2)
        write(file, samples)

    monkeypatch.setattr(soundfile.SoundFile, "write", failing)
    record, output = tmp_path / "a.wav", tmp_path / "a.json"
    assert live("--file", sound, "--record", str(record), "-o", str(output)) == 1
    out, complaint = capsys.readouterr()
    assert out == LINES
    assert complaint.count("\n") == 1
    assert f"streamhmm: {record}: the recording can't be continued after 0." in complaint
    assert len(json.loads(output.read_text("utf-8"))["words"]) == 4


# Options


def test_options_reach_the_aligner_and_the_stream(aligner, sound, capsys, tmp_path):
    lexicon = str(tmp_path / "my.dict")
    options = ["--lexicon", lexicon, "--model", "m", "--backend", "torch", "--precision", "fp32"]
    assert live("--file", sound, "--fast", *options, "--follow", "--strict", "--max-lag", "0.5") == 0
    assert live("--file", sound, "--fast") == 0
    assert aligner.made == [
        (("m", RuntimeSettings("torch", "fp32")), {"lexicon": [lexicon], "target_lang": None}),
        (("en", RuntimeSettings()), {"lexicon": [], "target_lang": None}),
    ]
    assert aligner.asked == [(TEXT, 0.5, True, True), (TEXT, 0.3, False, False)]


def test_one_channel_of_a_file(aligner, capsys, tmp_path):
    frames = np.stack([np.zeros(8_000), np.full(8_000, 0.5)], 1)
    soundfile.write(tmp_path / "a.wav", frames, 16_000)
    assert live("--file", str(tmp_path / "a.wav"), "--fast", "--channel", "2") == 0
    assert set(aligner.streams[0].pushed) == {0.5}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give the text once: a TEXT file or --text"),
        (["a.txt", "--text", "a"], "give the text once: a TEXT file or --text"),
        (["--text", "a", "-o", "a.doc"], f"the suffix of 'a.doc' must be one of {SUFFIXES}, got '.doc'"),
        (["--text", "a", "--file", "x", "--device", "1"], "--file and --device: there is one thing to listen to"),
        (["--text", "a", "--fast"], "--fast is for a recording; name it with --file"),
        (["--text", "a", "--realign"], "--realign is for results; say where to write them with -o"),
        (["--text", "a", "--jsonl", "-o", "-"], "-o - and --jsonl: standard output can hold one of them"),
        (["--text", "a", "--record", "a.mp3"], "the suffix of 'a.mp3' must be one of .wav, .flac, got '.mp3'"),
        (["--text", "a", "--max-lag", "0"], "--max-lag: must be a number of seconds above 0, got '0'"),
        (["--text", "a", "--max-lag", "nan"], "--max-lag: must be a number of seconds above 0, got 'nan'"),
        (["--text", "a", "--max-lag", "soon"], "--max-lag: must be a number of seconds above 0, got 'soon'"),
        (["--text", "a", "--channel", "0"], "--channel: must be a whole number of at least 1, got '0'"),
    ],
)
def test_wrong_usage_is_told_before_any_work(monkeypatch, capsys, options, message):
    monkeypatch.setattr(aligner_module, "Aligner", None)
    with pytest.raises(SystemExit) as caught:
        cli.main(["live", *options])
    out, complaint = capsys.readouterr()
    assert (caught.value.code, out) == (2, "")
    assert f"streamhmm live: error: {message}" in complaint or f"error: argument {message}" in complaint


def test_a_recording_is_not_written_over_the_file_that_is_played(capsys, sound):
    before = os.stat(sound)
    with pytest.raises(SystemExit):
        live("--file", sound, "--record", sound)
    assert "streamhmm live: error: --record and --file are the same file\n" in capsys.readouterr().err
    assert os.stat(sound).st_mtime_ns == before.st_mtime_ns


def test_a_lag_that_the_model_can_not_keep_is_wrong_usage(aligner, capsys, sound):
    def refuse(stream):
        raise ValueError("max_lag must be at least 0.1450 s, the model's look-ahead, got 0.1")

    aligner.prepare = refuse
    with pytest.raises(SystemExit) as caught:
        live("--file", sound, "--max-lag", "0.1")
    assert caught.value.code == 2
    assert "live: error: max_lag must be at least 0.1450 s, the model's look-ahead, got 0.1" in capsys.readouterr().err


def test_a_text_that_can_not_be_used_is_named(aligner, capsys, sound, tmp_path):
    def refuse(stream):
        raise TextError("the text has no words, only punctuation; give the words that are spoken")

    aligner.prepare = refuse
    (tmp_path / "a.txt").write_text("?")
    assert cli.main(["live", str(tmp_path / "a.txt"), "--file", sound]) == 1
    assert capsys.readouterr().err.startswith(f"streamhmm: {tmp_path / 'a.txt'}: the text has no words")


def test_help_tells_every_option_and_every_field(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["live", "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    options = "--text --device --list-devices --file --fast --record --output --realign --jsonl --follow --max-lag "
    options += "--lexicon --strict --channel --model --backend --precision"
    assert set(options.split()) <= set(re.findall(r"--[a-z-]+", shown))
    for field in ("kind", "index", "take", "word", "start, end", "score", "audio_time", "emitted_at", "is_final"):
        assert re.search(rf"^  {field} ", shown, re.MULTILINE)


# Files and devices that fail


def test_a_file_that_is_not_there(aligner, capsys, tmp_path):
    assert live("--file", str(tmp_path / "no.wav")) == 1
    assert capsys.readouterr() == ("", f"streamhmm: {tmp_path / 'no.wav'}: there is no such file; check the path\n")


def test_a_file_that_is_damaged_further_on_gives_what_came_before(aligner, sound, capsys, tmp_path):
    os.truncate(sound, 44 + 2 * 3_300)
    output = tmp_path / "a.json"
    assert live("--file", sound, "--fast", "-o", str(output)) == 1
    out, complaint = capsys.readouterr()
    assert out == "".join(LINES.splitlines(keepends=True)[:3])
    first, second = complaint.splitlines()
    assert first == f"streamhmm: {sound}: {UNREAD}"
    assert second.startswith(f"streamhmm: {sound}: truncated or damaged after about 0.21 s")
    assert len(json.loads(output.read_text("utf-8"))["words"]) == 2


def test_no_microphone(aligner, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", FakeSoundDevice(default=-1))
    message = "there is no microphone; plug one in, start the system's sound server, or play a file instead"
    assert live() == 1
    assert capsys.readouterr() == ("", f"streamhmm: {message}\n")
    assert cli.main(["live", "--list-devices"]) == 1
    assert capsys.readouterr() == ("", f"streamhmm: {message}\n")


def test_an_unknown_microphone(aligner, device, capsys):
    assert live("--device", "blue") == 1
    assert capsys.readouterr() == ("", "streamhmm: there is no microphone 'blue'; there are 0: Mic (ALSA)\n")


def test_a_busy_microphone(aligner, device, capsys, tmp_path):
    device.opening = PortAudioError("Error opening InputStream: Device unavailable", -9985)
    assert live("--record", str(tmp_path / "a.wav")) == 1
    message = "Mic: the microphone is busy; close the program that uses it, or choose another with --device"
    assert capsys.readouterr() == ("", f"streamhmm: {message}\n")


def test_the_microphones_are_listed(device, capsys):
    device.devices.append(microphone("USB", 2, 44_100.0, 1))
    assert cli.main(["live", "--list-devices"]) == 0
    assert capsys.readouterr() == (
        "0\tMic\tALSA, 1 channel, 48000 Hz, the default\n1\tUSB\tJACK, 2 channels, 44100 Hz\n",
        "",
    )


def test_a_microphone_that_goes_for_good_leaves_what_was_said(aligner, device, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(
        live_run, "Microphone", lambda *given, **options: microphone_module.Microphone(*given, **options, patience_s=0)
    )

    def unplug(stream):
        if stream.received > 3_300:
            device.streams[0].active = False
            device.devices.clear()

    aligner.prepare = lambda stream: setattr(stream, "on_push", unplug)
    output = tmp_path / "a.json"
    assert live("--jsonl", "-o", str(output)) == 1
    out, complaint = capsys.readouterr()
    assert finals(out)[:2] == WORDS[:2]
    assert [word["label"] for word in json.loads(output.read_text("utf-8"))["words"]] == finals(out)
    lines = complaint.splitlines()
    assert lines[0] == "streamhmm: Mic: the microphone is gone; looking for it for 0 s"
    assert lines[-1] == (
        "streamhmm: Mic: the microphone is gone and did not come back within 0 s; plug it in and start again"
    )


# Ctrl-C


@pytest.fixture
def heeded():
    """Ctrl-C raises KeyboardInterrupt, which a job in the background does not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pressed_at(aligner, sample, times=1):
    """Press Ctrl-C when so many samples were heard."""

    def press(stream):
        if stream.received >= sample:
            stream.on_push = None
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.2 * (times > 1))

    aligner.prepare = lambda stream: setattr(stream, "on_push", press)


def test_ctrl_c_finishes_and_writes_what_was_asked_for(aligner, device, heeded, capsys, tmp_path):
    pressed_at(aligner, 3_300)
    record, output = tmp_path / "a.wav", tmp_path / "a.json"
    assert live("--jsonl", "--record", str(record), "-o", str(output)) == 0
    out, _ = capsys.readouterr()
    assert finals(out)[:2] == WORDS[:2]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    found = json.loads(output.read_text("utf-8"))
    assert [word["label"] for word in found["words"]] == finals(out)
    assert found["duration"] == pytest.approx(load_audio(record).duration)
    assert all(stream.closed for stream in device.streams)


def test_a_second_ctrl_c_ends_at_once(aligner, device, heeded, capsys, monkeypatch, tmp_path):
    pressed_at(aligner, 1_000, times=2)
    raised = []
    monkeypatch.setattr(signal, "raise_signal", raised.append)
    with pytest.raises(KeyboardInterrupt):
        live("-o", str(tmp_path / "a.json"))
    assert raised == [signal.SIGINT]
    assert capsys.readouterr().err == "streamhmm: interrupted\n"
    assert not (tmp_path / "a.json").exists()


def test_ctrl_c_before_anything_was_heard(aligner, device, capsys, monkeypatch):
    class Pressed(live_run.Interrupts):
        def __enter__(self):
            self.asked = True
            return super().__enter__()

    device.on_start = None
    monkeypatch.setattr(live_run, "Interrupts", Pressed)
    assert live() == 1
    complaint = "streamhmm: Mic: nothing was heard, so there is nothing to align; start again\n"
    assert capsys.readouterr() == ("start\tend\tscore\tword\n", complaint)


def test_a_file_without_sound_is_named(aligner, capsys, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16_000)
    assert live("--file", str(tmp_path / "a.wav")) == 1
    complaint = (
        f"streamhmm: {tmp_path / 'a.wav'}: zero-length audio, there are no samples in it; record or export it again"
    )
    assert capsys.readouterr().err == complaint + "\n"


def test_ignored_interrupts_stay_ignored(aligner, sound, capsys):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pressed_at(aligner, 3_300)
        assert live("--file", sound, "--fast") == 0
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr() == (LINES, "")


# Standard streams


@pytest.mark.parametrize("options", [[], ["--jsonl"]])
def test_a_reader_that_goes_away_does_not_take_the_results_along(
    aligner, sound, capsys, monkeypatch, tmp_path, options
):
    reader, writer = os.pipe()
    os.close(reader)
    output = tmp_path / "a.json"
    with open(writer, "w", encoding="utf-8") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert live("--file", sound, "--fast", "-o", str(output), *options) == 1
    assert capsys.readouterr().err == ""
    assert [word["label"] for word in json.loads(output.read_text("utf-8"))["words"]] == WORDS


def test_a_reader_that_goes_away_is_no_reason_to_complain(aligner, sound, capsys, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert live("--file", sound) == 1
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_device_behind_standard_output(aligner, sound, capsys, monkeypatch, tmp_path):
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert live("--file", sound, "--fast", "-o", str(tmp_path / "a.json")) == 1
    message = "streamhmm: standard output: can't be written (No space left on device); name a file with -o\n"
    assert capsys.readouterr().err == message
    assert len(json.loads((tmp_path / "a.json").read_text("utf-8"))["words"]) == 4


def test_standard_streams_that_the_shell_closed(aligner, sound, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdin", None)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        assert live("--file", sound, "--fast", "-o", str(tmp_path / "a.json")) == 1
    assert capsys.readouterr().err == "streamhmm: standard output: it is closed; name a file with -o\n"
    assert len(json.loads((tmp_path / "a.json").read_text("utf-8"))["words"]) == 4


def on_terminal(monkeypatch, columns, rows, *options):
    """The exit code and all that a terminal of this size was sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    sent = []

    def read():
        with contextlib.suppress(OSError):
            while part := os.read(ours, 65_536):
                sent.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    with open(theirs, "w", encoding="utf-8") as terminal, monkeypatch.context() as patch:
        for name in ("stdin", "stdout", "stderr"):
            patch.setattr(sys, name, terminal)
        for name in ("__stdin__", "__stdout__", "__stderr__"):
            patch.setattr(sys, name, terminal)
        code = live(*options)
    reader.join(PATIENCE_S)
    os.close(ours)
    return code, b"".join(sent).decode("utf-8").replace("\r\n", "\n")


def test_a_view_on_a_terminal_and_a_table_at_its_end(aligner, sound, monkeypatch):
    code, sent = on_terminal(monkeypatch, 60, 6, "--file", sound)
    assert code == 0
    view, after = sent.split("\x1b[?1049l")
    assert "\x1b[?1049h" in view
    assert "overruns 0" in view
    assert "\x1b[32mfour\x1b[0m" in view
    assert "4 of 4 words read\n" in after
    assert all(
        re.search(rf"│ +0\.{start}00 │ 0\.{start + 1}00 │ +0\.88 │ {WORDS[start]} ", after) for start in range(4)
    )


def test_a_terminal_with_results_in_a_file_shows_no_table(aligner, sound, monkeypatch, tmp_path):
    code, sent = on_terminal(monkeypatch, 20, 3, "--file", sound, "-o", str(tmp_path / "a.json"))
    assert code == 0
    assert sent.split("\x1b[?1049l")[1].replace("\x1b[?25h", "").strip() == "4 of 4 words read"


def test_events_for_programs_have_no_codes_on_a_terminal_either(aligner, sound, monkeypatch):
    code, sent = on_terminal(monkeypatch, 60, 6, "--file", sound, "--jsonl")
    assert code == 0
    assert finals(sent) == WORDS
    assert "\x1b" not in sent


def test_a_program_of_its_own_in_a_pipe():
    """The real aligner: the words of the example, one event a line while it is played."""
    folder = os.path.join(os.path.dirname(os.path.dirname(__file__)), "examples", "quick_start")
    files = [os.path.join(folder, "ferry.txt"), "--file", os.path.join(folder, "ferry.flac")]
    command = [sys.executable, "-m", "streamhmm.cli", "live", *files, "--fast", "--jsonl"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    with open(files[0], encoding="utf-8") as text:
        assert finals(done.stdout) == [word.strip(",.") for word in text.read().split()]


def test_a_program_whose_reader_goes_away_ends_quietly():
    """The thread that aligns is waited for: it would be in the engine while the interpreter ends."""
    folder = os.path.join(os.path.dirname(os.path.dirname(__file__)), "examples", "quick_start")
    files = [os.path.join(folder, "ferry.txt"), "--file", os.path.join(folder, "ferry.flac")]
    command = [sys.executable, "-m", "streamhmm.cli", "live", *files, "--jsonl"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        program.stdout.readline()
        program.stdout.close()
        assert program.stderr.read() == b""
        assert program.wait(60) == 1
