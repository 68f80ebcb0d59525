"""The stages of an alignment: which functions a stopwatch has to hook into, so that the real call is measured."""

from __future__ import annotations

from streamhmm import ops
from streamhmm.acoustic import AcousticModel
from streamhmm.align import aligner as aligner_module
from streamhmm.align import decoding as decoding_module
from streamhmm.measure.timing import OTHER, Hook
from streamhmm.online import OnlineViterbi

FEATURES, NETWORK, ENGINE = "features", "network", "engine"
AUDIO, OUTPUT = "audio decoding", "output"
STAGES = (AUDIO, "text and graph", FEATURES, NETWORK, ENGINE, "results", OUTPUT, OTHER)
"""From the file to the result. The engine's is the search for the best path."""


def model_hooks(model: AcousticModel) -> list[Hook]:
    """Features and network."""
    return [
        (model.features, "forward", FEATURES),
        (model.features, "finish", FEATURES),
        (model.backend, "log_posteriors", NETWORK),
        (model.backend, "finish", NETWORK),
    ]


def stream_hooks(model: AcousticModel) -> list[Hook]:
    """Those of a live stream."""
    return [*model_hooks(model), (OnlineViterbi, "push", ENGINE)]


def alignment_hooks(model: AcousticModel) -> list[Hook]:
    """Those of a whole alignment but for its output."""
    return [
        *model_hooks(model),
        (aligner_module, "load_audio", AUDIO),
        (aligner_module, "tokenize", "text and graph"),
        (aligner_module, "pronounce", "text and graph"),
        (decoding_module, "build_topology", "text and graph"),
        (ops, "viterbi", ENGINE),
        (decoding_module, "gather_evidence", "results"),
        (aligner_module, "assemble", "results"),
    ]
