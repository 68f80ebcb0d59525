"""The training loop: likelihood of the labels, the best averaged weights on the dev sets kept."""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from streamhmm.acoustic.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from streamhmm.acoustic.features import HOP, LogMel
from streamhmm.acoustic.labels import LABELS
from streamhmm.acoustic.model import PRIOR_SCALE
from streamhmm.acoustic.network import AcousticNetwork
from streamhmm.acoustic.shipped import find_model
from streamhmm.acoustic.training.augment import augment_audio, draw_warps, mask_features
from streamhmm.acoustic.training.autocast import keep_convolutions_in_float32
from streamhmm.acoustic.training.config import TrainingConfig, read_config
from streamhmm.acoustic.training.dataset import epoch_rows, load_items, load_samples, read_labelled, to_float
from streamhmm.acoustic.training.fake_quantise import FakeQuantisation
from streamhmm.acoustic.training.full_sum import full_sum
from streamhmm.acoustic.training.manifest import Utterance
from streamhmm.acoustic.training.measuring import DevResult, dev_error, dev_loss, mean_loss, said
from streamhmm.acoustic.training.targets import MASKED, FrameTargets
from streamhmm.acoustic.training.teaching import divergence
from streamhmm.errors import ModelError, OutputError, TextError

RANGE_ITEMS = 64
"""From about so many recordings the ranges of fake quantisation are first taken."""


def train(
    config_path: str | os.PathLike[str],
    resume: bool = False,
    console: Console | None = None,
    initial: str | None = None,
) -> Path | None:
    """Train as a configuration file says, from ``initial`` instead of its initial model; see :func:`train_as`.

    Raises:
        TextError: the file can't be used; and as :func:`train_as`.
    """
    config = read_config(Path(config_path))
    return train_as(config if initial is None else replace(config, initial=initial), resume, console)


def train_as(config: TrainingConfig, resume: bool = False, console: Console | None = None) -> Path | None:
    """Train and write the model; the path of the model, None if fine-tuning made nothing better.

    With ``resume`` the run goes on after its last complete epoch, exactly as if it had not been stopped.

    Raises:
        TextError, AudioError: a manifest or an audio file can't be used.
        ModelError: nothing to resume from, or the initial model can't be loaded or has another size.
        OutputError: the folder of the model or of the checkpoint can't be made.
    """
    _make_folders(Path(config.output).parent, Path(config.work_dir))
    torch.set_num_threads(config.schedule.threads)
    trainer = Trainer(config, console or Console())
    if resume:
        trainer.restore()
    trainer.run()
    return Path(config.output) if trainer.has_written else None


class Trainer:
    """One run; all its state is in the attributes that :meth:`state` lists."""

    def __init__(self, config: TrainingConfig, console: Console) -> None:
        self.config, self.console = config, console
        torch.manual_seed(config.schedule.seed)
        self.items = [item for source in config.train for item in load_items(source)]
        self.dev = {name: read_labelled(Path(name)) for name in config.dev}
        self.features = {warp: LogMel(warp) for warp in (1.0, *config.augment.formant_warps)}
        self.network = AcousticNetwork(config.network)
        self.initial = self._start_from(config.initial) if config.initial else None
        self.masks = [weight != 0 for weight in self.network.parameters()] if config.keep_zeros else []
        self.teacher = load_checkpoint(find_model(config.teacher)) if config.teacher else None
        keep_convolutions_in_float32(self.network)
        self.average = AcousticNetwork(config.network).eval().requires_grad_(False)
        self.average.load_state_dict(self.network.state_dict())
        self.fake = self._fake_quantisation() if config.fake_quantise else None
        schedule = config.schedule
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
        )
        self.row_frames = round(schedule.row_s * 100)
        frames = sum(len(item.samples) // HOP for item in self.items)
        self.steps_per_epoch = max(1, frames // (schedule.batch * self.row_frames))
        self.epoch = self.step = self.epochs_since_best = 0
        self.best_loss = math.inf
        self.has_written = False
        self.seconds = 0.0
        self.label_counts = torch.zeros(len(LABELS), dtype=torch.float64)

    def _start_from(self, initial: str) -> Checkpoint:
        checkpoint = load_checkpoint(find_model(initial))
        network = checkpoint.network
        if replace(network.config, dropout=self.config.network.dropout) != self.config.network:
            raise ModelError(f"{initial}: a {network.config}; set [network] to it, or leave initial out")
        self.network.load_state_dict(network.state_dict())
        return checkpoint

    @torch.no_grad()
    def _fake_quantisation(self) -> FakeQuantisation:
        """Attached to both networks, its ranges those of some recordings."""
        fake = FakeQuantisation(self.network)
        for network in (self.network, self.average):
            fake.attach(network)
        for item in self.items[:: max(1, len(self.items) // RANGE_ITEMS)]:
            whole_log_posteriors(self.average, self._whole_features(to_float(item.samples))[None])
        return fake

    def run(self) -> None:
        """Train until the last epoch, or until boundaries on the dev sets have stopped getting better."""
        schedule = self.config.schedule
        if self.config.fine_tune and self.epoch == 0:
            results = self._dev_results()
            self.best_loss = mean_loss(results)
            self._say(f"{self.config.initial}: dev {said(results)}")
        while self.epoch < schedule.epochs and self.epochs_since_best < schedule.patience:
            started = time.monotonic()
            loss = self._epoch()
            self.epoch += 1
            results = self._dev_results()
            found = mean_loss(results)
            self.epochs_since_best = 0 if found < self.best_loss else self.epochs_since_best + 1
            self.seconds += time.monotonic() - started
            if found < self.best_loss:
                self.best_loss = found
                self._write_model(results)
                self.has_written = True
            self._write_state()
            self._say(f"epoch {self.epoch}: loss {loss:.4f}, dev {said(results)}, {self.seconds:.0f} s")

    def _say(self, line: str) -> None:
        self.console.print(line, highlight=False, soft_wrap=True)

    def _epoch(self) -> float:
        schedule = self.config.schedule
        generator = torch.Generator().manual_seed(schedule.seed * 1000 + self.epoch)
        rows = epoch_rows(self.items, schedule.batch, self.row_frames, schedule.seed * 1000 + self.epoch)
        total, batches = 0.0, 0
        with self._progress() as advance:
            for samples, targets in rows:
                total += self._update(augment_audio(samples, self.config.augment, generator), targets, generator)
                batches += 1
                advance()
        if batches == 0:
            size = f"{schedule.batch} rows of {schedule.row_s} s"
            raise TextError(
                f"the training audio is shorter than one batch ({size}); give more, or lower schedule.batch"
            )
        return total / batches

    def _update(self, samples: Tensor, targets: FrameTargets, generator: torch.Generator) -> float:
        schedule = self.config.schedule
        with torch.no_grad():
            warps = draw_warps(len(samples), self.config.augment, generator)
            features = torch.stack([self._whole_features(*pair) for pair in zip(samples, warps, strict=True)])
            taught = whole_log_posteriors(self.teacher.network, features) if self.teacher else None
            features = mask_features(features, self.config.augment, generator)
        self.network.train()
        if self.fake is not None:
            self.fake.train()
        for group in self.optimiser.param_groups:
            group["lr"] = schedule.learning_rate * self._rate_factor()
        with torch.autocast("cpu", torch.bfloat16, enabled=schedule.bfloat16):
            posteriors = whole_log_posteriors(self.network, features)
        loss = full_sum(posteriors.float(), targets)
        if taught is not None:
            loss = torch.lerp(loss, divergence(taught, posteriors.float()), self.config.teacher_weight)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        labels = targets.certain()
        self.label_counts += torch.bincount(labels[labels != MASKED], minlength=len(LABELS))
        keep = min(schedule.average, self.step / (self.step + 10))
        with torch.no_grad():
            for weight, mask in zip(self.network.parameters(), self.masks, strict=False):
                weight.mul_(mask)
            for averaged, current in zip(self.average.parameters(), self.network.parameters(), strict=True):
                averaged.lerp_(current, 1 - keep)
        return float(loss.detach())

    def _rate_factor(self) -> float:
        schedule = self.config.schedule
        total = max(1, schedule.epochs * self.steps_per_epoch)
        warm = min(1.0, (self.step + 1) / max(1, schedule.warmup_steps))
        return warm * max(0.01, 0.5 * (1 + math.cos(math.pi * min(1.0, self.step / total))))

    @torch.inference_mode()
    def _dev_results(self) -> dict[str, DevResult]:
        if self.fake is not None:
            self.fake.eval()
        if self.config.fine_tune:
            masks = self.config.train[0].masks
            return {name: dev_loss(utterances, self._dev_posteriors, masks) for name, utterances in self.dev.items()}
        log_prior = PRIOR_SCALE * self._log_prior()
        return {
            name: dev_error(name, utterances, lambda utterance: self._dev_posteriors(utterance) - log_prior)
            for name, utterances in self.dev.items()
        }

    def _dev_posteriors(self, utterance: Utterance) -> Tensor:
        features = self._whole_features(to_float(load_samples(utterance)))
        return whole_log_posteriors(self.average, features[None])[0]

    def _whole_features(self, samples: Tensor, warp: float = 1.0) -> Tensor:
        features = self.features[warp]
        frames, cache = features(samples)
        return torch.cat((frames, features.finish(cache)))

    def _log_prior(self) -> Tensor:
        if self.config.fine_tune and self.initial is not None:
            return self.initial.log_prior
        counts = self.label_counts + 1
        return (counts / counts.sum()).log().float()

    def _write_model(self, results: dict[str, DevResult]) -> None:
        dev = {name: result.notes for name, result in results.items()}
        notes = {"epoch": self.epoch, "steps": self.step, "seed": self.config.schedule.seed, "dev": dev}
        model = Checkpoint(self.average, self._log_prior(), LABELS, notes)
        if self.config.fine_tune and self.initial is not None:
            notes["initial"] = {"model": self.config.initial, "training": self.initial.training}
            model = replace(model, calibration=self.initial.calibration, label_means=self.initial.label_means)
        if self.fake is not None:
            notes["ranges"] = self.fake.ranges()
        if self.teacher is not None:
            weight, source = self.config.teacher_weight, self.teacher.fingerprint
            notes["teacher"] = {"model": self.config.teacher, "source": source, "weight": weight}
            model = replace(model, label_means=self.teacher.label_means)
        save_checkpoint(model, self.config.output)

    @property
    def _state_path(self) -> Path:
        return Path(self.config.work_dir) / "last.pt"

    def _parts(self) -> dict[str, Any]:
        parts: dict[str, Any] = {"network": self.network, "average": self.average, "optimiser": self.optimiser}
        return parts if self.fake is None else {**parts, "fake": self.fake}

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs."""
        counters = ("epoch", "step", "epochs_since_best", "best_loss", "has_written", "seconds", "label_counts")
        state = {name: part.state_dict() for name, part in self._parts().items()}
        return state | {name: getattr(self, name) for name in counters} | {"random": torch.get_rng_state()}

    def restore(self) -> None:
        """Go back to the end of the last complete epoch.

        Raises:
            ModelError: there is none, it is damaged, or it is of a network of another size.
        """
        if not self._state_path.is_file():
            raise ModelError(f"{self._state_path}: nothing to resume from; start without --resume")
        try:
            state = torch.load(self._state_path, weights_only=True)
            for name, part in self._parts().items():
                part.load_state_dict(state.pop(name))
            torch.set_rng_state(state.pop("random"))
        except (RuntimeError, pickle.UnpicklingError, EOFError, KeyError) as error:
            message = f"{self._state_path}: damaged, or of another [network]; start without --resume"
            raise ModelError(message) from error
        for name, value in state.items():
            setattr(self, name, value)

    def _write_state(self) -> None:
        temporary = self._state_path.with_suffix(".part")
        torch.save(self.state(), temporary)
        temporary.replace(self._state_path)

    @contextlib.contextmanager
    def _progress(self) -> Iterator[Any]:
        columns = (TextColumn(f"epoch {self.epoch + 1}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as progress:
            task = progress.add_task("", total=self.steps_per_epoch)
            yield lambda: progress.advance(task)


def whole_log_posteriors(network: AcousticNetwork, features: Tensor) -> Tensor:
    """(B, T, V) log-posteriors of complete utterances (B, T, 80)."""
    posteriors, cache = network(features)
    return torch.cat((posteriors, network.finish(cache)), dim=1)


def _make_folders(*folders: Path) -> None:
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: can't be made ({error.strerror}); name another folder") from error
