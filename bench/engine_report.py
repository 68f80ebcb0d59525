"""The figures of bench/engine.py as tables, held against what they must reach."""

from __future__ import annotations

from typing import Any

from measure import machine, show, verdict
from rich.console import Console

FASTER_BAR, FASTER_BAR_LARGEST = 15.0, 8.0
EXTRA_BAR_BYTES = 300e6
OVERHEAD_BAR_S = 15e-6
ALIGNER_BAR = 2.0

RECORDED_S = {(500, 50): 0.24e-3, (3000, 300): 7.0e-3, (60000, 6000): 2.914}
RECORDED_EXTRA_BYTES = 712e6
RECORDED = "recorded on another machine"


def report(console: Console, results: dict[str, Any]) -> None:
    """Print every table of the engine's bench."""
    about = machine()
    where = f"{about['processor']}, torch {about['torch']}, load {about['load_average']:.2f}"
    console.print(f"{where}; one thread, processor time", highlight=False)
    peer = results["peer"] or f"torchaudio 2.11, {RECORDED}"
    _report_overhead(console, peer, results["overhead"])
    _report_ctc(console, peer, results)
    _report_memory(console, peer, results)
    _report_aligner(console, results["aligner_graph"])
    rows = [[name, _ms(seconds)] for name, seconds in results["sums"].items()]
    show(console, "Sums, CTC (3000, 300), for information", ["operation", "ms"], rows)


def _report_overhead(console: Console, peer: str, tiny: dict[str, Any]) -> None:
    rows = [["streamhmm", f"{tiny['seconds'] * 1e6:.1f}", verdict(tiny["seconds"] <= OVERHEAD_BAR_S)]]
    if tiny["peer_seconds"] is not None:
        rows.append([peer, f"{tiny['peer_seconds'] * 1e6:.1f}", ""])
    show(
        console,
        "Call overhead: 1 frame, 1 state (the peer: 1 label)",
        ["", "µs", f"≤ {OVERHEAD_BAR_S * 1e6:.0f}"],
        rows,
    )


def _report_ctc(console: Console, peer: str, results: dict[str, Any]) -> None:
    """Whole calls, and what is left of them without the overhead of either side."""
    overhead = results["overhead"]
    ours_columns = ["T, labels", "ms", "net ms", "ns/cell"]
    ratio_columns = ["ratio", "net ratio", "best/best", f"≥ {FASTER_BAR:.0f}", "Δ score"]
    rows = []
    for case in results["ctc"]:
        net = case["seconds"] - overhead["seconds"]
        their_net = peer_seconds(case) - (overhead["peer_seconds"] or 0.0)
        ratio = peer_seconds(case) / case["seconds"]
        measured = case["peer_seconds"] is not None
        best = f"{case['peer_best_seconds'] / case['best_seconds']:.1f}" if measured else "–"
        difference = f"{case['score'] - case['peer_score']:+.3f}" if measured else "–"
        rows.append(
            [
                f"{case['frames']}, {case['labels']}",
                *(_ms(case["seconds"]), _ms(net), f"{net / case['cells'] * 1e9:.3f}"),
                *(_ms(peer_seconds(case)), _ms(their_net)),
                *(f"{ratio:.1f}", f"{their_net / net:.1f}", best, verdict(ratio >= FASTER_BAR), difference),
            ]
        )
    note = (
        "Medians; net: without the call overhead; best/best: of the shortest times, which other work disturbs least.\n"
        "Δ score: our path's score less the peer's, nats; the peer sums in float32."
    )
    columns = [*ours_columns, "peer ms", "peer net ms", *ratio_columns]
    show(console, f"CTC alignment, {results['classes']} classes, float32, beside {peer}", columns, rows, note)


def peer_seconds(case: dict[str, Any]) -> float:
    """The peer's time a call: of this run, or as recorded."""
    measured: float | None = case["peer_seconds"]
    return RECORDED_S[case["frames"], case["labels"]] if measured is None else measured


def _report_memory(console: Console, peer: str, results: dict[str, Any]) -> None:
    largest = results["ctc"][-1]
    ratio = peer_seconds(largest) / largest["seconds"]
    ours = results["extra_bytes"]
    theirs = results.get("peer_extra_bytes", RECORDED_EXTRA_BYTES)
    rows = [["streamhmm", f"{ours / 1e6:.0f}", verdict(ours <= EXTRA_BAR_BYTES)], [peer, f"{theirs / 1e6:.0f}", ""]]
    title = (
        f"Memory above what was held before the call, CTC ({largest['frames']}, {largest['labels']}), default budget"
    )
    note = f"and {ratio:.1f} times as fast, at least {FASTER_BAR_LARGEST:.0f}: {verdict(ratio >= FASTER_BAR_LARGEST)}"
    show(console, title, ["", "MB", f"≤ {EXTRA_BAR_BYTES / 1e6:.0f}"], rows, note)


def _report_aligner(console: Console, graphs: dict[str, Any]) -> None:
    rows = []
    for name in ("aligner", "ctc"):
        graph = graphs[name]
        sizes = (str(graph["states"]), str(graph["arcs"]))
        rows.append(
            [name, *sizes, _ms(graph["seconds"]), f"{graph['ns_a_cell']:.3f}", f"{graph['best_ns_a_cell']:.3f}"]
        )
    ratio = graphs["aligner"]["ns_a_cell"] / graphs["ctc"]["ns_a_cell"]
    best = graphs["aligner"]["best_ns_a_cell"] / graphs["ctc"]["best_ns_a_cell"]
    title = f"The aligner's graph of {graphs['words']} words over {graphs['frames']} frames, and CTC of as many states"
    note = f"per cell {ratio:.2f} times CTC's (best/best {best:.2f}), at most {ALIGNER_BAR:.0f}: "
    columns = ["graph", "states", "arcs", "ms", "ns/cell", "best ns/cell"]
    show(console, title, columns, rows, note + verdict(ratio <= ALIGNER_BAR))


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3f}" if seconds < 0.1 else f"{seconds * 1e3:.0f}"
