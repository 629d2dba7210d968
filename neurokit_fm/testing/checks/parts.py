"""What the rules for tokenizers, encodings and models share: building a small instance, and its configuration."""

from __future__ import annotations

import json
from typing import Any

from torch import nn

from neurokit_fm.config import read_config, write_config
from neurokit_fm.testing.checks.check import Case, expect

MOST_PARAMETERS = 1_000_000


def example_config(case: Case) -> Any:
    """Return the configuration that the class gives as its example."""
    config_class: Any = case.target.config_class
    params = getattr(config_class, "__dataclass_params__", None)  # of a dataclass
    frozen = params is not None and params.frozen
    expect(frozen, f"config_class is {config_class!r}", "make it a frozen dataclass")
    example = config_class() if case.target.example is None else case.target.example
    expect(isinstance(example, config_class), f"example is {example!r}", f"make it a {config_class.__name__}")
    return example


def check_class(case: Case, base: type) -> None:
    """Hold the target against the abstract class it must implement."""
    found = case.target
    expect(
        isinstance(found, type) and issubclass(found, base),
        f"{found!r}",
        f"let the target be a subclass of neurokit_fm.{base.__name__}",
    )


def check_size(module: nn.Module) -> None:
    """Examples are small, so that checks are quick."""
    n = sum(p.numel() for p in module.parameters())
    expect(n <= MOST_PARAMETERS, f"{n:,} parameters", f"give a smaller `example`: at most {MOST_PARAMETERS:,}")


def check_config(config: Any) -> None:
    """Write a configuration to JSON and read it back."""
    back = read_config(type(config), json.loads(json.dumps(write_config(config))))
    expect(back == config, f"{back}, written was {config}", "use only numbers, strings, booleans, tuples and configs")
