"""One recording's sound against another's of the same text: mel-cepstral distortion and pitch, by one warping."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from streamhmm.metrics.cepstral_distortion import CepstralDistortion, mel_cepstral_distortion
from streamhmm.metrics.pitch import PitchErrors, pitch_errors
from streamhmm.metrics.speech_features import SpeechFeatures, SpeechSettings


@dataclass(frozen=True)
class SpeechComparison:
    """A synthesised or otherwise changed recording against its reference.

    ``settings`` are those of the analysis, ``source_rates`` the recordings' own rates in Hz.
    """

    name: str
    distortion: CepstralDistortion
    pitch: PitchErrors
    settings: SpeechSettings
    source_rates: tuple[int, int]


def compare_speech(
    reference: SpeechFeatures,
    hypothesis: SpeechFeatures,
    *,
    name: str = "",
    warp: bool = True,
    step: str = "symmetric1",
    radius: int | None = None,
    with_c0: bool = False,
    cut: bool = False,
) -> SpeechComparison:
    """Compare the features of two recordings of the same text.

    With warping, pitch is compared along the path that the mel-cepstra are warped by. The options are those of
    :func:`~streamhmm.metrics.mel_cepstral_distortion`. ``pitch.voiced`` is 0 where no frame is voiced on both sides,
    and the figures of the pitch are NaN then.

    Raises ValueError for features with different settings, and as ``mel_cepstral_distortion`` does.
    """
    ours, theirs = asdict(reference.settings), asdict(hypothesis.settings)
    for setting, value in ours.items():
        if value != theirs[setting]:
            raise ValueError(f"both must be analysed alike, got {setting} {value} and {theirs[setting]}")
    distortion = mel_cepstral_distortion(
        reference.mel_cepstra,
        hypothesis.mel_cepstra,
        warp=warp,
        step=step,
        radius=radius,
        with_c0=with_c0,
        cut=cut,
    )
    pitch = pitch_errors(reference.f0_hz, hypothesis.f0_hz, path=distortion.path)
    rates = reference.source_rate, hypothesis.source_rate
    return SpeechComparison(name, distortion, pitch, reference.settings, rates)
