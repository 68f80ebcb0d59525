"""CTC networks of Hugging Face's transformers: wav2vec 2.0, HuBERT, WavLM, MMS and others that hear samples.

Tokenizer and feature extractor are loaded by themselves: of processors some want a language model's library, which
alignment has no use for. On CUDA nothing of this has run yet.
"""

from __future__ import annotations

import json
import logging
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from streamhmm.acoustic.backends.runtime import AUTO, RuntimeSettings, pick, require
from streamhmm.acoustic.ctc_model import CtcLayout
from streamhmm.acoustic.hub import ADAPTER, EXTRA, RUNTIME, WEIGHTS, first_line, local_folder
from streamhmm.errors import BackendUnavailable, ModelError

SAMPLES = "input_values"
"""What transformers calls the input of networks that hear samples."""
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
TOKENIZER = "tokenizer_config.json"
FROM_FILES = {"local_files_only": True, "trust_remote_code": False}
MAY_BE_MISSING = "masked_spec_embed"
"""A weight that only training uses."""
_KINDS = "name a CTC model of wav2vec 2.0, HuBERT, WavLM, MMS or one of their kin"


class HuggingFaceNetwork:
    """A network of transformers on torch; see ``CtcNetwork``."""

    name = "torch"
    reason = "nothing else runs Hugging Face models"

    def __init__(self, model: Any, layout: CtcLayout, precision: str, device: str) -> None:
        self.layout, self.precision = layout, precision
        self.device = torch.device(device)
        self._model = model.eval().requires_grad_(False).to(self.device, DTYPES[precision])

    @torch.inference_mode()
    def log_posteriors(self, samples: Tensor, lengths: Sequence[int]) -> Tensor:
        """Raises ModelError if the network gives another number of frames than its convolutions should."""
        inputs = samples.to(self.device, DTYPES[self.precision])
        mask = None
        if self.layout.can_pad and min(lengths) < samples.shape[1]:
            mask = torch.arange(samples.shape[1]) < torch.tensor(lengths)[:, None]
            mask = mask.long().to(self.device)
        with nullcontext() if mask is None else _mismatch_ignored():
            logits: Tensor = self._model(inputs, attention_mask=mask).logits
        expected = (samples.shape[1] - self.layout.receptive) // self.layout.stride + 1
        if logits.shape[1] != expected:
            raise ModelError(
                f"the network gives {logits.shape[1]} frames where its convolutions make {expected}: "
                "layers that change the number of frames can't be used; name another model"
            )
        return logits.float().log_softmax(-1).cpu()


def load_network(
    model: str | os.PathLike[str], settings: RuntimeSettings, target_lang: str | None = None
) -> HuggingFaceNetwork:
    """The network in a folder, or of a name on the hub.

    Raises:
        ModelError, BackendUnavailable: as ``CtcModel.load``.
    """
    precision, device = _runtime(settings)
    with _no_notes():
        library = require("transformers", RUNTIME, EXTRA)
    folder = local_folder(model, target_lang)
    _check_weights(folder, target_lang)
    with _no_notes(), _no_bars(library), _damage_named(folder):
        network = _load(library, folder, target_lang)
        listener = library.AutoFeatureExtractor.from_pretrained(folder, **FROM_FILES)
        language = _language(folder, target_lang)
        tokenizer = library.AutoTokenizer.from_pretrained(folder, **language, **FROM_FILES)
        if target_lang is not None:
            tokenizer.set_target_lang(target_lang)
        layout = _layout(folder, network.config, listener, tokenizer)
    return HuggingFaceNetwork(network, layout, precision, device)


def _load(library: Any, folder: Path, target_lang: str | None) -> Any:
    config = library.AutoConfig.from_pretrained(folder, **FROM_FILES)
    if type(config) not in library.MODEL_FOR_CTC_MAPPING:
        raise ModelError(f"{folder}: transformers has no CTC network of type {config.model_type}; {_KINDS}")
    network, report = library.AutoModelForCTC.from_pretrained(
        folder, use_safetensors=True, output_loading_info=True, **FROM_FILES
    )
    missing = sorted(name for name in report["missing_keys"] if not name.endswith(MAY_BE_MISSING))
    if missing:
        raise ModelError(
            f"{folder}: it has no weights of {', '.join(missing[:3])}; a network that was only pre-trained does not "
            "know letters or phones yet: name one that was fine-tuned with CTC"
        )
    if network.main_input_name != SAMPLES or not hasattr(config, "conv_stride"):
        raise ModelError(f"{folder}: a {config.model_type} network does not hear samples; {_KINDS}")
    if target_lang is not None:
        network.load_adapter(target_lang, use_safetensors=True, local_files_only=True)
    return network


def _runtime(settings: RuntimeSettings) -> tuple[str, str]:
    """Precision and device. Raises BackendUnavailable, ValueError."""
    names = [name.strip() for name in settings.backend.split(",")]
    if not {AUTO, "torch"} & set(names):
        raise BackendUnavailable(
            f"backend {settings.backend} does not run Hugging Face models; choose one of: {AUTO}, torch"
        )
    for name in names[: next(place for place, name in enumerate(names) if name in (AUTO, "torch"))]:
        message = f"passed over backend {name}: it does not run Hugging Face models"
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    settings.check_options()
    cards = [f"cuda:{card}" for card in range(torch.cuda.device_count())]
    device = pick("device", "torch", settings.device, (*(["cuda", *cards] if cards else []), "cpu"))
    return pick("precision", "torch", settings.precision, tuple(DTYPES)), device


def _check_weights(folder: Path, target_lang: str | None) -> None:
    """Before transformers is asked, which would look for pickles, too."""
    if not any(folder.glob(WEIGHTS)):
        raise ModelError(
            f"{folder}: there is no model.safetensors in it; other files of weights may run code and are not read: "
            "convert it with transformers (save_pretrained), or name another model"
        )
    if target_lang is not None and not (folder / ADAPTER.format(target_lang)).is_file():
        found = sorted(path.name.split(".")[1] for path in folder.glob(ADAPTER.format("*")))
        raise ModelError(
            f"{folder}: there is no {ADAPTER.format(target_lang)} in it; its adapters are: {', '.join(found) or 'none'}"
        )


def _language(folder: Path, target_lang: str | None) -> dict[str, Any]:
    """What a tokenizer of several languages, each with its own vocabulary, is made with."""
    vocabulary = _read(folder / "vocab.json")
    languages = sorted(name for name, own in vocabulary.items() if isinstance(own, dict))
    language = target_lang or _read(folder / TOKENIZER).get("target_lang")
    if not languages or language in languages:
        return {"target_lang": language} if languages else {}
    shown = ", ".join(languages[:10]) + (", …" if len(languages) > 10 else "")
    raise ModelError(f"{folder}: it has a vocabulary for each of its languages; choose one with target_lang: {shown}")


def _read(path: Path) -> dict[str, Any]:
    """Of a file that may be missing."""
    if not path.is_file():
        return {}
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def _layout(folder: Path, config: Any, listener: Any, tokenizer: Any) -> CtcLayout:
    blank = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else config.pad_token_id
    if blank is None or not 0 <= blank < config.vocab_size:
        raise ModelError(f"{folder}: its vocabulary has no padding token, which is CTC's blank; name another model")
    labels = [""] * config.vocab_size
    for token, column in tokenizer.get_vocab().items():
        if column < config.vocab_size:
            labels[column] = token
    delimiter = getattr(tokenizer, "_word_delimiter_token", None)
    if delimiter not in labels:  # transformers takes a space for none, and has "|" then
        delimiter = _read(folder / TOKENIZER).get("word_delimiter_token")
    kernels = list(zip(config.conv_kernel, config.conv_stride, strict=True))
    return CtcLayout(
        labels=tuple(labels),
        blank=blank,
        delimiter=labels.index(delimiter) if delimiter in labels else None,
        specials=frozenset(
            column for column, label in enumerate(labels) if not label or label in tokenizer.all_special_tokens
        ),
        is_phonetic="Phoneme" in type(tokenizer).__name__,
        sample_rate=listener.sampling_rate,
        stride=math.prod(config.conv_stride),
        receptive=_receptive(kernels),
        normalises=bool(getattr(listener, "do_normalize", False)),
        can_pad=getattr(config, "feat_extract_norm", "group") == "layer",
    )


def _receptive(kernels: Sequence[tuple[int, int]]) -> int:
    samples, step = 1, 1
    for kernel, stride in kernels:
        samples, step = samples + (kernel - 1) * step, step * stride
    return samples


@contextmanager
def _damage_named(folder: Path) -> Iterator[None]:
    try:
        yield
    except ModelError:
        raise
    except Exception as error:  # transformers, tokenizers and safetensors each raise their own
        raise ModelError(
            f"{folder}: not a model that transformers can load ({first_line(error)}); get its files again"
        ) from error


@contextmanager
def _mismatch_ignored() -> Iterator[None]:
    """WavLM's mask is of another type than its position biases, which torch still allows."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask", UserWarning)
        yield


@contextmanager
def _no_notes() -> Iterator[None]:
    """Keeps what transformers and the libraries that it looks for have to say off the terminal for a while."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _no_bars(library: Any) -> Iterator[None]:
    """Keeps progress bars of transformers off the terminal for a while."""
    had_bars = library.utils.logging.is_progress_bar_enabled()
    library.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        if had_bars:
            library.utils.logging.enable_progress_bar()
