"""channel_rows: electrodes known by name, for models that learned a vector for each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.data.channels import name_key
from neurokit_fm.errors import DataError, did_you_mean


def channel_rows(stream: SeriesStream, table: Sequence[str], model: str) -> Tensor:
    """Row of each channel's `name_key` in a table of unique keys.

    Parameters
    ----------
    stream : SeriesStream
    table : sequence of str
    model : str
        For the message.

    Returns
    -------
    Tensor, shape (B, C), int64
        0 for padding.

    Raises
    ------
    DataError
        If the stream has no names, or one is not in the table: no channel is left out or guessed.
    """
    if stream.names is None:
        raise DataError(f"{model} knows channels by their names, and this input has none; give names, such as 'Cz'")
    where = {name: row for row, name in enumerate(table)}
    keys = [[name_key(name) for name in names] for names in stream.names]
    unknown = list(dict.fromkeys(key for sample in keys for key in sample if key not in where))
    if unknown:
        raise DataError(
            f"{model} has learned nothing for {len(unknown)} channels: {', '.join(unknown[:12])}."
            f"{did_you_mean(unknown[0], table)} Rename them, or drop them (`--drop`); it knows {len(table)} names, "
            f"{table[0]} to {table[-1]}."
        )
    width = stream.values.shape[1]
    rows = [[where[key] for key in sample] + [0] * (width - len(sample)) for sample in keys]
    return torch.tensor(rows, dtype=torch.int64, device="cpu").to(stream.values.device)
