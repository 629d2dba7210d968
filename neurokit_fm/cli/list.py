"""`nkfm list`: what the plugins offer, from entries alone."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from neurokit_fm.cli.printing import table
from neurokit_fm.plugins import plugins
from neurokit_fm.registry import KINDS

HEADER = ("name", "summary", "plugin", "paper", "licence")


@click.command("list")
@click.argument("kind", required=False, type=click.Choice(list(KINDS)))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print Markdown tables, as in the README.")
def list_names(kind: str | None, as_json: bool, markdown: bool) -> None:
    """List what the plugins offer: everything, or one KIND."""
    if as_json and markdown:
        raise click.UsageError("--json and --markdown exclude each other")
    found = {name: KINDS[name].entries() for name in ([kind] if kind else KINDS)}
    if as_json:
        click.echo(json.dumps({name: [asdict(e) for e in entries] for name, entries in found.items()}, indent=2))
        return
    blocks = []
    for name, entries in found.items():
        rows = [[getattr(entry, column) for column in HEADER] for entry in entries]
        body = table(HEADER, rows, markdown=markdown) if rows else f"No plugin offers {name}."
        if kind:
            blocks.append(body)
        elif rows:
            blocks.append(f"### {name}\n\n{body}" if markdown else f"{name.upper()}\n{body}")
    click.echo("\n\n".join(blocks))
    broken = plugins().broken
    if broken:
        click.echo(f"nkfm: {len(broken)} broken: {', '.join(broken)} (see `nkfm doctor`)", err=True)
