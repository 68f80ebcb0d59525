"""Real-time factor, stage by stage, on one core; start-up; memory.

    python bench/rtf.py [--model FILE] [--hour] [--json FILE]

bench/README.md tells what is measured.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from measure import TRUTH, make_console, median, run_child, show, verdict, write_json
from recordings import Recording, join, sources
from rich.console import Console

from streamhmm.measure.machine import machine
from streamhmm.measure.stages import ENGINE, STAGES

LENGTHS_S = (5, 10, 30, 60)
HOUR_S = 3600
RTF_BAR = 0.008
ENGINE_BAR = 0.10
START_BAR_S = 2.5
HOUR_BAR_BYTES = 2**30
CHILD = Path(__file__).with_name("rtf_child.py")


def main() -> int:
    options = _options()
    console = make_console()
    about = machine()
    what, pieces = sources(options.truth)
    console.print(f"{about['processor']}, torch {about['torch']}, load {about['load_average']:.2f}; audio: {what}")
    results: dict[str, Any] = {"audio": what}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recordings = [join(pieces, seconds, folder / f"{seconds}.flac") for seconds in LENGTHS_S]
        results["start"] = _start_up(options.model, recordings[0], folder, options.rounds)
        results["files"] = _child(recordings, "stages", options.model, name, str(options.rounds))
        _report_start(console, results["start"], results["files"])
        _report_files(console, results["files"])
        if options.hour:
            hour = join(pieces, HOUR_S, folder / "hour.flac")
            results["hour"] = _child([recordings[0], hour], "hour", options.model, name)
            _report_hour(console, results["hour"])
    write_json(options.json, results)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Real-time factor, stage by stage, on one core; start-up; memory.")
    parser.add_argument("--model", default="en", help='acoustic model: "en" or a file (default: en)')
    parser.add_argument("--rounds", type=int, default=9, help="measurements of each, of which the median counts")
    parser.add_argument("--hour", action="store_true", help="align an hour of audio too")
    parser.add_argument("--truth", type=Path, default=TRUTH, metavar="DIR", help="default: beside the repository")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    return parser.parse_args()


def _child(recordings: list[Recording], *arguments: str) -> Any:
    request = [{**asdict(recording), "audio": str(recording.audio)} for recording in recordings]
    return run_child(CHILD, *arguments, request=request)


def _start_up(model: str, recording: Recording, folder: Path, rounds: int) -> dict[str, float]:
    """Wall time of fresh processes, in seconds, in turn."""
    load = f"import streamhmm; streamhmm.Aligner({model!r})"
    align = ["-m", "streamhmm.cli", "align", str(recording.audio), "--text", recording.text, "--model", model]
    commands = {
        "Python alone": ["-c", "pass"],
        "import torch": ["-c", "import torch"],
        "import streamhmm": ["-c", "import streamhmm"],
        "import streamhmm, load the model": ["-c", load],
        f"command line, {recording.seconds:.1f} s of audio": [*align, "-o", str(folder / "command.TextGrid")],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, arguments in commands.items():
            begin = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True)
            seconds[name].append(time.perf_counter() - begin)
    return {name: median(values) for name, values in seconds.items()}


def _report_start(console: Console, start: dict[str, float], files: dict[str, Any]) -> None:
    rows = [[name, f"{seconds:.2f}", ""] for name, seconds in start.items()]
    rows[3][-1] = verdict(start["import streamhmm, load the model"] <= START_BAR_S)
    note = (
        f"memory with the model loaded {files['bytes_after_start'] / 1e6:.0f} MB, "
        f"at most, files of {LENGTHS_S[0]} to {LENGTHS_S[-1]} s: {files['peak_bytes'] / 1e6:.0f} MB"
    )
    show(console, "Start-up: fresh processes", ["", "s", f"≤ {START_BAR_S}"], rows, note)


def _report_files(console: Console, results: dict[str, Any]) -> None:
    files = results["files"]
    names = [f"{file['seconds']:.1f} s, {file['words']} words" for file in files]
    rows = [[stage, *(f"{file['stages'][stage] * 1e3:.2f}" for file in files)] for stage in STAGES]
    rows += [["sum, clocked", *(f"{sum(file['stages'].values()) * 1e3:.2f}" for file in files)]]
    rows += [["whole call", *(f"{file['total_s'] * 1e3:.2f}" for file in files)]]
    rows += [["  of it on the processor", *(f"{file['processor_s'] * 1e3:.2f}" for file in files)]]
    factors = [file["total_s"] / file["seconds"] for file in files]
    shares = [file["stages"][ENGINE] / sum(file["stages"].values()) for file in files]
    rows += [["real-time factor", *(f"{factor:.4f} {verdict(factor <= RTF_BAR)}" for factor in factors)]]
    on_processor = [file["processor_s"] / file["seconds"] for file in files]
    rows += [["  by processor time", *(f"{factor:.4f} {verdict(factor <= RTF_BAR)}" for factor in on_processor)]]
    rows += [["  shortest time", *(f"{file['best_s'] / file['seconds']:.4f}" for file in files)]]
    rows += [["engine's share", *(f"{share:.1%} {verdict(share <= ENGINE_BAR)}" for share in shares)]]
    stages, busy, length = results["first_call"], results["first_call_processor_s"], files[0]["seconds"]
    first = sum(stages.values())
    where = ", ".join(f"{stage} {seconds * 1e3:.1f}" for stage, seconds in stages.items())
    note = (
        f"Real-time factor at most {RTF_BAR}, engine's share at most {ENGINE_BAR:.0%}. "
        f"The process's first call (the first file): {first * 1e3:.1f} ms, {first / length:.4f}; "
        f"on the processor {busy * 1e3:.1f} ms, {busy / length:.4f}. In ms: {where}."
    )
    show(console, "From file to TextGrid and JSON, one thread on one core, ms, medians", ["", *names], rows, note)


def _report_hour(console: Console, hour: dict[str, Any]) -> None:
    rows = [[stage, f"{seconds:.3f}"] for stage, seconds in hour["stages"].items()]
    for name, key in (("whole", "total_s"), ("  of it on the processor", "processor_s")):
        rows += [[name, f"{hour[key]:.3f}"], ["  real-time factor", f"{hour[key] / hour['seconds']:.4f}"]]
    extra = hour["extra_bytes"]
    note = (
        f"memory above the {hour['bytes_before'] / 1e6:.0f} MB with the model: {extra / 2**20:.0f} MiB, "
        f"at most {HOUR_BAR_BYTES / 2**20:.0f}: {verdict(extra <= HOUR_BAR_BYTES)}"
    )
    show(console, f"{hour['seconds']:.0f} s of audio, {hour['words']} words", ["stage", "s"], rows, note)


if __name__ == "__main__":
    sys.exit(main())
