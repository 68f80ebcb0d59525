"""Recordings from files and from memory."""

import io
import os
import struct
import threading

import numpy as np
import pytest
import soundfile
import soxr
import torch
from permissions import unprivileged

from streamhmm.audio import Audio, as_audio, convert, decode, files, load_audio
from streamhmm.errors import AudioError

FORMATS = [
    ("WAV", "PCM_16"),
    ("WAV", "PCM_24"),
    ("WAV", "FLOAT"),
    ("RF64", "PCM_16"),
    ("W64", "PCM_16"),
    ("AIFF", "PCM_16"),
    ("AU", "PCM_16"),
    ("CAF", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
]


def noise(frames, channels=1, seed=0):
    shape = (frames, channels) if channels > 1 else frames
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape).astype(np.float32)


def encode(samples, rate, container="WAV", subtype="PCM_16", **options):
    file = io.BytesIO()
    channels = samples.shape[1] if samples.ndim == 2 else 1
    with soundfile.SoundFile(file, "w", rate, channels, format=container, subtype=subtype, **options) as out:
        out.write(samples)
    return file.getvalue()


def wav_header(data, *, rate=16_000, channels=1, size=None):
    """A WAV file by hand, with any claim about rate and length."""
    size = len(data) if size is None else size
    fmt = struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * channels * 2 % 2**32, channels * 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", min(36 + size, 2**32 - 1))
        + b"WAVEfmt "
        + fmt
        + b"data"
        + struct.pack("<I", size)
        + data
    )


def without_length(mp3):
    """The MP3 without the frame that tells how long it is."""
    return mp3[mp3.index(mp3[:2], 100) :]


@pytest.mark.parametrize(("container", "subtype"), FORMATS)
@pytest.mark.parametrize("source", ["path", "file"])
def test_every_format_is_read(tmp_path, container, subtype, source):
    path = tmp_path / f"speech.{container.lower()}"
    path.write_bytes(encode(noise(48_000, 2), 48_000, container, subtype))
    audio = load_audio(path if source == "path" else io.BytesIO(path.read_bytes()))
    assert (audio.sample_rate, audio.source_rate, audio.source_channels) == (16_000, 48_000, 2)
    assert audio.name == (str(path) if source == "path" else "<audio>")
    assert audio.source_format == container
    assert audio.samples.dtype == np.float32
    assert audio.samples.shape == (16_000,)
    assert audio.duration == 1.0


def test_lossless_samples_at_the_right_rate_come_back_unchanged(tmp_path):
    samples = noise(5_000)
    path = tmp_path / "a.wav"
    path.write_bytes(encode(samples, 16_000, subtype="FLOAT"))
    np.testing.assert_array_equal(load_audio(str(path)).samples, samples)
    assert load_audio(path).samples.flags.writeable


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_resampling_equals_soxr_on_the_whole(rate):
    samples = noise(rate * 2 + 137)
    audio = load_audio(io.BytesIO(encode(samples, rate, subtype="FLOAT")))
    np.testing.assert_array_equal(audio.samples, soxr.resample(samples, rate, 16_000))


@pytest.mark.parametrize("options", [("FLAC", "PCM_16"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("WAV", "PCM_16")])
@pytest.mark.parametrize("block", [1_000, 47_999, 48_000, 48_001])
def test_the_result_does_not_depend_on_the_block_size(monkeypatch, options, block):
    data = encode(noise(48_000, 2), 48_000, *options)
    whole = load_audio(io.BytesIO(data)).samples
    monkeypatch.setattr(decode, "BLOCK_FRAMES", block)
    np.testing.assert_array_equal(load_audio(io.BytesIO(data)).samples, whole)


@pytest.mark.parametrize("block", [1, 799, 800, 801])
def test_the_result_from_memory_does_not_depend_on_the_block_size(monkeypatch, block):
    samples = noise(800, 2)
    whole = as_audio(samples, 44_100).samples
    monkeypatch.setattr(files, "_BLOCK_FRAMES", block)
    np.testing.assert_array_equal(as_audio(samples, 44_100).samples, whole)


def test_channels_are_mixed_or_chosen():
    stereo = noise(1_000, 2)
    data = encode(stereo, 16_000, subtype="FLOAT")
    for channel in (1, 2):
        np.testing.assert_array_equal(load_audio(io.BytesIO(data), channel=channel).samples, stereo[:, channel - 1])
    np.testing.assert_array_equal(load_audio(io.BytesIO(data)).samples, (stereo[:, 0] + stereo[:, 1]) / 2)


def test_mp3_of_variable_bit_rate_without_a_length_is_read_to_its_end():
    samples = noise(48_000 * 4)
    samples[:96_000] *= 0.001
    options = {"bitrate_mode": "VARIABLE", "compression_level": 0.3}
    mp3 = encode(samples, 48_000, "MP3", "MPEG_LAYER_III", **options)
    audio = load_audio(io.BytesIO(without_length(mp3)))
    assert audio.duration == pytest.approx(4.0, abs=0.05)
    assert np.abs(audio.samples[-8_000:]).mean() == pytest.approx(0.1, abs=0.05)


def test_mp3_with_a_large_picture_in_front():
    size = 300_000
    tag = b"ID3\x04\0\0" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0)) + b"\0" * size
    assert load_audio(io.BytesIO(tag + encode(noise(16_000), 16_000, "MP3", "MPEG_LAYER_III"))).duration == 1.0


def test_flac_of_unknown_length_is_read():
    data = bytearray(encode(noise(200_000), 16_000, "FLAC"))
    data[21] &= 0xF0  # the total of samples: the low four bits here and the next four bytes
    data[22:26] = bytes(4)
    assert len(load_audio(io.BytesIO(bytes(data))).samples) == 200_000


@pytest.mark.parametrize("size", [0x7FFF_F000, 0xFFFF_FFFF])
def test_wav_written_to_a_pipe_is_read(size):
    assert len(load_audio(io.BytesIO(wav_header(bytes(3_200), size=size))).samples) == 1_600


def test_odd_wav_data_without_padding_is_read():
    data = bytearray(encode(noise(1_001), 16_000, subtype="PCM_U8"))
    assert len(load_audio(io.BytesIO(bytes(data[: data.index(b"data") + 8 + 1_001]))).samples) == 1_001


def test_a_named_pipe_is_read(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    data = encode(noise(16_000), 16_000)
    writer = threading.Thread(target=path.write_bytes, args=(data,))
    writer.start()
    assert load_audio(path).duration == 1.0
    writer.join()


def test_a_stream_that_cannot_seek_is_read():
    class Stream(io.BytesIO):
        name = "<stdin>"

        def seekable(self):
            return False

    audio = load_audio(Stream(encode(noise(16_000), 16_000)))
    assert (audio.duration, audio.name) == (1.0, "<stdin>")


def test_a_file_object_is_read_from_its_beginning():
    file = io.BytesIO(encode(noise(16_000), 16_000))
    file.seek(100)
    assert load_audio(file).duration == 1.0


def test_silence_and_clipping_are_no_errors():
    for samples in (np.zeros(1_000), np.full(1_000, 7.5)):
        np.testing.assert_array_equal(as_audio(samples, 16_000).samples, samples)


# What goes wrong with files.


def fails(source, message, **options):
    with pytest.raises(AudioError) as caught:
        load_audio(source, **options)
    text = str(caught.value)
    assert message in text
    name = source if isinstance(source, str) else getattr(source, "name", "<audio>")
    assert text.startswith(str(name) + ": ")


def named(data, name="take.wav"):
    file = io.BytesIO(data)
    file.name = name
    return file


def test_missing(tmp_path):
    fails(str(tmp_path / "no.wav"), "there is no such file; check the path")


def test_directory(tmp_path):
    fails(str(tmp_path), "this is a directory; name one audio file in it")


def test_no_permission():
    data = encode(noise(100), 16_000)
    with unprivileged() as folder:
        path = folder / "secret.wav"
        path.write_bytes(data)
        path.chmod(0)
        fails(str(path), "no permission to read it")


def test_another_system_error(tmp_path):
    loop = tmp_path / "loop.wav"
    loop.symlink_to(loop)
    fails(str(loop), "can't be read (Too many levels of symbolic links); check the path")


def test_empty(tmp_path):
    path = tmp_path / "empty.wav"
    path.touch()
    fails(str(path), "the file is empty (0 bytes)")
    fails(named(b"", "<stdin>"), "the file is empty (0 bytes)")
    fails("/dev/null", "the file is empty (0 bytes)")


@pytest.mark.parametrize("options", [("WAV", "PCM_16"), ("AIFF", "PCM_16"), ("OGG", "VORBIS")])
def test_zero_length(options):
    fails(named(encode(noise(0), 44_100, *options)), "zero-length audio, there are no samples in it")


@pytest.mark.parametrize("name", ["take.wav", "take.flac", "take.ogg", "take.mp3", "take"])
def test_not_audio(tmp_path, name):
    path = tmp_path / name
    path.write_text("This is the text and not the recording.\n" * 50)
    fails(str(path), "not audio that can be read (")
    fails(str(path), f"ffmpeg -i {path}")


def test_a_header_that_ends_early():
    fails(named(encode(noise(100), 16_000)[:30]), "not audio that can be read (")


def test_raw_samples():
    fails(named(bytes(1_000), "take.raw"), "raw samples say neither rate nor format")


@pytest.mark.parametrize("options", [o for o in FORMATS if o[0] != "CAF"])
@pytest.mark.parametrize("kept", [0.6, 0.75, 0.97])
def test_truncated(options, kept):
    data = encode(noise(96_000), 48_000, *options)
    fails(named(data[: int(len(data) * kept)]), "truncated or damaged after about ")


def test_truncated_says_where():
    data = encode(noise(300_000), 16_000, "FLAC")
    fails(named(data[: len(data) // 2], "cut.flac"), "after about 9.22 s of 18.75 s (Error : flac decoder lost sync)")
    data = encode(noise(16_000), 16_000)
    fails(named(data[:8_044]), "after about 0.25 s (the header promises 32000 bytes of audio, 8000 are there)")
    data = encode(noise(32_000), 16_000, "OGG", "VORBIS")
    fails(named(data[: len(data) // 2]), "(the last Ogg page is cut or not marked as the end)")
    data = encode(noise(32_000), 16_000, "MP3", "MPEG_LAYER_III", bitrate_mode="CONSTANT")
    frame = data.index(data[:2], len(data) // 2)
    fails(named(data[:frame]), "of 2.00 s (the file ends before the length that its header gives)")


def test_damage_in_the_middle():
    data = bytearray(encode(noise(100_000), 16_000, "FLAC"))
    data[len(data) // 2 : len(data) // 2 + 4] = b"\xde\xad\xbe\xef"
    fails(named(bytes(data)), "truncated or damaged after about 3.07 s of 6.25 s")


def test_what_follows_the_audio_is_no_damage():
    for options in [
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("WAV", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("MP3", "MPEG_LAYER_III"),
    ]:
        data = encode(noise(48_000), 48_000, *options) + b"TAG" + bytes(125)
        assert load_audio(io.BytesIO(data)).duration == 1.0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, 12_345, 99_999])
def test_not_finite(value, at):
    samples = noise(100_000, 2)
    samples[at, 1] = value
    samples[99_999, 1] = value
    data = encode(samples, 16_000, subtype="FLOAT")
    fails(named(data), f"the sample at {at / 16_000:.3f} s is not a finite number")
    assert len(load_audio(named(data), channel=1).samples) == 100_000


def test_a_channel_that_does_not_exist():
    data = encode(noise(100, 2), 16_000)
    fails(named(data), "there is no channel 3; the recording's channels are 1 to 2", channel=3)
    for channel in (0, -1):
        with pytest.raises(ValueError, match=rf"channel must be 1 or more \(the first channel is 1\), got {channel}"):
            load_audio(io.BytesIO(data), channel=channel)


@pytest.mark.parametrize("rate", [1, 999, 768_001, 1_000_000_000])
def test_absurd_rate(rate):
    fails(named(wav_header(bytes(100), rate=rate)), f"a sample rate of {rate} Hz can't be right")
    with pytest.raises(ValueError, match=f"sample_rate must be 1000 to 768000 Hz, got {rate}"):
        load_audio(io.BytesIO(encode(noise(10), 16_000)), sample_rate=rate)


@pytest.mark.parametrize("source", [3, None, io.StringIO("text")])
def test_a_source_of_another_kind(source):
    with pytest.raises(TypeError, match=f"audio must be a path or a binary file, got {type(source).__name__}"):
        load_audio(source)


# Samples from memory.


def test_integers_are_scaled_as_soundfile_scales_them():
    data = encode(noise(1_000), 16_000)
    pcm = {
        dtype: soundfile.read(io.BytesIO(data), dtype=dtype)[0] for dtype in ("int16", "int32", "float32", "float64")
    }
    for samples in pcm.values():
        np.testing.assert_array_equal(as_audio(samples, 16_000).samples, pcm["float32"])


def test_memory_equals_file():
    samples = noise(44_100, 2)
    loaded = load_audio(io.BytesIO(encode(samples, 44_100, subtype="FLOAT")))
    np.testing.assert_array_equal(as_audio(samples, 44_100).samples, loaded.samples)


def test_tensors_and_lists():
    samples = noise(100)
    for source in (torch.from_numpy(samples), torch.tensor(samples, requires_grad=True), samples.tolist()):
        np.testing.assert_array_equal(as_audio(source, 16_000).samples, samples)


def test_the_result_is_a_copy():
    samples = noise(10)
    audio = as_audio(samples, 16_000, name="mine")
    samples[:] = 0
    assert np.abs(audio.samples).max() > 0
    assert (audio.name, audio.source_format, audio.source_channels) == ("mine", "array", 1)


def test_channels_from_memory():
    samples = noise(100, 3)
    np.testing.assert_array_equal(as_audio(samples, 16_000, channel=3).samples, samples[:, 2])
    with pytest.raises(AudioError, match="<samples>: there is no channel 4"):
        as_audio(samples, 16_000, channel=4)


@pytest.mark.parametrize("shape", [(2, 16_000), (3, 3, 3), (), (5, 0)])
def test_another_shape(shape):
    with pytest.raises(ValueError, match=r"samples must be \(frames,\) or \(frames, channels\)") as caught:
        as_audio(np.zeros(shape, np.float32), 16_000)
    assert f"got shape {shape}" in str(caught.value)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.complex64, bool, object])
def test_another_type(dtype):
    with pytest.raises(TypeError, match=f"int16 or int32, got {np.dtype(dtype)}"):
        as_audio(np.zeros(3, dtype), 16_000)


@pytest.mark.parametrize("value", [np.nan, 1e300])
def test_not_finite_in_memory(value):
    with pytest.raises(AudioError, match=r"<samples>: the sample at 0\.500 s is not a finite number"):
        as_audio(np.r_[np.zeros(8_000), value], 16_000)


@pytest.mark.parametrize(
    ("samples", "rate"), [(np.zeros(0), 16_000), (np.zeros((0, 2)), 16_000), (np.zeros(1), 44_100)]
)
def test_no_samples_in_memory(samples, rate):
    with pytest.raises(AudioError, match="<samples>: zero-length audio"):
        as_audio(samples, rate)


def test_audio_is_frozen():
    audio = as_audio(np.zeros(8), 16_000)
    assert isinstance(audio, Audio)
    with pytest.raises(AttributeError):
        audio.name = "other"
    assert convert.LOWEST_RATE_HZ == 1_000


@pytest.mark.parametrize("rate", ["16000", None, [16_000]])
def test_a_sample_rate_that_is_no_number_is_refused(rate):
    with pytest.raises(TypeError, match="sample_rate must be a number, got"):
        as_audio(np.zeros(100, np.float32), rate)


def test_a_sample_rate_may_be_a_numpy_number():
    assert as_audio(np.full(100, 0.1, np.float32), np.int64(16_000)).samples.shape == (100,)
