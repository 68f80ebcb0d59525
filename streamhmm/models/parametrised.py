"""What scikit-learn asks of an estimator: its constructor's arguments, to be read and changed."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any

from typing_extensions import Self


@dataclass(eq=False, repr=False)
class Parametrised:
    """A dataclass whose fields are the constructor's arguments."""

    _shaping = frozenset({"n_components", "topology", "dtype", "n_features", "covariance_type", "n_mix"})
    """Those that the parameters' shapes follow from."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """What the constructor was given, by name; ``deep``: also what a model within was given, as ``outer__inner``
        (scikit-learn)."""
        params = {each.name: getattr(self, each.name) for each in fields(self) if each.init}
        within = {name: value for name, value in params.items() if deep and isinstance(value, Parametrised)}
        for outer, model in within.items():
            params |= {f"{outer}__{inner}": value for inner, value in model.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Change what the constructor was given (scikit-learn), all or nothing; other shapes take away the parameters.

        Raises:
            ValueError: there is no such name, or a value that the constructor would not take.
        """
        before = dict(self.__dict__)
        try:
            self._set(params)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        return self

    def _set(self, params: dict[str, Any]) -> None:
        known = {each.name for each in fields(self) if each.init}
        reshaped = False
        for name, value in sorted(params.items(), key=lambda each: "__" in each[0]):  # a model before what it is given
            outer, _, inner = name.partition("__")
            model = getattr(self, outer) if outer in known else None
            if outer not in known or (inner and not isinstance(model, Parametrised)):
                raise ValueError(f"{type(self).__name__} has no parameter {name!r}; it has: {', '.join(sorted(known))}")
            if inner and isinstance(model, Parametrised):
                model.set_params(**{inner: value})
                reshaped |= inner in model._shaping
            else:
                setattr(self, name, value)
                reshaped |= name in self._shaping
        self._check_settings()
        if reshaped:
            self._reshape()

    def __repr__(self) -> str:
        """The constructor's call, but for what is at its default."""
        given = {each.name: getattr(self, each.name) for each in fields(self) if each.init}
        default = {each.name: _default(each) for each in fields(self)}
        changed = [f"{name}={value!r}" for name, value in given.items() if not _same(value, default[name])]
        return f"{type(self).__name__}({', '.join(changed)})"

    def _check_settings(self) -> None:
        """Raises ValueError for settings that no shape follows from, and the constructor would not take."""

    @abstractmethod
    def _reshape(self) -> None:
        """Drop the parameters: their shapes are others now."""

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import Tags, TargetTags  # type: ignore[import-untyped]

        return Tags(estimator_type=None, target_tags=TargetTags(required=False))


def _default(each: Field[Any]) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()


def _same(value: Any, default: Any) -> bool:
    """Whether a value is the default; arrays never are."""
    return value is default or (type(value) is type(default) and bool(value == default))
