"""`nkfm pull`: fetch a model, check it, say what it is."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("pull")
@click.argument("ref")
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Also save it as a model folder there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def pull(ref: str, folder: Path | None, as_json: bool) -> None:
    """Fetch REF (a catalogue name, "owner/name" or "owner/name@revision") into the local cache and check it.

    A published checkpoint is converted. Afterwards it loads without network. For private and gated models log in first
    with `hf auth login`.
    """
    from neurokit_fm.errors import UnknownName
    from neurokit_fm.hub import load_model

    if Path(ref).is_dir():
        raise UnknownName(f"{ref} is a folder on this machine already; `nkfm info {ref}` says what it holds")
    model = load_model(ref)
    report = model.load_report
    assert report is not None
    if folder is not None:
        model.save_pretrained(folder)
    if as_json:
        facts = {"parameters": report.parameters, "tensors": report.tensors, "sha256": report.sha256}
        facts |= {"fingerprint": report.fingerprint, "file": str(report.file)}
        click.echo(json.dumps({"ref": ref, "model": model.name, **facts}, indent=2))
        return
    click.echo(f"{ref}: {model.name}, {report}\n{report.file}")
    if folder is not None:
        click.echo(f"saved in {folder}")
