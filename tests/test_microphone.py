"""A microphone: what arrives in the ring, and what happens when the device goes away, comes back, or loses samples."""

import re
import sys
import threading
import types

import numpy as np
import pytest
from fake_sounddevice import FakeSoundDevice, PortAudioError, microphone

from streamhmm.audio import microphone as module
from streamhmm.audio.microphone import Microphone
from streamhmm.audio.ring import AudioRing
from streamhmm.errors import AudioError

PATIENCE_S = 30


class Clock:
    def __init__(self):
        self.now = 1_000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when a test says so; looks and tries come one after the other without a pause."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "LOOK_S", 0.001)
    monkeypatch.setattr(module, "RETRY_S", 0.001)
    monkeypatch.setattr(module, "SILENT_LOOKS", 1_000_000)
    return clock


@pytest.fixture
def system(monkeypatch):
    system = FakeSoundDevice(microphone("Mic", 2, 44_100.0))
    monkeypatch.setitem(sys.modules, "sounddevice", system)
    return system


class Warnings(list):
    """What was warned of; ``wait(n)`` waits for that many."""

    def __init__(self):
        super().__init__()
        self.changed = threading.Condition()

    def __call__(self, message):
        with self.changed:
            self.append(message)
            self.changed.notify_all()

    def wait(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self) >= count, PATIENCE_S)


def block(value, frames=160, channels=1):
    return np.full((frames, channels), value, np.float32)


def taken(ring):
    """Everything in a ring as a list: the numbers of lost frames as tuples, of samples the first of each run."""
    found = []
    while True:
        read = ring.read(10**6)
        if not read.lost and not len(read.samples):
            return found
        if read.lost:
            found.append((read.lost,))
        values = read.samples[:, 0].tolist()
        found += [value for at, value in enumerate(values) if at == 0 or values[at - 1] != value]


def test_blocks_arrive_in_the_ring_as_they_were(system, clock):
    source = Microphone()
    assert (source.name, source.sample_rate, source.channels, source.ended) == ("Mic", 16_000, 1, False)
    ring = AudioRing(1_000)
    source.start(ring)
    (stream,) = system.streams
    options = {key: value for key, value in stream.options.items() if key != "callback"}
    assert options == {
        "samplerate": 16_000,
        "blocksize": 160,
        "device": 0,
        "channels": 1,
        "dtype": "float32",
        "latency": 0.03,
    }
    stream.bring(block(0.25))
    stream.bring(block(0.5, 100))
    found = ring.read(1_000)
    assert (found.lost, found.samples.shape) == (0, (260, 1))
    assert set(found.samples[:160, 0]) == {0.25}
    assert set(found.samples[160:, 0]) == {0.5}
    source.stop()
    source.stop()
    assert stream.closed
    assert source.error is None


def test_a_microphone_that_is_never_started_can_be_stopped(system):
    Microphone().stop()
    assert system.streams == []


def test_the_devices_own_rate_and_channels(system, clock):
    refusal = PortAudioError("Invalid sample rate", -9997)
    system.refusals = {(16_000, 1): refusal, (44_100, 1): refusal}
    source = Microphone("mic")
    assert (source.sample_rate, source.channels) == (44_100, 2)
    ring = AudioRing(50_000, 2)
    source.start(ring)
    assert system.streams[0].options["blocksize"] == 441
    seconds = np.arange(44_100) / 44_100
    left, right = np.sin(2 * np.pi * 440 * seconds) / 2, np.sin(2 * np.pi * 660 * seconds) / 2
    frames = np.stack([left, right], 1).astype(np.float32)
    for at in range(0, 44_100, 441):
        system.streams[0].bring(frames[at : at + 441])
    source.stop()
    found = source.convert(ring.read(10**6).samples, True)
    expected = sum(np.sin(2 * np.pi * hertz * np.arange(16_000) / 16_000) for hertz in (440, 660)) / 4
    assert len(found) == 16_000
    np.testing.assert_allclose(found[200:-200], expected[200:-200], atol=1e-4)


def test_one_channel(system):
    source = Microphone(channel=2)
    assert source.channels == 2
    frames = np.array([[1, 0.25], [1, 0.5]], np.float32)
    assert source.convert(frames).tolist() == [0.25, 0.5]


def test_what_is_no_number_becomes_silence(system):
    source = Microphone()
    assert source.convert(np.float32([[0.5], [np.nan], [-np.inf]])).tolist() == [0.5, 0, 0]


def test_what_finds_no_room_is_lost(system, clock):
    source, ring = Microphone(), AudioRing(200)
    source.start(ring)
    system.streams[0].bring(block(0.1))
    system.streams[0].bring(block(0.2))
    source.stop()
    assert taken(ring) == [pytest.approx(0.1), pytest.approx(0.2), (120,)]


def test_an_overflow_of_known_length_is_a_gap(system, clock):
    warned = Warnings()
    source, ring = Microphone(warn=warned), AudioRing(10_000)
    source.start(ring)
    stream = system.streams[0]
    stream.bring(block(0.25))
    stream.bring(block(0.5), skip_s=0.05, overflow=True)
    stream.bring(block(0.75), skip_s=0.001)  # clocks are not exact: without the flag nothing was lost
    source.stop()
    assert taken(ring) == [0.25, (800,), 0.5, 0.75]
    assert (source.overflows, warned) == (1, [])


@pytest.mark.parametrize("first", [True, False])
def test_an_overflow_of_unknown_length_is_told_once(system, clock, first):
    warned = Warnings()
    source, ring = Microphone(warn=warned), AudioRing(10_000)
    source.start(ring)
    stream = system.streams[0]
    if not first:
        stream.bring(block(0.25))
    stream.bring(block(0.5), overflow=True)
    warned.wait(1)
    stream.bring(block(0.75), overflow=True)
    source.stop()
    assert taken(ring) == [0.25, 0.5, 0.75][first:]
    assert source.overflows == 2
    assert warned == ["Mic: the system lost samples and does not say how many; times may be too early"]


@pytest.mark.parametrize(
    ("opening", "message"),
    [
        (
            PortAudioError("Error opening InputStream: Device unavailable", -9985),
            "Mic: the microphone is busy; close the program that uses it, or choose another with --device",
        ),
        (
            PortAudioError("Error opening InputStream: Unanticipated host error", -9999),
            "Mic: the microphone can't be opened (Unanticipated host error); check that it is plugged in and that "
            "this program may use it, or choose another with --device",
        ),
    ],
)
@pytest.mark.parametrize("at_start", [True, False])
def test_a_device_that_can_not_be_opened(system, opening, message, at_start):
    def fail(stream):
        raise opening

    system.opening, system.on_start = (None, fail) if at_start else (opening, None)
    source = Microphone()
    with pytest.raises(AudioError, match=f"^{re.escape(message)}$"):
        source.start(AudioRing(1_000))
    source.stop()
    assert [stream.closed for stream in system.streams] == [True] * at_start


GONE = "Mic: the microphone is gone; looking for it for 10 s"


def test_a_device_that_comes_back_leaves_a_gap_as_long_as_it_was_away(system, clock):
    warned = Warnings()
    source, ring = Microphone(warn=warned), AudioRing(100_000)
    source.start(ring)
    system.streams[0].bring(block(0.25))
    system.opening = PortAudioError("Error opening InputStream: Device unavailable", -9985)
    system.streams[0].active = False
    while system.restarts < 2:  # it is tried more than once, with the list of devices made anew
        pass
    clock.now += 3
    system.on_start = lambda stream: stream.bring(block(0.5))
    system.opening = None
    warned.wait(2)
    assert warned == [GONE, "Mic: the microphone is back"]
    system.streams[1].bring(block(0.75))
    source.stop()
    # The first block of 160 frames had been spoken within these three seconds.
    assert taken(ring) == [0.25, (3 * 16_000 - 160,), 0.5, 0.75]
    assert [stream.closed for stream in system.streams] == [True, True]
    assert (source.error, source.overflows) == (None, 0)


def test_a_device_that_stays_away_is_an_error_and_what_came_stays(system, clock):
    warned = Warnings()
    source, ring = Microphone(warn=warned), AudioRing(1_000)
    source.start(ring)
    system.streams[0].bring(block(0.25))
    system.devices = []
    system.streams[0].active = False
    warned.wait(1)
    clock.now += 10
    source._watcher.join(PATIENCE_S)
    assert str(source.error) == (
        "Mic: the microphone is gone and did not come back within 10 s; plug it in and start again"
    )
    assert isinstance(source.error, AudioError)
    assert taken(ring) == [0.25]
    assert warned == [GONE]
    source.stop()


def test_a_device_that_says_nothing_any_more_is_gone(system, clock, monkeypatch):
    monkeypatch.setattr(module, "SILENT_LOOKS", 20)
    warned = Warnings()
    source, ring = Microphone(warn=warned, patience_s=7), AudioRing(1_000)
    source.start(ring)
    warned.wait(1)
    assert warned == ["Mic: the microphone is gone; looking for it for 7 s"]
    while len(system.streams) < 3:  # it opens again and again, and is silent still
        pass
    clock.now += 7
    source._watcher.join(PATIENCE_S)
    assert "did not come back within 7 s" in str(source.error)
    source.stop()
    assert all(stream.closed for stream in system.streams)


def test_a_device_is_found_again_by_its_name_under_another_number(system, clock):
    system.devices = [microphone("Other"), microphone("Mic")]
    warned = Warnings()
    source, ring = Microphone("Mic", warn=warned), AudioRing(1_000)
    source.start(ring)
    system.devices = [microphone("New"), microphone("Other"), microphone("Mic")]
    system.on_start = lambda stream: stream.bring(block(0.5))
    system.streams[0].active = False
    warned.wait(2)
    assert [stream.options["device"] for stream in system.streams] == [1, 2]
    source.stop()


def test_without_a_name_the_new_default_takes_over(system, clock):
    system.devices = [microphone("Built in"), microphone("Headset")]
    system.default = types.SimpleNamespace(device=[1, -1])
    warned = Warnings()
    source, ring = Microphone(warn=warned), AudioRing(1_000)
    source.start(ring)
    system.devices = [microphone("Built in")]
    system.default = types.SimpleNamespace(device=[0, -1])
    system.on_start = lambda stream: stream.bring(block(0.5))
    system.streams[0].active = False
    warned.wait(2)
    assert warned == [
        "Headset: the microphone is gone; looking for it for 10 s",
        "Built in: the microphone is back",
    ]
    source.stop()


def test_stopping_while_a_device_is_away(system, clock):
    warned = Warnings()
    source = Microphone(warn=warned)
    source.start(AudioRing(1_000))
    system.opening = PortAudioError("no", -9996)
    system.streams[0].active = False
    warned.wait(1)
    source.stop()
    assert not source._watcher.is_alive()
    assert source.error is None


def test_a_sound_system_that_does_not_start_again_is_tried_again(system, clock, monkeypatch):
    tries = []

    def fail():
        tries.append(1)
        raise PortAudioError("Error initializing PortAudio")

    warned = Warnings()
    source = Microphone(warn=warned)
    source.start(AudioRing(1_000))
    monkeypatch.setattr(system, "_initialize", fail)
    system.opening = PortAudioError("no", -9996)
    system.streams[0].active = False
    while len(tries) < 3:
        pass
    source.stop()
    assert warned == [GONE]
