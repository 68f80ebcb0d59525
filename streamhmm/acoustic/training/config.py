"""The TOML file that says how to train; every key has a field here."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from streamhmm.acoustic.network import NetworkConfig
from streamhmm.acoustic.training.augment import AugmentConfig
from streamhmm.acoustic.training.targets import Masks
from streamhmm.errors import TextError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Section = TypeVar("Section")


@dataclass(frozen=True)
class Source:
    """A manifest to train on: what to mask (seconds a side), the speeds to draw from, share of stops to aspirate."""

    manifest: str
    mask_sonorant_s: float = 0.0
    mask_boundary_s: float = 0.0
    mask_silence_s: float = 0.0
    speeds: tuple[float, ...] = (1.0,)
    aspirated: float = 0.0

    @property
    def masks(self) -> Masks:
        return Masks(self.mask_sonorant_s, self.mask_boundary_s, self.mask_silence_s)


@dataclass(frozen=True)
class Schedule:
    """Optimisation: AdamW, linear warm-up then cosine decay, averaged weights, early stopping on boundary error."""

    epochs: int = 10
    batch: int = 32
    row_s: float = 4.0
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup_steps: int = 100
    average: float = 0.995
    patience: int = 4
    seed: int = 1
    threads: int = 1
    bfloat16: bool = True


@dataclass(frozen=True)
class TrainingConfig:
    """Everything one training run needs; paths are relative to the working directory."""

    output: str
    work_dir: str
    train: tuple[Source, ...]
    dev: tuple[str, ...]
    initial: str | None = None
    network: NetworkConfig = field(default_factory=NetworkConfig)
    schedule: Schedule = field(default_factory=Schedule)
    augment: AugmentConfig = field(default_factory=AugmentConfig)


def read_config(path: Path) -> TrainingConfig:
    """Read and check a configuration.

    Raises:
        TextError: the file is missing, is not TOML, or has an unknown or a missing key; the message names it.
    """
    if not path.is_file():
        raise TextError(f"{path}: no such training configuration; see examples/english_model/config.toml")
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TextError(f"{path}: not TOML ({error}); correct the file") from error
    sections: dict[str, type[Any]] = {"network": NetworkConfig, "schedule": Schedule, "augment": AugmentConfig}
    try:
        for name, kind in sections.items():
            tables[name] = _section(kind, tables.get(name, {}), name)
        tables["train"] = tuple(_section(Source, table, "train") for table in tables.get("train", ()))
        config = _section(TrainingConfig, tables, "the file")
    except (TypeError, ValueError) as error:
        raise TextError(f"{path}: {error}; correct the configuration") from error
    if not config.train or not config.dev:
        raise TextError(f"{path}: needs at least one [[train]] table and one dev manifest; correct the configuration")
    return config


def _section(kind: type[Section], table: dict[str, Any], name: str) -> Section:
    known = {item.name for item in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(table.keys() - known)
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r} in {name}, expected one of {', '.join(sorted(known))}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})
