"""Captions: how words become readable lines, and what SRT, VTT and ASS hold of them."""

import dataclasses
import re

import pysubs2
import pytest
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from streamhmm import formats
from streamhmm.errors import OutputError
from streamhmm.formats import Tiers
from streamhmm.formats.captions import CAPTIONS_ONLY, captions, plain_text
from streamhmm.segment import Segment
from streamhmm.text import tokenize

FERRY = (
    "The last ferry to the island leaves at half past nine, so we'd better hurry, unless you would rather swim. "
    "“Yes”, said Dr. Smith — and\nleft; well—known!"
)


def spoken(text, word_s=0.25, pauses=None, labels=None, **others):
    """Words of one length right after one another, with pauses before those that ``pauses`` names by index."""
    words, time = [], 0.5
    for index, label in enumerate(labels or [token.label for token in tokenize(text)]):
        time += (pauses or {}).get(index, 0)
        words.append(Segment(label, time, time + word_s))
        time += word_s
    return Tiers(tuple(words), (), (), time + 10, "a.wav", text, **others)


def shown(tiers, ticks_per_s=1000):
    return [
        (one.start / ticks_per_s, one.end / ticks_per_s, *map(plain_text, one.lines))
        for one in captions(tiers, ticks_per_s)
    ]


# Lines


def test_one_short_sentence_has_its_punctuation():
    assert shown(spoken("“Good morning,” he said…")) == [(0.5, 1.5, "“Good morning,” he said…")]


def test_sentences_and_phrases_are_kept_together():
    assert [lines for _, _, *lines in shown(spoken(FERRY))] == [
        ["The last ferry to the island", "leaves at half past nine,"],
        ["so we'd better hurry,", "unless you would rather swim."],
        ["“Yes”, said Dr. Smith —", "and left; well—known!"],
    ]


def test_a_line_has_42_characters_and_a_caption_two():
    for letters in (41, 42, 43):
        (caption,) = shown(spoken("", labels=["a" * 20, "b" * (letters - 21)]))
        assert len(caption) - 2 == (1 if letters <= 42 else 2)
    three = ["a" * 42, "b" * 42, "c" * 42]
    assert [lines for _, _, *lines in shown(spoken("", labels=three[:2]))] == [three[:2]]
    assert [len(caption) - 2 for caption in shown(spoken("", labels=three))] in ([2, 1], [1, 2])
    assert [lines for _, _, *lines in shown(spoken("", labels=["a" * 90, "b"]))] == [["a" * 90], ["b"]]


def test_lines_are_of_like_length():
    assert [lines for _, _, *lines in shown(spoken("", labels=["abcde"] * 10))] == [
        ["abcde abcde abcde abcde abcde", "abcde abcde abcde abcde abcde"]
    ]


def test_a_caption_lasts_seven_seconds_at_most_and_goes_on_over_no_pause():
    assert [end - start for start, end, *_ in shown(spoken("a b c d", word_s=1.75))] == [7.0]
    assert [end - start for start, end, *_ in shown(spoken("a b c d", word_s=1.751))] == pytest.approx([3.502] * 2)
    assert [end - start for start, end, *_ in shown(spoken("a", word_s=9.0))] == [9.0]
    assert len(shown(spoken("a b c", pauses={1: 0.999}))) == 1
    assert [caption[2:] for caption in shown(spoken("a b c", pauses={1: 1.0}))] == [("a",), ("b c",)]


def test_a_short_caption_stays_for_a_second_if_there_is_room():
    assert shown(spoken("a b", pauses={1: 1.0})) == [(0.5, 1.5, "a"), (1.75, 2.75, "b")]
    assert shown(spoken("a b", pauses={1: 9.0}, word_s=0.1)) == [(0.5, 1.5, "a"), (9.6, 10.6, "b")]
    close = Tiers((Segment("a" * 60, 0.0, 0.2), Segment("b" * 60, 0.3, 0.4)), (), (), 0.9)
    assert [caption[:2] for caption in shown(close)] == [(0.0, 0.3), (0.3, 0.9)]


def test_a_paragraph_ends_a_sentence_and_a_line_a_phrase():
    verse = "Half a league, half a league, half\nonward all in the valley of death"
    assert shown(spoken(verse))[0][2:] == ("Half a league, half a league, half", "onward all in the valley of death")
    title = "The chapter of the many ferries\n\nThe last one to the island was late again"
    assert [caption[2:] for caption in shown(spoken(title))] == [
        ("The chapter of the many ferries",),
        ("The last one to the island was late again",),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("and/or 5 km, $5.50 (about £4.)", "and/or 5 km, $5.50 (about £4.)"),
        ("“'Tis”  –  he\tsaid", "“'Tis” – he said"),
        ("— So — said “he” —", "— So — said “he” —"),
        ("this,that;and…more", "this,that;and…more"),
        ("¿Qué? ¡Sí!", "¿Qué? ¡Sí!"),
    ],
)
def test_punctuation_stands_as_in_the_text(text, line):
    assert shown(spoken(text))[0][2:] == (line,)


def test_words_that_the_text_does_not_have_are_shown_as_they_are():
    assert shown(spoken("", labels=["Hello,", "you."]))[0][2:] == ("Hello, you.",)
    assert shown(spoken("Good bye.", labels=["Hello", "bye"]))[0][2:] == ("Hello bye.",)
    assert shown(spoken("New York, yes", labels=["New  York", "yes"]))[0][2:] == ("New York yes",)
    assert shown(spoken("New York, yes", labels=["New York", "yes"]))[0][2:] == ("New York, yes",)


def test_words_as_they_were_read():
    labels = ["The", "swim", "The", "last", "you"]
    tiers = spoken(FERRY, labels=labels, word_indices=(0, 19, 0, 1, 16), takes=(0, 0, 1, 0, 0))
    assert shown(tiers) == [(0.5, 1.75, "The swim. The last you")]
    lost = spoken("a, b-c—d e; f", labels=["a", "e", "f"], word_indices=(0, 3, 4))
    assert shown(lost)[0][2:] == ("a, e f",)  # "b-c—d" looks like one word
    unlike = spoken("a, b c.", labels=["a", "x", "c"], word_indices=(0, 1, 2))
    assert shown(unlike)[0][2:] == ("a, x c.",)


def test_no_words_are_no_captions():
    assert captions(Tiers((), (), (), 1.0), 1000) == []


words_of_any_length = st.lists(st.tuples(st.integers(1, 45), st.integers(1, 4000), st.integers(0, 2500)), max_size=40)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(words_of_any_length, st.sampled_from([100, 1000]))
def test_every_caption_keeps_to_the_rules(words, ticks_per_s):
    """Against the rules themselves, worked out anew."""
    segments, time = [], 0
    for letters, length, pause in words:
        time += pause
        segments.append(Segment("x" * letters, time / 1000, (time + length) / 1000))
        time += length
    tiers = Tiers(tuple(segments), (), (), max(time, 1) / 1000)
    found = captions(tiers, ticks_per_s)
    assert [word.written.label for one in found for line in one.lines for word in line] == [
        segment.label for segment in segments
    ]
    before = 0
    for one in found:
        timed = [word for line in one.lines for word in line]
        assert (one.start, before <= one.start) == (timed[0].start, True)
        assert one.end >= timed[-1].end
        assert 1 <= len(one.lines) <= 2
        if len(timed) > 1:
            assert max(len(plain_text(line)) for line in one.lines) <= 42
            assert timed[-1].end - one.start <= 7 * ticks_per_s
        for word in timed:
            assert before <= word.start < word.end
            before = word.end
        before = one.end


# Files


def read(tmp_path, suffix, text):
    path = tmp_path / f"a{suffix}"
    path.write_text(text, encoding="utf-8")
    return formats.load(path)


def written(tmp_path, tiers, suffix):
    formats.save(tmp_path / f"a{suffix}", tiers)
    return (tmp_path / f"a{suffix}").read_text("utf-8")


def test_srt(tmp_path):
    assert written(tmp_path, spoken("Yes, {so} <b>it</b> & “is”.\n\nNo!", pauses={5: 1.25}), ".srt") == (
        "1\n00:00:00,500 --> 00:00:01,750\nYes, {so} <\u2060b>it<\u2060/b> & “is”.\n\n"
        "2\n00:00:03,000 --> 00:00:04,000\nNo!\n\n"
    )


def test_srt_as_pysubs2_reads_it(tmp_path):
    text = written(tmp_path, spoken(FERRY), ".srt")
    assert [(event.start, event.end, event.plaintext) for event in pysubs2.SSAFile.from_string(text)] == [
        (round(1000 * start), round(1000 * end), "\n".join(lines)) for start, end, *lines in shown(spoken(FERRY))
    ]


def test_srt_gives_captions_back_and_says_so(tmp_path):
    tiers = spoken(FERRY)
    written(tmp_path, tiers, ".srt")
    read = formats.load(tmp_path / "a.srt")
    assert read.words == tuple(Segment(" ".join(lines), start, end) for start, end, *lines in shown(tiers))
    assert read.warnings == (CAPTIONS_ONLY,)
    assert read.text == " ".join(FERRY.split())


def test_srt_of_others(tmp_path):
    text = (
        "1\r\n00:00:01,000 --> 00:00:02,000 X1:0\r\n<i>Hello</i> {\\an8}<font color=red>you</font>\r\n& {me}\r\n\r\n"
        "2\r\n0:00:02.500 --> 0:00:03,000\r\n\r\n3\r\n00:00:03,000 --> 00:00:04,000\r\nin\r\n1984\r\n"
    )
    assert read(tmp_path, ".srt", text).words == (Segment("Hello you & {me}", 1.0, 2.0), Segment("in 1984", 3.0, 4.0))


VTT = """\
WEBVTT

00:00:00.500 --> 00:00:01.750
“<c>Yes</c>”, <00:00:00.750><c>it</c>—<00:00:01.000><c>is</c>, <00:00:01.250><c>&lt;b&gt;&amp;c</c><00:00:01.500>

00:00:02.750 --> 00:00:03.750
<c>No</c>!<00:00:03.000>
"""


def test_vtt(tmp_path):
    tiers = spoken("“Yes”, it—is, <b>&c\n\nNo!", labels=["Yes", "it", "is", "<b>&c", "No"], pauses={4: 1.25})
    assert written(tmp_path, tiers, ".vtt") == VTT.replace("01.750\n", "01.500\n").replace("<00:00:01.500>\n", "\n")
    assert formats.load(tmp_path / "a.vtt") == dataclasses.replace(
        tiers, duration=3.0, audio="", text="“Yes”, it—is, <b>&c No!"
    )


def test_a_pause_within_a_caption_of_vtt(tmp_path):
    tiers = spoken("a, b c", pauses={1: 0.5, 2: 0.001})
    assert written(tmp_path, tiers, ".vtt").split("\n")[3] == (
        "<c>a</c>,<00:00:00.750> <00:00:01.250><c>b</c><00:00:01.500> <00:00:01.501><c>c</c>"
    )
    assert formats.load(tmp_path / "a.vtt").words == tiers.words


def test_vtt_as_webvtt_reads_it(tmp_path):
    written(tmp_path, spoken(FERRY), ".vtt")
    assert [(one.start_in_seconds, one.end_in_seconds, one.text) for one in webvtt.read(str(tmp_path / "a.vtt"))] == [
        (int(start), int(end), "\n".join(lines)) for start, end, *lines in shown(spoken(FERRY))
    ]


def test_stamps_in_vtt_lie_within_their_caption_and_go_up(tmp_path):
    written(tmp_path, spoken(FERRY, pauses={3: 0.2, 9: 0.4}, word_s=0.0301), ".vtt")
    for one in webvtt.read(str(tmp_path / "a.vtt")):
        stamps = [one.start, *re.findall(r"<([\d:.]+)>", one.raw_text), one.end]
        assert stamps == sorted(set(stamps))


OTHER_VTT = """\
\ufeffWEBVTT Kind: captions; Language: en
X-TIMESTAMP-MAP=LOCAL:00:00:00.000

STYLE
::cue { color: red }

NOTE 00:00:00.000 --> 00:00:09.000

first
00:01.000 --> 00:02.500 align:start position:0%
<v Ann>the<00:00:01.500><c.red> quick</c><00:00:02.000><c> brown fox</c>

100:00:00.000 --> 100:00:01.000
Tom &amp; Jerry
say <i>hi</i>

100:00:02.000 --> 100:00:03.000
&nbsp;
"""


def test_vtt_of_others(tmp_path):
    found = read(tmp_path, ".vtt", OTHER_VTT)
    assert found.words == (
        Segment("the", 1.0, 1.5),
        Segment("quick", 1.5, 2.0),
        Segment("brown fox", 2.0, 2.5),
        Segment("Tom & Jerry say hi", 360000.0, 360001.0),
    )
    assert found.warnings == (CAPTIONS_ONLY,)
    timed = OTHER_VTT.partition("100:00:00.000")[0]
    assert read(tmp_path, ".vtt", timed).warnings == ()
    assert read(tmp_path, ".vtt", "WEBVTT\n\n00:01.000 --> 00:02.500\nHello!\n").warnings == ()
    with pytest.raises(OutputError, match="its first line is not WEBVTT"):
        read(tmp_path, ".vtt", "WEBVTTX" + timed)


def test_ass(tmp_path):
    tiers = spoken("“Yes”, it—is, {b} c\\N\n\nNo!", labels=["Yes", "it", "is", "{b}", r"c\N", "No"], pauses={1: 0.1})
    text = written(tmp_path, tiers, ".ass")
    assert [line for line in text.splitlines() if line.startswith("Dialogue")] == [
        "Dialogue: 0,0:00:00.50,0:00:02.10,Default,,0,0,0,,{\\k0}“{\\k25}Yes{\\k0}”,{\\k10} {\\k25}it{\\k0}—\u200b"
        "{\\k25}is{\\k0}, {\\k25}｛\u2060b｝\u2060{\\k0} {\\k25}c\\\u2060N{\\k0} {\\k25}No{\\k0}!"
    ]
    assert formats.load(tmp_path / "a.ass") == dataclasses.replace(
        tiers,
        duration=2.1,
        audio="",
        text="“Yes”, it—is, {b} c\\N No!",
        words=tuple(Segment(word.label, round(word.start, 2), round(word.end, 2)) for word in tiers.words),
    )


def test_ass_as_pysubs2_reads_it(tmp_path):
    tiers = spoken("Half {a} league, half a league, \\N\nonward, all in the valley of death")
    file = pysubs2.SSAFile.from_string(written(tmp_path, tiers, ".ass"))
    (event,) = file
    assert (
        event.plaintext.replace("\u2060", "")
        == "Half ｛a｝ league, half a league, \\N\nonward, all in the valley of death"
    )
    assert (event.start, event.end) == (500, 4000)


def test_the_lengths_of_karaoke_add_up(tmp_path):
    """Words of 33.4 ms: 40 of them last 1.336 s, though each one alone is 3 hundredths."""
    text = written(tmp_path, spoken("a " * 40, word_s=0.0334), ".ass")
    events = pysubs2.SSAFile.from_string(text).events
    for event in events:
        assert sum(map(int, re.findall(r"\\k(\d+)", event.text))) == (event.end - event.start) // 10
    starts = [word.start for word in formats.load(tmp_path / "a.ass").words]
    assert starts == pytest.approx([0.5 + 0.0334 * index for index in range(40)], abs=0.00501)


OTHER_ASS = r"""
[Script Info]
ScriptType: v4.00+
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,Tom, {\i1}Jerry{\i0}\Nand\hSpike
Comment: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,nothing
Dialogue: 0,0:00:07.00,0:00:08.00,Default,,0,0,0,,{\an8}
Dialogue: 0,0:00:01.00,0:00:03.00,D,,x,0,0,,{\an8\k20}hel{\kf30\i1}lo {\K10}{\ko40}world{\k5}\N{\k10}or and{x}{\k1} so
"""


def test_ass_of_others(tmp_path):
    found = read(tmp_path, ".ass", OTHER_ASS)
    assert found.words == (
        Segment("hello", 1.0, 1.5),
        Segment("world", 1.6, 2.0),
        Segment("or and", 2.05, 2.15),
        Segment("so", 2.15, 2.16),
        Segment("Tom, Jerry and Spike", 5.0, 6.0),
    )
    assert found.warnings == (CAPTIONS_ONLY,)
    timed = "\n".join(line for line in OTHER_ASS.splitlines() if "Tom" not in line)
    assert read(tmp_path, ".ass", timed).warnings == ()


@pytest.mark.parametrize(("suffix", "hours"), [(".srt", 100), (".ass", 10)])
def test_later_than_a_file_can_tell(tmp_path, suffix, hours):
    late = hours * 3600
    for word, fits in ((Segment("a", late - 2, late - 0.02), True), (Segment("a", late - 1, late), False)):
        tiers = Tiers((word,), (), (), late - 0.02 if fits else late + 1)
        path = tmp_path / f"a{suffix}"
        if fits:
            formats.save(path, tiers)
            assert formats.load(path).words == (word,)
        else:
            with pytest.raises(
                OutputError, match=f"subtitles of this format end at {hours} hours; write .vtt"
            ) as caught:
                formats.save(path, tiers)
            assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("suffix", [".srt", ".vtt", ".ass"])
@pytest.mark.parametrize("text", ["", "WEBVTT", "[Script Info]\n[Events]\n", "A transcript.\n"])
def test_files_without_captions(tmp_path, suffix, text):
    with pytest.raises(
        OutputError, match=r"damaged, or not of the format that its suffix names: (there are|its first)"
    ):
        read(tmp_path, suffix, text)


@pytest.mark.parametrize(
    ("suffix", "text", "reason"),
    [
        (".srt", "1\n00:00:01,000 --> 00:00:01,000\na\n", "ends at or before its start"),
        (
            ".vtt",
            "WEBVTT\n\n00:01.000 --> 00:02.000\na <00:03.000> b\n",
            "ends after the recording, which is 2.0 s long",
        ),
        (".ass", OTHER_ASS.replace("0:00:05.00", "five"), r"not subtitles \(ValueError: Failed to parse timestamp"),
        (".ass", OTHER_ASS.replace("0:00:05.00", "0:00:02.00"), "starts before 2.16 s"),
    ],
)
def test_damaged_files(tmp_path, suffix, text, reason):
    with pytest.raises(OutputError, match=reason) as caught:
        read(tmp_path, suffix, text)
    assert str(caught.value).startswith(f"{tmp_path / 'a'}{suffix}: damaged")
