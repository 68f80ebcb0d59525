"""Whether runtimes give the alignments that torch gives at full precision, and the same however audio is cut."""

from __future__ import annotations

import copy
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from streamhmm import formats
from streamhmm.acoustic import AcousticModel
from streamhmm.acoustic.backends.runtime import HINTS
from streamhmm.acoustic.backends.trial import ms_a_second
from streamhmm.align.aligner import Aligner
from streamhmm.audio import Audio
from streamhmm.corpus import Utterance, find_utterances
from streamhmm.corpus.recordings import Recordings, part_of
from streamhmm.errors import OutputError, StreamHMMError
from streamhmm.formats import Tiers
from streamhmm.measure.combinations import own_model
from streamhmm.measure.parity_result import Parity
from streamhmm.metrics import TIERS, compare_tiers

CHUNKS_S = (0.02, 0.1, 1.0)
"""Audio is pushed in chunks of one of these lengths, each recording's turn."""
GROUP = 4
"""So many recordings at a time go through a network together, and one by one."""


class Sample(NamedTuple):
    """A recording to align, and its true times where they are known."""

    name: str
    audio: Audio
    text: str
    truth: Tiers | None


def read_samples(source: str | os.PathLike[str]) -> tuple[list[Utterance], list[str]]:
    """The utterances of a corpus that are said from the first sample to the last, and what can't be used.

    Raises:
        CorpusError: there is no such corpus, or it can't be read.
    """
    listing = find_utterances(source)
    problems = [f"{problem.name}: {problem.reason}" for problem in listing.problems]
    return [utterance for utterance in listing.utterances if len(utterance.parts) == 1], problems


def load_sample(utterance: Utterance, recordings: Recordings) -> Sample:
    """Its audio, text, and true times if a TextGrid lies beside it. Raises AudioError."""
    part = utterance.parts[0]
    audio = recordings.read(utterance.audio, utterance.channel).audio
    is_whole = part.start_s == 0 and part.end_s is None
    truth = _truth(utterance.audio) if is_whole else None
    return Sample(utterance.name, part_of(audio, part, utterance), part.text, truth)


def _truth(audio: str) -> Tiers | None:
    for suffix in (".TextGrid", ".textgrid"):
        path = os.path.splitext(audio)[0] + suffix
        if os.path.isfile(path):
            with suppress(OutputError):  # of something else than words and phones
                return formats.load(path)
    return None


def compare_runtimes(
    utterances: Sequence[Utterance],
    reference: Aligner,
    others: Sequence[Aligner],
    *,
    on_progress: Callable[[int], None] = lambda done: None,
) -> tuple[list[Parity], list[str]]:
    """Align all utterances with every aligner.

    Args:
        utterances: as :func:`read_samples` gives them.
        reference: torch at full precision.
        others: what is held against it.
        on_progress: called with the number of utterances done.

    Returns what was found of each, in the order of ``others``, and why utterances were left out.
    """
    results = [_empty(aligner) for aligner in others]
    problems: list[str] = []
    done = 0
    for group in _groups(utterances, Recordings(reference.model.sample_rate), problems):
        expected = [_outcome(reference, sample) for sample in group]
        problems += [problem for problem in expected if isinstance(problem, str)]
        pairs = [(sample, out) for sample, out in zip(group, expected, strict=True) if not isinstance(out, str)]
        for aligner, parity in zip(others, results, strict=True):
            _compare(aligner, parity, pairs)
        done += len(group)
        on_progress(done)
    for aligner, parity in zip(others, results, strict=True):
        backend = own_model(aligner).backend
        parity.ms = {hint: ms_a_second(backend.runtime, backend.config, hint) for hint in HINTS}
    return results, problems


def _empty(aligner: Aligner) -> Parity:
    runtime = own_model(aligner).backend.runtime
    return Parity(runtime.name, runtime.precision, runtime.device.type, aligner.runtime)


def _groups(utterances: Iterable[Utterance], recordings: Recordings, problems: list[str]) -> Iterator[list[Sample]]:
    group: list[Sample] = []
    for utterance in utterances:
        try:
            group.append(load_sample(utterance, recordings))
        except StreamHMMError as error:
            problems.append(str(error))
        if len(group) == GROUP:
            yield group
            group = []
    if group:
        yield group


class _Outcome(NamedTuple):
    log_posteriors: Tensor
    tiers: Tiers


def _outcome(aligner: Aligner, sample: Sample, chunk_s: float | None = None) -> _Outcome | str:
    """What an aligner makes of a recording, whole or in chunks, or why it makes nothing."""
    try:
        log_posteriors = _scored(own_model(aligner), torch.from_numpy(sample.audio.samples), chunk_s)
        given = copy.copy(aligner)
        given.model = cast(AcousticModel, _Given(own_model(aligner), log_posteriors))
        return _Outcome(log_posteriors, given.align(sample.audio, sample.text))
    except Exception as error:  # a runtime may raise anything
        return f"{sample.name}: {str(error) or repr(error)}".splitlines()[0]


def _scored(model: AcousticModel, samples: Tensor, chunk_s: float | None) -> Tensor:
    if chunk_s is None:
        return model.log_posteriors(samples)
    stream = model.stream(prior_scale=0.0)
    chunks = samples.split(round(chunk_s * model.sample_rate))
    return torch.cat([*(stream.push(chunk) for chunk in chunks), stream.finish()])


class _Given:
    """A model that has computed already what it will be asked for."""

    def __init__(self, model: AcousticModel, log_posteriors: Tensor) -> None:
        self._model, self._log_posteriors = model, log_posteriors

    def log_posteriors(self, samples: Tensor) -> Tensor:
        return self._log_posteriors

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def _compare(aligner: Aligner, parity: Parity, pairs: Sequence[tuple[Sample, _Outcome]]) -> None:
    try:
        batch = aligner.model.batch_log_posteriors([torch.from_numpy(sample.audio.samples) for sample, _ in pairs])
    except Exception as error:
        parity.failures += [f"{sample.name}: {error}" for sample, _ in pairs]
        return
    for (sample, expected), together, turn in zip(pairs, batch, itertools.count(), strict=False):
        whole = _outcome(aligner, sample)
        cut = _outcome(aligner, sample, CHUNKS_S[turn % len(CHUNKS_S)])
        if isinstance(whole, str) or isinstance(cut, str):
            parity.failures.append(next(one for one in (whole, cut) if isinstance(one, str)))
            continue
        parity.from_reference.add(whole.log_posteriors, expected.log_posteriors)
        parity.from_whole.add(cut.log_posteriors, whole.log_posteriors)
        parity.from_whole.add(together, whole.log_posteriors)
        parity.shifts_s += _shifts(expected.tiers, whole.tiers, "phones")
        parity.cut_shifts_s += _shifts(whole.tiers, cut.tiers, "phones")
        if sample.truth is not None:
            for tier in TIERS:
                parity.errors_s[tier] += _shifts(sample.truth, whole.tiers, tier)


def _shifts(reference: Tiers, other: Tiers, tier: str) -> list[float]:
    """How far the boundaries of a tier's segments lie from those of a reference, seconds."""
    found = getattr(compare_tiers(reference, other), tier)
    return [*found.starts.tolist(), *found.ends.tolist()]
