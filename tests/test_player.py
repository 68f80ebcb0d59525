"""The page that plays: nothing is lost, nothing is fetched, no label is taken for HTML."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from streamhmm.errors import BackendUnavailable, OutputError
from streamhmm.formats import Tiers
from streamhmm.plots import write_player
from streamhmm.plots.player import PEAKS_A_SECOND, as_mp3
from streamhmm.plots.reading_order import Item, reading_order
from streamhmm.segment import Segment

RATE = 16_000


class Page(HTMLParser):
    """What of a page matters: elements with their attributes, and the text of each class or tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.shown = ""
        self.feed(text)
        self.data = json.loads(re.search(r"const data = (.*);\n", text)[1])  # type: ignore[index]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        kind = dict(attributes).get("class") or tag
        self.texts.setdefault(kind, []).append("")
        if tag not in ("meta", "input"):
            self._open.append(kind)

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]][-1] += data
        if "text" in [attributes.get("id") for _, attributes in self.elements] and "script" not in self._open:
            self.shown += data


def sound(seconds: float) -> tuple[Any, int]:
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * 220 * time) * np.minimum(time, 1)).astype(np.float32), RATE


def followed() -> Tiers:
    """ "Oh! To <b>be</b>, or not." with "oh" skipped, "to" read twice and something else said."""
    words = (
        Segment("To", 0.1, 0.3, 0.98),
        Segment("To", 0.5, 0.7, 0.91),
        Segment("b>be</b", 0.7, 0.9, 0.2),
        Segment("not", 1.5, 1.9, None),
    )
    return Tiers(
        words,
        (Segment("T", 0.1, 0.2, 0.9), Segment("UW", 0.2, 0.3, 0.8)),
        (0, 0),
        2.0,
        audio="dir/some.wav",
        text="Oh! To <b>be</b>,\nor not.",
        warnings=("not read: 'Oh'", "a </script> & more"),
        word_indices=(1, 1, 2, 4),
        takes=(0, 1, 0, 0),
        skipped=(0, 3),
        offscript=(Segment("(other)", 1.0, 1.4),),
    )


@pytest.fixture
def page(tmp_path: Path) -> Page:
    write_player(sound(2.0), followed(), tmp_path / "page.html")
    return Page((tmp_path / "page.html").read_text(encoding="utf-8"))


def test_the_data_is_complete(page: Page) -> None:
    assert page.data["words"] == [
        ["To", 0.1, 0.3, 0.98],
        ["To", 0.5, 0.7, 0.91],
        ["b>be</b", 0.7, 0.9, 0.2],
        ["not", 1.5, 1.9, None],
    ]
    assert page.data["phones"] == [["T", 0.1, 0.2, 0.9], ["UW", 0.2, 0.3, 0.8]]
    assert page.data["offscript"] == [["(other)", 1.0, 1.4, None]]
    assert page.data["duration"] == 2.0


def test_the_audio_decodes_to_the_same(page: Page) -> None:
    found, rate = soundfile.read(io.BytesIO(base64.b64decode(page.data["audio"])), dtype="float32")
    samples, _ = sound(2.0)
    assert (len(found), rate) == (len(samples), RATE)
    assert np.corrcoef(found, samples)[0, 1] > 0.999  # and nothing is shifted
    peaks = np.frombuffer(base64.b64decode(page.data["peaks"]), np.uint8)
    assert len(peaks) == 2 * PEAKS_A_SECOND
    expected = np.abs(samples).reshape(len(peaks), -1).max(axis=1)
    assert np.abs(peaks / 255 - expected / expected.max()).max() < 1 / 255


@pytest.mark.parametrize("count", [1, 159, 160, 161, 16_000, 100_003])
def test_any_length_is_kept(count: int) -> None:
    samples = np.random.default_rng(count).normal(0, 0.1, count).astype(np.float32)
    assert soundfile.info(io.BytesIO(as_mp3(samples))).frames == count


def test_a_library_that_can_not_write_mp3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundfile, "available_formats", lambda: {"WAV": "Microsoft"})
    with pytest.raises(BackendUnavailable, match=r"libsndfile .* can't write MP3, .* pip install --upgrade soundfile"):
        as_mp3(np.zeros(1, np.float32))


def test_every_word_has_its_place_in_the_text(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert [one for one in ids if re.fullmatch(r"[wo]\d+", str(one))] == ["w0", "w1", "w2", "o0", "w3"]
    assert page.texts["w"] == ["To", "b>be</b", "not"]
    assert page.texts["w again"] == ["To"]
    assert page.texts["del"] == ["Oh", "or"]
    assert page.texts["off"] == ["off-script, 0:01.0, 0.4 s"]
    assert len(page.texts["back"]) == 1
    assert page.texts["li"][:2] == ["not read: 'Oh'", "a </script> & more"]
    assert page.texts["jump"] == ["b>be</b"]
    assert page.texts["soft"][0] == "4 words · 2 phones · 0:02.0 · mean score 0.70 · 2 not read · 1 off-script"
    assert "script" not in {tag for tag, _ in page.elements[: len(page.elements) - 1]}
    assert "b" not in {tag for tag, _ in page.elements}
    styles = {attributes.get("id"): attributes.get("style") for _, attributes in page.elements}
    assert (styles["w0"], styles["w1"]) == (None, "background:rgba(213,94,0,0.07)")
    assert (styles["w2"], styles["w3"]) == ("background:rgba(213,94,0,0.6)", None)


def test_nothing_is_fetched_from_elsewhere(tmp_path: Path) -> None:
    write_player(sound(0.5), Tiers((), (), (), 0.5), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|@import|url\(|\bimport\b|<link|<img|fetch\(", text)
    found = Page(text)
    assert found.texts["h1"] == ["alignment"]
    assert found.data["words"] == []


def test_a_page_that_can_not_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"there is no folder .*none; make it first"):
        write_player(sound(0.1), Tiers((), (), (), 0.1), tmp_path / "none" / "page.html")


# ---- the order of reading


def kinds(items: list[Item]) -> list[tuple[str, str]]:
    return [(item.kind, item.text) for item in items if item.text.strip() or item.kind == "back"]


def test_plain_reading_gives_the_text_itself() -> None:
    text = "“Well,” she said —\n\nfive... no: $5.50!"
    labels = ("Well", "she", "said", "five", "no", "$5.50")
    words = tuple(Segment(label, i, i + 1) for i, label in enumerate(labels))
    items = reading_order(Tiers(words, (), (), 6.0, text=text))
    assert "".join(item.text for item in items) == text
    assert [item.place for item in items if item.kind == "word"] == list(range(6))


def test_followed_reading() -> None:
    assert kinds(reading_order(followed())) == [
        ("skipped", "Oh"),
        ("between", "! "),
        ("word", "To"),
        ("between", " <"),
        ("back", ""),
        ("word", "To"),
        ("between", " <"),
        ("word", "b>be</b"),
        ("between", ">,\n"),
        ("offscript", "(other)"),
        ("skipped", "or"),
        ("word", "not"),
        ("between", "."),
    ]


@pytest.mark.parametrize("text", ["", "…", "something else", "To be or not to"])
def test_without_its_text_there_are_only_the_words(text: str) -> None:
    words = (Segment("To", 0, 1), Segment("go", 1, 2))
    items = reading_order(Tiers(words, (), (), 3.0, text=text, word_indices=(0, 2), skipped=(1,)))
    assert "".join(item.text for item in items) == "To … go "


def test_an_hour_of_words() -> None:
    labels = [f"word{i}" for i in range(10_000)]
    words = tuple(Segment(label, i, i + 1) for i, label in enumerate(labels))
    items = reading_order(Tiers(words, (), (), 10_000.0, text=" ".join(labels)))
    assert [item.text for item in items if item.kind == "word"] == labels
