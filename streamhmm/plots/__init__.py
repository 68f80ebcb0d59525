"""Alignments and their errors as pictures and pages. Figures need the extra ``plot``, pages need nothing."""

from streamhmm.plots.alignment import plot_alignment, shown_span
from streamhmm.plots.canvas import FIGURE_FORMATS, figure_format
from streamhmm.plots.comparison import plot_comparison
from streamhmm.plots.player import write_player
from streamhmm.plots.posteriorgram import Posteriors, phone_posteriors
from streamhmm.plots.sensitivity import plot_sensitivity

__all__ = [
    "FIGURE_FORMATS",
    "Posteriors",
    "figure_format",
    "phone_posteriors",
    "plot_alignment",
    "plot_comparison",
    "plot_sensitivity",
    "shown_span",
    "write_player",
]
