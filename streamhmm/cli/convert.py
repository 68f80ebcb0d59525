"""``streamhmm convert``: results from one format to another."""

from __future__ import annotations

import argparse
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from streamhmm.cli.output import STDOUT, complain, write
from streamhmm.errors import OutputError

if TYPE_CHECKING:
    from streamhmm.formats import Format, Tiers

FORMATS = """\
formats:
  textgrid, textgrid-short     .TextGrid     Praat, long or short; ELAN imports it
  json                         .json         everything
  csv                          .csv          for spreadsheets and data frames
  ctm, ctm-phones              .ctm, .phones.ctm
  audacity, audacity-phones    .labels.txt, .phones.txt
  srt, vtt, ass                .srt, .vtt, .ass; captions, the last two with the
                               times of words

What the new format can't hold is dropped."""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    convert = commands.add_parser(
        "convert",
        help="convert results to another format",
        description="Convert results to another format: a file to a file or to standard output (-), a folder\n"
        "with its sub-folders to a folder, or a file with many utterances to a folder.",
        epilog=FORMATS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    convert.add_argument("source", metavar="IN", help="result file, or folder of them")
    convert.add_argument("target", metavar="OUT", help="file whose suffix names the format, folder, or -")
    convert.add_argument("--to", metavar="FORMAT", help="format to write, where the suffix does not name it")
    convert.add_argument(
        "--from",
        dest="source_format",
        metavar="FORMAT",
        help="format of IN; of a folder take only files of this one (default: all, JSON before others of its name)",
    )
    convert.set_defaults(run=run, parser=convert)


def run(options: argparse.Namespace) -> int:
    """Convert; returns the exit code."""
    source, target = options.source, options.target
    try:
        written = _check(options)
    except ValueError as error:
        options.parser.error(str(error))
    if os.path.isdir(source):
        return _convert_folder(options, written)
    from streamhmm.formats import load_all, save, stem_of

    if _is_folder(target):
        _write_all(source, options.source_format, target, os.path.join(target, stem_of(source)), written)
        return 0
    results = load_all(source, options.source_format)
    if len(results) > 1:
        raise OutputError(f"{source}: holds {len(results)} results; name a folder as OUT, then each gets its file")
    (tiers,) = results.values()
    tiers = _named(tiers, stem_of(source))
    if target == STDOUT:
        write(written.format(tiers))
    else:
        save(target, tiers, written.name)
    return 0


def _check(options: argparse.Namespace) -> Format:
    """The format to write. Raises ValueError where the arguments don't go together."""
    from streamhmm.formats import format_named, format_of

    source, target = options.source, options.target
    from_folder = os.path.isdir(source)
    wrong = {
        "OUT must be a folder if IN is one": from_folder and (target == STDOUT or os.path.isfile(target)),
        "name the format to write with --to": (from_folder or _is_folder(target)) and options.to is None,
        "IN and OUT are the same file": not from_folder and _same(source, target),
    }
    for message, is_wrong in wrong.items():
        if is_wrong:
            raise ValueError(message)
    if options.source_format is not None:
        format_named(options.source_format)
    elif not from_folder:
        format_of(source)
    if options.to is not None:
        return format_named(options.to)
    return format_named("json") if target == STDOUT else format_of(target)


def _convert_folder(options: argparse.Namespace, written: Format) -> int:
    from streamhmm.formats import stem_of

    failures: list[str] = []
    sources: defaultdict[str, list[str]] = defaultdict(list)
    for source in _results_in(options, failures):
        folder = os.path.relpath(os.path.dirname(source), options.source)
        sources[os.path.normpath(os.path.join(options.target, folder, stem_of(source)))].append(source)
    for stem, alike in _with_bar(list(sources.items())):
        try:
            whole = [source for source in alike if source.endswith(".json")] or alike  # JSON holds all that others do
            if len(whole) > 1:
                raise OutputError(f"{', '.join(alike)}: would become the same file; choose a format with --from")
            _write_all(whole[0], options.source_format, stem, stem, written)
        except OutputError as error:
            _fail(failures, str(error))
    if not (sources or failures):
        raise OutputError(f"{options.source}: has no results to convert; see streamhmm convert --help for the suffixes")
    return int(bool(failures))


def _results_in(options: argparse.Namespace, failures: list[str]) -> Iterator[str]:
    """Result files below a folder, without those of an output folder within it; names what can't be read."""
    from streamhmm.formats import format_named, format_of, is_corpus_report

    def unreadable(error: OSError) -> None:
        _fail(failures, f"{error.filename}: can't be read ({error.strerror}); change the permissions")

    only = format_named(options.source_format).suffix if options.source_format else None
    for folder, folders, names in os.walk(options.source, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not _same(os.path.join(folder, name), options.target))
        for name in sorted(names):
            if is_corpus_report(os.path.join(folder, name)):
                continue
            with suppress(ValueError):  # of another kind
                if not name.startswith(".") and format_of(name).suffix == (only or format_of(name).suffix):
                    yield os.path.join(folder, name)


def _write_all(source: str, source_format: str | None, folder: str, stem: str, written: Format) -> None:
    """Write what a file holds: one result to ``stem`` and the suffix, several under their names into ``folder``."""
    from streamhmm.formats import load_all, make_folder_of, save

    results = load_all(source, source_format)
    stems = [stem] if len(results) == 1 else [os.path.join(folder, _file_name(source, name)) for name in results]
    for path, tiers in zip((stem + written.suffix for stem in stems), results.values(), strict=True):
        if _same(source, path):
            raise OutputError(f"{path}: is its own input and stays as it is; choose another folder")
        make_folder_of(path)
        save(path, _named(tiers, os.path.basename(path).removesuffix(written.suffix)), written.name)


def _file_name(source: str, name: str) -> str:
    if name in ("", ".", "..") or os.path.basename(name) != name or "\0" in name:
        raise OutputError(f"{source}: holds a result named {name!r}, which can't be a file's name; rename it there")
    return name


def _named(tiers: Tiers, name: str) -> Tiers:
    """With a name for the recording, which some formats lack and CTM wants."""
    return tiers if tiers.audio else replace(tiers, audio=name)


def _same(one: str, other: str) -> bool:
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)


def _with_bar(work: list[tuple[str, list[str]]]) -> Iterable[tuple[str, list[str]]]:
    """The work, with a bar on a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(work, "", console=console, transient=True, disable=not console.is_terminal)


def _is_folder(target: str) -> bool:
    return target != STDOUT and (os.path.isdir(target) or target.endswith(os.sep))


def _fail(failures: list[str], message: str) -> None:
    failures.append(message)
    complain(message)
