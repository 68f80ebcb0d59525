"""How far the spectra of two recordings lie apart: mel-cepstral distortion."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

DECIBELS = 10 * math.sqrt(2) / math.log(10)
"""What a Euclidean distance of cepstra is multiplied with: 10 / ln 10 makes decibels of nepers of power, √2 accounts
for the cosine series having its coefficients twice (Parseval)."""
STEPS = ("symmetric1", "symmetric2")


@dataclass(frozen=True)
class CepstralDistortion:
    """A mel-cepstral distortion and how it was measured.

    Attributes:
        value_db: decibels; NaN if one side has no frame.
        pairs: of frames that ``value_db`` is the mean over: the length of the warping path.
        reference_frames, hypothesis_frames: as given, before any is cut off.
        coefficients: how many entered the distance.
        with_c0, is_warped, step, radius: the settings; ``step`` and ``radius`` are None without warping.
        path: (K, 2) int64, the frames of both sides that were compared, on the mel-cepstra's device.
    """

    value_db: float
    pairs: int
    reference_frames: int
    hypothesis_frames: int
    coefficients: int
    with_c0: bool
    is_warped: bool
    step: str | None
    radius: int | None
    path: Tensor = field(compare=False, repr=False)


def mel_cepstral_distortion(
    reference: Any,
    hypothesis: Any,
    *,
    warp: bool = True,
    step: str = "symmetric1",
    radius: int | None = None,
    with_c0: bool = False,
    cut: bool = False,
) -> CepstralDistortion:
    """The mel-cepstral distortion of two recordings in decibels (Kubichek 1993, "Mel-cepstral distance measure for
    objective speech quality assessment").

    MCD = (10 √2 / ln 10) · mean over pairs (t, u) of √( Σ_d (c_d[t] − ĉ_d[u])² ), d = 1 … D.

    Without warping the pairs are (t, t). With it they are the cells of the warping path of least summed distance
    (:func:`streamhmm.dtw`, exact), each of which counts once in the mean; the same coefficients are warped and
    compared. Equal input gives exactly 0. To exchange the sides changes nothing (but for paths that tie).

    Papers differ in all of the options here and in the analysis (order, frame shift, warping of the frequencies, whose
    settings :class:`~streamhmm.metrics.SpeechSettings` has), so values of two papers can seldom be compared.

    >>> from streamhmm.metrics import mel_cepstral_distortion
    >>> round(mel_cepstral_distortion([[9.0, 1.0], [9.0, 2.0]], [[0.0, 1.0], [0.0, 1.0]], warp=False).value_db, 4)
    3.0709

    Args:
        reference, hypothesis: mel-cepstra (T, K) and (U, K), NumPy or torch on any device; column 0 is c0.
        warp: by dynamic time warping; otherwise both must have the same number of frames.
        step: of the warping. "symmetric1" counts each cell once, as fastdtw and librosa do; "symmetric2" a diagonal
            step twice, so that detours don't get cheaper.
        radius: warp within a Sakoe-Chiba band of so many frames; None: anywhere.
        with_c0: column 0 counts too. It holds the loudness, and is left out by default. Set it for cepstra that come
            without c0.
        cut: without warping, leave out the frames at the end that the shorter side lacks.

    Raises:
        ValueError: other shapes; no coefficient but c0; different numbers of coefficients, or of frames where these
            must agree; NaN or infinity; an unknown step; a radius that nothing fits into; options that do not go
            together.
        TypeError: no numbers.
    """
    import torch

    _check_options(warp, step, radius, cut)
    ours, theirs = _cepstra(reference, "reference"), _cepstra(hypothesis, "hypothesis")
    if ours.shape[1] != theirs.shape[1]:
        raise ValueError(
            f"reference and hypothesis must have equally many coefficients, got {ours.shape[1]} and {theirs.shape[1]}"
        )
    first = 0 if with_c0 else 1
    one, other = ours[:, first:], theirs[:, first:].to(ours.device)
    if not one.shape[1]:
        raise ValueError("mel-cepstra must have a coefficient beside c0, got 1 column; set with_c0 to count it")
    path = _warped(one, other, step, radius) if warp else _straight(one, other, cut)
    distances = torch.linalg.vector_norm(one[path[:, 0]] - other[path[:, 1]], dim=1)
    return CepstralDistortion(
        value_db=DECIBELS * float(distances.mean()) if len(path) else math.nan,
        pairs=len(path),
        reference_frames=len(ours),
        hypothesis_frames=len(theirs),
        coefficients=one.shape[1],
        with_c0=with_c0,
        is_warped=warp,
        step=step if warp else None,
        radius=radius,
        path=path,
    )


def _check_options(warp: bool, step: str, radius: int | None, cut: bool) -> None:
    if step not in STEPS:
        raise ValueError(f"step must be one of {', '.join(STEPS)}, got {step!r}")
    if warp and cut:
        raise ValueError("cut is for warp=False: with warping no frame is left out")
    if radius is not None and not warp:
        raise ValueError("radius is for warp=True: without warping there is no band")


def _cepstra(values: Any, name: str) -> Tensor:
    """Finite numbers (T, K) in double precision."""
    import torch

    if isinstance(values, np.ndarray):
        values = np.ascontiguousarray(values)  # torch takes none that run backwards
    try:
        cepstra = torch.as_tensor(values).detach()
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name} must be mel-cepstra (T, K), got {type(values).__name__}") from None
    if cepstra.is_complex() or cepstra.dtype == torch.bool:
        raise TypeError(f"{name} must be real numbers, got {cepstra.dtype}")
    if cepstra.dim() != 2 or not cepstra.shape[1]:
        raise ValueError(f"{name} must be mel-cepstra (T, K) with K at least 1, got shape {tuple(cepstra.shape)}")
    finite = torch.isfinite(cepstra).all(dim=1)
    if not finite.all():
        raise ValueError(f"{name} must be finite, got NaN or infinity in frame {int((~finite).nonzero()[0, 0])}")
    return cepstra.double()


def _warped(one: Tensor, other: Tensor, step: str, radius: int | None) -> Tensor:
    from streamhmm.warping import dtw

    path = dtw(one, other, step=step, band=None if radius is None else "sakoe_chiba", radius=radius).path
    assert not isinstance(path, list)
    if not len(path) and len(one) and len(other):
        raise ValueError(f"no warping of {len(one)} and {len(other)} frames fits within a radius of {radius}; widen it")
    return path


def _straight(one: Tensor, other: Tensor, cut: bool) -> Tensor:
    import torch

    frames = min(len(one), len(other))
    if not cut and len(one) != len(other):
        raise ValueError(
            f"without warping both must have equally many frames, got {len(one)} and {len(other)}; warp them, or "
            "cut off what one is longer by"
        )
    return torch.arange(frames, device=one.device)[:, None].expand(-1, 2)
