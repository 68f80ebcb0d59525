"""What a live stream costs: all of it by chunk, the decoder alone by frame, over hours, many at once."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from chunking_simulation import Fixed
from live_replay import RATE, replay
from measure import median
from recordings import join, sources
from torch import Tensor

import streamhmm as sh
from streamhmm.align.chunking import ChunkController
from streamhmm.align.stream import BEAM
from streamhmm.align.topology import Topology, build_topology
from streamhmm.audio import load_audio
from streamhmm.measure.machine import resident_bytes
from streamhmm.text import pronounce, tokenize

WORDS, MANY_WORDS = 100, 10_000
SCRIPT_S = 60.0
HOURS = 10
FRAMES_AN_HOUR = 360_000
STREAM_WORDS = 200


class Scripts:
    """Recordings of a wanted length with their texts, joined from a truth set or the bundled example."""

    def __init__(self, aligner: sh.Aligner, truth: Path, folder: Path) -> None:
        self._aligner = aligner
        self._folder = folder
        self.name, self._pieces = sources(truth)

    def speech(self, seconds: float) -> tuple[np.ndarray, str]:
        """(n,) samples at 16 kHz and their text."""
        recording = join(self._pieces, seconds, self._folder / f"{seconds}.flac")
        return load_audio(recording.audio, sample_rate=RATE).samples, recording.text

    def scores(self, words: int) -> tuple[Tensor, Topology]:
        """Scores of speech of about so many words, and the graph of its text."""
        samples, text = self.speech(words * 0.36)
        script = pronounce(tokenize(text), self._aligner.lexicon)
        return self._aligner.model.scores(torch.from_numpy(samples)), build_topology(
            script.words, self._aligner.columns
        )


def whole_stream(aligner: sh.Aligner, scripts: Scripts, chunk_s: float | None) -> dict[str, Any]:
    """A minute of speech, everything included, on one core; ``chunk_s`` or the controller's own choice."""
    samples, text = scripts.speech(SCRIPT_S)
    for _ in range(2):  # the first warms up
        heard = replay(aligner.stream(text), samples, Fixed(chunk_s) if chunk_s else ChunkController())
    settled = len(heard.compute_s) // 10
    return {
        "chunk_ms": 1e3 * median(heard.chunks_s[settled:]),
        "factor": heard.factor(),
        "compute_ms": [1e3 * float(x) for x in np.percentile(heard.compute_s[settled:], (50, 90, 99, 100))],
    }


def decoder_alone(scores: Tensor, topology: Topology, chunk: int, rounds: int) -> float:
    """Microseconds a frame of OnlineViterbi with the default beam, chunks of so many frames."""
    times = []
    for _ in range(rounds):
        decoder = sh.OnlineViterbi(topology.graph, beam=BEAM)
        begin = time.process_time()
        for first in range(0, len(scores), chunk):
            decoder.push(scores[first : first + chunk])
        times.append((time.process_time() - begin) / len(scores) * 1e6)
    return median(times)


def differing(scores: Tensor, topology: Topology) -> tuple[int, int]:
    """Frames of which the default beam changes the score column, and all frames. (Neighbouring states of one column
    can tie.)"""
    decoder = sh.OnlineViterbi(topology.graph, beam=BEAM)
    found = torch.cat([decoder.push(scores), decoder.finish()])
    exact = sh.viterbi(scores, topology.graph).states
    pdfs = topology.graph.pdfs
    return int((pdfs[found] != pdfs[exact]).sum()), len(scores)


def over_hours(scores: Tensor, topology: Topology, hours: int = HOURS) -> dict[str, float]:
    """Microseconds a frame in the first minute and in the last, the script being read again and again."""
    initial = torch.full((topology.graph.num_states,), float("-inf"), dtype=torch.float64)
    initial[0] = 0.0
    decoder = sh.OnlineViterbi(topology.graph, beam=BEAM)
    rounds = max(1, hours * FRAMES_AN_HOUR // len(scores))
    minute = max(1, 6000 // len(scores))
    times = []
    for _ in range(rounds):
        begin = time.process_time()
        for first in range(0, len(scores), 8):
            decoder.push(scores[first : first + 8])
        times.append((time.process_time() - begin) / len(scores) * 1e6)
        decoder.restart(initial)
    return {"first_us": median(times[1 : 1 + minute]), "last_us": median(times[-minute:])}


def a_day(aligner: sh.Aligner, scripts: Scripts, hours: int) -> dict[str, Any]:
    """So many hours of audio through one stream, faster than real time: memory after each hour, MiB."""
    samples, text = scripts.speech(SCRIPT_S)
    stream = aligner.stream(text, keep=600.0)
    chunks = [samples[first : first + RATE] for first in range(0, len(samples), RATE)]
    memory, begin = [], time.perf_counter()
    for hour in range(1, hours + 1):
        while stream.received_s < 3600 * hour:
            for chunk in chunks:
                stream.push(chunk)
            stream.seek(0)
        memory.append(resident_bytes() / 2**20)
    return {"hours": hours, "memory_mib": memory, "seconds": time.perf_counter() - begin}


def many_streams(aligner: sh.Aligner, scripts: Scripts, count: int, chunk_s: float, seconds: float) -> dict[str, Any]:
    """So many streams of 200 words in one process, in real time: how late chunks are done, and how busy the cores."""
    samples, text = scripts.speech(STREAM_WORDS * 0.36)
    streams = [aligner.stream(text) for _ in range(count)]
    size, late = round(chunk_s * RATE), []
    cores = 2
    start, busy = time.perf_counter(), time.process_time()

    def serve(mine: list[sh.AlignmentStream]) -> None:
        for number in range(int(seconds / chunk_s)):
            due = start + (number + 1) * chunk_s
            time.sleep(max(0.0, due - time.perf_counter()))
            for stream in mine:
                first = number * size % (len(samples) - size)
                stream.push(samples[first : first + size])
                late.append(time.perf_counter() - due)

    threads = [threading.Thread(target=serve, args=(streams[core::cores],)) for core in range(cores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.process_time() - busy
    return {
        "streams": count,
        "chunk_ms": 1e3 * chunk_s,
        "late_ms": [1e3 * float(x) for x in np.percentile(late, (50, 90, 99, 100))],
        "cores_busy": spent / (time.perf_counter() - start),
    }
