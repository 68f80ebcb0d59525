"""Which files of two folders hold the same recording, or alignments of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from streamhmm.audio.suffixes import AUDIO_SUFFIXES
from streamhmm.errors import OutputError
from streamhmm.formats import FORMATS, format_of, is_corpus_report, stem_of


class FilePair(NamedTuple):
    """Two files of one recording; ``name`` is their path below their folders without the suffix."""

    name: str
    reference: Path
    hypothesis: Path


class FilePairs(NamedTuple):
    """What was found: pairs, and names that only one of the folders has, all in the order of the names."""

    pairs: tuple[FilePair, ...]
    only_reference: tuple[str, ...]
    only_hypothesis: tuple[str, ...]


def find_pairs(reference: str | os.PathLike[str], hypothesis: str | os.PathLike[str]) -> FilePairs:
    """Two files are a pair whatever they are called; files of two folders are if their relative paths agree but for
    the suffix.

    Where a folder has a recording in several formats, the first in the order of ``FORMATS`` is taken. Hidden files
    and folders, and the report of ``streamhmm corpus`` beside its results, are none.

    Raises:
        ValueError: one is a folder and the other is not.
        OutputError: a folder can't be read.
    """
    return _pairs(Path(reference), Path(hypothesis), _place_of, stem_of)


def find_audio_pairs(reference: str | os.PathLike[str], hypothesis: str | os.PathLike[str]) -> FilePairs:
    """The same for recordings: of one in several formats, the first in the order of ``AUDIO_SUFFIXES`` is taken.

    Raises:
        ValueError: one is a folder and the other is not.
        OutputError: a folder can't be read.
    """
    return _pairs(Path(reference), Path(hypothesis), _place_of_audio, lambda path: path.stem)


def _pairs(ours: Path, theirs: Path, place_of: Callable[[str], int], stem: Callable[[Path], str]) -> FilePairs:
    if ours.is_dir() != theirs.is_dir():
        folder, file = (ours, theirs) if ours.is_dir() else (theirs, ours)
        raise ValueError(f"compare two files or two folders: {folder} is a folder, {file} is not")
    if not ours.is_dir():
        return FilePairs((FilePair(stem(ours), ours, theirs),), (), ())
    our_files, their_files = _files_in(ours, place_of, stem), _files_in(theirs, place_of, stem)
    return FilePairs(
        tuple(FilePair(name, our_files[name], their_files[name]) for name in sorted(our_files.keys() & their_files)),
        tuple(sorted(our_files.keys() - their_files)),
        tuple(sorted(their_files.keys() - our_files)),
    )


def _files_in(folder: Path, place_of: Callable[[str], int], stem: Callable[[Path], str]) -> dict[str, Path]:
    """The files of a folder by name; of those of one name the one with the lowest place, −1 is left out."""
    found: dict[str, tuple[int, Path]] = {}
    for directory, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for file in files:
            place, path = place_of(file), Path(directory, file)
            if place >= 0 and not is_corpus_report(path):
                name = (path.parent / stem(path)).relative_to(folder).as_posix()
                found[name] = min(found.get(name, (place, path)), (place, path))
    return {name: path for name, (_, path) in found.items()}


def _place_of(file: str) -> int:
    """Where in ``FORMATS`` the format of a file stands, −1 for one that is no result."""
    try:
        return -1 if file.startswith(".") else FORMATS.index(format_of(file))
    except ValueError:
        return -1


def _place_of_audio(file: str) -> int:
    """Where in ``AUDIO_SUFFIXES`` the suffix of a file stands, −1 for one that is no recording."""
    suffix = os.path.splitext(file)[1].lower()
    return AUDIO_SUFFIXES.index(suffix) if suffix in AUDIO_SUFFIXES and not file.startswith(".") else -1


def _refuse(error: OSError) -> None:
    raise OutputError(f"{error.filename}: can't be read ({error.strerror}); check the permissions") from error
