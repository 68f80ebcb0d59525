"""Log-mel features whose frames do not depend on how the audio is chunked."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

SAMPLE_RATE = 16000
HOP = 160
WINDOW = 400
LEAD = 120
"""Samples of a window that lie before its frame: window t is centred on the middle of frame t."""
FFT_SIZE = 512
N_MELS = 80
FLOOR = 1e-7
CENTRE, SPREAD = -5.0, 4.0
"""Fixed normalisation of the log energies: no statistics of the utterance, which streaming could not know."""

SILENCE = (math.log(FLOOR) - CENTRE) / SPREAD
"""The feature value of digital silence."""


class LogMel(nn.Module):
    """16 kHz mono samples to 80 log-mel energies every 10 ms.

    Frame t describes the samples 160 t … 160 t + 159. Its Hann window of 25 ms is centred on them: 160 t − 120 …
    160 t + 279, zeros outside the audio. N samples give ceil(N / 160) frames. The last 7.5 ms of a window lie after
    its frame, so :meth:`forward` gives the frames that are complete and :meth:`finish` the rest.

    With ``warp`` the energies are those of a voice whose formants and pitch are that many times as high (vocal tract
    length perturbation; Jaitly & Hinton 2013), for training. ``shift`` (80,) is added to every frame, to make up for a
    speaker or a channel.
    """

    window: Tensor
    mel: Tensor
    shift: Tensor

    def __init__(self, warp: float = 1.0, shift: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(N_MELS) if shift is None else shift, persistent=False)
        self.register_buffer("window", torch.hann_window(WINDOW, periodic=False), persistent=False)
        mel = mel_filters() if warp == 1.0 else _stretched(warp) @ mel_filters()
        self.register_buffer("mel", mel, persistent=False)

    def initial_cache(self) -> Tensor:
        """The cache before any sample: the zeros that the first window reaches back to."""
        return self.window.new_zeros(LEAD)

    def forward(self, samples: Tensor, cache: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Frames that ``samples`` (N,) complete, (T, 80), and the cache (the samples that later frames need)."""
        if samples.dim() != 1 or samples.dtype != torch.float32:
            raise ValueError(f"samples must be (N,) float32, got shape {tuple(samples.shape)} {samples.dtype}")
        pending = torch.cat((self.initial_cache() if cache is None else cache, samples))
        frames = max(0, (len(pending) - WINDOW) // HOP + 1)
        return self._energies(pending, frames), pending[frames * HOP :].clone()

    def finish(self, cache: Tensor | None) -> Tensor:
        """The frames that still wait for their window's end, (T, 80), zeros taken for the samples after the last."""
        pending = self.initial_cache() if cache is None else cache
        frames = max(0, math.ceil((len(pending) - LEAD) / HOP))
        missing = (frames - 1) * HOP + WINDOW - len(pending)
        return self._energies(torch.cat((pending, pending.new_zeros(max(0, missing)))), frames)

    def _energies(self, pending: Tensor, frames: int) -> Tensor:
        if frames == 0:
            return pending.new_zeros(0, N_MELS)
        return self.energies(pending.unfold(0, WINDOW, HOP)[:frames] * self.window)

    def energies(self, windows: Tensor, power: Tensor | None = None, out: Tensor | None = None) -> Tensor:
        """(n, 80) frames of (n, 400) audio that the window was applied to, or (n, 512) with zeros behind.

        ``power`` (n, 257) and ``out`` (n, 80) are memory to use; otherwise some is allocated.
        """
        spectrum = torch.view_as_real(torch.fft.rfft(windows, FFT_SIZE)).square_()
        power = torch.add(spectrum[..., 0], spectrum[..., 1], out=power)
        energies = torch.mm(power, self.mel, out=out)
        return energies.add_(FLOOR).log_().sub_(CENTRE).div_(SPREAD).add_(self.shift)


def log_mel(samples: Tensor) -> Tensor:
    """(T, 80) log-mel energies every 10 ms of (N,) float32 samples of 16 kHz, T = ceil(N / 160)."""
    features = LogMel().to(samples.device)
    frames, cache = features(samples)
    return torch.cat((frames, features.finish(cache)))


def mfcc(samples: Tensor, coefficients: int = 13) -> Tensor:
    """(T, coefficients) mel-frequency cepstra every 10 ms of (N,) float32 samples of 16 kHz (Davis & Mermelstein 1980).

    The first is the level. They are the orthonormal cosine transform of what :func:`log_mel` gives, whose unit is 4
    nats.

    Raises:
        ValueError: ``coefficients`` are not 1 … 80.
    """
    if not 1 <= coefficients <= N_MELS:
        raise ValueError(f"coefficients must be in 1…{N_MELS}, got {coefficients}")
    bands = torch.arange(N_MELS, dtype=torch.float64) + 0.5
    waves = torch.cos(bands[:, None] * torch.arange(coefficients) * (math.pi / N_MELS)) * math.sqrt(2 / N_MELS)
    waves[:, 0] /= math.sqrt(2)
    return log_mel(samples) @ waves.to(samples)


def mel_filters() -> Tensor:
    """(257, 80) triangles of unit height, evenly spaced on the mel scale (2595 log10(1 + f/700)), 40 to 7,800 Hz."""
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (40.0, 7800.0))
    edges = 700 * (10 ** (torch.linspace(low, high, N_MELS + 2, dtype=torch.float64) / 2595) - 1)
    bins = torch.arange(FFT_SIZE // 2 + 1, dtype=torch.float64)[:, None] * (SAMPLE_RATE / FFT_SIZE)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp(min=0).float()


def _stretched(factor: float) -> Tensor:
    """(257, 257): right of a power spectrum it gives the spectrum whose frequencies are ``factor`` times as high."""
    bins = FFT_SIZE // 2 + 1
    source = torch.arange(bins)[None] / factor
    return (1 - (torch.arange(bins)[:, None] - source).abs()).clamp(min=0)
