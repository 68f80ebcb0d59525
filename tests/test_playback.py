"""A file as a microphone: what arrives, when, and what happens to damaged files and in the middle of playing."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamhmm.audio import load_audio, playback
from streamhmm.audio.playback import Playback
from streamhmm.audio.ring import AudioRing
from streamhmm.errors import AudioError

FERRY = Path(__file__).resolve().parents[1] / "examples" / "quick_start" / "ferry.flac"
PATIENCE_S = 30


class Clock:
    """Time that passes only while somebody waits for it."""

    def __init__(self):
        self.now = 100.0
        self.waits = []

    def monotonic(self):
        return self.now


class Stopping:
    """In place of the event that a playback waits on: waiting makes the clock go on; it is set at ``end``."""

    def __init__(self, clock, end=float("inf")):
        self.clock = clock
        self.end = end

    def wait(self, timeout):
        self.clock.waits.append(timeout)
        self.clock.now += timeout
        return self.is_set()

    def is_set(self):
        return self.clock.now >= self.end

    def set(self):
        self.end = 0


def sound(path, rate=16_000, channels=1, frames=1_000):
    samples = np.random.default_rng(0).integers(-9_000, 9_000, (frames, channels)) / np.float32(32768)
    soundfile.write(path, samples, rate)
    return path


def heard(source, ring, chunk):
    """All samples that a source brings, converted as a session does."""
    parts = []
    source.start(ring)
    while not (source.ended or source.error) or ring.fill:
        ring.wait(min(chunk, ring.frames), 0.01)
        taken = ring.read(chunk)
        assert taken.lost == 0
        parts.append(source.convert(taken.samples))
    parts.append(source.convert(np.zeros((0, source.channels), np.float32), True))
    source.stop()
    return np.concatenate(parts)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (44_100, 2), (8_000, 2)])
@pytest.mark.parametrize("chunk", [37, 1_600])
def test_what_arrives_is_what_is_loaded(tmp_path, suffix, rate, channels, chunk):
    path = sound(tmp_path / f"a{suffix}", rate, channels, frames=20_000)
    source = Playback(path, fast=True)
    assert (source.sample_rate, source.channels) == (rate, channels)
    found = heard(source, AudioRing(1_000, channels), chunk)
    expected = load_audio(path).samples
    assert len(found) == len(expected)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert source.ended
    assert source.error is None


def test_one_channel_at_another_rate(tmp_path):
    path = sound(tmp_path / "a.wav", 44_100, 3)
    source = Playback(path, sample_rate=8_000, channel=3, fast=True)
    expected = load_audio(path, sample_rate=8_000, channel=3).samples
    np.testing.assert_allclose(heard(source, AudioRing(500, 3), 100), expected, atol=1e-6)


@pytest.mark.parametrize("ring_frames", [1, 159, 160, 161, 5_000])
def test_a_ring_of_any_size_loses_nothing_of_a_fast_file(tmp_path, ring_frames):
    path = sound(tmp_path / "a.wav")
    found = heard(Playback(path, fast=True), AudioRing(ring_frames), 100)
    assert np.array_equal(found, load_audio(path).samples)


def test_in_real_time_each_block_comes_when_it_would_have_been_spoken(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(playback, "time", clock)
    arrivals = []

    class Ring(AudioRing):
        def write(self, block):
            arrivals.append((len(block), clock.now))
            return super().write(block)

    source = Playback(sound(tmp_path / "a.wav", 16_000, frames=410))
    source._stopping = Stopping(clock)
    found = heard(source, Ring(1_000), 410)
    assert len(found) == 410
    assert [frames for frames, _ in arrivals] == [160, 160, 90]
    assert [at for _, at in arrivals] == pytest.approx([100.01, 100.02, 100 + 410 / 16_000])


def test_who_comes_late_in_real_time_loses_what_finds_no_room(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(playback, "time", clock)
    source = Playback(sound(tmp_path / "a.wav", 16_000, frames=1_000))
    source._stopping = Stopping(clock)
    ring = AudioRing(300)
    source.start(ring)
    source._thread.join(PATIENCE_S)
    assert source.ended
    assert len(ring.read(1_000).samples) == 300
    assert ring.read(1_000).lost == 700


def test_stopping_in_the_middle(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(playback, "time", clock)
    source = Playback(sound(tmp_path / "a.wav", 16_000, frames=1_000))
    source._stopping = Stopping(clock, end=100.025)
    ring = AudioRing(1_000)
    source.start(ring)
    source._thread.join(PATIENCE_S)
    assert (ring.fill, source.ended, source.error) == (320, False, None)
    source.stop()
    source.stop()
    assert source._reader.closed


def test_stopping_a_fast_file_that_waits_for_room(tmp_path):
    for ends in (lambda source, ring: source.stop(), lambda source, ring: ring.close()):
        source = Playback(sound(tmp_path / "a.wav"), fast=True)
        ring = AudioRing(200)
        source.start(ring)
        assert ring.wait(160, PATIENCE_S)
        ends(source, ring)
        source._thread.join(PATIENCE_S)
        assert not source._thread.is_alive()
        assert source._reader.closed
        assert ring.fill <= 200


def test_a_file_that_is_never_played_is_closed(tmp_path):
    source = Playback(FERRY)
    source.stop()
    source.stop()
    assert source._reader.closed


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is no such file; check the path"),
        (lambda path: path.write_bytes(b"no sound"), "not audio that can be read"),
        (lambda path: path.write_bytes(b""), r"the file is empty \(0 bytes\)"),
        (lambda path: soundfile.write(path, np.zeros(99), 900), "a sample rate of 900 Hz can't be right"),
    ],
)
def test_what_is_no_recording_is_told_before_playing(tmp_path, make, message):
    make(tmp_path / "a.wav")
    with pytest.raises(AudioError, match=message):
        Playback(tmp_path / "a.wav")


def test_a_channel_that_is_not_there(tmp_path):
    with pytest.raises(AudioError, match="there is no channel 3; the recording's channels are 1 to 2"):
        Playback(sound(tmp_path / "a.wav", channels=2), channel=3)


@pytest.mark.parametrize(("name", "came"), [("cut.wav", 10_000), ("empty.wav", 0), ("nan.wav", 0)])
def test_damage_ends_the_playing_with_an_error_after_what_is_good(tmp_path, name, came):
    path = tmp_path / name
    samples = np.full(20_000 if came else 100, 0.5, np.float32)
    if name == "nan.wav":
        samples[50] = np.nan
    soundfile.write(path, samples if name != "empty.wav" else samples[:0], 16_000, subtype="FLOAT")
    if came:
        os.truncate(path, path.stat().st_size - 4 * (len(samples) - came))
    source = Playback(path, fast=True)
    found = heard(source, AudioRing(4_000), 1_000)
    with pytest.raises(AudioError) as expected:
        load_audio(path)
    assert str(source.error) == str(expected.value)
    assert len(found) == came
    assert not source.ended
