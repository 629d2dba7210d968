"""`nkfm push`: publish a model folder on the Hub."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("push")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("repo")
@click.option("--private/--public", default=None, help="Of a new repository; default: your settings on the Hub.")
@click.option("--revision", default="main", show_default=True, help="Branch to push to.")
@click.option("--message", default="", help="Of the commit.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def push(folder: Path, repo: str, private: bool | None, revision: str, message: str, as_json: bool) -> None:
    """Upload the model in FOLDER to REPO ("owner/name"), which is created if need be.

    The folder is loaded first, as strictly as its users will. Log in with `hf auth login`, or set HF_TOKEN.
    """
    from neurokit_fm.hub.push import push_folder

    ref = push_folder(folder, repo, private=private, revision=revision, message=message)
    click.echo(
        json.dumps({"ref": ref}, indent=2) if as_json else f"published; anyone with access loads it with\n  {ref}"
    )
