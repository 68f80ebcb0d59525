"""Alignment with a CTC network, on audio whose samples say what is spoken."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from spoken_labels import FRAME_S, LETTERS, RATE, SpokenNetwork, layout_of, letters_in, runs_of, sound, time_of

import streamhmm as sh
from streamhmm.acoustic import ctc_model
from streamhmm.acoustic.ctc_model import BATCH_S, CONTEXT_S, INNER_S, CtcModel, Window, windows
from streamhmm.align import aligner as aligner_module
from streamhmm.align.adaptation import Adaptation
from streamhmm.errors import AlignmentError, ModelError, TextError
from streamhmm.text.phones import PHONES

TEXT = "the quick brown fox jumps over the lazy dog"
ESPEAK = (
    *("<pad>", "<s>", "</s>", "<unk>", "n", "s", "t", "ə", "l", "i", "k", "d", "m", "ɛ", "ɾ", "ɪ", "p", "o", "z", "ð"),
    *("f", "j", "v", "b", "ɹ", "ʊ", "iː", "w", "ʌ", "u", "ɡ", "æ", "aɪ", "ʃ", "h", "ɔ", "ɑː", "ŋ", "ɚ", "eɪ", "uː"),
    *("oʊ", "θ", "aʊ", "dʒ", "ɜː", "ʒ", "tʃ", "ɔː", "ɔːɹ", "ɔɪ", "a", "q"),
)


def aligner_of(layout, monkeypatch):
    network = SpokenNetwork(layout)
    monkeypatch.setattr(aligner_module, "open_model", lambda *arguments: CtcModel(network, arguments[1]))
    return sh.Aligner("somebody/network")


@pytest.fixture
def aligner(monkeypatch):
    return aligner_of(layout_of(), monkeypatch)


def assert_planted(alignment, runs, text):
    """Every letter where it was planted, to the frame, and every word from its first letter to its last."""
    planted = letters_in(runs)
    assert [phone.label for phone in alignment.phones] == [label for label, _, _ in planted]
    for phone, (_, first, end) in zip(alignment.phones, planted, strict=True):
        assert (phone.start, phone.end) == pytest.approx((time_of(first), time_of(end)))
    assert [word.label for word in alignment.words] == text.split()
    assert alignment.word_indices == tuple(range(len(alignment.words)))
    for index, word in enumerate(alignment.words):
        own = [phone for phone, owner in zip(alignment.phones, alignment.phone_words, strict=True) if owner == index]
        assert "".join(phone.label for phone in own) == word.label.lower()
        assert (word.start, word.end) == (own[0].start, own[-1].end)


@pytest.mark.parametrize("frames", [2, 3, 5])
@pytest.mark.parametrize("pause", [0, 1, 6])
def test_letters_that_follow_each_other_are_found_to_the_frame(aligner, frames, pause):
    runs = runs_of(TEXT, frames=frames, pause=pause)
    alignment = aligner.align((sound(runs), RATE), TEXT)
    assert_planted(alignment, runs, TEXT)
    assert alignment.warnings == ()
    assert all(segment.score > 0.99 for segment in (*alignment.words, *alignment.phones))
    assert alignment.quality.contrast == pytest.approx(0.0, abs=1e-6)


def test_blanks_within_a_word_go_half_to_either_letter_and_words_reach_as_far(aligner):
    """Between "a" and "b" lie 4 blanks, half of which is 2 frames: so far words reach into longer gaps, too."""
    runs = [("<pad>", 10), ("a", 1), ("<pad>", 4), ("b", 2), ("<pad>", 20), ("|", 1), ("<pad>", 9), ("c", 1)]
    runs += [("<pad>", 1), ("|", 1), ("<pad>", 1), ("d", 1), ("<pad>", 30)]
    alignment = aligner.align((sound(runs), RATE), "ab c d")
    frames = [((phone.start, phone.end)) for phone in alignment.phones]
    expected = [(8, 13), (13, 19), (45, 49.5), (49.5, 54)]
    assert frames == [pytest.approx((time_of(start), time_of(end))) for start, end in expected]
    assert [(word.start, word.end) for word in alignment.words] == [(frames[0][0], frames[1][1]), *frames[2:]]


def test_words_at_the_edges_stay_within_the_recording(aligner):
    runs = [("<pad>", 1), ("a", 1), ("<pad>", 8), ("b", 1)]
    samples = sound(runs)
    (word,) = aligner.align((samples, RATE), "ab").words
    assert word.start == pytest.approx(time_of(0))
    assert word.end == pytest.approx(time_of(11))
    assert word.end <= len(samples) / RATE


def test_the_users_spelling_stays_and_numbers_are_read(aligner):
    text = "Dr. O’Neil paid $5 in 1984, in a CAFÉ."
    runs = runs_of("doctor o'neil paid five dollars in nineteen eighty four in a cafe")
    alignment = aligner.align((sound(runs), RATE), text)
    assert [word.label for word in alignment.words] == ["Dr", "O’Neil", "paid", "$5", "in", "1984", "in", "a", "CAFÉ"]
    assert [phone.label for phone in alignment.phones] == [label for label, _, _ in letters_in(runs)]
    year = [phone.label for phone, word in zip(alignment.phones, alignment.phone_words, strict=True) if word == 5]
    assert "".join(year) == "nineteeneightyfour"
    assert alignment.warnings == ()


def test_letters_with_accents_are_used_where_the_model_has_them(monkeypatch):
    labels = (*LETTERS, "é", "9")
    runs = [("<pad>", 2), ("é", 2), ("t", 1), ("é", 1), ("|", 1), ("9", 2), ("<pad>", 3)]
    alignment = aligner_of(layout_of(labels), monkeypatch).align((sound(runs, labels), RATE), ["Été", "9"])
    assert [(phone.label, round(phone.duration / FRAME_S)) for phone in alignment.phones] == [
        *(("é", 2), ("t", 1), ("é", 1), ("9", 2)),
    ]


def test_vocabularies_in_capitals_and_in_both_cases(monkeypatch):
    for labels, heard in ((tuple(map(str.upper, LETTERS)), "AB"), ((*LETTERS, "A", "B"), "Ab")):
        runs = [("<pad>" if "<pad>" in labels else "<PAD>", 3), (heard[0], 2), (heard[1], 3)]
        alignment = aligner_of(layout_of(labels), monkeypatch).align((sound(runs, labels), RATE), "ab")
        assert [phone.label for phone in alignment.phones] == list(heard)
        assert alignment.words[0].score > 0.99


def test_what_the_model_has_no_letters_for_takes_any_sound_and_is_named(aligner):
    runs = runs_of("one xyzzy two", pause=3)
    alignment = aligner.align((sound(runs), RATE), "one 東京 two")
    planted = letters_in(runs)
    assert [word.label for word in alignment.words] == ["one", "東京", "two"]
    assert alignment.words[1].score is None
    assert alignment.phones[3].score is None
    assert (alignment.phones[3].start, alignment.phones[3].end) == pytest.approx(
        (time_of(planted[3][1]), time_of(planted[7][2]))
    )
    assert alignment.warnings == ("the model has no letters for: 東京 (any sound is taken for them)",)
    with pytest.raises(TextError, match=r"^the model has no letters for: '東京'; write them otherwise$"):
        aligner.align((sound(runs), RATE), "one 東京 two", strict=True)


def test_a_text_without_any_known_letter_is_aligned_and_not_doubted(aligner):
    runs = runs_of("abc")
    alignment = aligner.align((sound(runs), RATE), "東京")
    assert (alignment.words[0].start, alignment.words[0].end) == pytest.approx((time_of(3), time_of(9)))
    assert alignment.warnings == ("the model has no letters for: 東京 (any sound is taken for them)",)
    assert alignment.quality.text_score == 1.0


def test_single_characters_without_a_letter_are_left_out_and_named(aligner):
    runs = runs_of("strase")
    alignment = aligner.align((sound(runs), RATE), "straжe")
    assert alignment.warnings[0] == "left out of words, the model has no letter for: ж"
    assert [phone.label for phone in alignment.phones] == list("strae")


def test_wrong_texts_words_and_speech_are_told(aligner):
    samples = sound(runs_of("the quick brown fox", pause=4))
    (warning,) = aligner.align((samples, RATE), "my jelly pudding").warnings[:1]
    assert warning.startswith("the text does not seem to be what is spoken (mean posterior ")
    assert warning.endswith("%); check that audio and text belong together")
    alignment = aligner.align((samples, RATE), "the quick zzz brown fox")
    assert [text for text in alignment.warnings if "not in the audio" in text] == [
        f"not in the audio, or said otherwise: 'zzz' at {alignment.words[2].start:.2f} s; check the text there"
    ]
    assert alignment.words[2].score < 0.1 < 0.99 < alignment.words[3].score
    (warning,) = aligner.align((samples, RATE), "the brown fox").warnings
    quick = letters_in(runs_of("the quick brown fox", pause=4))[3:8]
    assert warning == (
        f"speech that the text does not explain from {quick[0][1] * FRAME_S:.2f} to {quick[-1][2] * FRAME_S:.2f} s; "
        "check the text there"
    )


def test_audio_that_is_too_short(aligner):
    with pytest.raises(AlignmentError, match=r"too short for the text: it lasts 0\.10 s, and 2 words can't take less"):
        aligner.align((sound([("a", 5)])[: RATE // 10], RATE), "hello there")
    with pytest.raises(AlignmentError, match=r"no path through the text fits the audio; check that they"):
        aligner.align((sound([("a", 2)]), RATE), "a a")  # between equal letters there must be a blank


def test_long_audio_has_no_seam(aligner):
    """Words at every frame of 100 s, so at every border of windows; planted audio, so a shifted window would show."""
    text = " ".join([TEXT] * 50)
    runs = runs_of(text, frames=2, pause=0)
    samples = sound(runs)
    assert len(samples) > 3 * (INNER_S + CONTEXT_S) * RATE
    alignment = aligner.align((samples, RATE), text)
    assert_planted(alignment, runs, text)
    assert sum(batch for batch, _ in aligner.model.backend.calls[1:]) > 3  # the first is the warm-up
    whole = aligner.model.backend.log_posteriors(torch.from_numpy(samples)[None], [len(samples)])[0]
    torch.testing.assert_close(aligner.model.log_posteriors(torch.from_numpy(samples)), whole, rtol=0, atol=0)


@pytest.mark.parametrize("frames", [0, 1, 27, 28, 29, 40, 41, 1000, 1001])
def test_windows_cover_every_frame_once_with_context_on_both_sides(frames):
    inner, context = 20, 4
    found = windows(frames, inner, context)
    assert [frame for window in found for frame in range(window.first, window.last)] == list(range(frames))
    for window in found:
        assert window.begin == max(0, window.first - context) or len(found) == 1
        assert window.end == min(frames, window.last + context)
        assert window.last - window.first <= (inner if len(found) > 1 else inner + 2 * context)
    assert frames == 0 or max(w.last - w.first for w in found) - min(w.last - w.first for w in found) <= 1
    assert windows(28, 20, 4) == [Window(0, 0, 28, 28)]


@pytest.mark.parametrize("can_pad", [True, False])
def test_batches_equal_single_recordings(can_pad, monkeypatch):
    aligner = aligner_of(layout_of(can_pad=can_pad), monkeypatch)
    texts = ["one", TEXT, "ab", " ".join([TEXT] * 20), "fox jumps"]
    recordings = [(sound(runs_of(text, frames=2 + place)), RATE) for place, text in enumerate(texts)]
    aligner.model.backend.calls.clear()
    found = aligner.align_batch([*zip(recordings, texts, strict=True), ((np.zeros(10, np.float32), RATE), "no")])
    calls = list(aligner.model.backend.calls)
    assert all(batch * samples <= BATCH_S * RATE for batch, samples in calls)
    assert (max(batch for batch, _ in calls) > 1) == can_pad
    assert [one.words for one in found[:-1]] == [
        aligner.align(recording, text).words for recording, text in zip(recordings, texts, strict=True)
    ]
    assert "there is no sound in it" in str(found[-1])


def test_recordings_are_normalised_as_a_whole(monkeypatch):
    heard = []
    model = CtcModel(SpokenNetwork(layout_of()._replace(normalises=True)))
    monkeypatch.setattr(
        model.backend,
        "log_posteriors",
        lambda samples, lengths: heard.extend(samples) or torch.zeros(*samples.shape[:1], 2000, 32),
    )
    monkeypatch.setattr(ctc_model, "INNER_S", 1.0)
    monkeypatch.setattr(ctc_model, "CONTEXT_S", 0.0)
    samples = torch.randn(3 * RATE + 80) * torch.linspace(0.01, 2.0, 3 * RATE + 80) + 0.3
    model.log_posteriors(samples)
    normalised = (samples - samples.mean()) / math.sqrt(float(samples.var(correction=0)) + 1e-7)
    assert len(heard) == 3
    for start in (0, RATE, 2 * RATE):
        assert any(torch.equal(seen, normalised[start : start + len(seen)]) for seen in heard)


@pytest.mark.parametrize("is_told", [True, False])
def test_phones_as_espeak_writes_them(is_told, monkeypatch):
    """ "north": its "AO R" is one token there; "cat" has one of two vowels that stand for ours."""
    aligner = aligner_of(layout_of(ESPEAK, is_phonetic=is_told), monkeypatch)
    runs = [("<pad>", 3), *((phone, 3) for phone in ("n", "ɔːɹ", "θ")), ("<pad>", 12)]
    runs += [*((phone, 4) for phone in ("dʒ", "oʊ", "k")), ("<pad>", 5)]
    alignment = aligner.align((sound(runs, ESPEAK), RATE), "North joke")
    assert [phone.label for phone in alignment.phones] == ["n", "ɔːɹ", "θ", "dʒ", "oʊ", "k"]
    assert [(word.start, word.end) for word in alignment.words] == [
        pytest.approx((time_of(3), time_of(12))),
        pytest.approx((time_of(24), time_of(36))),
    ]
    assert alignment.warnings == ()
    guessed = aligner.align((sound(runs, ESPEAK), RATE), "North qyzzlq").warnings
    assert guessed[0].startswith("no pronunciation known, guessed from the spelling: qyzzlq")


def test_phones_in_arpabet(monkeypatch):
    labels = ("<pad>", *(phone.lower() for phone in PHONES if phone not in ("AO", "ZH")), "ah0", "sil")
    aligner = aligner_of(layout_of(labels), monkeypatch)
    runs = [("<pad>", 3), *((phone, 3) for phone in ("l", "aa", "s", "t")), ("<pad>", 5), ("ah0", 2), ("<pad>", 3)]
    alignment = aligner.align((sound(runs, labels), RATE), "lost a")
    assert [phone.label for phone in alignment.phones] == ["l", "aa", "s", "t", "ah0"]


def test_vocabularies_that_do_not_do(monkeypatch):
    german = tuple(label for label in ESPEAK if label not in ("θ", "ð", "w"))
    with pytest.raises(ModelError, match=r"phones are not those of English: DH, TH, W can't be written with them"):
        aligner_of(layout_of(german), monkeypatch)
    with pytest.raises(
        ModelError, match=r"^the model's vocabulary has neither letters nor phones; name another model$"
    ):
        aligner_of(layout_of(("<pad>", "ing", "the")), monkeypatch)


@pytest.mark.parametrize(
    ("wanted", "purpose"),
    [
        (lambda aligner: aligner.stream("a"), "stream"),
        (lambda aligner: aligner.align("a.wav", "a", follow=True), "follow a speaker"),
        (lambda aligner: aligner.align_batch([], imperfect=True), "make up for an imperfect text"),
        (lambda aligner: aligner.adapted(Adaptation((0.0,) * 80, None, 1.0, 8)), "be adapted"),
        (lambda aligner: aligner.estimate_adaptation([]), "be adapted"),
        (lambda aligner: aligner.examine("a.wav", "a"), "be calibrated"),
    ],
)
def test_what_such_a_model_cannot_do_names_what_can(wanted, purpose, aligner):
    with pytest.raises(ModelError, match=rf'^a Hugging Face model can\'t {purpose}; use model="en" \(--model en\) for'):
        wanted(aligner)


def test_both_kinds_of_freedom_are_refused_first(aligner):
    with pytest.raises(ValueError, match="follow and imperfect do not go together"):
        aligner.align("a.wav", "a", follow=True, imperfect=True)


def test_the_aligner_names_what_runs(aligner):
    assert aligner.runtime == "torch fp32 on cpu"
    assert aligner.settings == aligner.model.running
    assert aligner.settings.backend == "torch"


def test_an_alignment_can_be_saved_in_any_format(aligner, tmp_path):
    runs = runs_of("it's me")
    alignment = aligner.align((sound(runs), RATE), "it's 東京")
    for suffix in ("TextGrid", "json", "ctm", "srt", "csv", "phones.ctm"):
        alignment.save(tmp_path / f"x.{suffix}")
        assert "it's" in (tmp_path / f"x.{suffix}").read_text(encoding="utf-8") or suffix == "phones.ctm"
