"""The terminal's view of a live session, drawn on paper: lines, what is lit, what the status line says."""

import io
import math
import random
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from streamhmm.align.events import Event, Position
from streamhmm.align.live import LiveStatus
from streamhmm.cli import live_view
from streamhmm.cli.live_text import ShownText, Span
from streamhmm.cli.live_view import TerminalView, meter, status_line
from streamhmm.segment import Segment
from streamhmm.text import tokenize

TEXT = "The last ferry,\nto the island: leaves at half past nine.\n\n\nSo we'd better hurry!\n"
WORDS = [word.strip(",:.!") for word in TEXT.split()]
STATUS = LiveStatus(0.0384, 0.03, 0.052, 0.0, 2, 1.25, Position(-1, 1.0))
QUIET = LiveStatus(0.0384, 0.03, 0.052, 0.0, 0, 0.0, Position(-1, 1.0))


def event(kind, index, score=None, take=0):
    segment = None if kind == "skipped" else Segment("x", 0.0, 1.0, score)
    return Event(kind, index, take, segment, 1.0, 1.0)


def drawn(view, width, height, status=QUIET, level_db=-30.0, **options):
    paper = io.StringIO()
    Console(file=paper, width=width, height=height, **options).print(view.layout(width, height, status, level_db))
    return paper.getvalue().splitlines()


def view_of(text=TEXT, words=WORDS):
    return TerminalView(Console(file=io.StringIO(), width=40, height=8), text, words)


# The text, broken into lines


def lines_of(text, words, width):
    shown = ShownText(text, words)
    shown.break_to(width)
    return [shown.text[line.start : line.end] for line in shown.lines]


def test_lines_are_broken_at_blanks_and_where_the_text_has_them():
    assert lines_of(TEXT, WORDS, 20) == [
        "The last ferry,",
        "to the island:",
        "leaves at half past",
        "nine.",
        "",
        "So we'd better",
        "hurry!",
    ]
    assert lines_of(TEXT, WORDS, 80) == [
        "The last ferry,",
        "to the island: leaves at half past nine.",
        "",
        "So we'd better hurry!",
    ]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("a", 1, ["a"]),
        ("abcdefg h", 3, ["abc", "def", "g h"]),
        ("h abcdefg", 3, ["h", "abc", "def", "g"]),
        ("abc def", 3, ["abc", "def"]),
        ("abc def", 6, ["abc", "def"]),
        ("abc def", 7, ["abc def"]),
        ("  a   b\t c ", 9, ["a   b", "c"]),
        ("日本語 text", 6, ["日本語", "text"]),
        ("日本語", 4, ["日本", "語"]),
        ("日本", 1, ["日", "本"]),
    ],
)
def test_lines_of_any_width(text, width, expected):
    assert lines_of(text, text.split(), width) == expected


def test_every_word_is_found_in_its_lines():
    chooser = random.Random(0)
    words = ["".join(chooser.choices("abcdefgh'", k=chooser.randint(1, 12))) for _ in range(300)]
    text = "".join(word + chooser.choice([" ", ", ", "\n", "\n\n", "  "]) for word in words)
    shown = ShownText(text, words)
    for width in (2, 3, 5, 8, 13, 40, 10_000):
        shown.break_to(width)
        assert all(cell_len(shown.text[line.start : line.end]) <= width for line in shown.lines)
        seen = [word for line in shown.lines for word in shown.words_in(line)]
        assert sorted(set(seen)) == list(range(300))
        assert seen == sorted(seen)
        for word in range(300):
            line = shown.lines[shown.line_of(word)]
            assert line.start <= shown.spans[word].start < line.end
        assert "".join(shown.text[line.start : line.end] for line in shown.lines).replace(" ", "").split() == [
            re.sub(r"\s", "", text)
        ]


def test_words_that_the_text_does_not_have_are_shown_alone():
    shown = ShownText("1984", ["nineteen", "eighty-four"])
    assert shown.text == "nineteen eighty-four"
    assert shown.spans == [Span(0, 8), Span(9, 20)]


def test_the_same_word_again_is_the_next_one():
    assert ShownText("a a, aa a", ["a", "a", "aa", "a"]).spans == [Span(0, 1), Span(2, 3), Span(5, 7), Span(8, 9)]


def test_codes_in_the_text_do_not_reach_the_terminal():
    words = ["a\x1b[2Jb", "c"]
    assert lines_of("a\x1b[2Jb\r\n\x07c\x9b\r\n", words, 20) == ["a [2Jb", "c"]
    assert ShownText("?", words).text == "a [2Jb c"


def test_a_long_text_is_broken_once_for_a_width_and_only_what_is_seen_is_drawn(monkeypatch):
    words = [f"w{number}" for number in range(10_000)]
    view = view_of(" ".join(words), words)
    view.show(event("partial", 5_000))
    first = drawn(view, 40, 10)
    assert len(first) == 10
    assert any("w5000" in line for line in first)
    styled = []
    whole = view._line
    monkeypatch.setattr(view, "_line", lambda line: styled.append(line) or whole(line))
    monkeypatch.setattr("streamhmm.cli.live_text._lines", None)  # must not be called again
    assert drawn(view, 40, 10) == first
    assert len(styled) == 9


# What is seen


def test_text_and_status():
    assert drawn(view_of(), 60, 7) == [
        "The last ferry,",
        "to the island: leaves at half past nine.",
        "",
        "So we'd better hurry!",
        "",
        "",
        "▮▮▮▮▮▯▯▯▯▯ · latency 38 ms · load 5 % · overruns 0",
    ]


@pytest.mark.parametrize("width", [1, 2, 5, 20, 41, 200])
@pytest.mark.parametrize("height", [1, 2, 3, 30])
def test_any_size_of_terminal_is_filled_and_not_exceeded(width, height):
    view = view_of()
    for index in range(5):
        view.show(event("final", index, 1.0))
    for warn in (False, True):
        if warn:
            view.warn("Mic: the microphone is gone; looking for it for 10 s")
        lines = drawn(view, width, height)
        assert len(lines) == height
        assert all(cell_len(line) <= width for line in lines)


def test_the_text_scrolls_with_the_word_that_is_read_and_back():
    words = [f"w{number}" for number in range(30)]
    view = view_of("\n".join(words), words)
    seen = {}
    for word in (0, 2, 3, 10, 29, 1):
        view.show(event("partial", word))
        seen[word] = drawn(view, 20, 7)[0]
    assert seen == {0: "w0", 2: "w0", 3: "w1", 10: "w8", 29: "w24", 1: "w0"}


def codes(view, width=60, height=7):
    """Each styled word with its escape codes."""
    lines = drawn(view, width, height, force_terminal=True, color_system="standard", legacy_windows=False)
    return [(text, code) for line in lines[:-1] for code, text in re.findall("\x1b\\[([1-9][0-9;]*)m([^\x1b]+)", line)]


def test_words_are_coloured_by_what_is_known_of_them():
    view = view_of()
    for known in (event("final", 0, 0.8), event("final", 1, 0.79), event("final", 2, 0.39), event("skipped", 3)):
        view.show(known)
    view.show(event("final", 4))
    view.show(event("partial", 5))
    assert codes(view) == [
        ("The", "32"),
        ("last", "33"),
        ("ferry", "31"),
        ("to", "2;9"),
        ("the", "32"),
        ("island", "1;7"),
    ]


def test_the_light_goes_out_when_the_word_is_final_and_moves_with_the_next():
    view = view_of()
    view.show(event("partial", 0))
    view.show(event("partial", 1))
    assert codes(view) == [("last", "1;7")]
    view.show(event("final", 0, 1.0))
    assert codes(view) == [("The", "32"), ("last", "1;7")]
    view.show(event("final", 1, 1.0))
    assert codes(view) == [("The", "32"), ("last", "32")]


def test_a_word_that_is_read_again_is_lit_again_and_one_that_was_skipped_may_be_read():
    view = view_of()
    view.show(event("final", 0, 1.0))
    view.show(event("skipped", 1))
    view.show(event("partial", 0, take=1))
    assert codes(view) == [("The", "1;7"), ("last", "2;9")]
    view.show(event("final", 1, 0.9, take=1))
    assert codes(view) == [("The", "1;7"), ("last", "32")]


def test_what_is_not_a_word_changes_nothing():
    view = view_of()
    view.show(Event("gap", None, 0, Segment("", 0, 1), 1.0, 1.0))
    view.show(Event("offscript", None, 0, Segment("", 0, 1), 1.0, 1.0))
    assert codes(view) == []


def test_a_word_broken_over_lines_is_lit_on_both():
    view = view_of("abcdef", ["abcdef"])
    view.show(event("partial", 0))
    assert codes(view, width=4) == [("abcd", "1;7"), ("ef", "1;7")]


def test_markup_in_the_text_is_text():
    assert drawn(view_of("[red]the[/red]", ["the"]), 30, 3)[0] == "[red]the[/red]"


def test_the_newest_warning_stands_above_the_status():
    view = view_of()
    view.warn("first")
    view.warn("the microphone is gone")
    assert drawn(view, 15, 6)[-2:] == ["the microphone…"[:14] + "…", "▮▮▮▮▮▯▯▯▯▯"]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (200, "▮▮▮▮▮▯▯▯▯▯ · latency 38 ms · load 5 % · overruns 2 (1.2 s lost) · chunk 30 ms"),
        (77, "▮▮▮▮▮▯▯▯▯▯ · latency 38 ms · load 5 % · overruns 2 (1.2 s lost) · chunk 30 ms"),
        (76, "▮▮▮▮▮▯▯▯▯▯ · latency 38 ms · load 5 % · overruns 2 (1.2 s lost)"),
        (26, "▮▮▮▮▮▯▯▯▯▯ · latency 38 ms"),
        (25, "▮▮▮▮▮▯▯▯▯▯"),
        (4, "▮▮▮▮"),
    ],
)
def test_the_status_line_has_what_fits(width, expected):
    assert status_line(STATUS, -30.0, width) == expected


@pytest.mark.parametrize(
    ("level_db", "expected"),
    [
        (-math.inf, "▯▯▯▯▯▯▯▯▯▯"),
        (-60.0, "▯▯▯▯▯▯▯▯▯▯"),
        (-54.0, "▮▯▯▯▯▯▯▯▯▯"),
        (-6.0, "▮▮▮▮▮▮▮▮▮▯"),
        (-5.0, "▮▮▮▮▮▮▮▮▮▯ too loud"),
        (0.0, "▮▮▮▮▮▮▮▮▮▮ too loud"),
        (3.0, "▮▮▮▮▮▮▮▮▮▮ too loud"),
    ],
)
def test_the_meter(level_db, expected):
    assert meter(level_db) == expected


# The terminal


class Clock:
    def __init__(self):
        self.now = 5.0

    def monotonic(self):
        return self.now


def test_the_terminal_is_drawn_at_most_fifteen_times_a_second_and_given_back(monkeypatch, capsys):
    clock = Clock()
    monkeypatch.setattr(live_view, "time", clock)
    paper = io.StringIO()
    console = Console(file=paper, width=40, height=6, force_terminal=True, color_system="standard")
    view = TerminalView(console, TEXT, WORDS)
    drawings = []
    with view:
        for _ in range(150):
            clock.now += 0.01
            before = paper.tell()
            view.refresh(QUIET, -30.0)
            drawings.append(paper.tell() > before)
        view.show(event("final", 0, 1.0))
        view.warn("something")
    assert 15 <= sum(drawings) <= 23  # in 1.5 s
    assert "\x1b[?1049h" in paper.getvalue()
    assert paper.getvalue().rstrip().endswith("\x1b[?1049l") or "\x1b[?1049l" in paper.getvalue()[-60:]
    assert "\x1b[?25h" in paper.getvalue()[-60:]
    assert capsys.readouterr() == ("1 of 15 words read\n", "streamhmm: something\n")


def test_the_size_of_the_terminal_is_asked_for_each_time(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(live_view, "time", clock)
    paper = io.StringIO()
    console = Console(file=paper, width=40, height=6, force_terminal=True, color_system=None)
    sizes = []
    with TerminalView(console, TEXT, WORDS) as view:
        layout = view.layout
        monkeypatch.setattr(view, "layout", lambda *given: sizes.append(given[:2]) or layout(*given))
        for size in ((40, 6), (12, 3), (100, 40)):
            clock.now += 1
            console.size = size
            view.refresh(QUIET, -30.0)
    assert sizes == [(40, 6), (12, 3), (100, 40)]


@pytest.mark.parametrize(
    ("options", "term", "seen"),
    [({}, "xterm", False), ({"force_terminal": True}, "xterm", True), ({"force_terminal": True}, "dumb", False)],
)
def test_a_view_needs_a_terminal_that_can_move_its_cursor(monkeypatch, options, term, seen):
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(
        live_view, "Console", lambda highlight: Console(file=io.StringIO(), highlight=highlight, **options)
    )
    assert (live_view.terminal() is not None) == seen


def test_the_words_of_a_text_as_people_write_it_stand_where_they_are_written():
    text = "It cost $5.50 — “well-known” Dr. Smith's ½ cup;\n3:45 pm, anna@example.org (NASA’s) 50% © 2024 & 1,000 km."
    words = [token.label for token in tokenize(text)]
    shown = ShownText(text, words)
    assert shown.text == text
    assert [text[span.start : span.end] for span in shown.spans] == words
