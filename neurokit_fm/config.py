"""Reading and writing configurations: frozen dataclasses on one side, JSON on the other, nothing ignored."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from neurokit_fm.errors import ConfigError, did_you_mean

ConfigT = TypeVar("ConfigT")

Part = Mapping[str, Any]
"""A part composed by registry name: ``{"name": "patch", "length_s": 1.0}``."""


def read_config(cls: type[ConfigT], values: Mapping[str, Any]) -> ConfigT:
    """Build a config dataclass from JSON values, strictly.

    Parameters
    ----------
    cls : type
        Frozen dataclass; nested dataclasses and tuples are built from objects and arrays.
    values : mapping

    Raises
    ------
    ConfigError
        If a key is unknown, naming the known ones, a required key is missing, or a number, text, boolean or choice is
        something else.
    """
    known = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = [key for key in values if key not in known]
    if unknown:
        raise ConfigError(
            f"{cls.__name__} has no setting {', '.join(map(repr, unknown))}.{did_you_mean(unknown[0], known)} "
            f"Known: {', '.join(known)}."
        )
    required = [
        n for n, f in known.items() if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    missing = [name for name in required if name not in values]
    if missing:
        raise ConfigError(f"{cls.__name__} needs {', '.join(map(repr, missing))}")
    hints = typing.get_type_hints(cls)
    return cls(**{key: _from_json(hints[key], value, f"{cls.__name__}.{key}") for key, value in values.items()})


def write_config(config: Any) -> dict[str, Any]:
    """Return a config as plain JSON values; `read_config` is its inverse."""
    return {f.name: _to_json(getattr(config, f.name)) for f in dataclasses.fields(config)}


def build_part(loader: Any, part: Part, **given: Any) -> Any:
    """Build a component named in a config: look `part["name"]` up, read the rest as its config.

    Parameters
    ----------
    loader : Registry
        Where the name is looked up; its classes have `config_class` and take (config, **given).
    part : mapping
        ``{"name": ..., **settings}``.
    """
    if "name" not in part:
        raise ConfigError(f"a composed part needs a 'name'; got {dict(part)}")
    cls = loader.load(part["name"])
    return cls(read_config(cls.config_class, {k: v for k, v in part.items() if k != "name"}), **given)


def _from_json(hint: Any, value: Any, where: str) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        inner = [h for h in typing.get_args(hint) if h is not type(None)]
        return None if value is None and len(inner) < len(typing.get_args(hint)) else _from_json(inner[0], value, where)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return read_config(typing.cast(type[Any], hint), value)
    if typing.get_origin(hint) is tuple and isinstance(value, list | tuple):
        args = typing.get_args(hint)
        each = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        if len(each) != len(value):
            raise ConfigError(f"{where} takes {len(each)} values; got {value!r}")
        return tuple(_from_json(h, v, where) for h, v in zip(each, value, strict=True))
    if typing.get_origin(hint) is typing.Literal:
        options = typing.get_args(hint)
        if value not in options:
            raise ConfigError(
                f"{where} must be one of {', '.join(map(repr, options))}; got {value!r}."
                f"{did_you_mean(str(value), map(str, options))}"
            )
        return value
    kind = typing.get_origin(hint) or hint
    if kind is Any:
        return value
    accepted = {float: (int, float)}.get(kind, kind)
    if isinstance(kind, type) and (not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool)):
        raise ConfigError(f"{where} must be of type {kind.__name__}; got {value!r}")
    return float(value) if hint is float else value


def _to_json(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return write_config(value)
    if isinstance(value, Mapping):
        return {key: _to_json(v) for key, v in value.items()}
    return [_to_json(v) for v in value] if isinstance(value, list | tuple) else value
