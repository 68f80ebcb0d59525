"""CTM, "time-marked conversation": a token a line, ``utterance channel start duration token [confidence]``.

Format of NIST's scoring tools, https://github.com/usnistgov/SCTK/blob/master/doc/infmts.htm, and of Kaldi. Words and
phones are two files, ``.ctm`` and ``.phones.ctm``. The utterance is the recording's name without folder and suffix,
the channel is 1, the confidence is the score. Fields end at white space, so within a field it is written as
``%20`` and the like, and a per cent sign before two capital hexadecimal digits as ``%25``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from streamhmm.formats.reading import damaged, one_line, read_result, without_duration
from streamhmm.formats.tiers import DECIMALS, Tiers, to_decimals
from streamhmm.segment import Segment

UNNAMED = "unnamed"
"""The utterance where the recording has no name."""
_SPECIAL = re.compile(r"\s|%(?=[0-9A-F]{2})|^;")
_ESCAPES = re.compile(r"(?:%[0-9A-F]{2})+")


def format_ctm(tiers: Tiers) -> str:
    """The words as CTM."""
    return _format(tiers.audio, tiers.words)


def format_ctm_phones(tiers: Tiers) -> str:
    """The phones as CTM."""
    return _format(tiers.audio, tiers.phones)


def read_ctm(path: str | os.PathLike[str]) -> dict[str, Tiers]:
    """Read words, for each utterance; with several channels each is one, called ``utterance channel``.

    Raises:
        OutputError: the file can't be read, is damaged or empty.
    """
    return {name: without_duration(path, words=segments, audio=name) for name, segments in _utterances(path).items()}


def read_ctm_phones(path: str | os.PathLike[str]) -> dict[str, Tiers]:
    """Read phones as :func:`read_ctm` does words; none belongs to a word."""
    return {name: without_duration(path, phones=segments, audio=name) for name, segments in _utterances(path).items()}


def _format(audio: str, segments: Sequence[Segment]) -> str:
    utterance = _escaped(os.path.splitext(os.path.basename(audio))[0] or UNNAMED)
    return "".join(f"{utterance} 1 {_fields(segment)}\n" for segment in segments)


def _fields(segment: Segment) -> str:
    start = to_decimals(segment.start)
    duration = to_decimals(segment.end) - start
    confidence = "" if segment.score is None else f" {to_decimals(segment.score)}"
    return f"{start:.{DECIMALS}f} {duration:.{DECIMALS}f} {_escaped(one_line(segment.label))}{confidence}"


def _utterances(path: str | os.PathLike[str]) -> dict[str, list[Segment]]:
    found: dict[tuple[str, str], list[Segment]] = {}
    for number, line in enumerate(read_result(path).split("\n"), 1):
        fields = line.split()
        if not fields or line.startswith(";;"):
            continue
        try:
            utterance, channel, start, duration, label, *confidence = fields
            score = float(confidence[0]) if confidence else None
            segment = Segment(_plain(label), float(start), to_decimals(float(start) + float(duration)), score)
        except ValueError as error:
            raise damaged(path, f"line {number}: {error}") from error
        found.setdefault((_plain(utterance), channel), []).append(segment)
    if not found:
        raise damaged(path, "there are no segments in it, and without them no duration")
    names = [utterance for utterance, _ in found]
    return {
        utterance if names.count(utterance) == 1 else f"{utterance} {channel}": sorted(segments, key=_start)
        for (utterance, channel), segments in found.items()
    }


def _start(segment: Segment) -> float:
    return segment.start


def _escaped(field: str) -> str:
    return _SPECIAL.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), field)


def _plain(field: str) -> str:
    def unescaped(match: re.Match[str]) -> str:
        try:
            return bytes.fromhex(match[0].replace("%", "")).decode()
        except UnicodeDecodeError:
            return match[0]  # of another making

    return _ESCAPES.sub(unescaped, field)
