"""`nkfm embed`: recordings in, one HDF5 file of embeddings each. Finished files are skipped, so it can be resumed."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neurokit_fm.errors import DataError, NkfmError, StoreError
from neurokit_fm.reading import find_recordings

if TYPE_CHECKING:
    from neurokit_fm.data.recording import Recording
    from neurokit_fm.model import Model

SUFFIX = ".h5"


@click.command("embed")
@click.argument("inputs", nargs=-1, required=True)
@click.option(
    "--model", "ref", required=True, help="Model folder, catalogue name, or owner/name[@revision] on the Hub."
)
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="File for one input, folder for several."
)
@click.option("--report", type=click.Path(path_type=Path), help="HTML report: file for one input, folder for several.")
@click.option("--drop", default="", help="Channels to leave out, separated by commas.")
@click.option("--hop", "hop_s", type=float, help="Step between windows in seconds.  [default: the window length]")
@click.option(
    "--batch-tokens", type=click.IntRange(1), help="Tokens at once.  [default: 2048 on a processor, 8192 elsewhere]"
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps ...")
@click.option("--dtype", default="float32", show_default=True, type=click.Choice(["float32", "bfloat16"]))
@click.option("--force", is_flag=True, help="Embed again what is finished already.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def embed(
    inputs: tuple[str, ...],
    ref: str,
    out: Path,
    report: Path | None,
    drop: str,
    hop_s: float | None,
    batch_tokens: int | None,
    device: str,
    dtype: str,
    force: bool,
    as_json: bool,
) -> None:
    """Embed recordings: files, folders (searched) or patterns."""
    files = find_recordings(inputs)
    many = len(files) > 1 or any(Path(i).is_dir() and Path(i) not in files for i in inputs) or out.is_dir()
    outputs = output_names(files, out, SUFFIX) if many else [out]
    reports = (output_names(files, report, ".html") if many else [report]) if report else [None] * len(files)
    import torch
    from tqdm import tqdm

    from neurokit_fm.hub import load_model

    check_writable(outputs, [r for r in reports if r is not None])
    model = load_model(ref, device=device, dtype=getattr(torch, dtype))
    rows: list[dict[str, Any]] = []
    jobs = tqdm(list(zip(files, outputs, reports, strict=True)), unit="file", disable=not many or as_json)
    for file, output, page in jobs:
        try:
            rows.append(_embed_one(model, file, output, page, drop, hop_s, batch_tokens, force, progress=not as_json))
        except (NkfmError, FileNotFoundError) as err:
            if not many:
                raise
            rows.append({"file": str(file), "status": "failed", "problem": str(err)})
    _print(rows, model, as_json)
    if any(row["status"] == "failed" for row in rows):
        sys.exit(1)


def output_names(files: Sequence[Path], folder: Path, suffix: str) -> list[Path]:
    """Name one output a recording in a folder; recordings of one name keep the folders that tell them apart."""
    if folder.is_file():
        raise StoreError(f"{folder} is a file; several recordings need a folder")
    names = [file.name.split(".")[0] for file in files]
    if len(set(names)) < len(names):
        names = ["_".join((*file.absolute().parts[1:-1], file.name.replace(".", "-"))) for file in files]
        shared = len(_common_start(names))
        names = [name[shared:] for name in names]
    return [folder / f"{name}{suffix}" for name in names]


def check_writable(outputs: Sequence[Path], reports: Sequence[Path]) -> None:
    """Make the folders of the outputs before any work is done.

    Raises
    ------
    StoreError
        If one cannot be made or written to.
    """
    import os

    for folder in {path.parent for path in (*outputs, *reports)}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as err:
            raise StoreError(f"cannot make the folder {folder} ({err.strerror}); choose another --out") from err
        if not os.access(folder, os.W_OK):
            raise StoreError(f"the folder {folder} cannot be written to; choose another --out")


def _embed_one(
    model: Model,
    file: Path,
    output: Path,
    page: Path | None,
    drop: str,
    hop_s: float | None,
    batch_tokens: int | None,
    force: bool,
    *,
    progress: bool,
) -> dict[str, Any]:
    from neurokit_fm import embedding
    from neurokit_fm.reading import read

    dropped = [name.strip() for name in drop.split(",") if name.strip()]
    if output.exists() and not force:
        done = embedding.Embedding.load(output)
        mine = "" if model.load_report is None else model.load_report.sha256
        wanted = (mine, model.contract, hop_s or done.contract.window_s)
        if (done.weights, done.contract, done.hop_s) != wanted or set(dropped) & set(done.channels):
            raise StoreError(
                f"{output} exists and was made with another model ({done.model}), hop or choice of channels; "
                "choose another --out, or --force"
            )
        return _row(file, output, done, "skipped, already done")
    recording = _without(read(file), dropped)
    made = embedding.embed(model, recording, hop_s=hop_s, batch_tokens=batch_tokens, progress=progress)
    made.save(output)
    if page is not None:
        from neurokit_fm.report import embedding_report

        embedding_report(made, recording, page)
    return _row(file, output, made, "embedded")


def _without(recording: Recording, drop: Sequence[str]) -> Recording:
    """Leave channels out of every signal that has them."""
    if not drop:
        return recording
    known = {name for signal in recording.signals.values() for name in signal.channels.name}
    missing = [name for name in drop if name not in known]
    if missing:
        raise DataError(
            f"{recording.title} has no channel {', '.join(missing)} to drop; it has {', '.join(sorted(known))}"
        )
    from neurokit_fm.data.series import TimeSeries

    signals = {
        name: s.take([n not in drop for n in s.channels.name]) if isinstance(s, TimeSeries) else s
        for name, s in recording.signals.items()
    }
    info = replace(recording.info, steps=(*recording.info.steps, f"dropped {', '.join(drop)}"))
    return replace(recording, signals=signals, info=info)


def _common_start(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    n = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[: first[:n].rfind("_") + 1]


def _row(file: Path, output: Path, made: Any, status: str) -> dict[str, Any]:
    return {
        "file": str(file),
        "status": status,
        "output": str(output),
        "windows": len(made.values),
        "width": made.values.shape[1],
        "channels": len(made.channels),
        "seconds": round(float((made.times[:, 1] - made.times[:, 0]).sum()), 3),
        "steps": list(made.steps),
    }


def _print(rows: Sequence[dict[str, Any]], model: Model, as_json: bool) -> None:
    if as_json:
        click.echo(
            json.dumps({"model": model.reference, "load_report": str(model.load_report), "files": rows}, indent=2)
        )
        return
    click.echo(f"{model.reference}: {model.load_report}")
    for row in rows:
        if row["status"] == "failed":
            click.echo(f"FAILED  {row['file']}\n  {row['problem']}", err=True)
            continue
        click.echo(
            f"{row['file']} -> {row['output']}: {row['windows']} windows x {row['width']} "
            f"({row['channels']} channels, {row['seconds']:g} s), {row['status']}"
        )
        if row["status"] == "embedded":
            for step in row["steps"]:
                click.echo(f"  - {step}")
