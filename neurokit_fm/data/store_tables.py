"""Channels, events and info as groups and attributes of a stored file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from neurokit_fm.data.channels import Channels
from neurokit_fm.data.events import Events
from neurokit_fm.data.recording import Info
from neurokit_fm.data.store_file import name_of, read_array, write_array
from neurokit_fm.errors import StoreError

_WORDS = ("name", "kind", "sensor_type", "unit")
_NUMBERS = ("position", "orientation", "bad")


def info_attributes(info: Info) -> dict[str, str]:
    """Spell what is known about a recording as attributes; `steps` and `facts` as JSON.

    Raises
    ------
    StoreError
        If a fact is not something JSON can hold.
    """
    plain = {f.name: str(getattr(info, f.name)) for f in fields(Info) if f.name not in ("steps", "facts")}
    try:
        return {**plain, "steps": json.dumps(list(info.steps)), "facts": json.dumps(dict(info.facts))}
    except (TypeError, ValueError) as err:
        raise StoreError(f"info.facts must be JSON-able (numbers, text, lists, mappings): {err}") from err


def read_info(file: h5py.File) -> Info:
    """Undo `info_attributes`."""
    words = {f.name: file.attrs[f.name] for f in fields(Info)}
    return Info(**{**words, "steps": tuple(json.loads(words["steps"])), "facts": json.loads(words["facts"])})


def write_channels(parent: h5py.Group, channels: Channels) -> None:
    """Add a group ``channels``, one dataset a column."""
    group = parent.create_group("channels", track_order=True)
    group.attrs["frame"] = channels.frame
    for label in _WORDS:
        write_array(group, label, np.array(getattr(channels, label), dtype=object))
    for label in _NUMBERS:
        write_array(group, label, getattr(channels, label))
    write_columns(group, channels.columns)


def read_channels(parent: h5py.Group) -> Channels:
    """Undo `write_channels`."""
    group = parent["channels"]
    read: Mapping[str, Any] = {
        **{label: read_words(group[label]) for label in _WORDS},
        **{label: read_array(group[label]) for label in _NUMBERS},
    }
    return Channels(
        **read,
        frame=group.attrs["frame"],
        columns=read_columns(group),
    )


def write_events(parent: h5py.Group, events: Events) -> None:
    """Add a group ``events``, one dataset a column."""
    group = parent.create_group("events", track_order=True)
    write_array(group, "onset", events.onset)
    write_array(group, "duration", events.duration)
    write_array(group, "label", np.array(events.label, dtype=object))
    write_columns(group, events.columns)


def read_events(parent: h5py.Group) -> Events:
    """Undo `write_events`."""
    group = parent["events"]
    return Events(
        onset=read_array(group["onset"]),
        duration=read_array(group["duration"]),
        label=read_words(group["label"]),
        columns=read_columns(group),
    )


def write_columns(parent: h5py.Group, columns: Mapping[str, npt.NDArray[Any]]) -> None:
    """Add a group ``columns`` of free columns, in their order."""
    group = parent.create_group("columns", track_order=True)
    for label, values in columns.items():
        write_array(group, label, values)


def read_columns(parent: h5py.Group) -> dict[str, npt.NDArray[Any]]:
    """Undo `write_columns`."""
    return {name_of(key): read_array(dataset) for key, dataset in parent["columns"].items()}


def read_words(dataset: h5py.Dataset) -> tuple[str, ...]:
    """Read a column of text as a tuple."""
    return tuple(dataset.asstr()[()].tolist())
