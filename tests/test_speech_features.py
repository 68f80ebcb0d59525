"""Pitch and mel-cepstra of made-up recordings whose pitch and spectrum are known, and comparisons of them."""

from __future__ import annotations

import math
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from streamhmm.errors import AudioError, BackendUnavailable
from streamhmm.metrics import (
    SpeechFeatures,
    SpeechSettings,
    compare_speech,
    evaluate_speech,
    mel_alpha,
    mel_cepstra,
    speech_features,
)

RATE = 16_000
FERRY = Path(__file__).parents[1] / "examples" / "quick_start" / "ferry.flac"


def buzz(pitch_hz: float, duration_s: float = 0.5, rate: int = RATE, silent_s: float = 0.0) -> np.ndarray:
    """Harmonics up to 5 kHz that fall by 1 / n, and silence after them."""
    time_s = np.arange(round(duration_s * rate)) / rate
    tone = sum(np.cos(2 * np.pi * n * pitch_hz * time_s) / n for n in range(1, int(5000 / pitch_hz)))
    return np.concatenate([0.1 * np.asarray(tone), np.zeros(round(silent_s * rate))])


# ---- mel-cepstra


def test_alpha_is_what_pysptk_says() -> None:
    # pysptk 1.0.1, util.mcepalpha
    rates = {8000: 0.312, 16000: 0.41, 22050: 0.455, 24000: 0.466, 44100: 0.544, 48000: 0.554}
    assert {rate: mel_alpha(rate) for rate in rates} == rates
    with pytest.raises(ValueError, match=r"sample_rate must be above 0, got 0"):
        mel_alpha(0)


def test_mel_cepstra_are_what_pysptk_says() -> None:
    # pysptk 1.0.1, sp2mc(spectrum, order=24, alpha=0.42)
    omega = np.linspace(0, np.pi, 513)
    spectrum = np.exp(-2 * omega) * (1.1 + np.cos(6 * omega)) ** 2 + 1e-4
    expected = """
        -1.2526258496060545 1.1758079659779255 0.07003112718448218 0.9222285234413585 0.28138771183580635
        -0.46576326544280505 -0.35680386439781675 0.3762408790113316 -0.11401075676425526 0.17781977715025238
        0.05299954476678287 -0.36039740756194155 0.33402040102310043 -0.2425148004064261 0.2116136764793548
        -0.07573571258039583 -0.011978035412208267 -0.02931409198705054 0.06516392809112237 -0.07229469031336756
        0.095334871206526 -0.0660550691930158 -0.003830935475130519 0.049670062563990716 -0.07051194692058978
    """
    (found,) = mel_cepstra(spectrum[None], alpha=0.42)
    assert found == pytest.approx([float(value) for value in expected.split()], abs=1e-9)


@pytest.mark.parametrize("alpha", [0.0, 0.41, -0.3])
def test_mel_cepstra_are_cosines_on_the_warped_axis(alpha: float) -> None:
    omega = np.linspace(0, np.pi, 1025)
    warped = np.arctan2((1 - alpha**2) * np.sin(omega), (1 + alpha**2) * np.cos(omega) - 2 * alpha)
    cepstra = np.array([0.7, 0.5, -0.2, 0.1])
    log_amplitude = np.cos(warped[:, None] * np.arange(4)) @ cepstra
    found = mel_cepstra(np.exp(2 * log_amplitude)[None], order=8, alpha=alpha)
    assert found.shape == (1, 9)
    assert found[0] == pytest.approx([*cepstra, *[0.0] * 5], abs=1e-9)


def test_the_last_coefficient_of_a_short_spectrum() -> None:
    omega = np.linspace(0, np.pi, 5)
    found = mel_cepstra(np.exp(2 * (0.3 + 0.2 * np.cos(4 * omega)))[None], order=4, alpha=0.0)
    assert found[0] == pytest.approx([0.3, 0.0, 0.0, 0.0, 0.2], abs=1e-12)


def test_mel_cepstra_of_long_recordings_take_little_memory_beside_the_spectra() -> None:
    spectra = np.exp(np.random.default_rng(0).standard_normal((30_000, 65)))
    tracemalloc.start()
    found = mel_cepstra(spectra, order=8)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * spectra.nbytes
    parts = [mel_cepstra(spectra[first : first + 1000], order=8) for first in range(0, 30_000, 1000)]
    assert found == pytest.approx(np.concatenate(parts), abs=1e-12)


WRONG_SPECTRA: dict[str, tuple[Any, dict[str, Any], str]] = {
    "a shape": (np.ones(5), {}, r"spectra must be \(T, F\) with F at least 2, got shape \(5,\)"),
    "an order": (np.ones((1, 5)), {"order": 5}, r"order must be from 0 to 4, below the number of bins, got 5"),
    "an alpha": (np.ones((1, 5)), {"order": 2, "alpha": 1.0}, r"alpha must be between -1 and 1, got 1.0"),
    "NaN": (np.full((1, 5), np.nan), {"order": 2}, r"spectra must be positive and finite"),
    "zeros": (np.zeros((1, 5)), {"order": 2}, r"spectra must be positive and finite"),
}


@pytest.mark.parametrize("case", WRONG_SPECTRA)
def test_wrong_spectra(case: str) -> None:
    spectra, options, message = WRONG_SPECTRA[case]
    with pytest.raises(ValueError, match=message):
        mel_cepstra(spectra, **options)


# ---- settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sample_rate": 5999}, r"sample_rate must be from 6000 to 192000 Hz, got 5999"),
        ({"frame_shift_ms": 0.5}, r"frame_shift_ms must be from 1 to 100, got 0.5"),
        ({"order": 0}, r"order must be from 1 to 100, got 0"),
        ({"alpha": -1.0}, r"alpha must be between -1 and 1, got -1.0"),
        ({"pitch_method": "yin"}, r"pitch_method must be one of dio, harvest, got 'yin'"),
        ({"pitch_floor_hz": 500.0, "pitch_ceiling_hz": 400.0}, r"pitch must lie between .* got 500 and 400"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SpeechSettings(**settings)


def test_without_pyworld_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyworld", None)
    with pytest.raises(BackendUnavailable, match=r"need pyworld; install it with: pip install 'streamhmm\[metrics\]'"):
        speech_features((buzz(120), RATE))


# ---- recordings


@pytest.fixture
def world() -> None:
    pytest.importorskip("pyworld", reason="pyworld is not installed")


needs_world = pytest.mark.usefixtures("world")


@needs_world
@pytest.mark.parametrize("method", ["dio", "harvest"])
def test_a_known_pitch_is_found(method: str) -> None:
    found = speech_features((buzz(150, silent_s=0.3), RATE), SpeechSettings(pitch_method=method))
    assert found.mel_cepstra.shape == (161, 25)
    assert found.f0_hz[10:90] == pytest.approx(np.full(80, 150.0), rel=2e-3)
    assert not found.f0_hz[130:].any()


@needs_world
def test_dio_is_refined() -> None:
    import pyworld

    samples, rate = soundfile.read(FERRY, stop=RATE)
    samples = samples.astype(np.float32).astype(np.float64)
    raw, times_s = pyworld.dio(samples, rate)
    found = speech_features((samples, rate)).f0_hz
    assert found.tolist() == pyworld.stonemask(samples, raw, times_s, rate).tolist()
    assert (found != raw).any()


@needs_world
def test_a_low_voice_has_an_envelope_if_the_floor_is_low() -> None:
    import pyworld

    settings = SpeechSettings(pitch_floor_hz=45.0)
    found = speech_features((buzz(55, 1.0), RATE), settings)
    assert found.f0_hz[100] == pytest.approx(55, rel=5e-3)
    times_s = 0.005 * np.arange(201)
    spectra = pyworld.cheaptrick(
        buzz(55, 1.0).astype(np.float32).astype(float), found.f0_hz, times_s, RATE, f0_floor=45
    )
    assert found.mel_cepstra == pytest.approx(mel_cepstra(spectra, alpha=0.41))


@needs_world
def test_a_high_floor_leaves_the_envelopes_as_they_are() -> None:
    """WORLD's envelopes of such a floor are too short, and written beyond their memory."""
    samples = buzz(190, 0.2)
    high = speech_features((samples, RATE), SpeechSettings(pitch_floor_hz=1900.0, pitch_ceiling_hz=2000.0))
    assert high.f0_hz.tolist() == [0.0] * len(high.f0_hz)
    import pyworld

    given = samples.astype(np.float32).astype(float)
    spectra = pyworld.cheaptrick(given, high.f0_hz, 0.005 * np.arange(len(high.f0_hz)), RATE)
    assert high.mel_cepstra == pytest.approx(mel_cepstra(spectra, alpha=0.41))


@needs_world
def test_settings_are_kept() -> None:
    settings = SpeechSettings(frame_shift_ms=10.0, order=12)
    found = speech_features((buzz(150), RATE), settings)
    assert found.mel_cepstra.shape == (51, 13)
    assert found.settings == SpeechSettings(frame_shift_ms=10.0, order=12, alpha=0.41)
    assert speech_features((buzz(150), RATE), SpeechSettings(alpha=0.3)).settings.alpha == 0.3


@needs_world
def test_equal_recordings_have_no_error() -> None:
    ours, theirs = (speech_features((buzz(150), RATE)) for _ in range(2))
    for warp in (True, False):
        found = compare_speech(ours, theirs, warp=warp)
        assert (found.distortion.value_db, found.pitch.rmse_cents, found.pitch.voicing_error_percent) == (0.0, 0.0, 0.0)


@needs_world
def test_an_octave_higher() -> None:
    ours, theirs = (speech_features((buzz(pitch), RATE)) for pitch in (120, 240))
    found = compare_speech(ours, theirs, name="a", warp=False)
    assert found.pitch.bias_cents == pytest.approx(1200, abs=20)
    assert found.pitch.gross_error_percent == 100.0
    assert (found.name, found.settings, found.source_rates) == ("a", ours.settings, (RATE, RATE))


@needs_world
def test_a_slower_one_is_warped_and_its_pitch_too() -> None:
    ours, theirs = (speech_features((buzz(150, length, silent_s=0.2), RATE)) for length in (0.5, 0.8))
    found = compare_speech(ours, theirs)
    assert found.pitch.frames == found.distortion.pairs >= 201
    assert found.pitch.voicing_error_percent < 5.0
    assert found.pitch.rmse_cents < 30.0
    with pytest.raises(ValueError, match=r"equally many frames, got 141 and 201"):
        compare_speech(ours, theirs, warp=False)
    assert compare_speech(ours, theirs, warp=False, cut=True).distortion.pairs == 141


@needs_world
def test_any_rate_and_number_of_channels(tmp_path: Path) -> None:
    high = buzz(150, rate=44_100)
    soundfile.write(tmp_path / "stereo.flac", np.stack([high, high], axis=1), 44_100)
    ours = speech_features(tmp_path / "stereo.flac", SpeechSettings(sample_rate=8000))
    theirs = speech_features((buzz(150), RATE), SpeechSettings(sample_rate=8000))
    assert ours.name.endswith("stereo.flac")
    assert (ours.source_rate, theirs.source_rate) == (44_100, RATE)
    found = compare_speech(ours, theirs)
    assert found.distortion.value_db < 0.5
    assert found.pitch.rmse_cents < 5.0


@needs_world
def test_what_resampling_leaves_at_the_edge_of_the_band_costs_decibels() -> None:
    """Two seconds of real speech against the same at another rate; why ``streamhmm metrics`` mentions rates."""
    samples, rate = soundfile.read(FERRY, stop=2 * RATE)
    other = soxr.resample(samples, rate, 22_050)
    values = {}
    for analysed in (16_000, 14_000):
        settings = SpeechSettings(sample_rate=analysed)
        sides = speech_features((samples, rate), settings), speech_features((other, 22_050), settings)
        values[analysed] = compare_speech(*sides).distortion.value_db
    assert values[16_000] == pytest.approx(2.25, abs=0.1)
    assert values[14_000] < 0.02


@needs_world
@pytest.mark.parametrize("rate", [6000, 7000, 8000, 48_000])
def test_other_rates_of_analysis(rate: int) -> None:
    found = speech_features((buzz(150, 0.2), RATE), SpeechSettings(sample_rate=rate))
    assert np.isfinite(found.mel_cepstra).all()
    assert found.settings.alpha == mel_alpha(rate)


@needs_world
def test_silence_is_no_crash_and_says_so() -> None:
    silent = speech_features((np.zeros(RATE // 2), RATE))
    assert not silent.f0_hz.any()
    assert np.isfinite(silent.mel_cepstra).all()
    found = compare_speech(speech_features((buzz(150), RATE)), silent)
    assert found.pitch.voiced == 0
    assert math.isnan(found.pitch.rmse_hz)
    assert found.pitch.voicing_error_percent > 50
    assert compare_speech(silent, silent).distortion.value_db == 0.0


@needs_world
@pytest.mark.parametrize("samples", [1, 2, 79, 80, 81])
def test_a_frame_or_two(samples: int) -> None:
    found = speech_features((buzz(150)[:samples], RATE))
    assert found.mel_cepstra.shape == (1 + samples // 80, 25)
    assert compare_speech(found, found).distortion.value_db == 0.0


@needs_world
def test_recordings_that_can_not_be_used(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"x\.wav"):
        speech_features(tmp_path / "x.wav")
    with pytest.raises(AudioError, match=r"sample"):
        speech_features((np.zeros(0), RATE))
    with pytest.raises(AudioError, match=r"finite"):
        speech_features((np.array([0.1, math.nan]), RATE))


# ---- comparisons, of features from nowhere


def features(seed: int, frames: int = 30, **settings: Any) -> SpeechFeatures:
    chance = np.random.default_rng(seed)
    f0_hz = np.where(chance.random(frames) < 0.7, chance.uniform(80, 200, frames), 0.0)
    return SpeechFeatures(f0_hz, chance.normal(size=(frames, 5)), SpeechSettings(**settings), RATE, str(seed))


def test_features_of_other_settings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"both must be analysed alike, got order 24 and 12"):
        compare_speech(features(1), features(2, order=12))


def test_figures_of_many_are_means_over_the_recordings() -> None:
    compared = [compare_speech(features(seed), features(seed + 50), name=str(seed)) for seed in range(6)]
    found = evaluate_speech(compared, seed=1)
    mean = np.mean([one.distortion.value_db for one in compared])
    assert found.figures["mcd_db"].value == pytest.approx(mean)
    assert found.figures["mcd_db"].low < mean < found.figures["mcd_db"].high
    assert found.figures["f0_rmse_cents"].value == pytest.approx(np.mean([one.pitch.rmse_cents for one in compared]))
    assert (set(found.known.values()), found.unvoiced, found.durations) == ({6}, (), {})
    assert evaluate_speech(compared, seed=1).figures == found.figures
    with pytest.raises(ValueError, match=r"at least one recording"):
        evaluate_speech([])


def test_a_recording_without_voice_counts_where_it_has_a_figure() -> None:
    silent = SpeechFeatures(np.zeros(30), features(9).mel_cepstra, SpeechSettings(), RATE, "silent")
    compared = [compare_speech(features(1), features(2), name="a"), compare_speech(features(3), silent, name="b")]
    found = evaluate_speech(compared)
    assert found.unvoiced == ("b",)
    assert (found.known["mcd_db"], found.known["f0_voicing_error_percent"], found.known["f0_rmse_hz"]) == (2, 2, 1)
    assert found.figures["f0_rmse_hz"].value == compared[0].pitch.rmse_hz
