"""Results on disk, and what is known of them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from streamhmm.corpus.fingerprint import bytes_hash, content_hash
from streamhmm.corpus.journal import Entry, Journal, append, open_journal
from streamhmm.corpus.measures import Measures
from streamhmm.corpus.utterance import Listing, Problem, Utterance
from streamhmm.errors import OutputError, why_not_written
from streamhmm.formats import atomic_write, format_named, make_folder_of

if TYPE_CHECKING:
    from streamhmm.align.results import Alignment

BACKUP_SUFFIX = ".bak"


def result_paths(results: str, name: str, formats: Sequence[str]) -> dict[str, str]:
    """By format the path of an utterance's results."""
    return {known: os.path.join(results, name + format_named(known).suffix) for known in formats}


class ResultWriter:
    """Writes results into a folder, each whole or not at all, and notes them in its journal.

    Raises:
        OutputError: the journal can't be written to.
    """

    def __init__(self, results: str, formats: Sequence[str]) -> None:
        self._results, self._formats = results, formats
        self._journal = open_journal(results)

    def close(self) -> None:
        """Closes the journal."""
        self._journal.close()

    def write(self, name: str, key: str, alignment: Alignment, row: Measures) -> Entry:
        """Write an utterance's results. Raises OutputError."""
        paths = result_paths(self._results, name, self._formats)
        texts = {known: _text(known, alignment, path) for known, path in paths.items()}
        entry = Entry(name, key, row.as_values(), {known: _hash(text) for known, text in texts.items()})
        append(self._journal, entry)  # before the files: whatever ends this process, what is there is known
        for known, path in paths.items():
            make_folder_of(path)
            with atomic_write(path) as file:
                file.write(texts[known])
        return entry


def _text(known: str, alignment: Alignment, path: str) -> str:
    try:
        return format_named(known).format(alignment)
    except OutputError as error:
        raise OutputError(f"{path}: {error}") from error


def _hash(text: str) -> str:
    return bytes_hash(text.encode("utf-8", "backslashreplace"))  # as atomic_write writes it


def is_written(entry: Entry, paths: Mapping[str, str]) -> bool:
    """Whether all files are there as the entry says. Raises OSError: one can't be read."""
    return all(os.path.isfile(path) and content_hash(path) == entry.files.get(known) for known, path in paths.items())


def keep_foreign(journal: Journal, paths: Iterable[str]) -> list[str]:
    """Files that somebody else has written, or changed, get out of the way as ``.bak``, ``.bak2`` …; returns which.

    Raises:
        OutputError: a file can't be read or renamed.
    """
    foreign = []
    for path in paths:
        try:
            if os.path.isfile(path) and content_hash(path) not in journal.written:
                os.rename(path, _free_name(path + BACKUP_SUFFIX))
                foreign.append(path)
        except OSError as error:
            raise OutputError(f"{path}: {why_not_written(error, path)}") from error
    return foreign


def _free_name(path: str) -> str:
    """The path, or one with a number behind it, where nothing is."""
    numbered = (f"{path}{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([path], numbered) if not os.path.lexists(name))


def without_clashes(listing: Listing, results: str, formats: Sequence[str], reserved: Iterable[str]) -> Listing:
    """Utterances whose results would be written over ``reserved`` files or over one another become problems."""
    taken = {os.path.realpath(path): f"{path} itself" for path in reserved}
    utterances: list[Utterance] = []
    problems = list(listing.problems)
    for utterance in listing.utterances:
        paths = list(map(os.path.realpath, result_paths(results, utterance.name, formats).values()))
        clashes = [path for path in paths if path in taken]
        if clashes:
            reason = f"its result {clashes[0]} would overwrite {taken[clashes[0]]}; rename it, or take another format"
            problems.append(Problem(utterance.name, reason))
            continue
        taken |= dict.fromkeys(paths, f"that of {utterance.name}")
        utterances.append(utterance)
    return Listing(tuple(utterances), tuple(problems))
