"""Recordings and texts of the same stem, as the Montreal Forced Aligner has them; the folder is the speaker.

A TextGrid as text: a tier ``words`` or ``word`` is one text, of any other interval tier each interval is a text of its
own, and the tier's name is the speaker where there are several.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from streamhmm.audio.suffixes import AUDIO_SUFFIXES
from streamhmm.corpus.journal import FOLDER
from streamhmm.corpus.layouts.names import distinct
from streamhmm.corpus.layouts.transcripts import read_tiers
from streamhmm.corpus.utterance import Listing, Part, Problem, Utterance
from streamhmm.errors import CorpusError, StreamHMMError
from streamhmm.text import read_text

UNREADABLE_SUFFIXES = (".m4a", ".aac", ".mp4", ".m4b", ".wma", ".webm", ".amr", ".mka", ".mkv", ".3gp")
TEXT_SUFFIXES = (".lab", ".txt", ".textgrid")
"""Where a recording has several, the first counts."""


class _Stem(NamedTuple):
    audio: list[str]
    texts: list[str]
    unreadable: list[str]


def list_folder(folder: str, results: str | os.PathLike[str] | None) -> Listing:
    """The utterances below ``folder``, ``results`` left out."""
    problems: list[Problem] = []
    utterances: list[Utterance] = []
    for home, names in _walk(folder, results, problems):
        for stem, found in _stems(names).items():
            relative = os.path.relpath(os.path.join(home, stem), folder)
            try:
                utterances += _utterances(home, relative, found)
            except StreamHMMError as error:
                problems.append(Problem(relative, str(error)))
    return Listing(tuple(distinct(utterances)), tuple(problems))


def _walk(
    folder: str, results: str | os.PathLike[str] | None, problems: list[Problem]
) -> Iterator[tuple[str, list[str]]]:
    """Folders and their files, in order; links are followed, none twice, and what is hidden stays so."""

    def unreadable(error: OSError) -> None:
        name = os.path.relpath(error.filename, folder)
        problems.append(Problem(name, f"the folder can't be read ({error.strerror}); change its permissions"))

    left_out = None if results is None else os.path.realpath(results)
    seen: set[str] = set()
    for home, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        real = os.path.realpath(home)
        if real in seen or real == left_out or os.path.isdir(os.path.join(home, FOLDER)):  # results of some run
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield home, sorted(name for name in files if not name.startswith("."))


def _stems(names: list[str]) -> dict[str, _Stem]:
    stems: dict[str, _Stem] = {}
    for name in names:
        stem, suffix = os.path.splitext(name)
        if suffix.lower() in AUDIO_SUFFIXES:
            stems.setdefault(stem, _Stem([], [], [])).audio.append(name)
        elif suffix.lower() in UNREADABLE_SUFFIXES:
            stems.setdefault(stem, _Stem([], [], [])).unreadable.append(name)
        elif suffix.lower() in TEXT_SUFFIXES:
            stems.setdefault(stem, _Stem([], [], [])).texts.append(name)
    return stems


def _utterances(home: str, name: str, found: _Stem) -> list[Utterance]:
    for file in (*found.audio, *found.texts):
        if not os.path.isfile(os.path.join(home, file)):
            raise CorpusError(f"{file} is not a file with data; replace it by one, or remove it")
    if not found.texts:
        raise CorpusError(f"{found.audio[0]} has no text; write it into {os.path.basename(name)}.lab or .txt beside it")
    if not found.audio and found.unreadable:
        file, converted = found.unreadable[0], os.path.splitext(found.unreadable[0])[0]
        raise CorpusError(f"{file} is of a kind that can't be read; convert it: ffmpeg -i {file} {converted}.wav")
    if not found.audio:
        raise CorpusError(f"{found.texts[0]} has no recording beside it; add the recording, or remove the text")
    if len(found.audio) > 1:
        raise CorpusError(f"{' and '.join(found.audio)} have the same stem; rename one, or remove it")
    text = min(found.texts, key=lambda file: TEXT_SUFFIXES.index(os.path.splitext(file)[1].lower()))
    audio, path = os.path.join(home, found.audio[0]), os.path.join(home, text)
    speaker = os.path.dirname(name)
    if not text.lower().endswith(".textgrid"):
        return [Utterance(name, audio, (Part(read_text(path)),), speaker)]
    tiers = read_tiers(path)
    if len(tiers) == 1:
        return [Utterance(name, audio, parts, speaker) for parts in tiers.values()]
    return [Utterance(f"{name}.{tier.replace('/', '_') or '_'}", audio, parts, tier) for tier, parts in tiers.items()]
