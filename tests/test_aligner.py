"""The offline aligner: what it takes, what it gives, what it refuses, what it flags."""

import dataclasses
import io
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch
from planted import FRAME_S, evenly, runs_to_scores, segments_of
from shipped import hints

import streamhmm as sh
from streamhmm.align.calibration import UNCALIBRATED, Tail
from streamhmm.align.unknown import UNCALIBRATED_WARNING
from streamhmm.audio import load_audio
from streamhmm.errors import AlignmentError, AudioError, BackendUnavailable, ModelError, TextError

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "quick_start"
FLAC, TXT = EXAMPLE / "ferry.flac", EXAMPLE / "ferry.txt"
TEXT = TXT.read_text(encoding="utf-8")
SILENCE = "SIL"


@pytest.fixture(scope="module")
def aligner():
    torch.set_num_threads(1)
    return sh.Aligner()


@pytest.fixture(scope="module")
def example():
    samples, rate = soundfile.read(FLAC, dtype="float32")
    return samples, rate


@pytest.fixture(scope="module")
def expected(aligner):
    return aligner.align(FLAC, TEXT)


@pytest.fixture
def plant(aligner, monkeypatch):
    """Make the network say ``runs``; returns samples of their length, less ``missing`` samples."""

    def plant(runs, missing=0):
        columns = {label: column for column, label in enumerate(aligner.model.labels)}
        scores = runs_to_scores(runs, columns)
        monkeypatch.setattr(aligner.model, "log_posteriors", lambda samples: scores.clone())
        return np.full(len(scores) * 160 - missing, 0.1, np.float32)

    return plant


def near(frames):
    """A boundary of planted phones, which the prior moves by a part of a frame."""
    return pytest.approx(frames * FRAME_S, abs=0.3 * FRAME_S)


def apart_ms(found, expected):
    """How far each boundary of the words lies from the expected one."""
    assert [word.label for word in found.words] == [word.label for word in expected.words]
    return np.array(
        [
            (abs(word.start - other.start) * 1_000, abs(word.end - other.end) * 1_000)
            for word, other in zip(found.words, expected.words, strict=True)
        ]
    ).ravel()


def encode(samples, rate, container="WAV", subtype="PCM_16"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=subtype)
    return file.getvalue()


def test_planted_words_and_phones_come_back(aligner, plant):
    runs = [(SILENCE, 20), ("DH", 5), ("AH", 6), ("W", 7), ("EH", 8), ("L", 9), ("N", 10), ("OW", 11), ("N", 12)]
    runs += [(SILENCE, 30), ("K", 6), ("AE", 7), ("T", 8), ("S", 9), (SILENCE, 40)]
    samples = plant(runs)
    alignment = aligner.align((samples, 16_000), "The “well-known” CATS!")
    assert [(word.label, word.start, word.end) for word in alignment.words] == [
        ("The", near(20), near(31)),
        ("well-known", near(31), near(88)),
        ("CATS", near(118), near(148)),
    ]
    assert [(phone.label, phone.start, phone.end) for phone in alignment.phones] == [
        (label, near(begin), near(end)) for label, begin, end in segments_of(runs)
    ]
    assert alignment.phone_words == (0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2)
    assert alignment.duration == pytest.approx(1.88)
    assert (alignment.audio, alignment.text) == ("<samples>", "The “well-known” CATS!")
    assert alignment.warnings == hints(aligner)
    assert all(segment.score > 0.9 for segment in alignment.words + alignment.phones)


@pytest.mark.parametrize("wrong", range(3))
def test_a_word_that_is_not_what_was_said_has_the_lowest_score(aligner, plant, wrong):
    spoken = evenly("K AE T S DH AH L AE S T F EH R IY", 8)
    text = ["cats", "the last", "ferry"]
    text[wrong] = ["moon", "we own", "joy"][wrong]
    alignment = aligner.align((plant(spoken), 16_000), " ".join(text))
    bounds = [0, 1, 3, 4]
    scores = [word.score for word in alignment.words]
    mine = scores[bounds[wrong] : bounds[wrong + 1]]
    others = scores[: bounds[wrong]] + scores[bounds[wrong + 1] :]
    assert max(mine) < min(others)


def test_phones_that_were_not_said_have_the_lowest_scores(aligner, plant):
    samples = plant(evenly("DH AH K AE M", 8))
    scores = [phone.score for phone in aligner.align((samples, 16_000), "the cat").phones]
    assert min(scores[:2]) > 0.9
    assert max(scores[3:]) < 0.7 * scores[2] < 0.7  # AE and T share the frames of M; K is of a word that was not said
    assert scores[4] < 0.5 * scores[2]


def test_boundaries_that_the_audio_leaves_open_have_a_wide_spread(aligner, monkeypatch):
    columns = {label: column for column, label in enumerate(aligner.model.labels)}
    scores = runs_to_scores(evenly("K AE T", 20), columns)
    scores[10:30, columns["AE"]] = scores[10:30, columns["K"]] = -1.0
    monkeypatch.setattr(aligner.model, "log_posteriors", lambda samples: scores.clone())
    monkeypatch.setattr(aligner.model, "log_prior", torch.zeros(len(columns)))
    k, ae, t = aligner.align((np.full(9_600, 0.1, np.float32), 16_000), "cat").phones
    assert k.start_sd is t.end_sd is None  # the recording itself begins and ends
    assert k.end_sd == ae.start_sd
    assert ae.end_sd == t.start_sd
    assert k.end_sd > 2 * t.start_sd > 0


def test_examine_gives_the_path_that_align_reports(aligner, expected):
    decoding = aligner.examine(FLAC, TEXT)
    assert [phone.label for phone in decoding.phones] == [phone.label for phone in expected.phones]
    assert tuple(phone.word for phone in decoding.phones) == expected.phone_words
    assert torch.equal(decoding.evidence.words, torch.tensor(expected.phone_words))
    starts = decoding.runs.bounds[:-1][decoding.runs.spoken] * FRAME_S
    assert [phone.start for phone in expected.phones] == pytest.approx(starts.tolist(), abs=0.5001 * FRAME_S)
    with pytest.raises(TextError, match="the text is empty"):
        aligner.examine(FLAC, "")


@pytest.mark.parametrize("missing", [0, 1, 80, 159])
def test_audio_may_end_within_a_frame(aligner, plant, missing):
    samples = plant([("K", 10), ("AE", 10), ("T", 10)], missing)
    alignment = aligner.align((samples, 16_000), "cat")
    assert alignment.words[0].end == alignment.phones[-1].end == alignment.duration == len(samples) / 16_000


@pytest.mark.parametrize("spoken", ["R IY D", "R EH D"])
def test_the_pronunciation_that_was_heard_is_given(aligner, plant, spoken):
    samples = plant([(label, 8) for label in spoken.split()])
    assert [phone.label for phone in aligner.align((samples, 16_000), "read").phones] == spoken.split()


def test_segments_are_in_order_within_the_recording_and_words_cover_their_phones(expected):
    for segments in (expected.words, expected.phones):
        ends = [0.0, *(segment.end for segment in segments)]
        assert all(segment.start >= end for segment, end in zip(segments, ends, strict=False))
        assert all(segment.end > segment.start for segment in segments)
        assert ends[-1] <= expected.duration
        assert all(0 <= segment.score <= 1 for segment in segments)
        sds = [segment.start_sd for segment in segments if segment.start > 0]
        sds += [segment.end_sd for segment in segments if segment.end < expected.duration]
        assert all(0 <= sd < 1_000 for sd in sds)
    for index, word in enumerate(expected.words):
        mine = [p for p, owner in zip(expected.phones, expected.phone_words, strict=True) if owner == index]
        assert (word.start, word.end) == (mine[0].start, mine[-1].end)
        assert (word.start_sd, word.end_sd) == (mine[0].start_sd, mine[-1].end_sd)
        assert all((b.end, b.end_sd) == (a.start, a.start_sd) for b, a in pairwise(mine))


def test_the_example_is_aligned_without_a_doubt(aligner, expected):
    assert [word.label for word in expected.words] == re.findall(r"[\w']+", TEXT)
    assert expected.warnings == hints(aligner)
    assert expected.audio == str(FLAC)
    assert expected.text == TEXT
    assert expected.duration == soundfile.info(FLAC).duration


@pytest.mark.parametrize("kind", ["str", "file", "bytes", "array", "int16", "tensor", "audio", "audio at 8 kHz"])
def test_audio_comes_in_any_form(aligner, example, expected, kind):
    samples, rate = example
    audio = {
        "str": lambda: str(FLAC),
        "file": lambda: io.BytesIO(FLAC.read_bytes()),
        "bytes": lambda: io.BytesIO(encode(samples, rate)),
        "array": lambda: (samples, rate),
        "int16": lambda: ((samples * 32_768).astype(np.int16), rate),
        "tensor": lambda: (torch.from_numpy(samples), rate),
        "audio": lambda: load_audio(FLAC),
        "audio at 8 kHz": lambda: load_audio(FLAC, sample_rate=8_000),
    }[kind]()
    limits_ms = (30, 150) if kind == "audio at 8 kHz" else (0, 0)
    apart = apart_ms(aligner.align(audio, TEXT), expected)
    assert np.median(apart) <= limits_ms[0]
    assert apart.max() <= limits_ms[1]


def test_an_open_file_keeps_its_name(aligner):
    with FLAC.open("rb") as file:
        assert aligner.align(file, TEXT).audio == str(FLAC)


@pytest.mark.parametrize(("rate", "limits_ms"), [(44_100, (10, 60)), (22_050, (10, 60)), (8_000, (30, 150))])
@pytest.mark.parametrize("channels", [1, 2])
def test_rates_and_channels_hardly_move_the_times(aligner, example, expected, rate, limits_ms, channels):
    samples = soxr.resample(example[0], example[1], rate)
    audio = np.stack([samples, 0.5 * samples], axis=1) if channels == 2 else samples
    apart = apart_ms(aligner.align((audio, rate), TEXT), expected)
    assert np.median(apart) <= limits_ms[0]
    assert apart.max() <= limits_ms[1]


def test_one_channel_may_be_chosen(aligner, example, expected):
    samples, rate = example
    stereo = np.stack([np.random.default_rng(0).uniform(-0.5, 0.5, len(samples)).astype(np.float32), samples], axis=1)
    assert aligner.align((stereo, rate), TEXT, channel=2).words == expected.words
    assert aligner.align(io.BytesIO(encode(stereo, rate)), TEXT, channel=2).words == expected.words
    with pytest.raises(AudioError, match="<samples>: there is no channel 3; the recording's channels are 1 to 2"):
        aligner.align((stereo, rate), TEXT, channel=3)


def test_text_may_be_a_list_of_words(aligner, expected):
    words = TEXT.split()
    alignment = aligner.align(FLAC, words)
    assert [word.label for word in alignment.words] == words
    assert [(w.start, w.end) for w in alignment.words] == [(w.start, w.end) for w in expected.words]
    assert alignment.text == " ".join(words)


def test_three_minutes_are_aligned_like_each_part(aligner, example, expected):
    samples, rate = example
    times = round(180 / expected.duration)
    alignment = aligner.align((np.tile(samples, times), rate), TEXT * times)
    assert len(alignment.words) == times * len(expected.words)
    apart_s = [
        word.start
        - (expected.words[index % len(expected.words)].start + index // len(expected.words) * expected.duration)
        for index, word in enumerate(alignment.words)
    ]
    assert np.abs(apart_s).max() <= 0.05


def test_a_lexicon_comes_before_the_dictionary(tmp_path, plant, aligner, monkeypatch):
    path = tmp_path / "my.dict"
    path.write_text("cat K AA T\nxyzzy Z IH Z IY\n")
    samples = plant([(label, 8) for label in ("K", "AA", "T", "Z", "IH", "Z", "IY")])
    for lexicon in (path, str(path), [path]):
        mine = sh.Aligner(lexicon=lexicon)
        monkeypatch.setattr(mine, "model", aligner.model)
        alignment = mine.align((samples, 16_000), "cat Xyzzy")
        assert [phone.label for phone in alignment.phones] == ["K", "AA", "T", "Z", "IH", "Z", "IY"]
        assert alignment.warnings == hints(aligner)


def test_words_without_a_pronunciation_are_named_once(aligner):
    alignment = aligner.align(FLAC, TEXT.replace("ferry", "Frobnik").replace("island", "Frobnik qzx"))
    assert alignment.warnings[: len(hints(aligner)) + 1] == (
        *hints(aligner),
        "no pronunciation known, guessed from the spelling: Frobnik, qzx (add them to a lexicon file)",
    )


@pytest.mark.parametrize(("count", "more"), [(8, ""), (9, ", and 1 more"), (12, ", and 4 more")])
def test_the_first_words_without_a_pronunciation_are_named(aligner, plant, count, more):
    invented = [
        f"{syllable}zq" for syllable in ("ba", "be", "bi", "bo", "bu", "da", "de", "di", "do", "du", "fa", "fe")
    ]
    samples = plant([(SILENCE, 500)])
    alignment = aligner.align((samples, 16_000), invented[:count])
    names = ", ".join(invented[:8])
    assert alignment.warnings[len(hints(aligner))] == (
        f"no pronunciation known, guessed from the spelling: {names}{more} (add them to a lexicon file)"
    )


@pytest.mark.parametrize("calibrated", [False, True])
def test_a_model_without_a_calibration_says_so_first(aligner, plant, monkeypatch, calibrated):
    monkeypatch.setattr(aligner, "calibration", dataclasses.replace(UNCALIBRATED) if calibrated else UNCALIBRATED)
    samples = 0.02 * plant([("K", 10), ("AE", 10), ("T", 10)])
    first, *others = aligner.align((samples, 16_000), "cat").warnings
    if not calibrated:
        assert first == UNCALIBRATED_WARNING
        (first,) = others
    assert first.startswith("the recording is very quiet")


def test_strict_refuses_words_without_a_pronunciation(aligner, expected):
    message = "these words are not in the lexicon: 'Frobnik', 'qzx'; give their phones in a lexicon file"
    with pytest.raises(TextError, match=message):
        aligner.align(FLAC, "the Frobnik ferry qzx", strict=True)
    assert aligner.align(FLAC, TEXT, strict=True) == expected


def test_runtime_tells_what_runs(aligner):
    assert aligner.runtime == "torch fp32 on cpu"


@pytest.mark.parametrize(("frames", "fits"), [(7, False), (8, True), (9, True)])
def test_audio_shorter_than_the_shortest_path_is_refused_with_the_numbers(aligner, plant, frames, fits):
    samples = plant([("K", 3), ("AE", 3), ("T", frames - 6)])
    if fits:
        assert aligner.align((samples, 16_000), "cat").words[0].end == len(samples) / 16_000
        return
    message = (
        "<samples>: the audio is too short for the text: it lasts 0.07 s, and 1 word can't take less than 0.08 s; "
        "check that audio and text belong together"
    )
    with pytest.raises(AlignmentError) as caught:
        aligner.align((samples, 16_000), "cat")
    assert str(caught.value) == message


def test_scores_that_forbid_every_path_are_an_error(aligner, monkeypatch):
    scores = torch.full((100, len(aligner.model.labels)), float("-inf"))
    monkeypatch.setattr(aligner.model, "log_posteriors", lambda samples: scores)
    with pytest.raises(AlignmentError, match="<samples>: no path through the text fits the audio; check that they"):
        aligner.align((np.full(16_000, 0.1, np.float32), 16_000), "cat")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": "nobody"}, ModelError, "no shipped model is called 'nobody'; shipped are: en"),
        ({"model": "/nowhere/model"}, ModelError, "/nowhere/model: no such model file"),
        ({"backend": "abacus"}, BackendUnavailable, "backend abacus is unknown; choose one of: auto, torch, "),
        ({"precision": "fp7"}, BackendUnavailable, "precision fp7 is unknown; choose one of: auto, fp32, "),
        (
            {"backend": "torch", "device": "tpu"},
            BackendUnavailable,
            "backend torch can't run on device tpu; choose one of: ",
        ),
        ({"lexicon": ["/nowhere/my.dict"]}, TextError, "/nowhere/my.dict: there is no such file; check the path"),
    ],
)
def test_what_cannot_be_loaded_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        sh.Aligner(**arguments)


@pytest.mark.parametrize(
    ("audio", "error", "message"),
    [
        (None, TypeError, "audio must be a path or a binary file, got NoneType"),
        ((np.ones(9, np.float32), 16_000, 1), ValueError, r"audio must be \(samples, sample_rate\), got a tuple of 3"),
        ("/nowhere.wav", AudioError, "/nowhere.wav: there is no such file"),
        ((np.zeros(16_000), 16_000), AudioError, "<samples>: there is no sound in it, every sample is zero; check the"),
        (
            (np.full(16_000, -32_768.0), 16_000),
            AudioError,
            "<samples>: the samples reach 32768 where full scale is 1; divide them by their full scale",
        ),
        ((np.full(16_000, 1e30), 16_000), AudioError, r"<samples>: the samples reach 1e\+30 where full scale is 1"),
    ],
)
def test_audio_that_cannot_be_used_is_refused(aligner, audio, error, message):
    with pytest.raises(error, match=message):
        aligner.align(audio, "hello")


@pytest.mark.parametrize(
    ("level", "warnings"),
    [
        (1.0, ()),
        (
            0.002 / 0.1,
            ("the recording is very quiet (peak -54 dB); record it again, or amplify it",),
        ),
    ],
)
def test_a_very_quiet_recording_is_flagged(aligner, plant, level, warnings):
    samples = plant([("K", 10), ("AE", 10), ("T", 10)])
    assert aligner.align((level * samples, 16_000), "cat").warnings == (*hints(aligner), *warnings)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("clipped", "flagged"), [(9, False), (480, True)])
def test_a_clipped_recording_is_flagged(aligner, plant, sign, clipped, flagged):
    samples = plant([("K", 10), ("AE", 10), ("T", 10)])
    samples[:clipped] = sign
    expected = ("10.0% of the samples are clipped; times may be less exact, record it again at a lower level",)
    assert aligner.align((samples, 16_000), "cat").warnings == hints(aligner) + (expected if flagged else ())


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"least_text": 1.0}, [r"the text does not seem to be what is spoken \(probability \d+%\); check that audio"]),
        (
            {"word_tail": Tail(-100.0, 0.0), "stretch_tail": Tail(0.0, 0.0)},
            [
                r"not in the audio, or said otherwise: 'the' at 0\.00 s, 'cat' at 0\.\d\d s; check the text there",
                r"speech that the text does not explain from 0\.\d\d to 0\.40 s; check the text there",
            ],
        ),
        ({}, []),
    ],
)
def test_a_text_that_does_not_fit_is_flagged_beyond_the_limits_of_the_calibration(
    aligner, plant, monkeypatch, limits, expected
):
    lenient = {name: getattr(UNCALIBRATED, name) for name in ("least_text", "word_tail", "stretch_tail")}
    monkeypatch.setattr(aligner, "calibration", dataclasses.replace(aligner.calibration, **{**lenient, **limits}))
    samples = plant(evenly("DH AH M UW N", 8))
    warnings = aligner.align((samples, 16_000), "the cat").warnings
    assert warnings[: len(hints(aligner))] == hints(aligner)
    warnings = warnings[len(hints(aligner)) :]
    assert len(warnings) == len(expected)
    assert all(map(re.match, expected, warnings))


def test_long_stretches_without_words_are_flagged_besides(aligner, plant):
    samples = plant([*evenly("DH AH", 8), (SILENCE, 1_100), *evenly("K AE T", 8)])
    assert aligner.align((samples, 16_000), "the cat").warnings == (
        *hints(aligner),
        "no words from 0.2 to 11.2 s; check the text there",
    )


def test_another_text_scores_far_lower(aligner, expected):
    other = aligner.align(FLAC, "Nobody ordered twelve green umbrellas from Chicago")
    assert np.mean([word.score for word in other.words]) < np.mean([word.score for word in expected.words]) / 3
    assert np.mean([phone.score for phone in other.phones]) < np.mean([phone.score for phone in expected.phones]) - 0.3


def test_a_batch_gives_what_single_calls_give(aligner, expected):
    samples, rate = soundfile.read(FLAC, dtype="float32")
    part = (samples[: 2 * rate], rate)
    wanted = aligner.align(part, "the last ferry to the island")
    found = aligner.align_batch(
        [(FLAC, TEXT), (part, ""), ("none.wav", "a"), (part, wanted.text), ((samples[:rate], rate), TEXT)]
    )
    for alignment, alone in ((found[0], expected), (found[3], wanted)):
        for name in ("phone_words", "duration", "audio", "text", "warnings", "skipped"):
            assert getattr(alignment, name) == getattr(alone, name)
        for segment, other in zip(alignment.words + alignment.phones, alone.words + alone.phones, strict=True):
            assert segment.label == other.label
            assert (segment.start, segment.end) == pytest.approx((other.start, other.end), abs=2e-4)
            assert segment.score == pytest.approx(other.score, abs=1e-3)
    assert [type(found[index]) for index in (1, 2, 4)] == [TextError, AudioError, AlignmentError]
    assert aligner.align_batch([]) == []
    with pytest.raises(TypeError):
        aligner.align_batch([(3.0, "a")])


def test_quality_tells_right_texts_from_wrong_ones(aligner, expected):
    right, wrong = expected.quality, aligner.align(FLAC, " ".join(["zebra crossing at noon"] * 6)).quality
    assert right.log_likelihood > wrong.log_likelihood
    assert 0 >= right.contrast > wrong.contrast
    if aligner.model.calibration:
        assert right.text_score > 0.9 > 0.1 > wrong.text_score
        assert wrong.surprise > 2 > right.surprise >= 0
    samples, _ = soundfile.read(FLAC, dtype="float32")
    assert right.level_db == pytest.approx(10 * np.log10(np.mean(samples.astype(float) ** 2)))
    assert right.snr_db > 10
    assert right.clipped == 0
