"""``streamhmm live`` as its users run it, from a device: speech is played into a virtual microphone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from virtual_microphone import RATE, VirtualMicrophone, virtual_microphone

import streamhmm as sh
from streamhmm.audio import load_audio

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "quick_start"
FLAC, TXT = EXAMPLE / "ferry.flac", EXAMPLE / "ferry.txt"
PATIENCE_S = 60
HEEDED = partial(signal.signal, signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it


@pytest.fixture
def microphone() -> Iterator[VirtualMicrophone]:
    with virtual_microphone() as found:
        yield found


PROGRAM = ["-m", "streamhmm.cli"]
# The same where the device does not take the rate that is wanted.
OWN_RATE = """
import sys, sounddevice
check = sounddevice.check_input_settings
def refuse(device, channels, dtype, extra_settings, samplerate):
    if samplerate == 16_000:
        raise sounddevice.PortAudioError("Invalid sample rate", -9997)
    check(device, channels, dtype, extra_settings, samplerate)
sounddevice.check_input_settings = refuse
from streamhmm.cli import main
sys.exit(main(sys.argv[1:]))
"""


class Listener:
    """``streamhmm live --jsonl`` in a process of its own, which records to ``heard``."""

    def __init__(
        self, microphone: VirtualMicrophone, folder: Path, *options: str, program: Sequence[str] = PROGRAM
    ) -> None:
        self.heard = folder / "heard.wav"
        command = [sys.executable, *program, "live", str(TXT), "--jsonl", "--record", str(self.heard)]
        self.events: list[dict[str, object]] = []
        self.complaints: list[str] = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [*command, *options],
            env=microphone.environment,
            cwd=os.getcwd(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=HEEDED,
        )
        readers = (self._process.stdout, self.events, json.loads), (self._process.stderr, self.complaints, str.strip)
        self._threads = [threading.Thread(target=self._read, args=reader) for reader in readers]
        for thread in self._threads:
            thread.start()

    def _read(self, stream, found, parse) -> None:
        for line in stream:
            with self._changed:
                found.append(parse(line))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def wait(self, condition) -> None:
        """Wait until something is true of the events and complaints."""
        with self._changed:
            done = self._changed.wait_for(lambda: condition() or self._process.poll() is not None, PATIENCE_S)
        assert done, "no more came"
        assert condition(), self.complaints

    def wait_until_it_hears(self, size: int = 44) -> None:
        """Wait until the recording grows beyond ``size`` bytes."""
        for _ in range(20 * PATIENCE_S):
            if self.heard.exists() and self.heard.stat().st_size > size:
                return
            assert self._process.poll() is None, self.complaints
            threading.Event().wait(0.05)
        raise AssertionError("nothing is heard")

    def interrupt(self) -> int:
        """Press Ctrl-C; the exit code."""
        self._process.send_signal(signal.SIGINT)
        code = self._process.wait(PATIENCE_S)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        return code

    def final(self, index: int) -> bool:
        """Whether a word is final."""
        return any(event["kind"] == "final" and event["index"] == index for event in self.events)

    def end(self) -> None:
        """Whatever happened, leave no process."""
        self._process.kill()
        self._process.wait(PATIENCE_S)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        for stream in (self._process.stdout, self._process.stderr):
            stream.close()


@pytest.fixture
def listen(microphone, tmp_path):
    """Starts a listener with options, and ends it after the test."""
    started: list[Listener] = []

    def start(*options: str, **program: Sequence[str]) -> Listener:
        started.append(Listener(microphone, tmp_path, *options, **program))
        return started[-1]

    yield start
    for listener in started:
        listener.end()


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return load_audio(FLAC).samples


@pytest.fixture(scope="module")
def offline() -> sh.Alignment:
    return sh.Aligner().align(FLAC, TXT.read_text(encoding="utf-8"))


def begins_at(heard: np.ndarray, speech: np.ndarray) -> float:
    """Seconds into a recording at which speech begins."""
    size = 2 ** (len(heard) + len(speech)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(speech, size))
    return int(np.argmax(np.fft.irfft(spectrum, size)[: len(heard)])) / RATE


def errors_s(words, offset_s: float, offline: sh.Alignment) -> np.ndarray:
    """Distances of the boundaries (start, end) of each word from those of offline alignment."""
    found = np.array(words) - offset_s
    return np.abs(found - [(word.start, word.end) for word in offline.words]).ravel()


def test_words_spoken_into_a_microphone_get_the_times_of_offline_alignment(
    microphone, listen, speech, offline, tmp_path
):
    listener = listen("-o", str(tmp_path / "out.json"), "-o", str(tmp_path / "out.TextGrid"))
    listener.wait_until_it_hears()
    microphone.play(speech)
    last = len(offline.words) - 1
    listener.wait(lambda: listener.final(last))
    assert listener.interrupt() == 0

    heard = load_audio(listener.heard).samples
    offset_s = begins_at(heard, speech)
    played = heard[round(offset_s * RATE) :][: len(speech)]
    assert np.mean(np.abs(played - speech[: len(played)])) < 1e-3
    finals = [event for event in listener.events if event["kind"] == "final"]
    assert [event["word"] for event in finals] == [word.label for word in offline.words]
    errors = errors_s([(event["start"], event["end"]) for event in finals], offset_s, offline)
    assert np.median(errors) <= 0.005
    assert np.mean(errors <= 0.02) >= 0.9

    # What is lit goes forward, and a word is lit before it is final.
    order = [(event["kind"], event["index"]) for event in listener.events if event["kind"] in ("partial", "final")]
    lit = [index for kind, index in order if kind == "partial"]
    assert lit
    assert lit == sorted(set(lit))
    assert all(order.index(("partial", index)) < order.index(("final", index)) for index in lit)
    written = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert written["audio"] == str(listener.heard)
    assert [word["start"] for word in written["words"]] == pytest.approx([e["start"] for e in finals], abs=1e-3)
    assert (tmp_path / "out.TextGrid").exists()
    assert listener.complaints == []


def test_the_second_pass_is_the_alignment_of_the_recording(microphone, listen, speech, tmp_path):
    listener = listen("-o", str(tmp_path / "out.json"), "--realign")
    listener.wait_until_it_hears()
    microphone.play(speech)
    listener.wait(lambda: listener.final(len(TXT.read_text("utf-8").split()) - 1))
    assert listener.interrupt() == 0
    expected = sh.Aligner().align(listener.heard, TXT.read_text(encoding="utf-8"))
    written = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert written["duration"] == pytest.approx(expected.duration)
    assert [word["start"] for word in written["words"]] == pytest.approx([w.start for w in expected.words], abs=2e-3)


def test_a_microphone_that_goes_and_comes_back_leaves_a_gap_and_right_times(microphone, listen, speech, offline):
    listener = listen()
    half = round(3.15 * RATE)  # between "nine" and "so"
    listener.wait_until_it_hears()
    microphone.play(speech[:half])
    listener.wait(lambda: listener.final(10))
    microphone.unplug()
    listener.wait(lambda: any("the microphone is gone" in line for line in listener.complaints))
    microphone.plug_in()
    listener.wait(lambda: any("the microphone is back" in line for line in listener.complaints))
    size = listener.heard.stat().st_size
    listener.wait_until_it_hears(size)
    microphone.play(speech[half:])
    listener.wait(lambda: listener.final(len(offline.words) - 1))
    assert listener.interrupt() == 0

    gaps = [event for event in listener.events if event["kind"] == "gap"]
    gap = max(gaps, key=lambda event: event["end"] - event["start"])  # a busy machine may have had its own
    heard = load_audio(listener.heard).samples
    silence = heard[round(gap["start"] * RATE) : round(gap["end"] * RATE)]
    assert not silence.any()
    finals = [event for event in listener.events if event["kind"] == "final"]
    words = [(event["start"], event["end"]) for event in finals]
    parts = ((slice(0, 11), begins_at(heard, speech[:half])), (slice(11, None), begins_at(heard, speech[half:]) - 3.15))
    errors = [
        np.abs(np.array(words[part]) - offset_s - [(word.start, word.end) for word in offline.words[part]])
        for part, offset_s in parts
    ]
    assert np.median(np.concatenate(errors)) <= 0.01
    assert parts[1][1] - parts[0][1] >= gap["end"] - gap["start"]


def test_a_device_at_its_own_rate(microphone, listen, speech, offline):
    listener = listen(program=["-c", OWN_RATE])
    listener.wait_until_it_hears()
    microphone.play(speech)
    listener.wait(lambda: listener.final(len(offline.words) - 1))
    assert listener.interrupt() == 0
    heard = load_audio(listener.heard)
    assert heard.source_rate == 44_100
    finals = [(event["start"], event["end"]) for event in listener.events if event["kind"] == "final"]
    errors = errors_s(finals, begins_at(heard.samples, speech), offline)
    assert np.median(errors) <= 0.005
    assert np.mean(errors <= 0.02) >= 0.9


def test_the_list_of_devices(microphone):
    done = subprocess.run(
        [sys.executable, "-m", "streamhmm.cli", "live", "--list-devices"],
        env=microphone.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split("\t")[1] for line in done.stdout.splitlines()] == ["pulse", "default"]
    assert done.stdout.count("the default") == 1
