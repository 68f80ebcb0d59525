"""The scenarios of a pronunciation tutor: what each measure gains over torch in single precision, chunk by chunk."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from streamhmm.measure.rtf import Measured
from streamhmm.measure.scenarios import LONG_BATCH, LONG_CHUNKS, LONG_WHOLE

BASELINE, HALF, HALF_HERE, SCRIPT = "torch fp32", "torch fp16", "torch bf16", "torchscript fp32"


class TutorRow(NamedTuple):
    """A measure, what ran and how, its real-time factor and its gain; NaN for what was not measured."""

    name: str
    subject: str
    scenario: str
    rtf: float
    speed_up: float
    note: str


def tutor_rows(results: Sequence[Measured]) -> list[TutorRow]:
    """Baseline, batch, FP16, TorchScript, and the best combination that was found, of ten chunks of a second."""
    long = {(each.subject, each.scenario): each.rtf for each in results if each.scenario in _LONG}
    return list(_rows(long))


_LONG = (LONG_CHUNKS, LONG_BATCH, LONG_WHOLE)


def _rows(long: dict[tuple[str, str], float]) -> Iterator[TutorRow]:
    base = long.get((BASELINE, LONG_CHUNKS), math.nan)

    def row(name: str, subject: str, scenario: str, note: str = "") -> TutorRow:
        rtf = long.get((subject, scenario), math.nan)
        return TutorRow(name, subject, scenario, rtf, base / rtf, note or ("not measured" if math.isnan(rtf) else ""))

    yield row("baseline", BASELINE, LONG_CHUNKS)
    yield row("batch", BASELINE, LONG_BATCH)
    if (HALF, LONG_CHUNKS) in long or (HALF_HERE, LONG_CHUNKS) not in long:
        yield row("FP16", HALF, LONG_CHUNKS)
    else:
        yield row("FP16", HALF_HERE, LONG_CHUNKS, "FP16 does not run here, BF16 in its place")
    yield row("TorchScript", SCRIPT, LONG_CHUNKS)
    if long:
        yield row("combined", *min(long, key=long.__getitem__), note="the best combination found")
