"""Hugging Face CTC models: small ones with random weights of each family, and one that reads planted labels."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file
from spoken_labels import FRAME_S, LETTERS, OFFSET_S, RATE, Reader, letters_in, runs_of, sound, time_of

import streamhmm as sh
from streamhmm.acoustic import RuntimeSettings, ctc_model, hugging_face
from streamhmm.acoustic.ctc_model import CtcModel
from streamhmm.acoustic.hub import files_of, is_hugging_face, local_folder
from streamhmm.cli import main
from streamhmm.corpus import Settings, align_corpus
from streamhmm.corpus import run as corpus_run
from streamhmm.corpus.worker import Worker
from streamhmm.errors import AlignmentError, BackendUnavailable, ModelError
from streamhmm.formats import load
from streamhmm.plots import phone_posteriors

transformers = pytest.importorskip("transformers", reason="transformers is not installed")

FAMILIES = {
    "wav2vec2": (transformers.Wav2Vec2Config, transformers.Wav2Vec2ForCTC),
    "hubert": (transformers.HubertConfig, transformers.HubertForCTC),
    "wavlm": (transformers.WavLMConfig, transformers.WavLMForCTC),
}
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": len(LETTERS),
    "pad_token_id": 0,
}
POSITIONS_S = 8 * FRAME_S
"""How far the convolution that tells positions sees to either side."""
NOBODY = "nobody/model"


def save_model(folder: Path, family: str = "wav2vec2", norm: str = "layer", **changes: object) -> Path:
    """A folder as the hub has them."""
    config, network = FAMILIES[family]
    layered = norm == "layer"
    sizes = {**SIZES, "feat_extract_norm": norm, "conv_bias": layered, "do_stable_layer_norm": layered, **changes}
    torch.manual_seed(0)
    model = network(config(**sizes))
    model.lm_head.weight.data *= 5  # clearer answers
    model.save_pretrained(folder)
    save_processor(folder, dict(zip(LETTERS, range(len(LETTERS)), strict=True)), layered)
    return folder


def save_processor(folder: Path, vocabulary: dict, layered: bool = True, **options: object) -> None:
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json"), **options).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=layered).save_pretrained(folder)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder of each family and kind of normalisation."""
    root = tmp_path_factory.mktemp("models")
    return {
        (family, norm): save_model(root / f"{family}-{norm}", family, norm)
        for family in FAMILIES
        for norm in ("layer", "group")
    }


@pytest.fixture(scope="module")
def folder(models):
    return models["wav2vec2", "layer"]


@pytest.fixture
def reading(folder, monkeypatch):
    """The folder's network is replaced by one that reads the labels off the audio."""
    load_network = hugging_face.load_network

    def load_reader(*arguments):
        network = load_network(*arguments)
        network._model = Reader(len(LETTERS))
        network.layout = network.layout._replace(normalises=False)
        return network

    monkeypatch.setattr(hugging_face, "load_network", load_reader)
    return folder


def noise(seconds: float, seed: int = 1) -> torch.Tensor:
    return 0.1 * torch.randn(round(seconds * RATE), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("norm", ["layer", "group"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_says_what_transformers_says(family, norm, models):
    model = CtcModel.load(models[family, norm])
    samples = noise(1.3)
    network = FAMILIES[family][1].from_pretrained(models[family, norm]).eval()
    listener = transformers.AutoFeatureExtractor.from_pretrained(models[family, norm])
    inputs = listener(samples.numpy(), sampling_rate=RATE, return_tensors="pt").input_values
    with torch.inference_mode():
        expected = network(inputs).logits[0].log_softmax(-1)
    torch.testing.assert_close(model.log_posteriors(samples), expected, atol=1e-4, rtol=0)
    assert (model.sample_rate, model.frame_s, model.offset_s) == (RATE, FRAME_S, OFFSET_S)
    assert model.labels == LETTERS
    assert (model.layout.blank, model.layout.delimiter, model.layout.can_pad) == (0, 4, norm == "layer")
    assert model.layout.specials | {model.layout.delimiter} == {0, 1, 2, 3, 4}
    assert [model.frames(n) for n in (0, 399, 400, 719, 720)] == [0, 0, 1, 1, 2]


@pytest.mark.parametrize("norm", ["layer", "group"])
@pytest.mark.parametrize("family", FAMILIES)
def test_batches_equal_single_recordings(family, norm, models):
    model = CtcModel.load(models[family, norm])
    recordings = [noise(seconds, seed) for seed, seconds in enumerate((0.5, 1.2, 0.7, 0.02, 0.5))]
    together = model.batch_log_posteriors(recordings)
    for samples, found in zip(recordings, together, strict=True):
        torch.testing.assert_close(found, model.log_posteriors(samples), atol=1e-4, rtol=0)
    assert together[3].shape == (0, len(LETTERS))


def test_windows_equal_the_whole_where_frames_see_no_farther_than_the_context(tmp_path, monkeypatch):
    model = CtcModel.load(save_model(tmp_path, num_hidden_layers=0))
    samples = noise(5.03)
    whole = model.log_posteriors(samples)
    monkeypatch.setattr(ctc_model, "INNER_S", 0.7)
    monkeypatch.setattr(ctc_model, "CONTEXT_S", POSITIONS_S)
    torch.testing.assert_close(model.log_posteriors(samples), whole, atol=1e-4, rtol=0)
    monkeypatch.setattr(ctc_model, "CONTEXT_S", 0.0)
    assert (model.log_posteriors(samples) - whole).abs().max() > 0.01


def test_planted_words_are_found_to_the_frame(reading):
    text = "the quick brown fox"
    runs = runs_of(text, frames=3)
    alignment = sh.Aligner(reading).align((sound(runs), RATE), text)
    planted = letters_in(runs)
    assert [(phone.label, phone.start, phone.end) for phone in alignment.phones] == [
        (label, pytest.approx(time_of(first)), pytest.approx(time_of(end))) for label, first, end in planted
    ]
    assert [word.label for word in alignment.words] == text.split()
    assert alignment.warnings == ()


def test_a_random_model_is_told_to_be_wrong(folder):
    alignment = sh.Aligner(folder).align((noise(3.0).numpy(), RATE), "hello there")
    assert [word.label for word in alignment.words] == ["hello", "there"]
    assert any("does not seem to be what is spoken" in warning for warning in alignment.warnings)


def test_posteriors_that_are_not_finite_end_one_recording_only(reading, monkeypatch):
    text = "quick fox"
    good = sound(runs_of(text, frames=3))
    aligner = sh.Aligner(reading)
    read = aligner.model.batch_log_posteriors

    def poisoned(recordings, *arguments):
        first, second, third = read(recordings, *arguments)
        return [first, second * math.nan, third]

    monkeypatch.setattr(aligner.model, "batch_log_posteriors", poisoned)
    first, second, third = aligner.align_batch([((good, RATE), text)] * 3)
    assert isinstance(second, AlignmentError)
    assert str(second).endswith(
        "the network's posteriors are not finite; try precision fp32, and if that is so already, get the model's files "
        "again or name another model"
    )
    assert first.words == third.words != ()


def test_posteriors_can_be_drawn(folder):
    model, samples = CtcModel.load(folder), noise(0.5)
    drawn = phone_posteriors(samples.numpy(), model, 2.0)
    assert (drawn.labels, drawn.frame_s, drawn.start_s) == (LETTERS, FRAME_S, 2.0 + OFFSET_S)
    np.testing.assert_allclose(drawn.probabilities, model.log_posteriors(samples).exp(), atol=1e-6)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precisions_are_near(precision, folder):
    samples = noise(1.0)
    model = CtcModel.load(folder, RuntimeSettings(precision=precision))
    assert model.backend.precision == precision
    found = model.log_posteriors(samples)
    assert found.dtype == torch.float32
    expected = CtcModel.load(folder).log_posteriors(samples)
    assert 0 < (found - expected).abs().mean() < 0.1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (RuntimeSettings("onnx"), r"^backend onnx does not run Hugging Face models; choose one of: auto, torch$"),
        (RuntimeSettings(precision="int8"), r"^backend torch has no precision int8; choose one of: auto, fp32, bf16"),
        (RuntimeSettings(device="cuda:7"), r"^backend torch can't run on device cuda:7; choose one of: auto, "),
    ],
)
def test_runtimes_that_are_not_there(settings, message, folder):
    with pytest.raises(BackendUnavailable, match=message):
        CtcModel.load(folder, settings)


def test_cards_are_taken_where_there_are_some(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert hugging_face._runtime(RuntimeSettings()) == ("fp32", "cuda")
    assert hugging_face._runtime(RuntimeSettings("torch", "fp16", "cuda:1")) == ("fp16", "cuda:1")
    assert hugging_face._runtime(RuntimeSettings(device="cpu")) == ("fp32", "cpu")
    with pytest.raises(
        BackendUnavailable, match="can't run on device cuda:2; choose one of: auto, cuda, cuda:0, cuda:1"
    ):
        hugging_face._runtime(RuntimeSettings(device="cuda:2"))


def test_of_several_backends_the_first_that_works_is_taken(folder):
    with pytest.warns(RuntimeWarning, match="passed over backend onnx: it does not run Hugging Face models"):
        aligner = sh.Aligner(folder, backend="onnx, torch")
    assert aligner.runtime == "torch fp32 on cpu"
    with pytest.raises(ValueError, match="has no option threads; it has: none"):
        CtcModel.load(folder, RuntimeSettings(options={"threads": 2}))


def test_adapters_of_languages(tmp_path):
    save_model(tmp_path, adapter_attn_dim=4)
    base = transformers.Wav2Vec2ForCTC.from_pretrained(tmp_path)
    columns = {label: column for column, label in enumerate(LETTERS)}
    save_processor(tmp_path, {"eng": columns, "fra": {**columns, "é": len(columns)}}, target_lang="eng")
    weights = {name: torch.randn_like(weight) for name, weight in base._get_adapters().items()}
    weights |= {"lm_head.weight": torch.randn(33, 16), "lm_head.bias": torch.randn(33)}
    save_file(weights, tmp_path / "adapter.fra.safetensors")
    english, french = CtcModel.load(tmp_path), sh.Aligner(tmp_path, target_lang="fra").model
    assert english.labels == LETTERS
    assert french.labels == (*LETTERS, "é")
    samples = noise(0.5)
    expected = transformers.Wav2Vec2ForCTC.from_pretrained(tmp_path)
    expected.load_adapter("fra")
    inputs = ((samples - samples.mean()) / samples.std(correction=0))[None]
    with torch.inference_mode():
        logits = expected.eval()(inputs).logits[0]
    torch.testing.assert_close(french.log_posteriors(samples), logits.log_softmax(-1), atol=1e-3, rtol=0)
    with pytest.raises(ModelError, match=r"there is no adapter\.deu\.safetensors in it; its adapters are: fra$"):
        CtcModel.load(tmp_path, target_lang="deu")
    assert files_of(tmp_path, "fra")[0].name == "adapter.fra.safetensors"
    assert "adapter.fra.safetensors" not in {path.name for path in files_of(tmp_path)}


def test_a_vocabulary_for_each_language_wants_one_named(tmp_path):
    save_model(tmp_path, adapter_attn_dim=4)
    columns = {label: column for column, label in enumerate(LETTERS)}
    names = [f"l{number:02}" for number in range(11)]
    french = {**columns, "é": columns["e"]}
    del french["e"]
    save_processor(tmp_path, {**dict.fromkeys(names, columns), "fra": french}, target_lang="l00")
    change_json(tmp_path / "tokenizer_config.json", target_lang=None)
    base = transformers.Wav2Vec2ForCTC.from_pretrained(tmp_path)
    weights = {name: torch.randn_like(weight) for name, weight in base._get_adapters().items()}
    for language in ("fra", "deu"):
        save_file(weights, tmp_path / f"adapter.{language}.safetensors")
    for language in (None, "deu"):
        with pytest.raises(ModelError) as raised:
            CtcModel.load(tmp_path, target_lang=language)
        assert str(raised.value) == (
            f"{tmp_path}: it has a vocabulary for each of its languages; choose one with target_lang: fra, "
            f"{', '.join(names[:9])}, …"
        )
    assert CtcModel.load(tmp_path, target_lang="fra").labels[LETTERS.index("e")] == "é"


def test_words_may_be_divided_by_a_space(tmp_path):
    save_model(tmp_path)
    labels = tuple(" " if label == "|" else label for label in LETTERS)
    columns = {label: column for column, label in enumerate(labels)}
    save_processor(tmp_path, columns, word_delimiter_token=" ")
    model = CtcModel.load(tmp_path)
    assert model.labels == labels
    assert model.layout.delimiter == labels.index(" ")
    change_json(tmp_path / "tokenizer_config.json", word_delimiter_token=None)
    assert CtcModel.load(tmp_path).layout.delimiter is None


def change_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_only_hugging_face_models_have_languages():
    with pytest.raises(ModelError, match=r"^en: target_lang fra is for Hugging Face models; leave it out$"):
        sh.Aligner("en", target_lang="fra")


def test_names_that_can_only_be_of_hugging_face(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/model").write_bytes(b"")
    for name in (folder, str(folder), NOBODY, "hf:model", "hf:out/model"):
        assert is_hugging_face(name)
    for name in (
        "en",
        "model.safetensors",
        "out/model",
        "out/x.safetensors",
        "a/b/c",
        "out/x.onnx",
        "out/x.ts",
        tmp_path,
    ):
        assert not is_hugging_face(name)
    assert local_folder(folder) == folder


def test_a_hub_model_is_fetched_without_what_could_run_code(folder, monkeypatch):
    asked = []

    def snapshot_download(name, *, allow_patterns):
        asked.append((name, allow_patterns))
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    assert CtcModel.load(NOBODY).labels == LETTERS
    assert local_folder("hf:model", "fra") == folder
    (name, patterns), (other, with_adapter) = asked
    assert (name, other) == (NOBODY, "model")
    files = ("pytorch_model.bin", "model.pt", "modeling.py", "adapter.fra.bin", "training_args.bin", "README.md")
    for pattern in with_adapter:
        assert not any(Path(file).match(pattern) for file in files)
    assert set(with_adapter) - set(patterns) == {"adapter.fra.safetensors"}


def test_no_connection_and_no_such_model_say_what_to_do(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for name in (NOBODY, "hf:no such name"):
        with pytest.raises(ModelError, match=r"the Hugging Face hub does not give a model of that name \(") as raised:
            sh.Aligner(name)
        assert str(raised.value).startswith(f"{name.removeprefix('hf:')}: there is no such folder here, and ")
        assert str(raised.value).endswith(
            "check the name and the connection, log in with `hf auth login` if the model asks for it, or name a folder "
            "with its config.json and model.safetensors"
        )


def test_an_error_of_the_hub_without_a_word_is_named_by_its_type(monkeypatch):
    def snapshot_download(name, *, allow_patterns):
        raise TimeoutError

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    with pytest.raises(ModelError, match=r"does not give a model of that name \(TimeoutError\); check the name"):
        local_folder(NOBODY)


def test_without_transformers_the_command_that_installs_it_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        BackendUnavailable, match=r"needs transformers, which is not installed: pip install 'streamhmm\[hf"
    ):
        sh.Aligner(folder)


def change_config(folder: Path, **changes: object) -> None:
    change_json(folder / "config.json", **changes)


def test_models_that_cannot_be_used(tmp_path):
    save_model(tmp_path)
    weights = tmp_path / "model.safetensors"
    content = weights.read_bytes()
    vocabulary = (tmp_path / "vocab.json").read_text()

    def assert_refused(message):
        with pytest.raises(ModelError, match=message) as raised:
            CtcModel.load(tmp_path)
        assert str(raised.value).startswith(f"{tmp_path}: ")

    weights.write_bytes(content[: len(content) // 2])
    assert_refused(r"not a model that transformers can load \(.+\); get its files again$")
    weights.unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    assert_refused(r"there is no model\.safetensors in it; other files of weights may run code and are not read")
    weights.write_bytes(content)
    change_config(tmp_path, model_type="bert")
    assert_refused(
        r"transformers has no CTC network of type bert; name a CTC model of wav2vec 2\.0, HuBERT, WavLM, MMS"
    )
    change_config(tmp_path, model_type="no-such-type")
    assert_refused(r"not a model that transformers can load \(.+no-such-type")
    change_config(tmp_path, model_type="wav2vec2")
    (tmp_path / "tokenizer_config.json").unlink()
    (tmp_path / "vocab.json").write_text("{")
    assert_refused(r"not a model that transformers can load")
    (tmp_path / "vocab.json").write_text(vocabulary)
    transformers.Wav2Vec2Model.from_pretrained(tmp_path).save_pretrained(tmp_path)
    assert_refused(r"it has no weights of lm_head\.bias, lm_head\.weight; a network that was only pre-trained does not")


def test_networks_that_hear_something_else_or_change_the_number_of_frames(tmp_path):
    config = transformers.Wav2Vec2BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, vocab_size=32
    )
    transformers.Wav2Vec2BertForCTC(config).save_pretrained(tmp_path / "bert")
    with pytest.raises(
        ModelError, match=r"a wav2vec2-bert network does not hear samples; name a CTC model of wav2vec 2"
    ):
        CtcModel.load(tmp_path / "bert")
    strided = save_model(tmp_path / "strided", add_adapter=True, output_hidden_size=16)
    with pytest.raises(ModelError, match=r"^the network gives \d+ frames where its convolutions make 24: layers that"):
        sh.Aligner(strided)


def test_the_align_command_takes_a_folder(reading, tmp_path, capsys):
    runs = runs_of("hello there", frames=3)
    soundfile.write(tmp_path / "a.wav", sound(runs), RATE, subtype="FLOAT")
    arguments = ["align", str(tmp_path / "a.wav"), "--text", "Hello there!", "--model", str(reading)]
    assert main([*arguments, "-o", str(tmp_path / "a.json")]) == 0
    assert capsys.readouterr() == ("", "")
    words = load(tmp_path / "a.json").words
    assert [word.label for word in words] == ["Hello", "there"]
    assert words[0].start == pytest.approx(time_of(3), abs=1e-3)
    assert main([*arguments, "--follow"]) == 1
    assert "a Hugging Face model can't follow a speaker; use model=" in capsys.readouterr().err
    assert main([*arguments, "--target-lang", "fra"]) == 1
    assert "there is no adapter.fra.safetensors in it; its adapters are: none" in capsys.readouterr().err


def test_a_corpus_takes_a_folder(reading, tmp_path, monkeypatch):
    aligner = sh.Aligner(reading)

    class HerePool:
        def __init__(self, jobs, target, settings, digest, results):
            self._worker = Worker(aligner, settings, digest, results)

        def run(self, tasks):
            for task in tasks:
                yield from task.run(self._worker)

        def close(self):
            self._worker.close()

    monkeypatch.setattr(corpus_run, "Pool", HerePool)
    for name, text in (("a", "hello there"), ("b", "a quick fox")):
        (tmp_path / "in").mkdir(exist_ok=True)
        soundfile.write(tmp_path / f"in/{name}.wav", sound(runs_of(text)), RATE, subtype="FLOAT")
        (tmp_path / f"in/{name}.lab").write_text(text)
    settings = Settings(model=str(reading), formats=("json",))
    outcome = align_corpus(tmp_path / "in", tmp_path / "out", settings)
    assert (outcome.done, outcome.kept, outcome.problems) == (2, 0, [])
    assert [word.label for word in load(tmp_path / "out/b.json").words] == ["a", "quick", "fox"]
    assert align_corpus(tmp_path / "in", tmp_path / "out", settings).kept == 2
    change_config(reading, note="changed")
    assert align_corpus(tmp_path / "in", tmp_path / "out", settings).kept == 0
    for wanted in ("adapt", "follow", "imperfect"):
        with pytest.raises(
            ModelError, match=r"can't be adapted, follow a speaker or make up for imperfect texts; use "
        ):
            align_corpus(tmp_path / "in", tmp_path / "out", Settings(model=str(reading), **{wanted: True}))
