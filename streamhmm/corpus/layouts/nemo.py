"""NeMo manifests: ``{"audio_filepath": …, "text": …, "offset": s, "duration": s, "speaker": …}`` a line.

https://docs.nvidia.com/nemo-framework/user-guide/latest/nemotoolkit/asr/datasets.html. Paths are relative to the
manifest's folder.
"""

from __future__ import annotations

import json
import math
import os
from typing import Any

from streamhmm.corpus.layouts.lines import read_lines
from streamhmm.corpus.layouts.names import distinct, name_of
from streamhmm.corpus.utterance import Listing, Part, Problem, Utterance

SUFFIXES = (".jsonl", ".json", ".manifest")


def is_nemo(path: str) -> bool:
    """Whether the suffix is that of a manifest."""
    return os.path.splitext(path)[1].lower() in SUFFIXES


def list_nemo(path: str) -> Listing:
    """The utterances of a manifest. Raises CorpusError if it can't be read."""
    home = os.path.dirname(os.path.abspath(path))
    utterances, problems = [], []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            utterances.append(_utterance(json.loads(line), home))
        except KeyError as error:
            problems.append(Problem(f"{path}:{number}", f"{error} is missing"))
        except (ValueError, TypeError, AttributeError) as error:
            problems.append(Problem(f"{path}:{number}", f"not a line of a NeMo manifest ({error})"))
    return Listing(tuple(distinct(utterances)), tuple(problems))


def _utterance(entry: dict[str, Any], home: str) -> Utterance:
    audio = os.path.join(home, str(entry["audio_filepath"]))
    if not isinstance(entry["text"], str):
        raise ValueError(f"the text is {entry['text']!r}")
    start = float(entry.get("offset") or 0.0)
    duration = entry.get("duration")
    # Without an offset the duration only says how long the file is.
    end = start + float(duration) if entry.get("offset") is not None and duration is not None else None
    if not (start >= 0 and math.isfinite(start) and (end is None or start < end < math.inf)):
        raise ValueError(f"the offset {start} and the duration {duration} are not seconds")
    return Utterance(name_of(audio, home), audio, (Part(entry["text"], start, end),), str(entry.get("speaker") or ""))
