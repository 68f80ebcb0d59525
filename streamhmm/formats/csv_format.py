"""CSV for spreadsheets and data frames (RFC 4180): a row for each word, phone, off-script stretch and skipped word.

Columns: ``tier`` (words, phones, offscript, skipped), ``start`` and ``end`` (seconds), ``label``, ``score``,
``start_sd`` and ``end_sd`` (milliseconds), ``word`` (which word of this file it is or belongs to, from 0), ``index``
(of the word in the text, from 0), ``take`` (how many times it had been read before). What is not known is empty.

It begins with a byte order mark, without which Excel takes UTF-8 for another encoding; in Python read it as
``utf-8-sig``, pandas and R's ``fileEncoding = "UTF-8-BOM"`` drop the mark.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence

from streamhmm.formats.reading import damaged, read_result, without_duration, words_around
from streamhmm.formats.tiers import Tiers, to_decimals
from streamhmm.segment import Segment

COLUMNS = ("tier", "start", "end", "label", "score", "start_sd", "end_sd", "word", "index", "take")
NEEDED = COLUMNS[:4]
BYTE_ORDER_MARK = "\ufeff"
MEASURES = ("score", "start_sd", "end_sd")

Row = dict[str, str]


def format_csv(tiers: Tiers) -> str:
    """The alignment as CSV."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    places = zip(tiers.words, tiers.word_indices, tiers.takes, strict=True)
    for number, (word, index, take) in enumerate(places):
        writer.writerow({"tier": "words", **_fields(word), "word": number, "index": index, "take": take})
    for phone, number in zip(tiers.phones, tiers.phone_words, strict=True):
        writer.writerow({"tier": "phones", **_fields(phone), "word": "" if number < 0 else number})
    writer.writerows({"tier": "offscript", **_fields(stretch)} for stretch in tiers.offscript)
    writer.writerows({"tier": "skipped", "index": index} for index in tiers.skipped)
    return BYTE_ORDER_MARK + text.getvalue()


def read_csv(path: str | os.PathLike[str]) -> Tiers:
    """Read CSV with at least the columns tier, start, end and label, separated by commas or semicolons.

    Raises:
        OutputError: the file can't be read, is damaged, or has no segments.
    """
    rows: dict[str, list[Row]] = {"words": [], "phones": [], "offscript": [], "skipped": []}
    for number, row in _rows(path):
        if row["tier"] not in rows:
            raise damaged(path, f"row {number}: tier must be one of {', '.join(rows)}, got {row['tier']!r}")
        rows[row["tier"]].append(row)
    try:
        words, phones, offscript = ([_segment(row) for row in rows[tier]] for tier in ("words", "phones", "offscript"))
        has_words = any(row.get("word") for row in rows["phones"])
        return without_duration(
            path,
            words=words,
            phones=phones,
            offscript=offscript,
            phone_words=tuple(int(row.get("word") or -1) for row in rows["phones"])
            if has_words
            else words_around(phones, words),
            word_indices=tuple(int(row.get("index") or place) for place, row in enumerate(rows["words"])),
            takes=tuple(int(row.get("take") or 0) for row in rows["words"]),
            skipped=tuple(int(row.get("index") or -1) for row in rows["skipped"]),
        )
    except ValueError as error:
        raise damaged(path, str(error)) from error


def _rows(path: str | os.PathLike[str]) -> Iterator[tuple[int, Row]]:
    text = read_result(path)
    header = text.partition("\n")[0]
    delimiter = ";" if ";" in header and "," not in header else ","  # as spreadsheets save it in half of Europe
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
        if missing:
            raise damaged(path, f"it has no column {', '.join(missing)}")
        for number, row in enumerate(reader, 2):
            if None in row or None in row.values():
                raise damaged(path, f"row {number} has not as many fields as the header")
            yield number, row
    except csv.Error as error:
        raise damaged(path, str(error)) from error


def _fields(segment: Segment) -> dict[str, object]:
    numbers = {name: getattr(segment, name) for name in ("start", "end", *MEASURES)}
    return {"label": segment.label, **{name: "" if n is None else _decimal(n) for name, n in numbers.items()}}


def _decimal(number: float) -> str:
    """Without an exponent, which some spreadsheets take for text."""
    return f"{to_decimals(number):.6f}".rstrip("0").rstrip(".")


def _segment(row: Row) -> Segment:
    measures: Sequence[float | None] = [float(row[name]) if row.get(name) else None for name in MEASURES]
    return Segment(row["label"], float(row["start"]), float(row["end"]), *measures)
