"""Configurations to JSON and back, strictly."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from neurokit_fm.config import build_part, read_config, write_config
from neurokit_fm.errors import ConfigError
from neurokit_fm.registry import tokenizers


@dataclass(frozen=True, kw_only=True)
class Inner:
    size: int
    ratio: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Outer:
    inner: Inner = field(default_factory=lambda: Inner(size=1))
    band: tuple[float, float] | None = None
    names: tuple[str, ...] = ()


def test_nested_configs_survive_json():
    config = Outer(inner=Inner(size=3, ratio=0.25), band=(0.5, 40.0), names=("a", "b"))
    assert read_config(Outer, json.loads(json.dumps(write_config(config)))) == config
    assert read_config(Outer, {}) == Outer()


def test_unknown_and_missing_keys_are_named():
    with pytest.raises(
        ConfigError, match=r"Outer has no setting 'bnad'. Did you mean 'band'\? Known: inner, band, names"
    ):
        read_config(Outer, {"bnad": 1})
    with pytest.raises(ConfigError, match="Inner needs 'size'"):
        read_config(Outer, {"inner": {"ratio": 1}})


def test_parts_are_built_by_name():
    part = build_part(tokenizers, {"name": "patch", "length_s": 0.5, "hop_s": 0.5}, width=8, sfreq=100)
    assert part.length == 50
    with pytest.raises(ConfigError, match="needs a 'name'"):
        build_part(tokenizers, {"length_s": 0.5})
    with pytest.raises(ConfigError, match="no setting 'length'"):
        build_part(tokenizers, {"name": "patch", "length": 0.5}, width=8, sfreq=100)
