"""JSON results."""

import dataclasses
import json

import pytest
from results import small

from streamhmm import formats
from streamhmm.errors import OutputError
from streamhmm.formats import Tiers
from streamhmm.segment import Segment


def test_what_is_written(tmp_path):
    path = tmp_path / "a.json"
    formats.save(path, small())
    text = path.read_text(encoding="utf-8")
    assert json.loads(text) == {
        "streamhmm": 1,
        "audio": "café.wav",
        "duration": 1.0,
        "text": 'Hello,\n"O’Neill"',
        "warnings": ["too quiet", "says “what”"],
        "words": [
            {"label": "Hello,", "start": 0.1, "end": 0.4, "score": 0.9, "start_sd": 7.5, "end_sd": 12.0},
            {"label": "O’Neill", "start": 0.5, "end": 0.75, "score": None, "start_sd": None, "end_sd": None},
        ],
        "phones": [
            {"label": "HH", "start": 0.1, "end": 0.2, "score": 0.5, "start_sd": 7.5, "end_sd": 0.0, "word": 0},
            {"label": "OW", "start": 0.2, "end": 0.4, "score": 1.0, "start_sd": None, "end_sd": None, "word": 0},
            {"label": "N", "start": 0.5, "end": 0.75, "score": None, "start_sd": None, "end_sd": None, "word": 1},
        ],
    }
    assert "O’Neill" in text
    line = '{"label": "HH", "start": 0.1, "end": 0.2, "score": 0.5, "start_sd": 7.5, "end_sd": 0.0, "word": 0}'
    assert f"\n  {line},\n" in text
    assert text.endswith("}\n")


def test_round_trip(tmp_path):
    formats.save(tmp_path / "a.json", small())
    assert formats.load(tmp_path / "a.json") == small()


def test_a_phone_of_no_word_and_empty_tiers(tmp_path):
    for tiers in (Tiers((), (Segment("SIL", 0.0, 1.0),), (-1,), 1.0), Tiers((), (), (), 2.5)):
        formats.save(tmp_path / "a.json", tiers)
        assert formats.load(tmp_path / "a.json") == tiers


def test_what_older_files_lack_is_none(tmp_path):
    segments = '[{"label": "AA", "start": 0, "end": 1, "score": 0.5, "word": null}]'
    head = '"streamhmm": 1, "audio": "", "duration": 1, "text": "", "warnings": []'
    (tmp_path / "a.json").write_text(f'{{{head}, "words": {segments}, "phones": {segments}}}')
    segment = Segment("AA", 0.0, 1.0, 0.5, None, None)
    assert formats.load(tmp_path / "a.json") == Tiers((segment,), (segment,), (-1,), 1.0)


def test_numbers_are_rounded_to_a_millionth(tmp_path):
    third = 1 / 3
    written = Segment("a", third, 2 * third, third, 10 * third, 20 * third)
    formats.save(tmp_path / "a.json", Tiers((written,), (), (), 1.00000049))
    read = Segment("a", 0.333333, 0.666667, 0.333333, 3.333333, 6.666667)
    assert formats.load(tmp_path / "a.json") == Tiers((read,), (), (), 1.0)


def test_a_file_name_that_is_not_utf8(tmp_path):
    name = b"caf\xe9.wav".decode("utf-8", "surrogateescape")
    tiers = dataclasses.replace(small(), audio=name)
    formats.save(tmp_path / "a.json", tiers)
    assert formats.load(tmp_path / "a.json") == tiers


def damage(tmp_path, **changes):
    path = tmp_path / "a.json"
    formats.save(path, small())
    content = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps({name: value for name, value in content.items() if value != "gone"}))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"words": "gone"}, "'words' is missing"),
        ({"phones": [{"label": "HH", "score": None}]}, "'start' is missing"),
        ({"words": [3]}, "damaged, or not of the format that its suffix names"),
        ({"words": [{"label": "a", "start": 0, "end": 1, "start_sd": "wide"}]}, "could not convert string to float"),
        ({"words": [{"label": "a", "start": 0, "end": 1, "end_sd": -1}]}, "has the standard deviation -1.0, which is"),
        ({"duration": "long"}, "could not convert string to float"),
        ({"duration": 0.1}, "ends after the recording"),
        ({"streamhmm": 2}, "has schema 2, known are up to 1; update streamhmm"),
    ],
)
def test_damaged_content(tmp_path, changes, message):
    path = damage(tmp_path, **changes)
    with pytest.raises(OutputError, match=message) as caught:
        formats.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "{", "null"])
def test_not_our_json(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(OutputError, match="damaged, or not of the format that its suffix names"):
        formats.load(path)
