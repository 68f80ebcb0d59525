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
from streamhmm.audio.recorder import Recorder
from streamhmm.errors import OutputError

RATE = 16_000


def noise(seconds):
    return np.random.default_rng(0).integers(-32768, 32768, round(RATE * seconds)) / np.float32(32768)


def record(path, samples, chunk, warn=None):
    recorder = Recorder(path, RATE, warn)
    for at in range(0, len(samples), chunk):
        recorder.write(samples[at : at + chunk])
    recorder.close()
    recorder.close()


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".WAV"])
@pytest.mark.parametrize("chunk", [1_601, 16_000, 100_000])
def test_samples_of_16_bits_come_back_as_they_were(tmp_path, suffix, chunk):
    samples = noise(2.3)
    path = tmp_path / f"a{suffix}"
    record(path, samples, chunk)
    found = load_audio(path)
    assert np.array_equal(found.samples, samples)
    assert (found.sample_rate, found.source_channels, found.source_format) == (RATE, 1, suffix[1:].upper())


def test_too_loud_is_clipped_and_the_rest_rounded(tmp_path):
    record(tmp_path / "a.wav", np.float32([2, 1, -1, -7, 0.4 / 32768, 0.6 / 32768]), 10)
    assert (load_audio(tmp_path / "a.wav").samples * 32768).tolist() == [32767, 32767, -32768, -32768, 0, 1]


def test_a_file_that_is_there_is_replaced(tmp_path):
    record(tmp_path / "a.wav", noise(2), 1000)
    record(tmp_path / "a.wav", noise(1), 1000)
    assert load_audio(tmp_path / "a.wav").duration == 1


def in_child(tmp_path, program):
    """Run a program that has ``record(path, seconds)`` in blocks of 10 ms."""
    preamble = """
        import os, resource, signal, sys
        import numpy as np
        from streamhmm.audio.recorder import Recorder
        def record(path, seconds):
            recorder = Recorder(path, 16_000, lambda message: print(message, flush=True))
            for block in range(round(100 * seconds)):
                recorder.write(np.full(160, (block % 100) / 128, np.float32))
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
def test_a_full_disk_ends_the_recording_with_one_warning(tmp_path, name):
    done = in_child(
        tmp_path,
        f"""
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
        recorder = record({name!r}, 300)
        recorder.close()
        print("goes on")
        """,
    )
    assert (done.returncode, done.stderr) == (0, "")
    warning, last = done.stdout.splitlines()
    assert last == "goes on"
    assert warning.startswith(f"{name}: recording ended at ")
    assert warning.endswith(" s because the file can't be continued; is the disk full? The session goes on")
    assert (tmp_path / name).stat().st_size == 30_000


def test_what_cannot_be_made_is_named(tmp_path):
    with pytest.raises(OutputError, match=f"there is no folder {tmp_path / 'no'}; make it first"):
        Recorder(tmp_path / "no" / "a.wav", RATE, None)
    (tmp_path / "b.wav").mkdir()
    with pytest.raises(OutputError, match="b.wav: this is a directory; name a file in it"):
        Recorder(tmp_path / "b.wav", RATE, None)
    with pytest.raises(ValueError, match=r"the suffix of 'a.mp3' must be one of .wav, .flac, got '.mp3'"):
        Recorder("a.mp3", RATE, None)
    with unprivileged() as folder:
        folder.chmod(0o555)
        with pytest.raises(OutputError, match="a.wav: no permission to write it"):
            Recorder(folder / "a.wav", RATE, None)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_disk_that_is_full_already(tmp_path):
    (tmp_path / "a.wav").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="a.wav: can't be recorded to; is the disk full"):
        Recorder(tmp_path / "a.wav", RATE, None)
