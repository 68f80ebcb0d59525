"""Suspicion, usual durations, the two files of a report."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import statistics
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from streamhmm.corpus import Problem
from streamhmm.corpus.measures import NO_WORD, Measures, shortest_run
from streamhmm.corpus.report import Line, report_lines, write_report
from streamhmm.corpus.suspicion import FEWEST_PHONES, LongestPhone, longest_phones, suspicion
from streamhmm.segment import Segment

ROW = Measures(
    speaker="ann",
    text="the island a",
    start_s=0.0,
    duration_s=2.5,
    words=3,
    log_likelihood=-0.123456,
    contrast=-0.2,
    text_score=0.99,
    surprise=0.5,
    mean_score=0.9,
    lowest_score=0.7,
    lowest_word="the",
    longest_s=0.8,
    longest_word="island",
    shortest_s=0.1,
    shortest_word="a",
    shortest_run=2,
    level_db=-20.0,
    snr_db=None,
    clipped=0.0,
    warnings=("one", "two"),
    compute_s=0.01,
    phones="AA 100 B 50",
)


def test_suspicion_is_the_strongest_doubt():
    assert suspicion(ROW) == 0.5
    assert suspicion(replace(ROW, text_score=0.01)) == pytest.approx(1.5 + math.log10(99))
    assert suspicion(replace(ROW, text_score=0.01, surprise=7.0)) == 7.0
    assert suspicion(replace(ROW, text_score=1.0, surprise=0.0)) == 0.0
    assert suspicion(replace(ROW, text_score=0.0)) == pytest.approx(13.5)


def test_measures_survive_the_journal():
    assert Measures.from_values(json.loads(json.dumps(ROW.as_values()))) == ROW


def test_the_longest_phone_beside_others_of_its_label():
    usual = [90, 110] * (FEWEST_PHONES // 2)
    others = {str(i): replace(ROW, phones=f"AA {ms} B {ms // 2}") for i, ms in enumerate(usual)}
    rows = {**others, "long": replace(ROW, phones="AA 95 B 200 RARE 9000"), "none": replace(ROW, phones="")}
    found = longest_phones(rows)
    logs = [math.log(ms // 2) for ms in usual] + [math.log(200)]
    assert found["long"].label == "B"
    assert found["long"].deviation == pytest.approx((math.log(200) - statistics.fmean(logs)) / statistics.pstdev(logs))
    assert found["none"] == LongestPhone(0.0, "")
    assert longest_phones({}) == {}


@pytest.mark.parametrize(("durations", "run"), [([], 0), ([0.1], 0), ([0.03], 1), ([0.03, 0.02, 0.1, 0.03], 2)])
def test_the_longest_run_of_short_phones(durations, run):
    starts = [sum(durations[:i]) for i in range(len(durations))]
    phones = [Segment("AA", start, start + length) for start, length in zip(starts, durations, strict=True)]
    assert shortest_run(tuple(phones)) == run
    assert NO_WORD.duration == 0


def test_lines_in_the_order_in_which_to_look():
    rows = {"b": ROW, "c": replace(ROW, surprise=3.0), "a": ROW, "nan": replace(ROW, contrast=math.nan)}
    lines = report_lines(rows, [Problem("z", "broken")])
    assert [line.file for line in lines] == ["z", "c", "a", "b", "nan"]
    assert lines[0] == Line("z", "failed", warnings="broken")
    assert lines[4].contrast is None
    assert lines[2].log_likelihood == -0.1235
    assert lines[2].warnings == "one; two"


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)
        assert not [value for name, value in attrs if name in ("src", "href")]


def test_both_files_hold_any_name(tmp_path):
    nasty = ["a,\"b\"\n'c'", "</script><b>", os.fsdecode(b"caf\xe9"), "ünï", "=1+1"]
    write_report(str(tmp_path), dict.fromkeys(nasty, ROW), [], {name: f"/in/{name}.wav" for name in nasty})
    table = list(csv.reader(io.StringIO((tmp_path / "report.csv").read_bytes().decode("utf-8-sig"), newline="")))
    assert table[0] == list(Line._fields)
    assert [row[0] for row in table[1:]] == sorted([*nasty[:2], "caf\\udce9", *nasty[3:]])
    page = (tmp_path / "report.html").read_bytes().decode("utf-8")
    tags = Tags()
    tags.feed(page)
    assert (tags.found.count("script"), tags.found.count("b")) == (1, 0)
    start = page.index("const data = ") + len("const data = ")
    data = json.loads(page[start : page.index(";\n", start)])
    assert [row[0] for row in data["rows"]] == [row[0] for row in table[1:]]
    assert any(link.endswith("/caf%E9.wav") for link in data["links"])
