"""The process that bench/rtf.py measures: one thread, one core.

    rtf_child.py stages MODEL FOLDER ROUNDS
    rtf_child.py hour MODEL FOLDER

Its input is a list of {"audio", "text", "seconds"} in JSON; the answer is one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from measure import median, pin_to_one_core

import streamhmm as sh
from streamhmm.measure.machine import peak_bytes, reset_peak, resident_bytes
from streamhmm.measure.stages import OUTPUT, STAGES, alignment_hooks
from streamhmm.measure.timing import Stopwatch


def main() -> None:
    command, model, folder, *rest = sys.argv[1:]
    recordings = json.load(sys.stdin)
    core = pin_to_one_core()
    torch.set_num_threads(1)
    aligner = sh.Aligner(model=model)
    if command == "hour":
        answer = _hour(aligner, Path(folder), *recordings)
    else:
        answer = _stages(aligner, Path(folder), recordings, int(rest[0]))
    print(json.dumps({**answer, "core": core, "threads": torch.get_num_threads()}))


def _stages(aligner: sh.Aligner, folder: Path, recordings: list[dict[str, Any]], rounds: int) -> dict[str, Any]:
    """Each recording once a round: plainly, and with a clock on the stages."""
    after_start = resident_bytes()
    begin = time.process_time()
    first_call = _staged(aligner, folder, recordings[0])
    first_on_processor = time.process_time() - begin
    plain: list[list[float]] = [[] for _ in recordings]
    processor: list[list[float]] = [[] for _ in recordings]
    stages: list[dict[str, list[float]]] = [defaultdict(list) for _ in recordings]
    for _ in range(rounds):
        for index, recording in enumerate(recordings):
            begin = time.process_time()
            plain[index].append(_whole(aligner, folder, recording))
            processor[index].append(time.process_time() - begin)
            for stage, seconds in _staged(aligner, folder, recording).items():
                stages[index][stage].append(seconds)
    return {
        "first_call": first_call,
        "first_call_processor_s": first_on_processor,
        "bytes_after_start": after_start,
        "peak_bytes": peak_bytes(),
        "files": [
            {
                "seconds": recording["seconds"],
                "words": len(recording["text"].split()),
                "total_s": median(plain[index]),
                "best_s": min(plain[index]),
                "processor_s": median(processor[index]),
                "stages": {stage: median(values) for stage, values in stages[index].items()},
            }
            for index, recording in enumerate(recordings)
        ],
    }


def _whole(aligner: sh.Aligner, folder: Path, recording: dict[str, Any]) -> float:
    """Seconds from the file to both output files."""
    begin = time.perf_counter()
    alignment = aligner.align(recording["audio"], recording["text"])
    alignment.save(folder / "out.TextGrid")
    alignment.save(folder / "out.json")
    return time.perf_counter() - begin


def _staged(aligner: sh.Aligner, folder: Path, recording: dict[str, Any]) -> dict[str, float]:
    """Seconds of each stage of the same; "other" is what no stage accounts for."""
    watch = Stopwatch()

    def whole() -> None:
        alignment = aligner.align(recording["audio"], recording["text"])
        save = watch.staged(OUTPUT, alignment.save)
        save(folder / "out.TextGrid")
        save(folder / "out.json")

    with watch.hooked(alignment_hooks(aligner.model)):
        seconds = watch.time(whole).stages
    return {stage: seconds.get(stage, 0.0) for stage in STAGES}


def _hour(aligner: sh.Aligner, folder: Path, short: dict[str, Any], recording: dict[str, Any]) -> dict[str, Any]:
    """Memory above what the loaded model holds after a short alignment, and the time."""
    _whole(aligner, folder, short)
    reset_peak()
    before = resident_bytes()
    begin = time.process_time()
    seconds = _staged(aligner, folder, recording)
    return {
        "processor_s": time.process_time() - begin,
        "seconds": recording["seconds"],
        "words": len(recording["text"].split()),
        "bytes_before": before,
        "extra_bytes": peak_bytes() - before,
        "total_s": sum(seconds.values()),
        "stages": seconds,
    }


if __name__ == "__main__":
    main()
