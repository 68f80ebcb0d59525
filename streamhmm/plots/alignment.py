"""An alignment drawn with its recording: waveform, spectrogram, posteriors, phones, words; strip below strip."""

from __future__ import annotations

import itertools
import math
import os
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamhmm.audio import Audio, as_audio
from streamhmm.audio.excerpt import load_excerpt
from streamhmm.formats import Tiers
from streamhmm.plots.canvas import drawing, figure_format, new_figure, save_figures
from streamhmm.plots.labels import GREY, INK, draw_tier, mark_others, score_colour
from streamhmm.plots.posteriorgram import Posteriors, draw_posteriors
from streamhmm.plots.spectrogram import HOP_S, extremes, spectrogram

if TYPE_CHECKING:
    from streamhmm.plots.canvas import Axes, Figure

RATE = 16_000
STRIP_S = 5.0
"""Seconds side by side; with more, labels of phones would not find room."""
STRIPS_A_PAGE = 4
MOST_S = {"png": 30.0, "svg": 30.0, "pdf": 600.0}
"""What one file shows."""
WIDTH_IN = 12.0
_HEIGHTS_IN = {"waveform": 0.6, "spectrogram": 1.35, "posteriors": 1.9, "phones": 0.42, "words": 0.42}
_LINE_IN = 0.17
_MOST_WARNINGS = 8
_WAVE_BINS = 2000
_BLUE = "#0072b2"

AudioSource = str | os.PathLike[str] | Audio | tuple[Any, int]


class Span(NamedTuple):
    """From when to when, seconds."""

    start_s: float
    end_s: float


class _Recording(NamedTuple):
    """Samples at 16 kHz, the first of which is at ``start_s``."""

    samples: NDArray[np.float32]
    start_s: float

    def part(self, span: Span) -> NDArray[np.float32]:
        """The samples between two times; silence where the recording has ended."""
        first, last = (round((time_s - self.start_s) * RATE) for time_s in span)
        samples = self.samples[max(0, first) : last]
        return np.pad(samples, (0, max(0, last - first - len(samples))))


def plot_alignment(
    audio: AudioSource,
    tiers: Tiers,
    path: str | os.PathLike[str],
    *,
    start: float | None = None,
    end: float | None = None,
    posteriors: Posteriors | None = None,
) -> Span:
    """Draw a recording with its alignment into a file, .png, .svg or .pdf; returns what part of it was drawn.

    Words and phones are white where their score is 1 and the more coloured the lower it is. Off-script speech is
    hatched, a triangle marks where words of the text were not read; warnings are listed.

    Args:
        audio: a path, an ``Audio``, or (samples, sample_rate).
        tiers: an alignment, or what :func:`streamhmm.formats.load` read.
        path: where to write. An image holds 30 s, a PDF 10 minutes on pages of 20 s.
        start, end: seconds; by default from the beginning, and as much as the file holds.
        posteriors: of the phones (:func:`~streamhmm.plots.phone_posteriors`), drawn under the spectrogram.

    Raises:
        ValueError: an unknown suffix, times that are not 0 ≤ start < end, or more than the file holds.
        AudioError: the recording can't be read, or is over at ``start``.
        BackendUnavailable: matplotlib is not installed.
        OutputError: the file can't be written.
    """
    span = shown_span(tiers.duration, path, start, end)
    with drawing():
        recording = _read(audio, span)
        save_figures(_pages(recording, tiers, span, posteriors, _title(audio, tiers)), path)
    return span


def shown_span(duration_s: float, path: str | os.PathLike[str], start: float | None, end: float | None) -> Span:
    """What part of a recording a file will show. Raises ValueError as :func:`plot_alignment`."""
    most_s = MOST_S[figure_format(path)]
    start_s = 0.0 if start is None else start
    end_s = min(duration_s, start_s + most_s) if end is None else min(end, duration_s)
    if not 0 <= start_s < end_s:
        raise ValueError(
            f"start and end must be 0 ≤ start < end, within {duration_s:g} s, "
            f"got {start_s:g} and {end_s if end is None else end:g}"
        )
    if end_s - start_s > most_s + 1e-9:
        raise ValueError(
            f"start and end are {end_s - start_s:g} s apart, and a {figure_format(path).upper()} file holds "
            f"{most_s:g} s; choose a shorter part" + ("" if most_s == max(MOST_S.values()) else " or a PDF file")
        )
    return Span(start_s, end_s)


def _read(audio: AudioSource, span: Span) -> _Recording:
    if isinstance(audio, (str, os.PathLike)):
        return _Recording(load_excerpt(audio, *span, sample_rate=RATE).samples, span.start_s)
    if isinstance(audio, Audio):
        audio = (audio.samples, audio.sample_rate)
    return _Recording(as_audio(*audio, target_rate=RATE).samples, 0.0)


def _title(audio: AudioSource, tiers: Tiers) -> str:
    name = os.fspath(audio) if isinstance(audio, (str, os.PathLike)) else tiers.audio
    return os.path.basename(os.fsdecode(name))


def _pages(
    recording: _Recording, tiers: Tiers, span: Span, posteriors: Posteriors | None, title: str
) -> Iterator[Figure]:
    count = math.ceil((span.end_s - span.start_s) / STRIP_S - 1e-9)
    edges = np.linspace(span.start_s, span.end_s, count + 1)
    strips = [Span(one, other) for one, other in itertools.pairwise(edges.tolist())]
    a_page = len(strips) if len(strips) * STRIP_S <= max(MOST_S["png"], STRIP_S) else STRIPS_A_PAGE
    for first in range(0, len(strips), a_page):
        shown = strips[first : first + a_page]
        warnings = tiers.warnings if first == 0 else ()
        heading = f"{title}   {shown[0].start_s:.2f} – {shown[-1].end_s:.2f} s of {tiers.duration:.2f} s"
        yield _page(recording, tiers, shown, posteriors, heading, _wrapped(warnings))


def _page(
    recording: _Recording,
    tiers: Tiers,
    strips: Sequence[Span],
    posteriors: Posteriors | None,
    heading: str,
    notes: Sequence[str],
) -> Figure:
    heights = {name: height for name, height in _HEIGHTS_IN.items() if name != "posteriors" or posteriors is not None}
    strip_in = sum(heights.values()) + 0.42
    notes_in = _LINE_IN * len(notes)
    total_in = 0.55 + strip_in * len(strips) + notes_in
    figure = new_figure(WIDTH_IN, total_in)
    figure.set_layout_engine("none")
    figure.text(0.055, 1 - 0.22 / total_in, heading, fontsize=11, color=INK, va="center")
    if any(word.score is not None for word in tiers.words):
        _draw_key(figure, total_in)
    top = total_in - 0.5
    for span in strips:
        axes = {}
        for name, height in heights.items():
            top -= height
            axes[name] = figure.add_axes((0.055, top / total_in, 0.92, (height - 0.04) / total_in))
        _draw_strip(axes, recording, tiers, span, posteriors)
        top -= 0.42
    for number, note in enumerate(notes):
        figure.text(0.055, (top + 0.1 - _LINE_IN * number) / total_in, note, fontsize=8, color=INK, va="top")
    return figure


def _draw_key(figure: Figure, total_in: float) -> None:
    """What the colours of words and phones mean."""
    axes = figure.add_axes((0.835, 1 - 0.28 / total_in, 0.14, 0.12 / total_in))
    axes.imshow([[score_colour(score) for score in np.linspace(0, 1, 64)]], aspect="auto", extent=(0, 1, 0, 1))
    axes.set_yticks([])
    axes.set_xticks([])
    axes.text(-0.03, 0.4, "score 0", ha="right", va="center", fontsize=8, color=GREY)
    axes.text(1.02, 0.4, "1", ha="left", va="center", fontsize=8, color=GREY)


def _draw_strip(
    axes: dict[str, Axes], recording: _Recording, tiers: Tiers, span: Span, posteriors: Posteriors | None
) -> None:
    samples = recording.part(span)
    _draw_waveform(axes["waveform"], samples, span, float(np.abs(recording.samples).max(initial=1e-3)))
    _draw_spectrogram(axes["spectrogram"], samples, span)
    if posteriors is not None:
        draw_posteriors(axes["posteriors"], posteriors, tiers.phones, span.start_s, span.end_s)
    draw_tier(axes["phones"], tiers.phones, *span, points=7.0)
    draw_tier(axes["words"], tiers.words, *span, points=8.5)
    mark_others(axes["words"], tiers, *span)
    for name in ("waveform", "spectrogram"):
        for word in tiers.words:
            for time_s in {word.start, word.end}:
                if span.start_s < time_s < span.end_s:
                    axes[name].axvline(time_s, color=_BLUE, linewidth=0.6, alpha=0.55)
    for name, one in axes.items():
        one.set_xlim(span)
        one.tick_params(axis="x", labelbottom=name == "words", bottom=name == "words", labelsize=7, length=2)
        if name in ("phones", "words"):
            one.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8, color=GREY)
    axes["words"].xaxis.set_major_formatter("{x:g} s")


def _draw_waveform(axes: Axes, samples: NDArray[np.float32], span: Span, loudest: float) -> None:
    bins = min(_WAVE_BINS, len(samples))
    low, high = extremes(samples, bins)
    axes.fill_between(np.linspace(*span, bins), low, high, color=INK, linewidth=0.3, edgecolor=INK)
    axes.set(ylim=(-loudest, loudest), yticks=[])
    axes.spines[:].set_visible(False)


def _draw_spectrogram(axes: Axes, samples: NDArray[np.float32], span: Span) -> None:
    levels = spectrogram(samples, RATE)
    half = HOP_S / 2  # columns are centred on their times
    extent = (span.start_s - half, span.start_s - half + HOP_S * levels.shape[1], 0, RATE / 2000)
    axes.imshow(levels, cmap="Greys", vmin=0, vmax=1, origin="lower", aspect="auto", extent=extent)
    axes.set(ylim=(0, RATE / 2000), yticks=[0, 2, 4, 6])
    axes.tick_params(axis="y", labelsize=7, length=2)
    axes.set_ylabel("kHz", fontsize=7, color=GREY, labelpad=2)


def _wrapped(warnings: Sequence[str]) -> list[str]:
    lines = [line for warning in warnings for line in textwrap.wrap(warning, 170, initial_indent="• ")]
    if len(lines) > _MOST_WARNINGS:
        lines = [*lines[:_MOST_WARNINGS], f"… and {len(lines) - _MOST_WARNINGS} lines more"]
    return lines
