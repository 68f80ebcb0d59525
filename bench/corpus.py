"""``streamhmm corpus`` on speechocean762: speed, memory, restart; whether the report finds planted errors.

    python bench/corpus.py [--planted] [--rounds 3] [--json FILE]

bench/README.md tells what is measured.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import soundfile
from measure import SPEECH, make_console, median, show, verdict, write_json
from planted_errors import RATE, Planted, Recorded, plant, read_speech
from rich.console import Console

from streamhmm.measure.machine import machine

PACE_BAR, GAIN_BAR, MEMORY_BAR_BYTES, RESTART_BAR_S = 100.0, 1.8, 2 * 2**30, 10.0
PLANTED_SHARE = 20
"""One file in so many has an error."""
MIXTURES = {
    "text of another utterance": ("text of another utterance",),
    "sentence missing in text or audio, other speech": (
        "sentence not spoken",
        "sentence not in the text",
        "5 s of other speech",
    ),
    "one word replaced, added or dropped": ("word replaced", "word added", "word dropped"),
    "all of these": (
        "text of another utterance",
        "sentence not spoken",
        "sentence not in the text",
        "5 s of other speech",
        "word replaced",
        "word added",
        "word dropped",
    ),
}
SAMPLE_EVERY_S = 1.0


class Run(NamedTuple):
    """One run of the command: wall time and the most memory that all its processes held together."""

    seconds: float
    peak_bytes: int
    said: str


def main() -> int:
    options = _options()
    console = make_console()
    about = machine()
    console.print(f"{about['processor']}, torch {about['torch']}, load {about['load_average']:.2f}")
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        if not options.planted_only:
            utterances = [one for half in ("train", "test") for one in read_speech(options.speech, half)]
            results["speed"] = _speed(utterances[: options.utterances], Path(name), options.rounds)
            _report_speed(console, results["speed"])
        if options.planted or options.planted_only:
            results["planted"] = _planted(read_speech(options.speech, "test"), Path(name), options.seed)
            _report_planted(console, results["planted"])
    write_json(options.json, results)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="streamhmm corpus: speed, memory, restart, planted errors.")
    parser.add_argument("--utterances", type=int, metavar="N", help="the first N only (default: all 5,000)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, of which the median counts")
    parser.add_argument("--planted", action="store_true", help="plant errors and look for them in the report, too")
    parser.add_argument("--planted-only", action="store_true", help="only that")
    parser.add_argument("--seed", type=int, default=1, help="of the planted errors")
    parser.add_argument("--speech", type=Path, default=SPEECH, metavar="DIR", help="default: beside the repository")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    return parser.parse_args()


def _speed(utterances: Sequence[Recorded], folder: Path, rounds: int) -> dict[str, float]:
    source = folder / "in"
    for utterance in utterances:
        target = source / utterance.speaker / utterance.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(utterance.path)
        target.with_suffix(".lab").write_text(" ".join(utterance.words))
    cores = sorted(os.sched_getaffinity(0))[-2:]
    one, two = [], []
    for number in range(rounds):
        two.append(_run(source, folder / f"two{number}", 2, cores))
        one.append(_run(source, folder / f"one{number}", 1, cores[-1:]))
    again = [_run(source, folder / "two0", 2, cores) for _ in range(rounds)]
    seconds = median([run.seconds for run in two])
    return {
        "hours": sum(soundfile.info(utterance.path).duration for utterance in utterances) / 3600,
        "utterances": len(utterances),
        "two_s": seconds,
        "one_s": median([run.seconds for run in one]),
        "gain": median([slow.seconds / fast.seconds for slow, fast in zip(one, two, strict=True)]),
        "peak_bytes": max(run.peak_bytes for run in two),
        "again_s": median([run.seconds for run in again]),
    }


def _run(source: Path, results: Path, jobs: int, cores: Sequence[int]) -> Run:
    """The command on some cores. All inputs must be aligned."""
    command = [sys.executable, "-m", "streamhmm.cli", "corpus", source, results, "--jobs", str(jobs)]
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, set(cores)),
    )
    peak = _Peak(process.pid)
    said, complaint = process.communicate()
    seconds = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"streamhmm corpus: exit code {process.returncode}\n{complaint}")
    return Run(seconds, peak.stop(), said)


class _Peak(threading.Thread):
    """Watches what a process and its children hold; memory that they share counts once."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._peak, self._ended = pid, 0, threading.Event()
        self.start()

    def run(self) -> None:
        while not self._ended.wait(SAMPLE_EVERY_S):
            self._peak = max(self._peak, sum(map(_proportional_bytes, _tree(self._pid))))

    def stop(self) -> int:
        self._ended.set()
        self.join()
        return self._peak


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(below for child in children for below in _tree(int(child)))]


def _proportional_bytes(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) * 1024


def _report_speed(console: Console, found: dict[str, float]) -> None:
    pace = 3600 * found["hours"] / found["two_s"]
    rows = [
        ("start to finish, two cores", f"{found['two_s']:.0f} s", "", ""),
        ("hours of audio an hour", f"{pace:.0f}", f"≥ {PACE_BAR:.0f}", verdict(pace >= PACE_BAR)),
        ("beside one core, one job", f"{found['gain']:.2f} ×", f"≥ {GAIN_BAR}", verdict(found["gain"] >= GAIN_BAR)),
        (
            "memory of all processes",
            f"{found['peak_bytes'] / 2**20:.0f} MiB",
            "< 2048 MiB",
            verdict(found["peak_bytes"] < MEMORY_BAR_BYTES),
        ),
        (
            "again, with nothing to do",
            f"{found['again_s']:.1f} s",
            f"< {RESTART_BAR_S:.0f} s",
            verdict(found["again_s"] < RESTART_BAR_S),
        ),
    ]
    title = f"{found['utterances']:,} utterances, {found['hours']:.2f} hours"
    show(console, title, ("", "measured", "bar", ""), rows)


def _planted(utterances: Sequence[Recorded], folder: Path, seed: int) -> list[dict[str, Any]]:
    """For each mixture of errors: how many of the most suspicious files, as many as have an error, have one."""
    by_kind: dict[str, list[tuple[int, Planted]]] = {}
    index = -1
    for case in plant(utterances, seed):
        index += case.kind == "right text"
        by_kind.setdefault(case.kind, []).append((index, case))
    return [_mixture(name, kinds, utterances, by_kind, folder, seed) for name, kinds in MIXTURES.items()]


def _mixture(
    name: str,
    kinds: Sequence[str],
    utterances: Sequence[Recorded],
    by_kind: dict[str, list[tuple[int, Planted]]],
    folder: Path,
    seed: int,
) -> dict[str, Any]:
    chance = random.Random(seed)
    count = len(utterances) // PLANTED_SHARE
    errors: dict[int, Planted] = {}
    while len(errors) < count:
        index, case = chance.choice(by_kind[kinds[len(errors) % len(kinds)]])
        errors.setdefault(index, case)
    source = folder / f"planted {len(list(folder.iterdir()))}"
    source.mkdir()
    for index, utterance in enumerate(utterances):
        _write(source / f"{index:05}", utterance, errors.get(index))
    _run(source, source / "out", 2, sorted(os.sched_getaffinity(0))[-2:])
    with open(source / "out" / "report.csv", encoding="utf-8-sig", newline="") as file:
        order = [int(row["file"]) for row in csv.DictReader(file)]
    return {
        "mixture": name,
        "planted": count,
        "files": len(order),
        "precision": sum(index in errors for index in order[:count]) / count,
        "first_ten": sum(index in errors for index in order[:10]) / 10,
        "within_twice": sum(index in errors for index in order[: 2 * count]) / count,
        "kinds": Counter(errors[index].kind for index in order[:count] if index in errors),
    }


def _write(stem: Path, utterance: Recorded, error: Planted | None) -> None:
    if error is None:
        stem.with_suffix(utterance.path.suffix).symlink_to(utterance.path)
        stem.with_suffix(".lab").write_text(" ".join(utterance.words))
        return
    soundfile.write(stem.with_suffix(".flac"), error.audio()[0], RATE)
    stem.with_suffix(".lab").write_text(" ".join(error.text))


def _report_planted(console: Console, found: Sequence[dict[str, Any]]) -> None:
    rows = [
        (
            row["mixture"],
            f"{row['planted']} of {row['files']:,}",
            f"{row['precision']:.2f}",
            f"{row['first_ten']:.1f}",
            f"{row['within_twice']:.0%}",
        )
        for row in found
    ]
    heads = ("planted", "files", "precision at that number", "of the first ten", "found in twice as many")
    show(console, "Errors among the most suspicious files of the report", heads, rows)


if __name__ == "__main__":
    sys.exit(main())
