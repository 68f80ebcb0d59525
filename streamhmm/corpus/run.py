"""A whole corpus: what is to be done, the workers, the journal, the report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from streamhmm.corpus.fingerprint import AudioHashes, utterance_key
from streamhmm.corpus.journal import Entry, Journal
from streamhmm.corpus.layouts import find_utterances
from streamhmm.corpus.measures import Measures
from streamhmm.corpus.messages import Adapted, Failed, Finished
from streamhmm.corpus.pool import Pool
from streamhmm.corpus.process import work
from streamhmm.corpus.report import REPORTS, write_report
from streamhmm.corpus.scheduling import portion, sizes_of
from streamhmm.corpus.settings import Settings
from streamhmm.corpus.tasks import Task
from streamhmm.corpus.utterance import Listing, Problem, Utterance
from streamhmm.corpus.writer import is_written, keep_foreign, result_paths, without_clashes
from streamhmm.errors import CorpusError, ModelError, OutputError
from streamhmm.formats import remove_leftovers

if TYPE_CHECKING:
    from streamhmm.align.adaptation import Adaptation


class Progress(NamedTuple):
    """How far a run is.

    Attributes:
        total, done, failed: utterances; those done before count as ``done``.
        work, work_done: bytes of audio that this run aligns, and has.
        audio_s: seconds of audio aligned in this run.
        speakers, adapted: to adapt to in this run before anything is aligned, and those done.
        problem: what has just failed.
    """

    total: int
    done: int
    failed: int
    work: int
    work_done: int
    audio_s: float
    speakers: int = 0
    adapted: int = 0
    problem: Problem | None = None


@dataclass
class Outcome:
    """What a run came to.

    ``done`` utterances have results, ``kept`` of them from before; ``problems`` have none. ``backed_up`` are files that
    stood where results belong and were not written by a run, or changed since: they are there as ``.bak``.
    """

    total: int
    kept: int = 0
    done: int = 0
    audio_s: float = 0.0
    problems: list[Problem] = field(default_factory=list)
    backed_up: list[str] = field(default_factory=list)


def align_corpus(
    source: str | os.PathLike[str],
    results: str | os.PathLike[str],
    settings: Settings | None = None,
    *,
    jobs: int = 1,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Outcome:
    """Align a corpus, or go on where an earlier run of the same command ended.

    Results go to ``results``/name.suffix, ``report.csv`` and ``report.html`` beside them, also if the run is
    interrupted. What has results from the same audio, text, lexicon, model and settings is left as it is. Workers are
    spawned, so a script must call this below ``if __name__ == "__main__":``.

    Args:
        source: what :func:`~streamhmm.corpus.find_utterances` takes.
        results: a folder; it is made where it is not there.
        settings: how to align.
        jobs: processes, each with a model of its own.
        on_progress: called after each utterance, in this thread.

    Raises:
        CorpusError: the source can't be read, or another process is at work in ``results``.
        OutputError: nothing can be written there (any more); what was finished stays finished.
        ModelError, TextError, BackendUnavailable: the model, a lexicon or the runtime can't be used.
        ValueError: as :meth:`Settings.decided`.
    """
    settings = settings or Settings()
    if os.path.realpath(source) == os.path.realpath(results):
        raise CorpusError(f"{os.fspath(results)}: results must not go into the corpus itself; name another folder")
    listing = find_utterances(source, results)
    if not listing.utterances and not listing.problems:
        raise CorpusError(f"{os.fspath(source)}: there are no recordings with texts in it")
    folder = os.fspath(results)
    model_files = _model_files(settings)
    settings = settings.decided()
    digest = settings.digest(model_files)
    reserved = [os.path.join(folder, name) for name in REPORTS] + [os.fspath(source)]
    listing = without_clashes(listing, folder, settings.formats, reserved)
    run = _Run(folder, settings, digest, listing, on_progress)
    try:
        run.align(jobs)
    except BaseException:
        with suppress(OutputError):  # a full device has been told of
            run.report()
        raise
    else:
        run.report()
    finally:
        run.close()
    return run.outcome


class _Run:
    def __init__(
        self,
        results: str,
        settings: Settings,
        digest: str,
        listing: Listing,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._results, self._settings, self._digest = results, settings, digest
        self._utterances, self._on_progress = listing.utterances, on_progress
        self._journal = Journal(results)
        self._current: dict[str, Entry] = {}
        self.outcome = Outcome(len(listing.utterances) + len(listing.problems))
        self._work = self._work_done = self._speakers = self._adapted = 0
        self._pool: Pool | None = None
        self._sizes: dict[str, int] = {}
        for problem in listing.problems:
            self._note(problem)

    def align(self, jobs: int) -> None:
        try:
            adaptations = self._adaptations(jobs)
            open_ones = self._open(adaptations)
            self._sizes = sizes_of(open_ones)
            self._work = sum(self._sizes.values())
            for message in self._done(list(portion(open_ones, adaptations, self._sizes, jobs)), jobs):
                if isinstance(message, (Finished, Failed)):
                    self._take(message)
        finally:
            if self._pool is not None:
                self._pool.close()

    def _done(self, tasks: Sequence[Task], jobs: int) -> Iterator[Finished | Adapted | Failed]:
        """What comes of tasks; processes are started when there is the first one."""
        if tasks and self._pool is None:
            jobs = jobs if self._settings.adapt else min(jobs, len(tasks))
            self._pool = Pool(jobs, work, self._settings, self._digest, self._results)
        return iter(()) if self._pool is None else self._pool.run(tasks)

    def _adaptations(self, jobs: int) -> Mapping[str, Adaptation | None]:
        """The adaptation of each utterance, by its name; what is not kept from earlier runs is estimated."""
        if not self._settings.adapt:
            return {}
        from streamhmm.corpus.adapting import Groups, read_kept  # waits for PyTorch

        groups = Groups(self._utterances)
        known = dict(read_kept(groups, self._results, self._digest))
        tasks = [groups.task(group, self._results) for group in groups if group not in known]
        self._speakers = len(tasks)
        for message in self._done(tasks, jobs):
            if isinstance(message, Adapted):
                known[message.name] = message.adaptation
            elif isinstance(message, Failed) and message.stops_all:
                raise OutputError(f"{message.reason}; the same command then goes on where it stopped")
            self._adapted += 1
            self._tell()
        return {utterance.name: known.get(groups.of(utterance)) for utterance in self._utterances}

    def report(self) -> None:
        """Writes the report of all that is finished. Raises OutputError."""
        audio = {utterance.name: utterance.audio for utterance in self._utterances}
        rows = {name: Measures.from_values(entry.row) for name, entry in self._current.items()}
        write_report(self._results, rows, self.outcome.problems, audio)

    def close(self) -> None:
        """Clears up behind workers, and lets go of the folder."""
        remove_leftovers(self._results)
        self._journal.close()

    def _open(self, adaptations: Mapping[str, Adaptation | None]) -> list[Utterance]:
        """Those that have no results yet, or results of something else."""
        hashes = AudioHashes()
        found = []
        for utterance in self._utterances:
            entry = self._journal.finished.get(utterance.name)
            paths = result_paths(self._results, utterance.name, self._settings.formats)
            if entry is not None and self._is_current(utterance, entry, paths, hashes, adaptations):
                self._current[utterance.name] = entry
                self.outcome.kept += 1
                self.outcome.done += 1
            else:
                self.outcome.backed_up += keep_foreign(self._journal, paths.values())
                found.append(utterance)
        self._tell()
        return found

    def _is_current(
        self,
        utterance: Utterance,
        entry: Entry,
        paths: Mapping[str, str],
        hashes: AudioHashes,
        adaptations: Mapping[str, Adaptation | None],
    ) -> bool:
        try:
            key = utterance_key(utterance, hashes(utterance.audio), self._digest, adaptations.get(utterance.name))
            return entry.key == key and is_written(entry, paths)
        except OSError:
            return False  # its worker will say why

    def _take(self, message: Finished | Failed) -> None:
        if isinstance(message, Finished):
            self._current[message.entry.name] = message.entry
            self.outcome.done += 1
            self.outcome.audio_s += message.entry.row["duration_s"]
            self._work_done += self._sizes[message.entry.name]
            self._tell()
            return
        self._work_done += self._sizes[message.name]
        self._note(Problem(message.name, message.reason))
        if message.stops_all:
            raise OutputError(f"{message.reason}; the same command then goes on where it stopped")

    def _note(self, problem: Problem) -> None:
        self.outcome.problems.append(problem)
        self._tell(problem)

    def _tell(self, problem: Problem | None = None) -> None:
        out = self.outcome
        work, speakers = (self._work, self._work_done), (self._speakers, self._adapted)
        state = Progress(out.total, out.done, len(out.problems), *work, out.audio_s, *speakers, problem)
        self._on_progress(state)


def _model_files(settings: Settings) -> list[str]:
    from streamhmm.acoustic.hub import files_of, is_hugging_face, local_folder
    from streamhmm.acoustic.shipped import find_model

    if is_hugging_face(settings.model):
        if settings.adapt or settings.follow or settings.imperfect:
            raise ModelError(
                "a Hugging Face model can't be adapted, follow a speaker or make up for imperfect texts; "
                'use model="en" (--model en) for that'
            )
        folder = local_folder(settings.model, settings.target_lang)
        return [os.fspath(path) for path in files_of(folder, settings.target_lang)]
    path = os.fspath(find_model(settings.model))
    if not os.path.isfile(path):
        raise ModelError(f"{path}: there is no such model file; check the path")
    return [path]
