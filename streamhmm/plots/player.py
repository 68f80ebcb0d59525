"""A web page that plays a recording and shows where it is in the text; one file, with everything in it."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Sequence
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamhmm.audio import Audio, as_audio, load_audio
from streamhmm.errors import BackendUnavailable
from streamhmm.formats import Tiers, atomic_write
from streamhmm.page import page
from streamhmm.plots.reading_order import Item, reading_order
from streamhmm.plots.spectrogram import extremes
from streamhmm.segment import Segment

RATE = 16_000
PEAKS_A_SECOND = 200
_COMPRESSION = 0.8
"""Of MP3 at 16 kHz, one channel: 40 kbit/s, 18 MB an hour."""
_LOWEST_NAMED = 12
_DOUBTFUL = 0.5
_BLOCK = 1 << 20


def write_player(
    audio: str | os.PathLike[str] | Audio | tuple[Any, int], tiers: Tiers, path: str | os.PathLike[str]
) -> None:
    """Write a page that plays a recording and highlights the words of its alignment.

    The recording is in it as MP3, which every browser plays. Words that were not read are struck through, off-script
    speech is marked, words are the more coloured the lower their score is, warnings are listed.

    Args:
        audio: a path, an ``Audio``, or (samples, sample_rate).
        tiers: an alignment, or what :func:`streamhmm.formats.load` read.
        path: where to write, an .html file.

    Raises:
        AudioError: the recording can't be read.
        BackendUnavailable: the libsndfile that is installed can't write MP3.
        OutputError: the page can't be written.
    """
    samples = _samples(audio)
    is_path = isinstance(audio, (str, os.PathLike))
    name = os.path.basename(os.fsdecode(os.fspath(audio)) if is_path else tiers.audio) or "alignment"  # type: ignore[arg-type]
    data = {
        "audio": base64.b64encode(as_mp3(samples)).decode(),
        "duration": len(samples) / RATE,
        "peaks": base64.b64encode(_peaks(samples)).decode(),
        "peaks_a_second": PEAKS_A_SECOND,
        "words": [_row(word) for word in tiers.words],
        "phones": [_row(phone) for phone in tiers.phones],
        "offscript": [_row(stretch) for stretch in tiers.offscript],
    }
    text = page(name, _body(tiers), style=_resource("player.css"), script=_resource("player.js"), data=data)
    with atomic_write(path) as file:
        file.write(text)


def as_mp3(samples: NDArray[np.float32]) -> bytes:
    """(N,) samples at 16 kHz as MP3 of constant bit rate, in which browsers find any time exactly.

    Raises BackendUnavailable for a libsndfile that can't write it.
    """
    import soundfile  # type: ignore[import-untyped]

    if "MP3" not in soundfile.available_formats():
        raise BackendUnavailable(
            f"libsndfile {soundfile.__libsndfile_version__} can't write MP3, which pages hold; get a newer one with: "
            "pip install --upgrade soundfile"
        )

    data = io.BytesIO()
    with soundfile.SoundFile(
        data, "w", RATE, 1, format="MP3", bitrate_mode="CONSTANT", compression_level=_COMPRESSION
    ) as file:
        for start in range(0, len(samples), _BLOCK):
            file.write(samples[start : start + _BLOCK])
    return data.getvalue()


def _samples(audio: str | os.PathLike[str] | Audio | tuple[Any, int]) -> NDArray[np.float32]:
    if isinstance(audio, (str, os.PathLike)):
        return load_audio(audio, sample_rate=RATE).samples
    if isinstance(audio, Audio):
        audio = (audio.samples, audio.sample_rate)
    return as_audio(*audio, target_rate=RATE).samples


def _peaks(samples: NDArray[np.float32]) -> bytes:
    """The largest magnitude in each 5 ms, a byte each, of the loudest one 255."""
    size = RATE // PEAKS_A_SECOND
    low, high = extremes(np.pad(samples, (0, -len(samples) % size)), -(-len(samples) // size))
    peaks = np.maximum(-low, high)
    return bytes(np.round(255 * peaks / max(float(peaks.max()), 1e-6)).astype(np.uint8))


def _row(segment: Segment) -> list[Any]:
    score = None if segment.score is None else round(segment.score, 3)
    return [segment.label, round(segment.start, 4), round(segment.end, 4), score]


def _body(tiers: Tiers) -> str:
    scores = [word.score for word in tiers.words if word.score is not None]
    facts = [f"{len(tiers.words)} words", f"{len(tiers.phones)} phones", _clock(tiers.duration)]
    facts += [f"mean score {sum(scores) / len(scores):.2f}"] if scores else []
    facts += [f"{len(tiers.skipped)} not read"] if tiers.skipped else []
    facts += [f"{len(tiers.offscript)} off-script"] if tiers.offscript else []
    return "\n".join(
        [
            f'<p class="soft">{" · ".join(facts)}</p>',
            _CONTROLS,
            _notes("Warnings", [html.escape(warning) for warning in tiers.warnings]),
            _notes("Least certain", _least_certain(tiers.words)),
            f'<div id="text" dir="auto">{"".join(_shown(item, tiers) for item in reading_order(tiers))}</div>',
            _LEGEND if scores else "",
        ]
    )


def _notes(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    items = "".join(f"<li>{line}</li>" for line in lines)
    opened = " open" if len(lines) <= _LOWEST_NAMED else ""
    return f"<details{opened}><summary>{title} ({len(lines)})</summary><ul>{items}</ul></details>"


def _least_certain(words: Sequence[Segment]) -> list[str]:
    """Links to the words whose score is low, the lowest first."""
    scored = [(word.score, index) for index, word in enumerate(words) if word.score is not None]
    lowest = sorted((score, index) for score, index in scored if score < _DOUBTFUL)[:_LOWEST_NAMED]
    return [
        f'<button class="jump" data-word="{index}">{html.escape(words[index].label)}</button> '
        f'<span class="soft">{_clock(words[index].start)}, score {score:.2f}</span>'
        for score, index in lowest
    ]


def _shown(item: Item, tiers: Tiers) -> str:
    text = html.escape(item.text)
    if item.kind == "word":
        score = tiers.words[item.place].score
        doubt = 0.0 if score is None else round(0.75 * (1 - score), 2)
        style = f' style="background:rgba(213,94,0,{doubt:g})"' if doubt >= 0.05 else ""
        again = " again" if tiers.takes[item.place] else ""
        return f'<span class="w{again}" id="w{item.place}"{style}>{text}</span>'
    if item.kind == "skipped":
        return f'<del title="not read">{text}</del>'
    if item.kind == "offscript":
        stretch = tiers.offscript[item.place]
        times = f"{_clock(stretch.start)}, {stretch.duration:.1f} s"
        return f'<span class="off" id="o{item.place}" title="not in the text">off-script, {times}</span>'
    return '<span class="back" title="read again from an earlier place">↩</span>' if item.kind == "back" else text


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def _resource(name: str) -> str:
    return resources.files("streamhmm.plots").joinpath("page", name).read_text(encoding="utf-8")


_CONTROLS = """<div id="panel">
<canvas id="overview" aria-label="the whole recording"></canvas>
<canvas id="detail" aria-label="the recording around the current time"></canvas>
<div id="bar"><audio id="audio" controls preload="auto"></audio>
<label>speed <select id="speed"><option>0.5</option><option>0.75</option><option selected>1</option>
<option>1.25</option><option>1.5</option></select></label>
<label><input type="checkbox" id="follow" checked> scroll along</label>
<span id="now" aria-live="off"></span></div>
<p class="soft keys">Click a word to hear it. <kbd>space</kbd> plays and pauses, <kbd>←</kbd> <kbd>→</kbd> go from word
to word, <kbd>↑</kbd> <kbd>↓</kbd> five seconds, <kbd>R</kbd> repeats the word.</p></div>"""
_LEGEND = """<p class="soft legend">Score <span class="ramp"></span> 0 to 1:
how likely it is that this word was spoken.</p>"""
