"""Data sets and paradigms of MOABB by name, with their settings; what does not fit is said before anything is read."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from neurokit_fm.errors import ConfigError, DataError, UnknownName, did_you_mean, need

USUAL = {
    "imagery": "MotorImagery",
    "p300": "P300",
    "ssvep": "SSVEP",
    "cvep": "CVEP",
    "rstate": "RestingStateToP300Adapter",
}
"""Paradigm of each kind of data set where none is named."""


def find_dataset(dataset: Any, settings: Mapping[str, Any]) -> Any:
    """Return the MOABB data set of a class name or a code, or the object itself.

    Raises
    ------
    UnknownName
        If MOABB has no such data set, with the closest name.
    ConfigError
        If it takes no such setting, or an object is given together with settings.
    """
    base = need("moabb.datasets.base", "reading data sets of MOABB", extra="moabb").BaseDataset
    if isinstance(dataset, base):
        return _as_it_is(dataset, settings, "dataset_settings")
    classes = need("moabb.datasets.utils", "reading data sets of MOABB", extra="moabb").dataset_dict
    if dataset not in classes:
        codes = {cls().code: name for name, cls in classes.items() if not cls.__module__.endswith(".fake")}
        if dataset not in codes:
            hint = did_you_mean(str(dataset), [*classes, *codes])
            raise UnknownName(
                f"MOABB has no data set {dataset!r}.{hint} It has {len(classes)}; moabb.datasets lists them"
            )
        dataset = codes[dataset]
    return _make(classes[dataset], settings, "dataset_settings")


def find_paradigm(paradigm: Any, dataset: Any, settings: Mapping[str, Any]) -> Any:
    """Return the paradigm of a class name, or the object itself, if it fits the data set; empty = the usual one of its kind.

    Raises
    ------
    UnknownName
        If MOABB has no such paradigm, with the closest name.
    ConfigError
        If it takes no such setting, or an object is given together with settings.
    DataError
        If it does not fit the data set, naming those that do, or is a bank of filters.
    """
    module = need("moabb.paradigms", "reading data sets of MOABB", extra="moabb")
    base = need("moabb.paradigms.base", "reading data sets of MOABB", extra="moabb").BaseProcessing
    known: dict[str, Any] = {
        name: cls
        for name, cls in vars(module).items()
        if inspect.isclass(cls) and issubclass(cls, base) and not name.startswith(("Base", "Fake"))
    }
    if isinstance(paradigm, base):
        made = _as_it_is(paradigm, settings, "paradigm_settings")
    else:
        name = paradigm or USUAL.get(dataset.paradigm, "")
        if name not in known:
            said = f"MOABB has no paradigm {name!r}" if name else f"name the paradigm of {dataset.code}"
            raise UnknownName(f"{said}.{did_you_mean(str(name), known)} Paradigms: {', '.join(known)}")
        made = _make(known[name], settings, "paradigm_settings")
    if len(made.filters) != 1:
        raise DataError(
            f"{type(made).__name__} gives each trial in {len(made.filters)} bands; take a paradigm with one band, such as "
            f"{USUAL.get(dataset.paradigm, 'MotorImagery')}"
        )
    if not made.is_valid(dataset):
        fits = [name for name, cls in known.items() if not name.startswith("FilterBank") and cls().is_valid(dataset)]
        wanted = f" and looks for {', '.join(map(str, made.events))}" if getattr(made, "events", None) else ""
        raise DataError(
            f"the paradigm {type(made).__name__} does not fit {dataset.code}{wanted}: the data set is of the kind "
            f"{dataset.paradigm!r} with the events {', '.join(map(str, dataset.event_id))}. "
            f"Those that fit: {', '.join(fits)}"
        )
    return made


def _as_it_is(made: Any, settings: Mapping[str, Any], name: str) -> Any:
    if settings:
        raise ConfigError(f"{name} are for what is given by name; {type(made).__name__} is already made")
    return made


def _make(cls: Any, settings: Mapping[str, Any], name: str) -> Any:
    parameters = [p for key, p in inspect.signature(cls.__init__).parameters.items() if key != "self"]
    takes = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    for key in settings:
        if takes and key not in takes:
            raise ConfigError(
                f"{cls.__name__} of MOABB takes no setting {key!r} ({name}).{did_you_mean(key, takes)} "
                f"It takes {', '.join(takes)}"
            )
    try:
        return cls(**settings)
    except (TypeError, ValueError, AssertionError) as err:
        raise ConfigError(f"{cls.__name__} of MOABB refuses its settings {dict(settings)}: {err}") from err
