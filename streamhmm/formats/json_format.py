"""JSON with everything that an alignment holds, one word or phone a line.

``{"streamhmm": 1, "audio": name, "duration": seconds, "text": text, "warnings": [text],
"words": [{"label", "start", "end", "score", "start_sd", "end_sd"}], "phones": [{…, "word"}]}``

Where words were skipped or read again, or something else was said, the entries of the words have ``index``, of the word
in the text, and ``take``, how many times it had been read before; then there are ``"skipped": [index]`` and
``"offscript": [{"label", …}]`` too.

Times are seconds, their standard deviations milliseconds; these and ``score`` may be null; ``word`` is the index of the
phone's word, null if it belongs to none.
"""

from __future__ import annotations

import json
import os
from typing import Any

from streamhmm.errors import OutputError
from streamhmm.formats.reading import damaged, read_result
from streamhmm.formats.tiers import Tiers, to_decimals
from streamhmm.segment import Segment

SCHEMA = 1
"""Goes up when a reader of older files would misread newer ones."""
MEASURES = ("score", "start_sd", "end_sd")
"""What a segment may lack."""


def format_json(tiers: Tiers) -> str:
    """The alignment as JSON text."""
    words = [_entry(word) for word in tiers.words]
    followed: dict[str, str] = {}
    if not tiers.is_plain:
        places = zip(words, tiers.word_indices, tiers.takes, strict=True)
        words = [{**word, "index": index, "take": take} for word, index, take in places]
        followed = {
            "skipped": _dumps(list(tiers.skipped)),
            "offscript": _lines([_entry(stretch) for stretch in tiers.offscript]),
        }
    phones = [
        {**_entry(phone), "word": None if word < 0 else word}
        for phone, word in zip(tiers.phones, tiers.phone_words, strict=True)
    ]
    fields = {
        "streamhmm": _dumps(SCHEMA),
        "audio": _dumps(tiers.audio),
        "duration": _dumps(to_decimals(tiers.duration)),
        "text": _dumps(tiers.text),
        "warnings": _lines(list(tiers.warnings)),
        "words": _lines(words),
        "phones": _lines(phones),
        **followed,
    }
    return "{\n" + ",\n".join(f'"{name}": {value}' for name, value in fields.items()) + "\n}\n"


def read_json(path: str | os.PathLike[str]) -> Tiers:
    """Read what ``format_json`` wrote. Raises OutputError for an unreadable or damaged file, or a newer schema."""
    text = read_result(path)
    try:
        content = json.loads(text)
        schema = int(content["streamhmm"])
        if schema > SCHEMA:
            raise OutputError(f"{os.fspath(path)}: has schema {schema}, known are up to {SCHEMA}; update streamhmm")
        return Tiers(
            words=tuple(_segment(entry) for entry in content["words"]),
            phones=tuple(_segment(entry) for entry in content["phones"]),
            phone_words=tuple(-1 if entry["word"] is None else int(entry["word"]) for entry in content["phones"]),
            duration=float(content["duration"]),
            audio=str(content["audio"]),
            text=str(content["text"]),
            warnings=tuple(str(warning) for warning in content["warnings"]),
            word_indices=tuple(int(entry.get("index", place)) for place, entry in enumerate(content["words"])),
            takes=tuple(int(entry.get("take", 0)) for entry in content["words"]),
            skipped=tuple(int(index) for index in content.get("skipped", ())),
            offscript=tuple(_segment(entry) for entry in content.get("offscript", ())),
        )
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise damaged(path, str(error)) from error
    except KeyError as error:
        raise damaged(path, f"{error} is missing") from error


def _entry(segment: Segment) -> dict[str, Any]:
    numbers = {name: getattr(segment, name) for name in ("start", "end", *MEASURES)}
    return {"label": segment.label, **{name: to_decimals(n) if n is not None else None for name, n in numbers.items()}}


def _segment(entry: dict[str, Any]) -> Segment:
    label, start, end = str(entry["label"]), float(entry["start"]), float(entry["end"])
    measures = {name: entry.get(name) for name in MEASURES}
    return Segment(label, start, end, **{name: None if n is None else float(n) for name, n in measures.items()})


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _lines(items: list[Any]) -> str:
    return "[" + ",".join(f"\n  {_dumps(item)}" for item in items) + ("\n]" if items else "]")
