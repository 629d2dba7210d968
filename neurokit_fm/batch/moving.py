"""Moving the tensors of a stream to another device."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

StreamT = TypeVar("StreamT")


def moved(stream: StreamT, device: torch.device | str | None, dtype: torch.dtype | None, measured: str) -> StreamT:
    """Return a stream whose tensors are on `device`; only the `measured` field is cast to `dtype`."""
    tensors: dict[str, Any] = {f.name: getattr(stream, f.name) for f in fields(stream)}  # type: ignore[arg-type]
    tensors = {name: value.to(device) for name, value in tensors.items() if isinstance(value, Tensor)}
    if dtype is not None and measured in tensors:
        tensors[measured] = tensors[measured].to(dtype)
    return replace(stream, **tensors)  # type: ignore[type-var]
