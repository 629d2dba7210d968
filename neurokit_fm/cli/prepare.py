"""`nkfm prepare`: recordings in, a corpus to pretrain on out. Run again, it goes on where it stopped."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


@click.command("prepare")
@click.argument("sources", nargs=-1, required=True)
@click.option(
    "--contract",
    "ref",
    required=True,
    help="Whose input: model folder, catalogue name, owner/name[@revision] on the Hub, or a JSON file.",
)
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Folder of the corpus.")
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
@click.option("--force", is_flag=True, help="Prepare again what is finished already.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def prepare(
    sources: tuple[str, ...],
    ref: str,
    out: Path,
    window_s: float | None,
    hop_s: float | None,
    dtype: str,
    jobs: int,
    backend: str,
    force: bool,
    as_json: bool,
) -> None:
    """Prepare SOURCES: files, folders (searched; BIDS trees too), patterns, names of data sets."""
    from neurokit_fm.corpus import prepare as module
    from neurokit_fm.hub import load_contract

    corpus = module.prepare(
        sources,
        load_contract(ref),
        out,
        window_s=window_s,
        hop_s=hop_s,
        dtype=dtype,  # type: ignore[arg-type]  # click checked it
        jobs=jobs,
        backend=backend,  # type: ignore[arg-type]  # click checked it
        progress=not as_json,
        force=force,
    )
    if as_json:
        click.echo(json.dumps({"corpus": str(out), **corpus.summary()}, indent=2))
    else:
        facts = corpus.summary()
        click.echo(
            f"{out}: {facts['recordings']} recordings of {facts['subjects']} subjects, {facts['windows']:,} windows of "
            f"{facts['window_s']:g} s, {facts['hours']:g} h, {facts['channels']} channels"
        )
        for row in corpus.skipped:
            click.echo(f"SKIPPED  {row.source}\n  {row.problem}", err=True)
    if corpus.skipped:
        sys.exit(1)
