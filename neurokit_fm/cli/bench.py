"""`nkfm bench`: a recipe in, one row a cell and a leaderboard out; started again, it goes on where it was stopped."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click


@click.command("bench")
@click.argument("recipe")
@click.option("-m", "--model", "models", multiple=True, help="Model in place of the recipe's; repeatable.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Replace a setting such as data=FOLDER; repeatable."
)
@click.option("-o", "--out", help="Folder of rows and tables.  [default: the recipe's]")
@click.option("--jobs", type=click.IntRange(1), help="Processes.  [default: the recipe's]")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def bench(
    recipe: str, models: tuple[str, ...], settings: tuple[str, ...], out: str | None, jobs: int | None, as_json: bool
) -> None:
    """Measure models x data sets x methods x seeds after RECIPE: a TOML file, or reve, brainomni, open-eeg-bench.

    Data that are not there are named and left out; `--set download=true` fetches those that can be fetched. Exit code 1 if a cell failed.
    """
    from neurokit_fm.benchmarking import read_bench, run_bench, write_board
    from neurokit_fm.cli.embed import check_writable
    from neurokit_fm.cli.probe import command_line, read_values

    replaced = read_values(settings)
    replaced |= {} if out is None else {"out": out}
    replaced |= {} if jobs is None else {"jobs": jobs}
    read = read_bench(recipe, replaced, models)
    check_writable([Path(read.out) / "leaderboard.html"], [])
    rows = run_bench(read, progress=not as_json)
    text = write_board(read.out, rows, about=read.about, command=command_line())
    click.echo(json.dumps(rows, indent=2) if as_json else f"{text}\n\n{Path(read.out) / 'leaderboard.html'}")
    if any(row["status"] == "failed" for row in rows):
        sys.exit(1)
