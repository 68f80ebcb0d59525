"""Many live streams through one BatchingEngine, beside as many that run alone.

    python bench/batching.py [--backends torch,onnx] [--streams 50] [--seconds 5] [--json FILE]

bench/README.md tells what is measured and what the bar is.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from latency_speed import Scripts
from live_replay import RATE, replay
from measure import TRUTH, make_console, median, show, verdict, write_json
from rich.console import Console

import streamhmm as sh
from streamhmm.acoustic.batching import BatchedScores
from streamhmm.align.chunking import ChunkController
from streamhmm.align.stream import AlignmentStream

CHUNKS_S = (0.04, 0.08, 0.16)
BAR = 3.0
WARM_UP = 5
"""Chunks that do not count."""


@dataclass(frozen=True)
class Row:
    """Processor time for a second of audio of one stream, ms: alone and in batches."""

    backend: str
    chunk_s: float
    live: bool
    front_alone_ms: float
    front_batched_ms: float
    whole_alone_ms: float
    whole_batched_ms: float

    @property
    def front_ratio(self) -> float:
        return self.front_alone_ms / self.front_batched_ms

    @property
    def whole_ratio(self) -> float:
        return self.whole_alone_ms / self.whole_batched_ms


class Late(NamedTuple):
    """Percentiles 50, 95, 99 of the time that a ``push`` takes, ms, the chunks in a batch, and how busy the cores."""

    backend: str
    way: str
    chunk_s: float
    push_ms: list[float]
    batch: float
    cores_busy: float


def main() -> int:
    options = _options()
    torch.set_num_threads(1)
    console = make_console()
    rows: list[Row] = []
    lates: list[Late] = []
    with TemporaryDirectory() as folder:
        for backend in options.backends.split(","):
            aligner = sh.Aligner(backend=backend)
            samples, text = Scripts(aligner, options.truth, Path(folder)).speech(options.seconds + 15.0)
            live_s = chosen_chunk(aligner, samples, text)
            for chunk_s in sorted({*CHUNKS_S, live_s}):
                rows.append(streams_a_core(aligner, samples, text, chunk_s, chunk_s == live_s, options))
            lates += latencies(aligner, samples, text, live_s, options)
    report(console, rows, lates, options.streams)
    write_json(options.json, {"rows": [asdict(row) for row in rows], "latency": [late._asdict() for late in lates]})
    return 0


def chosen_chunk(aligner: sh.Aligner, samples: np.ndarray, text: str) -> float:
    """The length that the controller of live sessions comes to for one stream on this machine, in whole 10 ms."""
    heard = [replay(aligner.stream(text), samples, ChunkController(), timer=time.process_time) for _ in range(3)][1:]
    lengths = [length for one in heard for length in one.chunks_s[len(one.chunks_s) // 5 :]]
    return round(median(lengths), 2)


def streams_a_core(
    aligner: sh.Aligner, samples: np.ndarray, text: str, chunk_s: float, live: bool, options: argparse.Namespace
) -> Row:
    """All four ways take turns, chunk by chunk of all streams."""
    count = options.streams
    sources = [aligner.model.stream() for _ in range(count)]
    batched = BatchedScores(aligner.model, max(64, count))
    slots = [batched.open() for _ in range(count)]
    streams = [aligner.stream(text) for _ in range(count)]
    with sh.BatchingEngine(aligner, max(64, count)) as engine:
        together = [engine.stream(text) for _ in range(count)]
        ways: list[Callable[[list[torch.Tensor]], object]] = [
            lambda chunks: [source.push(chunk) for source, chunk in zip(sources, chunks, strict=True)],
            lambda chunks: batched.push(slots, chunks),
            lambda chunks: [stream.push(chunk) for stream, chunk in zip(streams, chunks, strict=True)],
            lambda chunks: engine.push(list(zip(together, chunks, strict=True))),
        ]
        times = in_turn(ways, samples, count, round(chunk_s * RATE), options.seconds)
    return Row(aligner.runtime, chunk_s, live, *(1e3 * median(each) / count / chunk_s for each in times))


def in_turn(
    ways: Sequence[Callable[[list[torch.Tensor]], object]], samples: np.ndarray, count: int, size: int, seconds: float
) -> list[list[float]]:
    """Processor time of each way for each chunk of all streams; a stream hears what comes 0.1 s after another's."""
    times: list[list[float]] = [[] for _ in ways]
    audio = torch.from_numpy(samples)
    for number in range(WARM_UP + round(seconds * RATE / size)):
        starts = [number * size + RATE // 10 * stream for stream in range(count)]
        chunks = [audio[start : start + size] for start in starts]
        for way, taken in zip(ways, times, strict=True):
            begin = time.process_time()
            way(chunks)
            taken.append(time.process_time() - begin)
    return [taken[WARM_UP:] for taken in times]


def latencies(
    aligner: sh.Aligner, samples: np.ndarray, text: str, chunk_s: float, options: argparse.Namespace
) -> list[Late]:
    """Each stream in a thread of its own, in real time, their chunks evenly spread."""
    alone = [aligner.stream(text) for _ in range(options.streams)]
    lates = [_late(aligner.runtime, "alone", alone, samples, chunk_s, options.seconds)]
    for deadline_s in (0.0, 0.01):
        with sh.BatchingEngine(aligner, max(64, options.streams), deadline_s) as engine:
            streams = [engine.stream(text) for _ in range(options.streams)]
            way = f"engine, deadline {1e3 * deadline_s:.0f} ms"
            late = _late(aligner.runtime, way, streams, samples, chunk_s, options.seconds)
            lates.append(late._replace(batch=engine.status.chunks / engine.status.batches))
    return lates


def _late(
    backend: str, way: str, streams: Sequence[AlignmentStream], samples: np.ndarray, chunk_s: float, seconds: float
) -> Late:
    size, taken = round(chunk_s * RATE), [[] for _ in streams]
    start, busy = time.perf_counter() + 0.1, time.process_time()

    def serve(order: int) -> None:
        for number in range(round(seconds / chunk_s)):
            due = start + (number + order / len(streams)) * chunk_s
            time.sleep(max(0.0, due - time.perf_counter()))
            begin = time.perf_counter()
            streams[order].push(samples[number * size : (number + 1) * size])
            taken[order].append(time.perf_counter() - begin)

    threads = [threading.Thread(target=serve, args=(order,)) for order in range(len(streams))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cores = (time.process_time() - busy) / (time.perf_counter() - start)
    push_s = [one for each in taken for one in each[len(each) // 5 :]]
    return Late(backend, way, chunk_s, [1e3 * float(x) for x in np.percentile(push_s, (50, 95, 99))], 1.0, cores)


def report(console: Console, rows: Sequence[Row], lates: Sequence[Late], streams: int) -> None:
    columns = ["streams a core", "chunk, ms", "scores alone", "batched", "ratio", "", "all alone", "batched", "ratio"]
    shown = [
        [
            row.backend,
            f"{1e3 * row.chunk_s:.0f}{' (live)' if row.live else ''}",
            *(f"{1e3 / ms:.0f}" for ms in (row.front_alone_ms, row.front_batched_ms)),
            f"{row.front_ratio:.2f}",
            verdict(row.front_ratio >= BAR) if row.live else "",
            *(f"{1e3 / ms:.0f}" for ms in (row.whole_alone_ms, row.whole_batched_ms)),
            f"{row.whole_ratio:.2f}",
        ]
        for row in rows
    ]
    note = (
        f"{streams} streams, one thread. Scores: features and network; all: AlignmentStream.push. (live): the chunk "
        f"that the controller comes to for one stream here. Bar: {BAR:.0f} × the streams a core, scores, at that chunk."
    )
    show(console, "Streams a core", columns, shown, note)
    columns = ["processor time, ms a second of audio", "chunk, ms", "scores alone", "batched", "text and events"]
    shown = [
        [
            row.backend,
            f"{1e3 * row.chunk_s:.0f}",
            f"{row.front_alone_ms:.2f}",
            f"{row.front_batched_ms:.2f}",
            f"{row.whole_batched_ms - row.front_batched_ms:.2f}",
        ]
        for row in rows
    ]
    show(console, "Where it goes", columns, shown, "Text and events: all that a stream does besides its scores.")
    columns = [
        f"push, ms, {streams} threads in real time",
        "chunk, ms",
        "p50",
        "p95",
        "p99",
        "in a batch",
        "cores busy",
    ]
    shown = [
        [
            f"{late.backend}, {late.way}",
            f"{1e3 * late.chunk_s:.0f}",
            *(f"{ms:.1f}" for ms in late.push_ms),
            f"{late.batch:.1f}",
            f"{late.cores_busy:.2f}",
        ]
        for late in lates
    ]
    show(console, "Latency in real time", columns, shown)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Many live streams in batches, beside as many alone.")
    parser.add_argument("--backends", default="torch,onnx", help="with commas between (default: torch,onnx)")
    parser.add_argument("--streams", type=int, default=50, help="how many (default: 50)")
    parser.add_argument("--seconds", type=float, default=5.0, help="audio of each stream (default: 5)")
    parser.add_argument("--truth", type=Path, default=TRUTH, metavar="DIR", help="where the truth sets are")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
