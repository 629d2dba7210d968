"""`nkfm prepare`: recordings in, a corpus to pretrain on out. Run again, it goes on where it stopped."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from neurokit_fm.contract import Contract
    from neurokit_fm.corpus.corpus import Corpus


@click.command("prepare")
@click.argument("sources", nargs=-1, required=True)
@click.option(
    "--contract",
    "ref",
    help="Whose input: model folder, catalogue name, owner/name[@revision] on the Hub, or a JSON file.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder of the corpus.")
@click.option("--window", "window_s", type=float, help="Window length in seconds.  [default: the contract's]")
@click.option("--hop", "hop_s", type=float, help="Step between windows in seconds.  [default: the window length]")
@click.option("--dtype", default="float32", show_default=True, type=click.Choice(["float32", "int16"]))
@click.option("--jobs", default=1, show_default=True, type=int, help="Processes; -1 = one a core.")
@click.option(
    "--backend",
    default="loky",
    show_default=True,
    type=click.Choice(["loky", "dask"]),
    help="Processes here, or a dask cluster (its address in DASK_SCHEDULER_ADDRESS).",
)
@click.option("--licence", default="", help="Terms of files that state none, for the manifest.")
@click.option("--force", is_flag=True, help="Prepare again what is finished already.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def prepare(
    sources: tuple[str, ...],
    ref: str | None,
    out: Path | None,
    window_s: float | None,
    hop_s: float | None,
    dtype: str,
    jobs: int,
    backend: str,
    licence: str,
    force: bool,
    as_json: bool,
) -> None:
    """Prepare SOURCES: files, folders (searched; BIDS trees too), patterns, names of data sets.

    Or one recipe, RECIPE.toml: every corpus in it that says what it is made of, after the recipe's contract.
    """
    from neurokit_fm.corpus import prepare as module

    settings: dict[str, Any] = {
        "window_s": window_s,
        "hop_s": hop_s,
        "dtype": dtype,
        "jobs": jobs,
        "backend": backend,
        "licence": licence,
        "progress": not as_json,
        "force": force,
    }
    made = [
        (folder, module.prepare(items, contract, folder, made_of=made_of, **settings))
        for folder, items, contract, made_of in _wanted(sources, ref, out)
    ]
    if as_json:
        facts = [{"corpus": str(folder), **corpus.summary()} for folder, corpus in made]
        click.echo(json.dumps(facts[0] if out is not None else facts, indent=2))
    else:
        for folder, corpus in made:
            _say(folder, corpus)
    if any(corpus.skipped for _, corpus in made):
        sys.exit(1)


def _wanted(
    sources: tuple[str, ...], ref: str | None, out: Path | None
) -> Iterator[tuple[str | Path, Any, Contract, str]]:
    """Folder, sources, contract and origin in words of every corpus that is asked for."""
    from neurokit_fm.hub import load_contract

    if not sources[0].endswith(".toml"):
        if ref is None or out is None:
            raise click.UsageError("give --contract and --out, or a recipe (RECIPE.toml) that says both")
        yield out, sources, load_contract(ref), ""
        return
    if len(sources) > 1 or ref is not None or out is not None:
        raise click.UsageError("a recipe says itself what to prepare, after which contract and where to")
    from neurokit_fm.contract import read_contract
    from neurokit_fm.training.recipe import read_recipe
    from neurokit_fm.training.run import recordings_of

    recipe = read_recipe(sources[0])
    contract = read_contract(recipe.contract) if recipe.contract is not None else load_contract(str(recipe.init))
    parts = [part for part in recipe.data if part.corpus and (part.dataset or part.files)]
    if not parts:
        raise click.UsageError(f"no [[data]] of {sources[0]} names both a corpus and what it is made of")
    for part in parts:
        words = part.dataset or ", ".join(part.files)
        words += f" {json.dumps(part.settings)}" if part.settings else ""
        words += f", only the training part of the split {part.split!r}" if part.split else ""
        yield part.corpus, part.files or recordings_of(part, recipe.train.seed), contract, words


def _say(folder: str | Path, corpus: Corpus) -> None:
    facts = corpus.summary()
    click.echo(
        f"{folder}: {facts['recordings']} recordings of {facts['subjects']} subjects, {facts['windows']:,} windows of "
        f"{facts['window_s']:g} s, {facts['hours']:g} h, {facts['channels']} channels"
    )
    for row in corpus.skipped:
        click.echo(f"SKIPPED  {row.source}\n  {row.problem}", err=True)
