"""`nkfm cache`: what of ours lies in the Hub's cache, and making room."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from neurokit_fm.cli.printing import table


@click.group("cache")
def cache() -> None:
    """Show or remove models in the local cache."""


@cache.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_cache(as_json: bool) -> None:
    """List models that load without network. What other libraries keep in the Hub's cache is left out."""
    from neurokit_fm.hub.cache import cached

    _show([_plain(row) for row in cached()], as_json, "nothing of ours is in the cache")


@cache.command("prune")
@click.argument("refs", nargs=-1)
@click.option("--unused-days", type=float, help="Only what was not used for so many days.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def prune(refs: tuple[str, ...], unused_days: float | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Remove models from the cache: REFS, or revisions to which no branch points any more."""
    from neurokit_fm.hub.cache import choose, remove

    rows = choose(refs, unused_days=unused_days)
    if not as_json:
        _show([_plain(row) for row in rows], False, "nothing to remove")
    freed = 0
    if rows and not dry_run and (yes or as_json or click.confirm(f"Remove {len(rows)}?")):
        freed = remove(rows)
        if not as_json:
            click.echo(f"freed {freed / 1e6:,.1f} MB")
    if as_json:
        click.echo(
            json.dumps({"removed": [] if dry_run else [row.ref for row in rows], "freed_bytes": freed}, indent=2)
        )


def _plain(row: Any) -> dict[str, Any]:
    used = time.strftime("%Y-%m-%d", time.localtime(row.used))
    return {
        "ref": row.ref,
        "name": row.name,
        "bytes": row.size,
        "branches": row.branches,
        "used": used,
        "path": str(row.path),
    }


def _show(rows: list[dict[str, Any]], as_json: bool, nothing: str) -> None:
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif not rows:
        click.echo(nothing)
    else:
        cells = [
            [r["ref"], r["name"], f"{r['bytes'] / 1e6:,.1f} MB", ", ".join(r["branches"]), r["used"]] for r in rows
        ]
        click.echo(table(("ref", "name", "size", "branches", "last used"), cells))
