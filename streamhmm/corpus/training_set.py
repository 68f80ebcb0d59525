"""A corpus and its alignments as manifests to train on: phones with their times, some speakers held out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import soundfile  # type: ignore[import-untyped]

from streamhmm.acoustic.features import SAMPLE_RATE
from streamhmm.acoustic.labels import SILENCE
from streamhmm.acoustic.training.manifest import write_manifest
from streamhmm.audio import load_audio
from streamhmm.corpus.journal import Entry, finished_entries
from streamhmm.corpus.layouts import find_utterances
from streamhmm.corpus.utterance import Part, Utterance
from streamhmm.errors import CorpusError
from streamhmm.formats import Tiers, load

DROPPED_SHARE, DEV_SHARE = 0.15, 0.1
"""Utterances that fit their text worst teach nothing; of the others so many are held out."""
LEAST_SPEAKERS = 10
"""From so many on whole speakers are held out."""
LEAST_UTTERANCES = 10
SUFFIXES = (".TextGrid", ".json")


class TrainingSet(NamedTuple):
    """Two manifests, how many utterances are in each, and the seconds to train on."""

    train: Path
    dev: Path
    train_utterances: int
    dev_utterances: int
    train_s: float


def write_training_set(source: str | os.PathLike[str], results: str | os.PathLike[str], folder: Path) -> TrainingSet:
    """Write the manifests, and audio that is not 16 kHz mono or a part of a recording as copies, into ``folder``.

    Args:
        source, results: what :func:`~streamhmm.corpus.align_corpus` got.
        folder: is there.

    Raises:
        CorpusError: the source can't be read, or too little of it is aligned.
        AudioError, OutputError: a recording or a result can't be read.
    """
    entries = finished_entries(os.fspath(results))
    aligned = [one for one in find_utterances(source, results).utterances if one.name in entries]
    chosen = _best(aligned, entries)
    if len(chosen) < LEAST_UTTERANCES:
        raise CorpusError(
            f"{os.fspath(results)}: {len(chosen)} aligned utterances to train on, it takes {LEAST_UTTERANCES}; "
            "run `streamhmm corpus` first"
        )
    held_out = _held_out(chosen)
    lines: dict[bool, list[dict[str, object]]] = {False: [], True: []}
    for utterance in chosen:
        lines[utterance.name in held_out] += _lines(utterance, os.fspath(results), folder)
    train, dev = folder / "train.jsonl", folder / "dev.jsonl"
    for path, is_dev in ((train, False), (dev, True)):
        write_manifest(path, lines[is_dev])
    return TrainingSet(train, dev, len(lines[False]), len(lines[True]), sum(_end(line) for line in lines[False]))


def _best(utterances: Sequence[Utterance], entries: dict[str, Entry]) -> list[Utterance]:
    """All but those with the lowest mean scores of words, in their order."""
    ranked = sorted(utterances, key=lambda one: -float(entries[one.name].row["mean_score"]))
    kept = {one.name for one in ranked[: round(len(ranked) * (1 - DROPPED_SHARE))]}
    return [one for one in utterances if one.name in kept]


def _held_out(utterances: Sequence[Utterance]) -> set[str]:
    """Names of about a tenth: whole speakers if there are enough, chosen by a hash, so always the same."""
    speakers = {one.speaker for one in utterances}
    by_speaker = len(speakers) >= LEAST_SPEAKERS
    unit_of = {one.name: one.speaker if by_speaker else one.name for one in utterances}
    units = sorted(set(unit_of.values()), key=lambda name: hashlib.blake2b(os.fsencode(name)).digest())
    chosen = set(units[: max(1, round(DEV_SHARE * len(units)))])
    return {name for name, unit in unit_of.items() if unit in chosen}


def _lines(utterance: Utterance, results: str, folder: Path) -> Iterator[dict[str, object]]:
    tiers = _tiers(os.path.join(results, utterance.name))
    for index, part in enumerate(utterance.parts):
        end_s = tiers.duration if part.end_s is None else part.end_s
        phones = list(_units(tiers, part.start_s, end_s))
        if all(phone[0] == SILENCE for phone in phones):
            continue  # it was not aligned
        audio = os.path.relpath(_audio(utterance, part, index, end_s, folder), folder)
        yield {"audio": audio, "text": part.text, "speaker": utterance.speaker, "source": "corpus", "phones": phones}


def _tiers(path: str) -> Tiers:
    for suffix in SUFFIXES:
        if os.path.isfile(path + suffix):
            return load(path + suffix)
    raise CorpusError(f"{path}: no result with phones ({', '.join(SUFFIXES)}); run `streamhmm corpus` again")


def _units(tiers: Tiers, start_s: float, end_s: float) -> Iterator[list[object]]:
    """Phones and silences from ``start_s`` to ``end_s``, whose times count from there."""
    time = start_s
    for phone in tiers.phones:
        if phone.start < start_s or phone.end > end_s:
            continue
        if phone.start > time:
            yield [SILENCE, time - start_s, phone.start - start_s]
        yield [phone.label, phone.start - start_s, phone.end - start_s]
        time = phone.end
    if end_s > time:
        yield [SILENCE, time - start_s, end_s - start_s]


def _audio(utterance: Utterance, part: Part, index: int, end_s: float, folder: Path) -> Path:
    """The recording itself if it can be trained on as it is, or a copy of the part."""
    is_whole = part.start_s == 0.0 and part.end_s is None and utterance.channel is None
    if is_whole and _is_plain(utterance.audio):
        return Path(utterance.audio).absolute()
    audio = load_audio(utterance.audio, sample_rate=SAMPLE_RATE, channel=utterance.channel)
    name = hashlib.blake2b(os.fsencode(utterance.name), digest_size=12).hexdigest()
    path = folder / f"{name}-{index}.flac"
    soundfile.write(path, audio.samples[round(part.start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)], SAMPLE_RATE)
    return path


def _is_plain(path: str) -> bool:
    try:
        found = soundfile.info(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise CorpusError(f"{path}: can't be read ({error}); align the corpus again") from error
    return (found.samplerate, found.channels) == (SAMPLE_RATE, 1)


def _end(line: dict[str, object]) -> float:
    phones = line["phones"]
    assert isinstance(phones, list)
    return float(phones[-1][2])
