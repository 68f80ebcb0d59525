"""Alignments, their errors and models as pictures and pages. Figures need the extra ``plot``, pages need nothing."""

from streamhmm.plots.alignment import plot_alignment, shown_span
from streamhmm.plots.canvas import FIGURE_FORMATS, figure_format
from streamhmm.plots.comparison import plot_comparison
from streamhmm.plots.durations import plot_durations
from streamhmm.plots.player import write_player
from streamhmm.plots.posteriorgram import Posteriors, phone_posteriors
from streamhmm.plots.sensitivity import plot_sensitivity
from streamhmm.plots.state_posteriors import plot_posteriors
from streamhmm.plots.training import plot_training
from streamhmm.plots.transitions import plot_transitions

__all__ = [
    "FIGURE_FORMATS",
    "Posteriors",
    "figure_format",
    "phone_posteriors",
    "plot_alignment",
    "plot_comparison",
    "plot_durations",
    "plot_posteriors",
    "plot_sensitivity",
    "plot_training",
    "plot_transitions",
    "shown_span",
    "write_player",
]
