"""The TOML file that says how to train; every key has a field here."""

from __future__ import annotations

import sys
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from streamhmm.acoustic.labels import LABELS
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
    """A manifest to train on.

    Which boundaries to doubt (``mask_…_s``, seconds a side) and how strongly their labels hold them (``anchor``, see
    targets.py), the speeds to draw from, share of stops to aspirate, share of utterances to send through a codec.
    """

    manifest: str
    mask_sonorant_s: float = 0.0
    mask_boundary_s: float = 0.0
    mask_silence_s: float = 0.0
    anchor: float = 0.0
    speeds: tuple[float, ...] = (1.0,)
    aspirated: float = 0.0
    coded: float = 0.0

    def __post_init__(self) -> None:
        if not self.speeds or min(self.speeds) <= 0:
            raise ValueError(f"train.speeds must be one or more numbers above 0, got {list(self.speeds)}")
        for name in ("mask_sonorant_s", "mask_boundary_s", "mask_silence_s", "anchor", "aspirated", "coded"):
            if getattr(self, name) < 0:
                raise ValueError(f"train.{name} must not be negative, got {getattr(self, name)}")

    @property
    def masks(self) -> Masks:
        """What to mask, as :func:`frame_targets` takes it."""
        return Masks(self.mask_sonorant_s, self.mask_boundary_s, self.mask_silence_s, self.anchor)


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

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "row_s", "learning_rate", "patience", "threads"):
            if getattr(self, name) <= 0:
                raise ValueError(f"schedule.{name} must be above 0, got {getattr(self, name)}")


@dataclass(frozen=True)
class TrainingConfig:
    """Everything one training run needs; paths are relative to the working directory.

    ``initial`` is a shipped model's name or a file. With ``fine_tune`` its prior, calibration and usual features stay,
    epochs are chosen by the likelihood of the dev sets, and nothing is written unless it is better than the initial
    model's: what its own labels say of boundaries could never be better than itself. With ``keep_zeros`` weights that
    are zero in the initial model stay zero.

    With ``fake_quantise`` the network computes as its static INT8 form would, whose ranges the written model notes.

    ``teacher`` is a model, too: what it makes of each frame counts ``teacher_weight``, the labels the rest.
    """

    output: str
    work_dir: str
    train: tuple[Source, ...]
    dev: tuple[str, ...]
    initial: str | None = None
    fine_tune: bool = False
    keep_zeros: bool = False
    fake_quantise: bool = False
    teacher: str | None = None
    teacher_weight: float = 0.7
    network: NetworkConfig = field(default_factory=NetworkConfig)
    schedule: Schedule = field(default_factory=Schedule)
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        if not self.train or not self.dev:
            raise ValueError("needs at least one [[train]] table and one dev manifest")
        if self.fine_tune and self.initial is None:
            raise ValueError("fine_tune needs an initial model")
        if not 0 <= self.teacher_weight <= 1:
            raise ValueError(f"teacher_weight must be from 0 to 1, got {self.teacher_weight}")
        if self.network.n_labels != len(LABELS):
            raise ValueError(f"network.n_labels must be {len(LABELS)}, got {self.network.n_labels}")


def read_config(path: Path) -> TrainingConfig:
    """Read and check a configuration.

    Raises:
        TextError: the file is missing, is not TOML, or has an unknown, a missing or a wrong key; the message names it.
    """
    if not path.is_file():
        raise TextError(f"{path}: no such training configuration; see examples/english_model/1_synthetic.toml")
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TextError(f"{path}: not TOML ({error}); correct the file") from error
    try:
        return _section(TrainingConfig, tables, "")
    except ValueError as error:
        raise TextError(f"{path}: {error}; correct the configuration") from error


def _section(kind: type[Section], table: dict[str, Any], prefix: str) -> Section:
    """A dataclass from a TOML table, whose keys stand under ``prefix``."""
    kinds = get_type_hints(kind)
    for key in sorted(table.keys() - kinds.keys()):
        raise ValueError(f"unknown key {prefix}{key}, expected one of {', '.join(sorted(kinds))}")
    for item in fields(kind):  # type: ignore[arg-type]
        if item.name not in table and item.default is MISSING and item.default_factory is MISSING:
            raise ValueError(f"missing key {prefix}{item.name}")
    return kind(**{key: _value(value, kinds[key], prefix + key) for key, value in table.items()})


def _value(value: Any, kind: Any, name: str) -> Any:
    """A TOML value as the type of its field: arrays become tuples, tables dataclasses."""
    if get_origin(kind) is UnionType:
        fitting = [part for part in get_args(kind) if (get_origin(part) is tuple) == isinstance(value, list)]
        if len(fitting) == 1:
            return _value(value, fitting[0], name)
    parts = get_args(kind)
    if get_origin(kind) is tuple:
        if not isinstance(value, list) or (parts[-1] is not ... and len(value) != len(parts)):
            size = "" if parts[-1] is ... else f" of {len(parts)}"
            raise ValueError(f"{name} must be an array{size}, got {value!r}")
        return tuple(_value(item, parts[0], name) for item in value)
    if is_dataclass(kind) and isinstance(value, dict):
        return _section(cast("type[Any]", kind), value, f"{name}.")
    if kind is float and type(value) is int:
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{name} must be {getattr(kind, '__name__', kind)}, got {value!r}")
    return value
