"""Where figures come from and go to: the only file that imports matplotlib, and only when something is drawn.

Figures are made without pyplot, so no window opens, no global state changes and no back end has to be chosen.
"""

from __future__ import annotations

import gc
import io
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from streamhmm.errors import BackendUnavailable
from streamhmm.formats.atomic import atomic_write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
    from matplotlib.figure import Figure as Figure

FIGURE_FORMATS = ("png", "svg", "pdf")
DOTS_PER_INCH = 150
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#999933", "#882255", "#44aa99")
"""Okabe & Ito (2008), then Tol's: told apart by the colour-blind too."""
_LETTERS_OF_OTHERS = (  # in this order, those that are installed
    *("Noto Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans Devanagari", "Noto Sans Arabic"),
    *("Noto Sans Hebrew", "Noto Sans Thai", "Source Han Sans", "WenQuanYi Zen Hei", "Droid Sans Fallback", "Unifont"),
)
_STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#67707b",
    "axes.labelcolor": "#1b1f24",
    "xtick.color": "#67707b",
    "ytick.color": "#67707b",
    "text.parse_math": False,  # a "$" is a dollar
    "svg.hashsalt": "streamhmm",
    "pdf.fonttype": 42,
}


def figure_format(path: str | os.PathLike[str]) -> str:
    """The format that the suffix names: "png", "svg" or "pdf". Raises ValueError for another."""
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix[1:] not in FIGURE_FORMATS:
        names = ", ".join(f".{name}" for name in FIGURE_FORMATS)
        raise ValueError(f"the suffix of {os.fspath(path)!r} must be one of {names}, got {suffix!r}")
    return suffix[1:]


@contextmanager
def drawing() -> Iterator[None]:
    """Figures made, drawn and saved within have the look that they share; letters no font has make no warnings.

    Raises BackendUnavailable if matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise BackendUnavailable(
            "plots need matplotlib, which is not installed; install it with: pip install 'streamhmm[plot]'"
        ) from error
    with warnings.catch_warnings(), matplotlib.rc_context({**_STYLE, "font.family": _fonts()}):
        warnings.filterwarnings("ignore", r"(?s).*Glyph \d+.* missing from font", UserWarning)
        yield


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure that lays out what is put into it; within ``drawing``."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout="constrained", dpi=DOTS_PER_INCH)


def save_figures(figures: Iterable[Figure], path: str | os.PathLike[str]) -> None:
    """Write one figure, or several as the pages of a PDF, of which one is held at a time; whole or not at all.

    Raises:
        ValueError: an unknown suffix.
        OutputError: the file can't be written.
    """
    kind = figure_format(path)
    data = io.BytesIO()
    if kind == "pdf":
        from matplotlib.backends.backend_pdf import PdfPages

        with PdfPages(data, metadata={"CreationDate": None}) as pages:
            for figure in figures:
                pages.savefig(figure)
                figure.clear()
                gc.collect()  # figures refer to themselves, and hold many pixels
    else:
        (figure,) = figures
        figure.savefig(data, format=kind, metadata={"Date": None} if kind == "svg" else None)
    atomic_write_bytes(path, data.getvalue())


def _fonts() -> list[str]:
    from matplotlib import font_manager

    installed = set(font_manager.get_font_names())
    return ["DejaVu Sans", *(name for name in _LETTERS_OF_OTHERS if name in installed)]
