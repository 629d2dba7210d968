"""`nkfm pretrain`: a recipe in, a trained model out; started again, it goes on where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click


@click.command("pretrain")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("-o", "--out", help="Folder of the run.  [default: the recipe's]")
@click.option(
    "--resume",
    type=click.Choice(["auto", "no"]),
    default="auto",
    show_default=True,
    help="Go on from the newest checkpoint if there is one, or insist on a new run.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Replace a setting, such as train.steps=200; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def pretrain(
    recipe: Path, out: str | None, resume: Literal["auto", "no"], settings: tuple[str, ...], as_json: bool
) -> None:
    """Pre-train a model after RECIPE, a TOML file.

    For several processes: accelerate launch -m neurokit_fm.cli.main pretrain RECIPE.
    """
    from neurokit_fm.cli.embed import check_writable
    from neurokit_fm.training import carry_out, read_recipe
    from neurokit_fm.training.crew import first

    read = read_recipe(recipe, [*settings, *([f"out={json.dumps(out)}"] if out is not None else [])])
    check_writable([Path(read.out) / "log.jsonl"], [])
    history = carry_out(read, resume=resume, progress=not as_json)
    if not first():
        return
    last = history.steps[-1]
    made = {
        "out": read.out,
        "model": str(Path(read.out) / "model"),
        "log": str(Path(read.out) / "log.jsonl"),
        "steps": read.train.steps,
        "loss": last.total,
        "tokens": sum(step.tokens for step in history.steps),
    }
    if as_json:
        click.echo(json.dumps(made, indent=2))
    else:
        click.echo(f"{made['model']}: {made['steps']} steps, last loss {last.total:.4g}; log in {made['log']}")
