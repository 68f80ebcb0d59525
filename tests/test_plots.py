"""Figures of alignments and of their errors: what is drawn where, formats, long recordings, odd labels, errors."""

from __future__ import annotations

import builtins
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_comparison import SPOKEN, jittered, tiers

from streamhmm.errors import AudioError, BackendUnavailable, OutputError
from streamhmm.formats import Tiers
from streamhmm.metrics import compare_tiers, evaluate
from streamhmm.plots import Posteriors, figure_format, plot_alignment, plot_comparison, shown_span
from streamhmm.plots import alignment as alignment_module
from streamhmm.plots import comparison as comparison_module
from streamhmm.plots.canvas import drawing, new_figure
from streamhmm.plots.labels import draw_tier, score_colour, skipped_places
from streamhmm.plots.posteriorgram import draw_posteriors
from streamhmm.plots.spectrogram import RANGE_DB, extremes, spectrogram
from streamhmm.segment import Segment

pytest.importorskip("matplotlib", reason="matplotlib is not installed (the extra plot)")

RATE = 16_000
STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


def noise(seconds: float) -> tuple[Any, int]:
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * RATE)).astype(np.float32), RATE


def many_words(seconds: float, label: str = "word") -> Tiers:
    words = tuple(Segment(label, start / 2, start / 2 + 0.4, 0.9) for start in range(round(2 * seconds)))
    return Tiers(words, (), (), seconds, warnings=("low level",))


def texts_of(figure: Any) -> list[str]:
    return [text.get_text() for one in (figure, *figure.axes) for text in one.texts if text.get_text()]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that are saved from here on, without the time that it takes to save them."""
    kept: list[Any] = []
    for module in (alignment_module, comparison_module):
        monkeypatch.setattr(module, "save_figures", lambda found, path: kept.extend(found))
    return kept


# ---- alignments


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_each_format(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"figure.{kind.upper()}"
    assert plot_alignment(noise(2.0), tiers(SPOKEN), path) == (0.0, pytest.approx(2.1))
    data = path.read_bytes()
    assert data.startswith(STARTS[kind])
    again = tmp_path / f"again.{kind}"
    plot_alignment(noise(2.0), tiers(SPOKEN), again)
    assert again.read_bytes() == data  # nothing in it depends on when it was made


def test_what_is_drawn(figures: list[Any]) -> None:
    given = tiers("to=T.UW - be=B.IY")
    doubtful = tuple(Segment(w.label, w.start, w.end, score) for w, score in zip(given.words, (1.0, 0.2), strict=True))
    followed = Tiers(
        doubtful,
        given.phones,
        given.phone_words,
        2.0,
        text="oh to really be it",
        warnings=("not read: 'oh'",),
        word_indices=(1, 3),
        skipped=(0, 2, 4),
        offscript=(Segment("other", 1.0, 1.5),),
    )
    plot_alignment(noise(2.0), followed, "any.png")
    (figure,) = figures
    found = texts_of(figure)
    for label in ("to", "be", "T", "UW", "off-script", "score 0", "• not read: 'oh'"):
        assert found.count(label) == 1
    assert found.count("1 not read") == 3
    words = next(axes for axes in figure.axes if axes.get_ylabel() == "words")
    boxes = [(patch.get_x(), patch.get_x() + patch.get_width(), patch.get_facecolor()[:3]) for patch in words.patches]
    assert boxes[:2] == [
        (pytest.approx(0.2), pytest.approx(0.4), pytest.approx(score_colour(1.0))),
        (pytest.approx(0.5), pytest.approx(0.7), pytest.approx(score_colour(0.2))),
    ]
    assert boxes[2][:2] == (1.0, 1.5)
    assert skipped_places(followed) == [(0.0, 1), (pytest.approx(0.4), 1), (pytest.approx(0.7), 1)]


def test_scores_from_white_to_vermilion() -> None:
    assert score_colour(None) == score_colour(1.0) == (1.0, 1.0, 1.0)
    assert score_colour(0.0) == pytest.approx((0.835, 0.369, 0.0))


def test_a_long_recording_is_drawn_in_strips_and_pages(figures: list[Any]) -> None:
    long = many_words(100.0)
    assert plot_alignment(noise(100.0), long, "a.png") == (0.0, 30.0)
    assert plot_alignment(noise(100.0), long, "a.png", start=80.0) == (80.0, 100.0)
    assert plot_alignment(noise(100.0), long, "a.pdf", start=30.0) == (30.0, 100.0)
    strips = [len([axes for axes in figure.axes if axes.get_ylabel() == "words"]) for figure in figures]
    assert strips == [6, 4, 4, 4, 4, 2]
    edges = [axes.get_xlim() for figure in figures[2:] for axes in figure.axes if axes.get_ylabel() == "words"]
    assert edges == [pytest.approx((30 + 5 * k, 35 + 5 * k)) for k in range(14)]
    assert [sum("low level" in text for text in texts_of(figure)) for figure in figures] == [1, 1, 1, 0, 0, 0]


def test_many_warnings_are_cut(figures: list[Any]) -> None:
    words = tiers("to=T.UW")
    many = Tiers(words.words, words.phones, words.phone_words, 1.0, warnings=tuple(f"warning {i}" for i in range(20)))
    plot_alignment(noise(1.0), many, "a.png")
    found = [text for text in texts_of(figures[0]) if "warning" in text or "more" in text]
    assert found == [*(f"• warning {i}" for i in range(8)), "… and 12 lines more"]


def test_pages_of_a_pdf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment_module, "STRIP_S", 0.5)
    monkeypatch.setattr(alignment_module, "STRIPS_A_PAGE", 1)
    monkeypatch.setitem(alignment_module.MOST_S, "png", 0.5)
    plot_alignment(noise(1.5), many_words(1.5), tmp_path / "a.pdf")
    assert re.search(rb"/Type /Pages[^>]*/Count 3", (tmp_path / "a.pdf").read_bytes().replace(b"\n", b" "))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("a.gif", None, None), r"the suffix of 'a.gif' must be one of .png, .svg, .pdf, got '.gif'"),
        (("a.png", 5.0, 5.0), r"start and end must be 0 ≤ start < end, within 1000 s, got 5 and 5"),
        (("a.png", -1.0, None), r"0 ≤ start < end, within 1000 s, got -1 and 29"),
        (("a.png", 1000.0, None), r"0 ≤ start < end, within 1000 s, got 1000 and 1000"),
        (("a.svg", 0.0, 31.0), r"are 31 s apart, and a SVG file holds 30 s; choose a shorter part or a PDF file"),
        (("a.pdf", 0.0, 601.0), r"are 601 s apart, and a PDF file holds 600 s; choose a shorter part$"),
    ],
)
def test_wrong_spans(given: tuple[str, float | None, float | None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        shown_span(1000.0, *given)


def test_spans_end_with_the_recording() -> None:
    assert shown_span(7.0, "a.png", None, None) == (0.0, 7.0)
    assert shown_span(7.0, "a.png", 2.0, 100.0) == (2.0, 7.0)
    assert shown_span(1000.0, "a.pdf", 3.0, None) == (3.0, 603.0)


def test_odd_labels_and_letters_without_a_font(tmp_path: Path) -> None:
    labels = ("字", "𓀀", "$x_1$", "<b>&", "עברית", "a" * 400, "\x07", "e\u0301")
    words = tuple(Segment(label, 0.1 * i, 0.1 * i + 0.1, 0.5) for i, label in enumerate(labels, 1))
    plot_alignment(noise(1.0), Tiers(words, (), (), 1.0), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(STARTS["png"])


def test_labels_do_not_lie_over_one_another() -> None:
    with drawing():
        figure = new_figure(12, 1)
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1))
        crowd = [Segment("AH", 0.03 * i, 0.03 * i + 0.03) for i in range(100)]
        draw_tier(axes, [*crowd, Segment("Donaudampfschiff", 3.0, 3.02), Segment("far", 4.0, 5.0)], 0.0, 5.0, 7.0)
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in axes.texts]
    rows = [
        [box for box, text in zip(boxes, axes.texts, strict=True) if (text.get_position()[1] < 0.5) == low]
        for low in (True, False)
    ]
    for row in rows:
        row.sort(key=lambda box: box.x0)
        overlaps = [one.x1 - other.x0 for one, other in itertools.pairwise(row)]
        assert max(overlaps) < 3.0  # pixels


def test_a_label_stands_where_most_of_its_box_is() -> None:
    with drawing():
        for start_s, end_s, shown in ((0.0, 0.9, ["a"]), (0.9, 2.0, ["a"]), (0.6, 2.0, ["a"]), (1.2, 2.0, [])):
            axes = new_figure(12, 1).add_subplot()
            draw_tier(axes, [Segment("a", 0.5, 1.3)], start_s, end_s, 7.0)
            expected = shown if min(1.3, end_s) - max(0.5, start_s) >= 0.4 else []
            assert [text.get_text() for text in axes.texts] == expected


def test_posteriors_of_what_is_heard_or_aligned() -> None:
    probabilities = np.zeros((200, 4), np.float32)
    probabilities[50:100, 0], probabilities[100:, 3] = 0.9, 1.0
    posteriors = Posteriors(probabilities, ("AA", "B", "K", "SIL"), 0.01, start_s=1.0)
    with drawing():
        axes = new_figure(4, 2).add_subplot()
        draw_posteriors(axes, posteriors, [Segment("K", 1.2, 1.4), Segment("B", 2.8, 2.9)], 1.0, 2.2)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["AA", "K", "SIL"]
    (image,) = axes.images
    assert image.get_array().shape == (3, 120)
    assert image.get_extent()[:2] == pytest.approx((1.0, 2.2))
    (line,) = axes.collections[0].get_segments()
    assert line[:, 0].tolist() == [1.2, 1.4]


def test_posteriors_are_drawn_under_the_spectrogram(figures: list[Any]) -> None:
    posteriors = Posteriors(np.full((200, 2), 0.5, np.float32), ("T", "UW"), 0.01)
    plot_alignment(noise(2.0), tiers("to=T.UW"), "a.png", posteriors=posteriors)
    assert [axes.images[0].get_array().shape[0] for axes in figures[0].axes if axes.images] == [257, 2]


# ---- comparisons


def test_a_comparison_is_drawn(figures: list[Any]) -> None:
    compared = [
        compare_tiers(tiers(SPOKEN), jittered(SPOKEN, k), name=f"{speaker}/{k}") for speaker in "ab" for k in range(4)
    ]
    plot_comparison(evaluate(compared, tolerance_ms=20), "a.png")
    (figure,) = figures
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    expected = ["boundaries within a distance", "errors", "phones by class"]
    assert titles == [*expected, "median distance where two phones meet (ms)", "words by speaker"]
    curve = next(line for line in figure.axes[0].lines if line.get_label() == "words (n = 64)")
    errors = np.concatenate([np.concatenate([one.words.starts, one.words.ends]) for one in compared])
    for limit_ms in (5.0, 10.0, 20.0):
        reached = curve.get_ydata()[np.searchsorted(curve.get_xdata(), limit_ms, side="right") - 1]
        assert reached == pytest.approx(100 * np.mean(abs(errors) <= limit_ms / 1000))


def test_a_comparison_with_hardly_anything_in_it(tmp_path: Path) -> None:
    for reference, hypothesis in ((SPOKEN, "other"), ("to", "to"), ("to=T.UW", "to=T.UW")):
        plot_comparison(
            evaluate([compare_tiers(tiers(reference), tiers(hypothesis))], tolerance_ms=20), tmp_path / "a.png"
        )
    assert (tmp_path / "a.png").read_bytes().startswith(STARTS["png"])


# ---- numbers


def test_a_tone_has_its_row_and_silence_is_white() -> None:
    time = np.arange(RATE) / RATE
    tone = np.where(time < 0.5, np.sin(2 * np.pi * 3000 * time), 0).astype(np.float32)
    levels = spectrogram(tone, RATE)
    assert levels.shape == (257, 501)
    assert abs(int(levels[:, 100].argmax()) * RATE / 512 - 3000) < 60
    assert levels[:, 100].max() == pytest.approx(1.0, abs=3 / RANGE_DB)
    assert not levels[:, 260:].any()
    assert not spectrogram(np.zeros(1, np.float32), RATE).any()


def test_extremes() -> None:
    samples = np.array([0, 1, -2, 3, 0.5, -0.5], np.float32)
    assert extremes(samples, 3).tolist() == [[0, -2, -0.5], [1, 3, 0.5]]
    assert extremes(samples, 6).tolist() == [samples.tolist()] * 2


# ---- errors


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name: str, *arguments: Any, **options: Any) -> Any:
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(BackendUnavailable, match=r"not installed; install it with: pip install 'streamhmm\[plot\]'"):
        plot_alignment(noise(1.0), tiers("to"), "a.png")


def test_matplotlib_is_imported_when_something_is_drawn() -> None:
    program = "import sys, streamhmm.plots; print({'matplotlib', 'torch', 'soundfile'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"


def test_a_folder_that_is_not_there_and_a_recording_that_is_over(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"there is no folder .*none; make it first"):
        plot_alignment(noise(1.0), tiers("to"), tmp_path / "none" / "a.png")
    assert os.listdir(tmp_path) == []
    with pytest.raises(AudioError, match=r"none.wav: there is no such file"):
        plot_alignment("none.wav", tiers("to"), tmp_path / "a.png")
    assert figure_format("a.b.PDF") == "pdf"
