"""How good alignments and recordings of speech are, held against a reference: functions on times, labels, pitch and
mel-cepstra; ``speech_features`` has the last two of recordings (extra ``metrics``)."""

from streamhmm.metrics.boundaries import THRESHOLDS_MS, Shifts, Summary, shifts, summarise
from streamhmm.metrics.cepstral_distortion import CepstralDistortion, mel_cepstral_distortion
from streamhmm.metrics.comparison import TIERS, RecordingComparison, TierComparison, compare_tiers
from streamhmm.metrics.durations import DurationErrors, duration_errors, durations_of
from streamhmm.metrics.error_rate import PhoneErrorRate, phone_error_rate
from streamhmm.metrics.evaluation import Evaluation, Figure, Row, evaluate
from streamhmm.metrics.frame_accuracy import FrameAccuracy, frame_accuracy
from streamhmm.metrics.matching import TOLERANCE_MS, Detection, Matches, detection, match_times
from streamhmm.metrics.mel_cepstrum import mel_alpha, mel_cepstra
from streamhmm.metrics.pairing import pair_words
from streamhmm.metrics.phone_classes import CLASSES, phone_class
from streamhmm.metrics.phones import PhoneErrors, pair_phones, phone_errors
from streamhmm.metrics.pitch import PitchErrors, pitch_errors
from streamhmm.metrics.recordings import FilePair, FilePairs, find_audio_pairs, find_pairs
from streamhmm.metrics.speech_comparison import SpeechComparison, compare_speech
from streamhmm.metrics.speech_evaluation import DurationRow, SpeechEvaluation, evaluate_speech
from streamhmm.metrics.speech_features import SpeechFeatures, SpeechSettings, speech_features

__all__ = [
    "CLASSES",
    "THRESHOLDS_MS",
    "TIERS",
    "TOLERANCE_MS",
    "CepstralDistortion",
    "Detection",
    "DurationErrors",
    "DurationRow",
    "Evaluation",
    "Figure",
    "FilePair",
    "FilePairs",
    "FrameAccuracy",
    "Matches",
    "PhoneErrorRate",
    "PhoneErrors",
    "PitchErrors",
    "RecordingComparison",
    "Row",
    "Shifts",
    "SpeechComparison",
    "SpeechEvaluation",
    "SpeechFeatures",
    "SpeechSettings",
    "Summary",
    "TierComparison",
    "compare_speech",
    "compare_tiers",
    "detection",
    "duration_errors",
    "durations_of",
    "evaluate",
    "evaluate_speech",
    "find_audio_pairs",
    "find_pairs",
    "frame_accuracy",
    "match_times",
    "mel_alpha",
    "mel_cepstra",
    "mel_cepstral_distortion",
    "pair_phones",
    "pair_words",
    "phone_class",
    "phone_error_rate",
    "phone_errors",
    "pitch_errors",
    "shifts",
    "speech_features",
    "summarise",
]
