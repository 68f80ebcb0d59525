"""What people feed by mistake: every case ends in one clear line or in a flagged result, never in a traceback."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch
from shipped import hint_lines

import streamhmm as sh
from streamhmm import cli, formats
from streamhmm.align import aligner as aligner_module

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "quick_start"
FLAC, TXT = EXAMPLE / "ferry.flac", EXAMPLE / "ferry.txt"
TEXT = TXT.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def aligner():
    torch.set_num_threads(1)
    return sh.Aligner()


@pytest.fixture
def folder(tmp_path, monkeypatch, aligner):
    """A working folder with a good recording and its text, so that messages name files without folders."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(FLAC, "good.flac")
    shutil.copy(TXT, "good.txt")
    monkeypatch.setattr(aligner_module, "Aligner", lambda *arguments, **options: aligner)
    return tmp_path


@pytest.fixture
def refused(capsys):
    """Run the command line; returns its one line of complaint."""

    def refused(*arguments):
        assert cli.main(["align", *arguments]) == 1
        out, complaint = capsys.readouterr()
        assert out == ""
        assert complaint.startswith("streamhmm: ")
        assert complaint.count("\n") == 1
        return complaint.removeprefix("streamhmm: ").rstrip("\n")

    return refused


@pytest.fixture
def aligned(capsys, aligner):
    """Run the command line; returns the result and the lines of complaint about it."""

    def aligned(*arguments):
        assert cli.main(["align", *arguments, "-o", "out.json"]) == 0
        out, complaint = capsys.readouterr()
        assert out == ""
        hint = hint_lines(aligner, arguments[0])
        assert complaint.startswith(hint)
        return formats.load("out.json"), complaint.removeprefix(hint).splitlines()

    return aligned


def good_samples():
    return soundfile.read(FLAC, dtype="float32")


def write(name, samples, rate=16_000, **options):
    soundfile.write(name, samples, rate, **options)
    return name


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "bad.txt: the file is empty; write the words that are spoken into it"),
        (b" \n\t\n", "bad.txt: the file is empty; write the words that are spoken into it"),
        (
            "… “?!” — .\n".encode(),
            "bad.txt: the text has no words, only punctuation; give the words that are spoken",
        ),
        ("caf\xe9".encode("latin-1"), "bad.txt: byte 3 (0xe9) is not UTF-8 text; save the file as UTF-8"),
        ("hello".encode("utf-16"), "bad.txt: this is UTF-16 text; save it as UTF-8"),
        (b"PK\x03\x04\x00\x00", "bad.txt: this is a binary file (byte 4 is zero); name a text file"),
        (
            "Доброе утро, ferry".encode(),
            "bad.txt: these words can't be read, they are not in Latin script: 'Доброе', 'утро'; give their phones in "
            "a lexicon file, one WORD PH PH PH a line, and name it with --lexicon",
        ),
    ],
)
def test_texts_without_a_usable_word(folder, refused, content, message):
    Path("bad.txt").write_bytes(content)
    assert refused("good.flac", "bad.txt") == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--text: the text is empty; give the words that are spoken"),
        ("?!", "--text: the text has no words, only punctuation; give the words that are spoken"),
        (
            "caf\udce9",
            r"--text: character 3 of the text ('\udce9') is not a valid character; save the text as UTF-8",
        ),
    ],
)
def test_texts_on_the_command_line_without_a_usable_word(folder, refused, text, message):
    assert refused("good.flac", "--text", text) == message


@pytest.mark.parametrize("is_text", [False, True])
def test_files_that_are_missing_or_directories(folder, refused, is_text):
    Path("folder").mkdir()
    names = (lambda name: ("good.flac", name)) if is_text else (lambda name: (name, "good.txt"))
    kind = "text" if is_text else "audio"
    assert refused(*names("absent")) == "absent: there is no such file; check the path"
    assert refused(*names("folder")) == f"folder: this is a directory; name one {kind} file in it"


def test_recordings_that_are_not_audio_or_are_damaged(folder, refused):
    Path("text.wav").write_text(TEXT)
    assert refused("text.wav", "good.txt") == (
        "text.wav: not audio that can be read (Format not recognised); use WAV, FLAC, Ogg or MP3, "
        "or convert it with: ffmpeg -i text.wav converted.wav"
    )
    whole = Path("good.flac").read_bytes()
    Path("cut.flac").write_bytes(whole[: len(whole) // 2])
    message = refused("cut.flac", "good.txt")
    assert message.startswith("cut.flac: truncated or damaged after about ")
    assert message.endswith("get the whole file again, or keep what can be read with: ffmpeg -i cut.flac readable.wav")
    Path("empty.wav").touch()
    assert refused("empty.wav", "good.txt") == "empty.wav: the file is empty (0 bytes); record or copy it again"


def test_samples_that_no_microphone_gave(folder, refused):
    write("zero.wav", np.zeros(160_000))
    assert refused("zero.wav", "good.txt") == (
        "zero.wav: there is no sound in it, every sample is zero; check the recording and its channels"
    )
    samples, rate = good_samples()
    samples[4_000] = np.nan
    write("nan.wav", samples, rate, subtype="FLOAT")
    assert refused("nan.wav", "good.txt") == (
        f"nan.wav: the sample at {4_000 / rate:.3f} s is not a finite number; repair or export the recording again"
    )
    samples[4_000] = 40_000.0
    write("scale.wav", samples, rate, subtype="FLOAT")
    assert "where full scale is 1; divide them by their full scale" in refused("scale.wav", "good.txt")


def test_audio_too_short_for_its_text(folder, refused):
    write("short.wav", 0.1 * np.ones(160))
    message = refused("short.wav", "--text", "hello")
    assert message.startswith("short.wav: the audio is too short for the text: it lasts 0.01 s, and 1 word can't take")
    samples, _ = good_samples()
    write("five.wav", soxr.resample(samples, soundfile.info(FLAC).samplerate, 16_000)[:80_000])
    Path("long.txt").write_text(("The quick brown fox jumped over the lazy dog again. " * 1_000), encoding="utf-8")
    message = refused("five.wav", "long.txt")
    assert message.startswith("five.wav: the audio is too short for the text: it lasts 5.00 s, and 10000 words can't ")
    assert message.endswith(" s; check that audio and text belong together")


def test_an_absurdly_long_word(folder, refused):
    assert "and 1 word can't take less than" in refused("good.flac", "--text", "abcde" * 400)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("FERRY F EH R IY\nLAST L OO S T\n", "my.dict, line 2: 'LAST' has the unknown phone 'OO'; known are AA AE AH"),
        ("FERRY\n", "my.dict, line 1: 'FERRY' has no phones; write WORD PH PH PH"),
        (None, "my.dict: there is no such file; check the path"),
    ],
)
def test_lexicons_with_a_bad_line(folder, refused, monkeypatch, content, message):
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    if content is not None:
        Path("my.dict").write_text(content)
    assert refused("good.flac", "good.txt", "--lexicon", "my.dict").startswith(message)


def test_models_that_are_missing_or_damaged(folder, refused, monkeypatch):
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    Path("model.safetensors").write_bytes(b"\x10" * 100)
    message = refused("good.flac", "good.txt", "--model", "model.safetensors")
    assert message.startswith("model.safetensors: not a safetensors file, or damaged (")
    assert message.endswith("); get the model file again")
    assert refused("good.flac", "good.txt", "--model", "absent.safetensors") == (
        "absent.safetensors: no such model file; name a file or a shipped model (en)"
    )


def test_white_noise_scores_far_below_speech(folder, aligned):
    good, _ = aligned("good.flac", "good.txt")
    write("noise.wav", np.random.default_rng(0).normal(0, 0.1, 160_000))
    noise, _ = aligned("noise.wav", "good.txt")
    assert np.mean([word.score for word in noise.words]) < np.mean([word.score for word in good.words]) - 0.3
    assert len(noise.words) == len(good.words)


def test_nearly_silent_and_clipped_recordings_are_flagged(folder, aligned):
    samples, rate = good_samples()
    write("quiet.wav", samples / 1_000, rate, subtype="FLOAT")
    _, complaints = aligned("quiet.wav", "good.txt")
    assert complaints[0].startswith("streamhmm: quiet.wav: the recording is very quiet (peak -6")
    write("clipped.wav", np.clip(30 * samples, -1, 1), rate)
    _, complaints = aligned("clipped.wav", "good.txt")
    assert complaints[0].startswith("streamhmm: clipped.wav: ")
    assert "% of the samples are clipped; times may be less exact" in complaints[0]


@pytest.mark.parametrize(
    ("rate", "channels", "options"), [(44_100, 2, {}), (8_000, 1, {"subtype": "ULAW"}), (8_000, 1, {"subtype": "ALAW"})]
)
def test_stereo_and_telephone_recordings_are_nothing_special(folder, aligned, rate, channels, options):
    good, _ = aligned("good.flac", "good.txt")
    samples, source_rate = good_samples()
    samples = soxr.resample(samples, source_rate, rate)
    write("other.wav", np.stack([samples] * channels, axis=1), rate, **options)
    other, complaints = aligned("other.wav", "good.txt")
    assert complaints == []
    apart = [abs(mine.start - word.start) for mine, word in zip(other.words, good.words, strict=True)]
    assert np.median(apart) <= 0.03


def test_the_text_of_another_recording_still_has_times(folder, aligned):
    other, _ = aligned("good.flac", "--text", "Nobody ordered twelve green umbrellas from Chicago")
    assert [word.label for word in other.words] == [
        "Nobody",
        "ordered",
        "twelve",
        "green",
        "umbrellas",
        "from",
        "Chicago",
    ]
