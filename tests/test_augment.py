"""Augmentation: rows change in tone, noise and level, and nothing in them moves in time."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from streamhmm.acoustic.training.augment import AugmentConfig, augment_audio, draw_warps, mask_features

OFF = AugmentConfig(
    level_db=(-20.0, -20.0),
    equaliser_db=0.0,
    band_limit=0.0,
    reverberation=0.0,
    noise=0.0,
    babble=0.0,
    clipping=0.0,
    frequency_masks=0,
    time_masks=0,
)
LENGTH = 16000


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise_rows(batch: int = 8) -> torch.Tensor:
    return 0.1 * torch.randn(batch, LENGTH, generator=seeded(9))


def level_db(rows: torch.Tensor) -> torch.Tensor:
    return 10 * rows.square().mean(1).log10()


def test_all_off_changes_the_level_only() -> None:
    rows = noise_rows()
    augmented = augment_audio(rows, OFF, seeded())
    torch.testing.assert_close(augmented, rows * 0.1 / rows.square().mean(1, keepdim=True).sqrt(), atol=1e-5, rtol=0)


def test_level_is_drawn_from_its_range() -> None:
    levels = level_db(augment_audio(noise_rows(64), dataclasses.replace(OFF, level_db=(-45.0, -20.0)), seeded()))
    assert bool(((levels > -45.01) & (levels < -19.99)).all())
    assert float(levels.max() - levels.min()) > 20


@pytest.mark.parametrize("level", [-45.0, 0.0])
def test_samples_stay_within_one(level: float) -> None:
    config = dataclasses.replace(AugmentConfig(), level_db=(level, level))
    assert float(augment_audio(noise_rows(), config, seeded()).abs().max()) <= 1.0


@pytest.mark.parametrize(
    "change",
    [{"equaliser_db": 5.0}, {"band_limit": 1.0}, {"reverberation": 1.0}, {"noise": 1.0}, {"babble": 1.0}],
    ids=lambda change: next(iter(change)),
)
def test_nothing_moves_in_time(change: dict[str, float]) -> None:
    """The cross-correlation of a row and its augmented form is largest at lag 0."""
    rows = noise_rows()
    augmented = augment_audio(rows, dataclasses.replace(OFF, **change), seeded())
    assert not torch.allclose(augmented, augment_audio(rows, OFF, seeded()), atol=1e-3)
    correlation = torch.fft.irfft(torch.fft.rfft(rows).conj() * torch.fft.rfft(augmented), n=LENGTH)
    assert correlation.argmax(1).tolist() == [0] * len(rows)


def test_reverberation_comes_after_the_sound() -> None:
    rows = torch.zeros(4, LENGTH)
    rows[:, 1000] = 1.0
    energy = augment_audio(rows, dataclasses.replace(OFF, reverberation=1.0), seeded()).square()
    assert energy.argmax(1).tolist() == [1000] * 4
    assert float(energy[:, :1000].max() / energy[:, 1000].min()) < 1e-4
    assert bool((energy[:, 1001:4000].sum(1) > 0.01 * energy[:, 1000]).all())


def test_telephone_band_loses_what_lies_outside() -> None:
    augmented = torch.fft.rfft(augment_audio(noise_rows(), dataclasses.replace(OFF, band_limit=1.0), seeded())).abs()
    inside, outside = augmented[:, 300:3600].mean(), torch.cat((augmented[:, :250], augmented[:, 3701:]), 1).mean()
    assert float(outside) < 0.01 * float(inside)


@pytest.mark.parametrize(("what", "snr"), [("noise", 10.0), ("babble", 20.0)])
def test_noise_has_the_drawn_distance(what: str, snr: float) -> None:
    rows = noise_rows()
    config = dataclasses.replace(OFF, **{what: 1.0, f"{what}_snr_db": (snr, snr)})
    augmented = augment_audio(rows, config, seeded())
    gain = (augmented * rows).sum(1, keepdim=True) / rows.square().sum(1, keepdim=True)
    distance = level_db(gain * rows) - level_db(augmented - gain * rows)
    torch.testing.assert_close(distance, torch.full((8,), snr), atol=0.5, rtol=0)


def test_clipping_flattens_the_peaks() -> None:
    augmented = augment_audio(noise_rows(), dataclasses.replace(OFF, clipping=1.0), seeded())
    torch.testing.assert_close(augmented.abs().amax(1), torch.full((8,), 0.2))


def test_same_seed_gives_the_same_rows() -> None:
    one, same, other = (augment_audio(noise_rows(), AugmentConfig(), seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("seed", range(5))
def test_any_share_of_reverberated_rows_works(seed: int) -> None:
    """Also none of the batch: some transforms refuse an empty batch."""
    config = dataclasses.replace(OFF, reverberation=0.3)
    assert bool(augment_audio(noise_rows(2), config, seeded(seed)).isfinite().all())


def test_silent_rows_stay_silent() -> None:
    assert float(augment_audio(torch.zeros(3, LENGTH), AugmentConfig(), seeded()).abs().max()) == 0.0


def test_masked_features_are_bands_and_stretches_of_the_mean() -> None:
    features = torch.arange(2 * 50 * 80.0).view(2, 50, 80)
    config = dataclasses.replace(OFF, frequency_masks=1, time_masks=1)
    masked = mask_features(features, config, seeded(3))
    for row, original in zip(masked, features, strict=True):
        changed = row != original
        bands, stretches = changed.all(0), changed.all(1)
        assert torch.equal(changed, bands[None, :] | stretches[:, None])
        assert int(bands.sum()) <= config.frequency_mask_bins
        assert int(stretches.sum()) <= config.time_mask_frames
        torch.testing.assert_close(row[changed], original.mean().expand(int(changed.sum())))
    assert bool((masked != features).any())


def test_no_masks_change_nothing() -> None:
    features = torch.randn(2, 50, 80)
    assert torch.equal(mask_features(features, OFF, seeded()), features)


def test_warps_are_drawn_from_the_list_as_often_as_said() -> None:
    config = dataclasses.replace(OFF, formant_warp=0.5, formant_warps=(0.9, 1.2))
    warps = draw_warps(2000, config, seeded())
    assert set(warps) == {0.9, 1.0, 1.2}
    assert 0.45 < sum(warp != 1.0 for warp in warps) / len(warps) < 0.55


def test_many_voices_make_one_babble() -> None:
    babble = dataclasses.replace(OFF, babble=1.0, babble_voices=3, babble_snr_db=(0.0, 0.0))
    with_one = augment_audio(noise_rows(4), dataclasses.replace(babble, babble_voices=1), seeded())
    assert not torch.allclose(with_one, augment_audio(noise_rows(4), babble, seeded()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"babble_voices": 0}, "augment.babble_voices must be 1 or more, got 0"),
        ({"formant_warps": ()}, r"augment.formant_warps must be one or more numbers above 0, got \[\]"),
        ({"formant_warps": (1.1, 0.0)}, r"augment.formant_warps must be one or more numbers above 0, got \[1.1, 0.0\]"),
    ],
)
def test_what_can_not_be_drawn_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(OFF, **change)


def test_no_row_is_its_own_babble() -> None:
    """Two rows and five voices: all that can speak is the other row."""
    rows = torch.zeros(2, LENGTH)
    rows[0], rows[1] = torch.sin(torch.arange(LENGTH) / 5), torch.sin(torch.arange(LENGTH) / 11)
    crowd, pair = (dataclasses.replace(OFF, babble=1.0, babble_voices=voices) for voices in (5, 1))
    torch.testing.assert_close(augment_audio(rows, crowd, seeded()), augment_audio(rows, pair, seeded()))
