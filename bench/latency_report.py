"""The figures of bench/latency.py as tables, with what the project set itself to reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from measure import show, verdict
from rich.console import Console

SPREAD = ("p50", "p90", "p99", "max")


def report(console: Console, results: dict[str, Any]) -> None:
    """Print what was measured."""
    _report_cost(console, results)
    _report_decoder(console, results)
    if "words" in results:
        _report_words(console, results["words"])
    if "lead_in" in results:
        _report_lead_in(console, results["lead_in"])
    if "follow" in results:
        _report_follow(console, results["follow"])
    if "day" in results:
        _report_day(console, results["day"])
    if "streams" in results:
        streams = results["streams"]
        rows = [[str(streams["streams"]), f"{streams['chunk_ms']:.0f}", *_cells(streams["late_ms"])]]
        rows[0].append(f"{streams['cores_busy']:.2f}")
        columns = ["streams of 200 words", "chunk ms", *(f"late {name}" for name in SPREAD), "cores busy"]
        show(console, "Many streams in one process, real time, ms from a chunk's arrival to its end", columns, rows)


def _cells(values: Sequence[float]) -> list[str]:
    return [f"{value:.0f}" if value >= 10 else f"{value:.2f}" for value in values]


def _report_cost(console: Console, results: dict[str, Any]) -> None:
    rows = []
    for name, key, most in (("the controller's choice", "own_choice", 0.03), ("10 ms", "chunk_10_ms", 0.2)):
        figures = results[key]
        met = figures["factor"] <= most and (key == "own_choice" or figures["compute_ms"][2] <= 5.0)
        factor = [f"{figures['factor']:.4f}", f"≤ {most}", verdict(met)]
        rows.append([name, f"{figures['chunk_ms']:.0f}", *_cells(figures["compute_ms"]), *factor])
    columns = ["chunks", "median ms", *(f"{name} ms" for name in SPREAD), "real-time factor", "", ""]
    note = f"{results['audio']}; everything from samples to events; p99 of chunks of 10 ms at most 5 ms"
    show(console, "Compute time of a chunk, one thread on one core", columns, rows, note)


def _report_decoder(console: Console, results: dict[str, Any]) -> None:
    us, states, hours = results["decoder_us"], results["states"], results["hours"]
    ratio, drift = us["long_by_8"] / us["short_by_8"], hours["last_us"] / hours["first_us"]
    differ, frames = results["differing"]
    rows = [
        [f"100 words, {states['short']} states, chunks of 8", f"{us['short_by_8']:.2f} µs", "≤ 3"],
        ["  frame by frame", f"{us['short_by_1']:.2f} µs", "≤ 15"],
        [f"10,000 words, {states['long']} states, chunks of 8", f"{us['long_by_8']:.2f} µs, × {ratio:.2f}", "× 1.5"],
        [f"hour {hours['count']} beside the first minute", f"× {drift:.3f}", "× 0.9 … 1.1"],
        ["frames that the beam changes", f"{differ} of {frames}", "0.01 %"],
    ]
    met = (
        us["short_by_8"] <= 3, us["short_by_1"] <= 15, ratio <= 1.5, 0.9 <= drift <= 1.1, differ <= 1e-4 * frames,
    )  # fmt: skip
    rows = [[*row, verdict(bool(ok))] for row, ok in zip(rows, met, strict=True)]
    show(console, "OnlineViterbi alone, default beam, processor time a frame", ["", "", "bar", ""], rows)


def _report_words(console: Console, words: dict[str, Any]) -> None:
    final, onset = words["final_ms"], words["onset_ms"]
    rows = [
        ["final word, ms after its end", *_cells(final), "≤ 300, 400", verdict(final[0] <= 300 and final[1] <= 400)],
        ["highlight, ms after the word's start", *_cells(onset), "≤ 200", verdict(onset[0] <= 200)],
    ]
    title = "Latency at real-time pace (virtual clock), max_lag = 0.3"
    show(console, title, ["", *SPREAD, "bar", ""], rows, f"{words['highlights_taken_back']} highlights came twice")
    rows = [
        ["position, the exact word", f"{words['position_exact']:.1f} %", "≥ 85", words["position_exact"] >= 85],
        ["  or its neighbour", f"{words['position_near']:.1f} %", "≥ 97", words["position_near"] >= 97],
        [
            "median boundary error",
            f"{words['live_median_ms']:.2f} ms, offline {words['offline_median_ms']:.2f}",
            "+ 2 ms",
            words["live_median_ms"] <= words["offline_median_ms"] + 2,
        ],
        [
            "boundaries within 20 ms",
            f"{words['live_within_20']:.1f} %, offline {words['offline_within_20']:.1f}",
            "− 3",
            words["live_within_20"] >= words["offline_within_20"] - 3,
        ],
    ]
    note = f"{words['boundaries']} boundaries, {words['words_not_found']} words not found live"
    cells = [[*row[:3], verdict(row[3])] for row in rows]
    show(console, "Position asked for every 50 ms of speech; final times", ["", "", "bar", ""], cells, note)


def _report_lead_in(console: Console, leads: Sequence[dict[str, Any]]) -> None:
    rows = [
        [
            lead["sound"],
            f"{lead['waited']} of {lead['utterances']}",
            f"{lead['share_before']:.2f} %",
            f"{lead['words_found']:.1f} %",
            verdict(lead["waited"] == lead["utterances"]),
        ]
        for lead in leads
    ]
    columns = ["60 s of", "position always waited", "share of time", "words then found within 100 ms", ""]
    show(console, "Before the speech", columns, rows)


def _report_follow(console: Console, figures: dict[str, Any]) -> None:
    rows = [[kind, str(row["edits"]), f"{row['right']:.0f} %", ""] for kind, row in figures["kinds"].items()]
    rows.append(["all", str(figures["edits"]), f"{figures['right']:.1f} %", verdict(figures["right"] >= 95)])
    note = (
        "right: from 1.5 s after the edit on, at least 90 % of the positions of 3 s are the word's or its neighbour's; "
        f"words said to be left out: precision {figures['skipped_precision']:.0f} %, "
        f"recall {figures['skipped_recall']:.0f} %; "
        f"plain readings: {figures['plain_near']:.1f} % near, {figures['plain_skipped']} words said to be left out"
    )
    show(console, "follow=True through edited readings, live", ["edit", "n", "right again", "≥ 95 %"], rows, note)


def _report_day(console: Console, day: dict[str, Any]) -> None:
    memory = day["memory_mib"]
    grown = max(memory[1:], default=memory[0]) - memory[0]
    rows = [[str(day["hours"]), f"{memory[0]:.1f}", f"{memory[-1]:.1f}", f"{grown:+.1f}", verdict(grown <= 5)]]
    columns = ["hours", "MiB after the first", "after the last", "most growth", "≤ 5"]
    show(console, "Hours through one stream, faster than real time", columns, rows, f"{day['seconds']:.0f} s")
