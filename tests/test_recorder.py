"""Recording while it is heard: what is in the file after a normal end, a killed program and a full disk."""

import os
import signal
import subprocess
import sys
import textwrap
import wave

import numpy as np
import pytest
from permissions import unprivileged

from streamhmm.audio import load_audio
from streamhmm.audio.recorder import FileRecorder
from streamhmm.errors import OutputError

RATE = 16_000


def noise(seconds, channels=1):
    return np.random.default_rng(0).integers(-32768, 32768, (round(RATE * seconds), channels)) / np.float32(32768)


def record(path, frames, chunk):
    recorder = FileRecorder(path, RATE, frames.shape[1])
    for at in range(0, len(frames), chunk):
        recorder.write(frames[at : at + chunk])
    recorder.close()
    recorder.close()


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".WAV"])
@pytest.mark.parametrize("chunk", [1_601, 16_000, 100_000])
def test_samples_of_16_bits_come_back_as_they_were(tmp_path, suffix, chunk):
    samples = noise(2.3)
    path = tmp_path / f"a{suffix}"
    record(path, samples, chunk)
    found = load_audio(path)
    assert np.array_equal(found.samples, samples[:, 0])
    assert (found.sample_rate, found.source_channels, found.source_format) == (RATE, 1, suffix[1:].upper())


def test_too_loud_is_clipped_and_the_rest_rounded(tmp_path):
    record(tmp_path / "a.wav", np.float32([2, 1, -1, -7, 0.4 / 32768, 0.6 / 32768])[:, None], 10)
    assert (load_audio(tmp_path / "a.wav").samples * 32768).tolist() == [32767, 32767, -32768, -32768, 0, 1]


def test_a_file_that_is_there_is_replaced(tmp_path):
    record(tmp_path / "a.wav", noise(2), 1000)
    record(tmp_path / "a.wav", noise(1), 1000)
    assert load_audio(tmp_path / "a.wav").duration == 1


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_every_channel_and_the_rate_of_the_device(tmp_path, suffix):
    frames = noise(0.5, 3)
    recorder = FileRecorder(tmp_path / f"a{suffix}", 44_100, 3)
    recorder.write(frames)
    recorder.close()
    for channel in (1, 2, 3):
        found = load_audio(tmp_path / f"a{suffix}", sample_rate=44_100, channel=channel)
        assert np.array_equal(found.samples, frames[:, channel - 1])
        assert (found.source_rate, found.source_channels) == (44_100, 3)


@pytest.mark.parametrize("lost", [1, 65_535, 65_536, 65_537, 200_000])
def test_what_was_lost_is_silence(tmp_path, lost):
    frames = noise(0.1, 2)
    recorder = FileRecorder(tmp_path / "a.wav", RATE, 2)
    recorder.write(frames)
    recorder.write(frames[:0], lost)
    recorder.write(frames, 1)
    recorder.close()
    found = load_audio(tmp_path / "a.wav", channel=2).samples
    assert np.array_equal(found, np.concatenate([frames[:, 1], np.zeros(lost + 1), frames[:, 1]]))


def in_child(tmp_path, program):
    """Run a program that has ``record(path, seconds)``, stereo in blocks of 10 ms."""
    preamble = """
        import os, resource, signal, sys
        import numpy as np
        from streamhmm.audio.recorder import FileRecorder
        def record(path, seconds):
            recorder = FileRecorder(path, 16_000, 2)
            for block in range(round(100 * seconds)):
                recorder.write(np.full((160, 2), (block % 100) / 128, np.float32))
            return recorder
    """
    source = textwrap.dedent(preamble) + textwrap.dedent(program)
    return subprocess.run(
        [sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(("name", "fewest_s"), [("a.wav", 3.5), ("a.flac", 3.2)])
def test_a_killed_program_leaves_a_file_that_can_be_read(tmp_path, name, fewest_s):
    done = in_child(tmp_path, f"kept = record({name!r}, 3.5)\nos.kill(os.getpid(), signal.SIGKILL)")
    assert done.returncode == -signal.SIGKILL
    found = load_audio(tmp_path / name)
    assert fewest_s <= found.duration <= 3.5
    expected = np.repeat(np.arange(350) % 100 / np.float32(128), 160)
    assert np.array_equal(found.samples, expected[: len(found.samples)])
    if name == "a.wav":  # whose header is right, for readers that believe it
        with wave.open(str(tmp_path / name)) as file:
            assert file.getnframes() == 3.5 * RATE


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_full_disk_is_an_error_that_keeps_what_is_written(tmp_path, name):
    done = in_child(
        tmp_path,
        f"""
        from streamhmm.errors import OutputError
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
        try:
            record({name!r}, 300)
        except OutputError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, before)  # coverage writes at the end
        """,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{name}: the recording can't be continued after ")
    assert done.stdout.endswith(" s; is the disk full? free some space or record to another place\n")
    assert (tmp_path / name).stat().st_size == 30_000


def test_what_cannot_be_made_is_named(tmp_path):
    with pytest.raises(OutputError, match=f"there is no folder {tmp_path / 'no'}; make it first"):
        FileRecorder(tmp_path / "no" / "a.wav", RATE)
    (tmp_path / "b.wav").mkdir()
    with pytest.raises(OutputError, match=r"b.wav: this is a directory; name a file in it"):
        FileRecorder(tmp_path / "b.wav", RATE)
    with pytest.raises(ValueError, match=r"the suffix of 'a.mp3' must be one of .wav, .flac, got '.mp3'"):
        FileRecorder("a.mp3", RATE)
    with unprivileged() as folder:
        folder.chmod(0o555)
        with pytest.raises(OutputError, match=r"a.wav: no permission to write it"):
            FileRecorder(folder / "a.wav", RATE)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_disk_that_is_full_already(tmp_path):
    (tmp_path / "a.wav").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"a.wav: can't be recorded to; is the disk full"):
        FileRecorder(tmp_path / "a.wav", RATE)
