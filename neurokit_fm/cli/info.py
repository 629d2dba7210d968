"""`nkfm info`: what a name, a file, a model folder or a corpus is. Never downloads weights."""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

import click

from neurokit_fm.errors import ConfigError, NkfmError, UnknownName, WeightsError, did_you_mean
from neurokit_fm.hooks import Entry
from neurokit_fm.hub.header import read_header
from neurokit_fm.registry import KINDS

LOADED_KINDS = ("datasets", "weights", "modalities")
"""Kinds whose entries point at a value or factory that says more than the entry does."""


@click.command("info")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(name: str, as_json: bool) -> None:
    """Say what NAME is: a registry name, a recording, a model folder, a corpus, or "owner/name" in the Hub cache."""
    facts = describe(name)
    click.echo(json.dumps(facts, indent=2, default=str) if as_json else "\n\n".join(_text(fact) for fact in facts))


def describe(name: str) -> list[dict[str, Any]]:
    """Collect what is known about a name; one dictionary for each thing that carries it.

    Raises
    ------
    UnknownName
        If it is neither a path, nor offered by a plugin, nor a model in the local Hub cache.
    """
    path = Path(name)
    if path.is_dir() and (path / "config.json").is_file():
        return [_folder(path)]
    if (path / "manifest.json").is_file():
        return [_corpus(path)]
    offered = [(kind, entry) for kind, registry in KINDS.items() for entry in registry.entries() if entry.name == name]
    if path.exists() and not offered:
        return [_recording(path)]
    if offered:
        return [_offer(kind, entry) for kind, entry in offered]
    cached = _cached_model(name)
    if cached is not None:
        return [_folder(cached) | {"name": name}]
    if "/" in name or path.suffix:
        raise UnknownName(f"{name}: no such file or folder, and no such model in the local Hub cache")
    every = [known for registry in KINDS.values() for known in registry]
    raise UnknownName(
        f"nothing is called {name!r}.{did_you_mean(name, every)} Run `nkfm list` to see all {len(every)}."
    )


def _offer(kind: str, entry: Entry) -> dict[str, Any]:
    facts: dict[str, Any] = {"kind": kind, **dataclasses.asdict(entry)}
    if kind not in LOADED_KINDS:
        return facts
    value = KINDS[kind].load(entry.name)
    if kind == "datasets":
        make = value
        needed = ", ".join(name for name, p in inspect.signature(make).parameters.items() if p.default is p.empty)
        try:
            value = None if needed else make()
        except ConfigError as err:  # it needs one setting or another
            needed = str(err)
        if needed:  # it opens files of the user's own
            return facts | {"takes": needed, "about": inspect.getdoc(make)}
    if kind == "datasets" and len(value):
        facts |= {"recordings": len(value), "table": ", ".join(value.table[0])}
        try:
            first = value[0].info
        except NkfmError as err:
            facts["not here"] = str(err)
        else:
            facts |= {"steps": first.steps}
            facts |= {key: first.facts[key] for key in ("provenance", "sha256_of_originals") if key in first.facts}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            found = getattr(value, field.name)
            if (
                not callable(found)
                and field.name not in ("name", "table", "summary")
                and (found or field.name not in facts)
            ):
                facts[field.name] = _plain(found)
    return facts


def _plain(value: Any) -> Any:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value


def _recording(path: Path) -> dict[str, Any]:
    from neurokit_fm.data.store_file import opened
    from neurokit_fm.reading import read, reader_for

    reader = reader_for(path)
    if reader is not None and reader.name == "nkfm-store":
        with opened(path, None) as file:
            kind = file.attrs["kind"]
        if kind == "embedding":
            return _embedding(path)
    recording = read(path)
    return {
        "kind": "recording",
        "name": str(path),
        "reader": reader.name if reader else "",
        "holds": recording.describe(),
        **{k: v for k, v in dataclasses.asdict(recording.info).items() if v and k != "source"},
    }


def _embedding(path: Path) -> dict[str, Any]:
    from neurokit_fm.embedding import Embedding

    made = Embedding.load(path)
    facts = {
        f.name: _plain(getattr(made, f.name)) for f in dataclasses.fields(made) if f.name not in ("values", "times")
    }
    windows, width = made.values.shape
    return {
        "kind": "embedding",
        "name": str(path),
        "holds": f"{windows} windows of {width} numbers, {made.times[0, 0]:g} to {made.times[-1, 1]:g} s",
        **facts,
    }


def _corpus(path: Path) -> dict[str, Any]:
    from neurokit_fm.contract import write_contract
    from neurokit_fm.corpus.corpus import Corpus

    corpus = Corpus(path)
    return {"kind": "corpus", "name": str(path), **corpus.summary(), "contract": write_contract(corpus.contract)}


def _folder(path: Path) -> dict[str, Any]:
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except ValueError as err:
        raise WeightsError(f"{path / 'config.json'} is not JSON: {err}") from err
    if not isinstance(config, dict) or not isinstance(config.get("neurokit_fm"), dict):
        raise WeightsError(f"{path / 'config.json'} has no 'neurokit_fm' section; this folder holds no model of ours")
    weights = path / "model.safetensors"
    return {
        "kind": "model folder",
        "name": str(path),
        **config["neurokit_fm"],
        **{key: value for key, value in config.items() if key != "neurokit_fm"},
        "parameters": count_parameters(weights) if weights.is_file() else "no model.safetensors here",
    }


def count_parameters(path: Path) -> int:
    """Count the numbers in a safetensors file from its header, without loading one of them.

    Raises
    ------
    WeightsError
        If the file is not safetensors.
    """
    return sum(tensor.count for tensor in read_header(path).values())


def _cached_model(ref: str) -> Path | None:
    repo, _, revision = ref.partition("@")
    if repo.count("/") != 1 or repo.startswith((".", "/")) or repo.endswith("/"):
        return None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(repo, "config.json", revision=revision or None)
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None


def _text(facts: dict[str, Any]) -> str:
    lines = []
    for key, value in facts.items():
        if value in ("", None, (), [], {}):
            continue
        if isinstance(value, dict):
            lines += [f"{key}:", *[f"  {k}: {v}" for k, v in value.items()]]
        elif isinstance(value, str) and "\n" in value:
            lines += [f"{key}:", *[f"  {line}" for line in value.splitlines()]]
        elif isinstance(value, list | tuple):
            lines.append(f"{key}: {', '.join(map(str, value))}")
        else:
            lines.append(
                f"{key}: {value:,}" if isinstance(value, int) and not isinstance(value, bool) else f"{key}: {value}"
            )
    return "\n".join(lines)
