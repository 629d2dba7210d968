"""`nkfm list`: what the plugins offer, from entries alone."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from neurokit_fm.cli.printing import table
from neurokit_fm.plugins import plugins
from neurokit_fm.registry import KINDS

HEADER = ("name", "summary", "plugin", "paper", "licence", "gated", "commercial")
WITH_TERMS = ("datasets", "weights")


@click.command("list")
@click.argument("kind", required=False, type=click.Choice(list(KINDS)))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print Markdown tables, as in the README.")
@click.option("--commercial", is_flag=True, help="Only weights and data sets whose licence allows commercial use.")
def list_names(kind: str | None, as_json: bool, markdown: bool, commercial: bool) -> None:
    """List what the plugins offer: everything, or one KIND."""
    if as_json and markdown:
        raise click.UsageError("--json and --markdown exclude each other")
    if commercial and kind not in (None, *WITH_TERMS):
        raise click.UsageError(f"--commercial is about {' and '.join(WITH_TERMS)}; {kind} have no licence of their own")
    kinds = [kind] if kind else WITH_TERMS if commercial else list(KINDS)
    found = {name: [e for e in KINDS[name].entries() if e.commercial or not commercial] for name in kinds}
    if as_json:
        click.echo(json.dumps({name: [asdict(e) for e in entries] for name, entries in found.items()}, indent=2))
        return
    blocks = []
    for name, entries in found.items():
        rows = [[_cell(column, getattr(entry, column)) for column in HEADER] for entry in entries]
        nothing = f"No plugin offers {name}{' for commercial use' if commercial else ''}."
        body = table(HEADER, rows, markdown=markdown) if rows else nothing
        if kind:
            blocks.append(body)
        elif rows:
            blocks.append(f"### {name}\n\n{body}" if markdown else f"{name.upper()}\n{body}")
    click.echo("\n\n".join(blocks))
    broken = plugins().broken
    if broken:
        click.echo(f"nkfm: {len(broken)} broken: {', '.join(broken)} (see `nkfm doctor`)", err=True)


def _cell(column: str, value: str | bool | None) -> str:
    """Word a field; what is not known, and what is not gated, stays empty."""
    if column == "gated":
        return "yes" if value else ""
    return {True: "yes", False: "no", None: ""}[value] if not isinstance(value, str) else value
