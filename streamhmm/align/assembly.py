"""From a path through a recording to the alignment that users get."""

from __future__ import annotations

from typing import NamedTuple

from streamhmm.align.calibration import UNCALIBRATED, Calibration
from streamhmm.align.checks import check_noise
from streamhmm.align.decoding import Decoding
from streamhmm.align.evidence import judge
from streamhmm.align.follow import Follow
from streamhmm.align.mismatch import advise, check_fit, check_gaps
from streamhmm.align.quality import measure_quality
from streamhmm.align.reading import check_reading, check_share, count_takes, offscript_segments, words_skipped
from streamhmm.align.results import Alignment, find_edges, phone_segments, word_segments
from streamhmm.align.topology import SILENT
from streamhmm.align.unknown import UNCALIBRATED_WARNING, unknown_words
from streamhmm.audio import Audio
from streamhmm.text import Script


class Task(NamedTuple):
    """A recording and its text, ready to be decoded, and warnings so far, the ``doubts``.

    ``costs`` are those of leaving the text; None: it can't be left.
    """

    recording: Audio
    text: str
    script: Script
    costs: Follow | None
    doubts: tuple[str, ...]


def assemble(decoding: Decoding, task: Task, frame_s: float, calibration: Calibration) -> Alignment:
    """The alignment that a path means; frames last ``frame_s`` seconds."""
    recording, runs = task.recording, decoding.runs
    judgement = judge(decoding.evidence, calibration)
    edges = find_edges(runs, decoding.scores, frame_s, recording.duration, calibration)
    phones = phone_segments(decoding, edges, judgement.phones)
    phone_words = tuple(decoding.phone_readings.tolist())
    labels = [word.label for word in task.script.words]
    read = [labels[index] for index in decoding.word_indices]
    words = word_segments(read, phones, phone_words, judgement.words)
    takes = count_takes(decoding.word_indices)
    skipped = words_skipped(decoding.word_indices, len(labels))
    offscript = offscript_segments(runs, edges)
    speech = runs.of_frames(runs.phones != SILENT)
    contrast = None if decoding.is_free else decoding.evidence.contrast
    differences = check_fit(words, phone_words, judgement, contrast, frame_s, calibration)
    return Alignment(
        words=words,
        phones=phones,
        phone_words=phone_words,
        duration=recording.duration,
        audio=recording.name,
        text=task.text,
        warnings=(
            *([UNCALIBRATED_WARNING] if calibration is UNCALIBRATED else []),
            *unknown_words(task.script.unknown),
            *task.doubts,
            *check_noise(recording.samples, speech),
            *(check_share(len(skipped), len(labels)) if task.costs is not None and not task.costs.goes_back else ()),
            *check_reading(words, takes, skipped, offscript, labels),
            *differences,
            *(advise(differences, recording.duration) if task.costs is None else ()),
            *([] if decoding.is_free else check_gaps(words, recording.duration)),
        ),
        word_indices=decoding.word_indices,
        takes=takes,
        skipped=skipped,
        offscript=offscript,
        quality=measure_quality(decoding, judgement, recording.samples, speech, frame_s, calibration),
    )
