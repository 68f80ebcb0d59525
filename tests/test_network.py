"""The network and the model around it: chunks, look-ahead, runtimes."""

from __future__ import annotations

import pytest
import torch

from streamhmm.acoustic import AcousticModel
from streamhmm.acoustic.checkpoint import Checkpoint
from streamhmm.acoustic.features import HOP, N_MELS, SAMPLE_RATE
from streamhmm.acoustic.labels import LABELS
from streamhmm.acoustic.network import AcousticNetwork, NetworkConfig

SMALL = NetworkConfig(width=16, hidden=32, dilations=(1, 2, 1))


def random_checkpoint(config: NetworkConfig = SMALL, seed: int = 0) -> Checkpoint:
    torch.manual_seed(seed)
    network = AcousticNetwork(config).eval().requires_grad_(False)
    return Checkpoint(network, torch.rand(config.n_labels).log_softmax(0))


def noise(samples: int, seed: int = 1) -> torch.Tensor:
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def whole(network: AcousticNetwork, features: torch.Tensor) -> torch.Tensor:
    posteriors, cache = network(features)
    return torch.cat((posteriors, network.finish(cache)), dim=1)


@pytest.mark.parametrize("frames", [0, 1, 2, 5, 6, 7, 40, 41])
def test_as_many_label_frames_as_frames(frames: int) -> None:
    network = random_checkpoint().network
    posteriors = whole(network, torch.randn(2, frames, N_MELS))
    assert posteriors.shape == (2, frames, len(LABELS))
    torch.testing.assert_close(posteriors.exp().sum(-1), torch.ones(2, frames))


@pytest.mark.parametrize("frames", [60, 61])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 59, 60, 61])
def test_chunks_of_frames_give_the_same_posteriors(frames: int, size: int) -> None:
    network = random_checkpoint().network
    features = torch.randn(2, frames, N_MELS, generator=torch.Generator().manual_seed(3))
    cache, parts = None, []
    for chunk in features.split(size, dim=1):
        part, cache = network(chunk, cache)
        parts.append(part)
    assert cache is not None
    chunked = torch.cat((*parts, network.finish(cache)), dim=1)
    torch.testing.assert_close(chunked, whole(network, features), atol=1e-4, rtol=0)


def test_posteriors_change_from_the_lookahead_on_and_not_before() -> None:
    """Frames 48 and 49 are a pair; the first of it looks furthest past its own end."""
    model = AcousticModel(random_checkpoint())
    samples = noise(SAMPLE_RATE)
    expected = model.log_posteriors(samples)
    position = 49 * HOP + round(model.lookahead_s * SAMPLE_RATE)
    beyond, within = samples.clone(), samples.clone()
    beyond[position:] = 0.0
    within[position - 40 :] = 0.0
    assert torch.equal(model.log_posteriors(beyond)[:49], expected[:49])
    assert not torch.equal(model.log_posteriors(within)[48], expected[48])
    assert model.lookahead_s == 0.0475


def test_default_network_keeps_to_its_limits() -> None:
    network = AcousticNetwork()
    assert sum(weight.numel() for weight in network.parameters()) < 3_000_000
    assert network.lookahead_s <= 0.06


def test_wrong_features_are_refused() -> None:
    with pytest.raises(ValueError, match=r"features must be \(B, T, 80\), got shape \(3, 80\)"):
        AcousticNetwork(SMALL)(torch.zeros(3, 80))


@pytest.mark.parametrize("size", [1, HOP - 1, HOP, HOP + 1, 5000])
def test_stream_equals_whole(size: int) -> None:
    model = AcousticModel(random_checkpoint())
    samples = noise(2 * HOP * 13 + 7)[: 5000 if size > 1 else 1500]
    stream = model.stream()
    streamed = torch.cat([*(stream.push(chunk) for chunk in samples.split(size)), stream.finish()])
    torch.testing.assert_close(streamed, model.scores(samples), atol=1e-4, rtol=0)


def test_stream_starts_anew_after_finish() -> None:
    model = AcousticModel(random_checkpoint())
    stream = model.stream()
    first = torch.cat((stream.push(noise(1000)), stream.finish()))
    second = torch.cat((stream.push(noise(1000)), stream.finish()))
    assert torch.equal(first, second)


def test_long_audio_in_blocks_equals_one_pass() -> None:
    checkpoint = random_checkpoint()
    model = AcousticModel(checkpoint)
    samples = noise(SAMPLE_RATE * 65 + 33)
    frames, cache = model.features(samples)
    features = torch.cat((frames, model.features.finish(cache)))
    expected = whole(checkpoint.network, features[None])[0]
    torch.testing.assert_close(model.log_posteriors(samples), expected, atol=1e-5, rtol=1e-5)


def test_scores_are_posterior_over_scaled_prior() -> None:
    model = AcousticModel(random_checkpoint())
    samples = noise(3333)
    expected = model.log_posteriors(samples) - 0.3 * model.log_prior
    torch.testing.assert_close(model.scores(samples, prior_scale=0.3), expected)
    assert model.scores(torch.zeros(0)).shape == (0, 40)


def test_model_names_what_it_is() -> None:
    model = AcousticModel(random_checkpoint())
    assert model.labels == (*sorted(LABELS[:39]), "SIL")
    assert (model.silence, model.sample_rate, model.frame_s) == (39, 16000, 0.01)
    assert (model.backend.name, model.backend.precision, model.backend.device) == ("torch", "fp32", torch.device("cpu"))


def test_recordings_in_a_batch_score_as_alone() -> None:
    torch.manual_seed(0)
    model = AcousticModel.load("en")
    lengths = [1, 159, 160, 161, 319, 320, 8000, 8001, 16_000, 24_123, 31 * 16_000]
    recordings = [0.1 * torch.randn(length).clamp(-3, 3) for length in lengths]
    together = model.batch_log_posteriors(recordings)
    assert [len(rows) for rows in together] == [-(-length // 160) for length in lengths]
    for rows, samples in zip(together, recordings, strict=True):
        torch.testing.assert_close(rows, model.log_posteriors(samples), atol=2e-4, rtol=0)
    assert model.batch_log_posteriors([]) == []
