"""What the acoustic model hears: the probability of each phone over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamhmm.segment import Segment

if TYPE_CHECKING:
    from streamhmm.acoustic import AcousticModel
    from streamhmm.acoustic.ctc_model import CtcModel
    from streamhmm.plots.canvas import Axes

_HEARD = 0.4
"""Of phones that are nowhere more probable, and not in the alignment, no row is drawn."""
_ALIGNED = "#d55e00"


class Posteriors(NamedTuple):
    """(T, V) probabilities of the ``labels``; frame t covers start_s + t · frame_s and as long after it."""

    probabilities: NDArray[np.float32]
    labels: tuple[str, ...]
    frame_s: float
    start_s: float = 0.0


def phone_posteriors(samples: NDArray[np.float32], model: AcousticModel | CtcModel, start_s: float = 0.0) -> Posteriors:
    """The posteriors of (N,) samples at the model's rate, the first of which is at ``start_s``."""
    import torch

    probabilities = model.log_posteriors(torch.from_numpy(np.array(samples, dtype=np.float32))).exp().numpy()
    return Posteriors(probabilities, tuple(model.labels), model.frame_s, start_s + model.offset_s)


def draw_posteriors(
    axes: Axes, posteriors: Posteriors, phones: Sequence[Segment], start_s: float, end_s: float
) -> None:
    """Draw the rows of phones that are heard or aligned between two times; lines show where they are aligned."""
    first, last = ((time_s - posteriors.start_s) / posteriors.frame_s for time_s in (start_s, end_s))
    low, high = max(0, int(first + 1e-6)), int(np.ceil(last - 1e-6))
    part = posteriors.probabilities[low:high]
    aligned = [phone for phone in phones if phone.end > start_s and phone.start < end_s]
    spoken = {phone.label for phone in aligned}
    rows = [
        row for row, label in enumerate(posteriors.labels) if label in spoken or part[:, row].max(initial=0) > _HEARD
    ]
    labels = [posteriors.labels[row] for row in rows]
    left = posteriors.start_s + low * posteriors.frame_s
    extent = (left, left + len(part) * posteriors.frame_s, len(rows) - 0.5, -0.5)
    axes.imshow(part[:, rows].T, cmap="Blues", vmin=0, vmax=1, aspect="auto", extent=extent, interpolation="nearest")
    for phone in aligned:
        if phone.label in labels:
            axes.hlines(labels.index(phone.label) + 0.42, phone.start, phone.end, color=_ALIGNED, linewidth=1.0)
    axes.set_yticks(range(len(rows)), labels)
    axes.tick_params(axis="y", labelsize=min(6.0, 130 / max(len(rows), 1)), length=0, pad=2)
    axes.spines[:].set_visible(False)
