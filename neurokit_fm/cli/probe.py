"""`nkfm probe`: any number of models on one labelled data set, beside plain methods, in one table with intervals."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neurokit_fm.errors import ConfigError

if TYPE_CHECKING:
    from neurokit_fm.dataset import Dataset

PROTOCOLS = ("given", "within-session", "cross-session", "cross-subject", "cross-site", "few-shot")
HEADS = ("ridge", "logistic", "lda", "ncm", "knn")


@click.command("probe")
@click.argument("models", nargs=-1)
@click.option("--data", required=True, help="Name of a labelled data set (`nkfm list datasets`).")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Setting of the data set; repeatable.")
@click.option("--by", type=click.Choice(PROTOCOLS), default="given", show_default=True, help="How it is divided.")
@click.option("--folds", "n_folds", default=5, show_default=True, help="Number of folds; 0 leaves one out.")
@click.option("--shots", default=5, show_default=True, help="Trials of each class to train on, for few-shot.")
@click.option("--head", "heads", type=click.Choice(HEADS), multiple=True, help="Repeatable.  [default: ridge]")
@click.option(
    "--features", type=click.Choice(["channels", "pooled", "tokens"]), default="channels", show_default=True,
    help="Mean over time of each channel, the model's summary, or every token.",
)  # fmt: skip
@click.option("--plain/--no-plain", default=True, show_default=True, help="Measure plain methods beside.")
@click.option(
    "--cache", type=click.Path(file_okay=False, path_type=Path), help="Folder where features are kept and found again."
)
@click.option(
    "--corpus", "corpora", multiple=True, help="That a model was pre-trained on, for the leak check; repeatable."
)
@click.option("--leak-check/--no-leak-check", default=True, show_default=True, help="Refuse data that leak.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps ...")
@click.option("--seed", default=0, show_default=True, help="Of folds, heads, bootstrap and permutations.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Also write a report: .html, .md or .json.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def probe(
    models: tuple[str, ...],
    data: str,
    settings: tuple[str, ...],
    by: Any,
    n_folds: int,
    shots: int,
    heads: tuple[Any, ...],
    features: Any,
    plain: bool,
    cache: Path | None,
    corpora: tuple[str, ...],
    leak_check: bool,
    device: str,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Say how well simple heads on the frozen features of MODELS predict labels, and what plain methods reach.

    Each of MODELS is a model folder, a catalogue name, or owner/name[@revision] on the Hub; with none, only plain methods
    are measured.
    """
    if out is not None and out.suffix not in (".html", ".md", ".json"):
        raise ConfigError(f"--out must end in .html, .md or .json; got {out}")
    from neurokit_fm.hub import load_model
    from neurokit_fm.probing import FeatureCache, Protocol, evaluate, model_probe, plain_methods

    dataset = load_dataset(data, settings)
    protocol = Protocol(by=by, n_folds=n_folds, shots=shots)
    names = short_names(models)
    methods, modality = [], "eeg"
    kept = None if cache is None else FeatureCache(cache)
    for ref in models:
        model = load_model(ref, device=device)
        modality = str(vars(model.contract).get("modality", modality))
        name = names[ref]
        first = model_probe(model, (heads or ("ridge",))[0], features, name=name, cache=kept)
        methods.append(first)
        methods += [model_probe(model, head, features, name=name, memo=first.memo) for head in heads[1:]]
    report = evaluate(
        methods,
        dataset,
        protocol,
        plain=plain_methods(modality) if plain else (),
        modality=modality,
        seed=seed,
        check=leak_check,
        corpora=corpora,
        progress=not as_json,
    )
    about = {"data": data, "protocol": protocol.words, "licence": dataset.licence, "citation": dataset.citation}
    if kept is not None:
        about["cache"] = f"{kept.hits} recordings found, {kept.misses} computed"
    found = {**about, **report.to_dict()}
    text = "\n".join(["\n".join(f"{key}: {value}" for key, value in about.items()), "", report.to_markdown()])
    click.echo(json.dumps(found, indent=2) if as_json else text)
    if out is None:
        return
    if out.suffix == ".html":
        from neurokit_fm.report.learning import probe_section
        from neurokit_fm.report.page import write_report

        title = f"Probes on {data}, {protocol.words}"
        write_report(
            out,
            [probe_section(report)],
            title=title,
            summary=report.warnings,
            command=command_line(),
            facts=[("seed", seed), *about.items()],
        )
        return
    from neurokit_fm.data.atomic import atomic_path

    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(out) as temporary:
        temporary.write_text((json.dumps(found, indent=2) if out.suffix == ".json" else text) + "\n", encoding="utf-8")


def short_names(refs: Sequence[str]) -> dict[str, str]:
    """As few last parts of each reference as tell them apart, but more than ``model``, as runs call their folder."""
    for n in (1, 2, 3):
        short = {ref: "/".join(Path(ref).parts[-n:]) for ref in refs}
        if len(set(short.values())) == len(short) and "model" not in short.values():
            return short
    return {ref: ref for ref in refs}


def load_dataset(name: str, settings: Sequence[str]) -> Dataset:
    """Open a registered data set with settings such as ``root=folder`` or ``config.subjects=4``.

    Raises
    ------
    UnknownName, ConfigError
        If there is no such data set, or it takes no such setting.
    """
    from neurokit_fm.registry import datasets

    return open_dataset(datasets.load(name), name, read_values(settings))


def read_values(settings: Sequence[str]) -> dict[str, Any]:
    """Read ``key=value`` texts, dotted keys as nested tables, values as in TOML (a bare word is text).

    Raises
    ------
    ConfigError
        If one has no ``=``.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        key, sign, text = setting.partition("=")
        if not sign:
            raise ConfigError(f"a setting reads key=value, such as root=folder; got {setting!r}")
        try:
            value = tomllib.loads(f"x = {text}")["x"]
        except tomllib.TOMLDecodeError:
            value = text.strip()
        *tables, last = key.strip().split(".")
        where = values
        for table in tables:
            where = where.setdefault(table, {})
        where[last] = value
    return values


def open_dataset(make: Any, name: str, values: dict[str, Any]) -> Dataset:
    """Call a registered data set with settings; a setting it does not take is said to be one."""
    import inspect

    known = inspect.signature(make).parameters
    odd = [key for key in values if key not in known]
    if odd:
        raise ConfigError(f"data set {name!r} takes no setting {odd[0]!r}; it takes {', '.join(known) or 'none'}")
    missing = [key for key, p in known.items() if p.default is p.empty and key not in values]
    if missing:
        raise ConfigError(f"data set {name!r} needs the setting {missing[0]!r}: --set {missing[0]}=VALUE")
    made: Dataset = make(**values)
    return made


def command_line() -> str:
    """The command as it was typed."""
    import shlex
    import sys

    return shlex.join(["nkfm", *sys.argv[1:]])
