"""`nkfm tokenize` and `nkfm decode`: a recording to codes and back."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import click


@click.command("tokenize")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--tokenizer", "ref", required=True, help="Folder, catalogue name, or owner/name[@revision] on the Hub.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="File for the codes (.safetensors).")
@click.option("--report", type=click.Path(path_type=Path), help="HTML page: reconstruction and use of the codes.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps ...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def tokenize(file: Path, ref: str, out: Path, report: Path | None, device: str, as_json: bool) -> None:
    """Turn a recording of EEG, MEG or both into codes."""
    from neurokit_fm import read
    from nkfm_braintokenizer import codes
    from nkfm_braintokenizer.report import codes_report, use_of

    model = codes.load_tokenizer(ref, device)
    recording = read(file)
    made = codes.tokenize(model, recording, progress=not as_json)
    made.save(out)
    share, perplexity = use_of(made)
    row: dict[str, Any] = {
        "file": str(file),
        "output": str(out),
        "windows": len(made.values),
        "latents": made.values.shape[1],
        "levels": made.values.shape[3],
        "channels": len(made.channels),
        "seconds": round(float((made.times[:, 1] - made.times[:, 0]).sum()), 3),
        "bits_per_s": round(made.bits_per_s, 1),
        "codes_used": [round(x, 3) for x in share],
        "perplexity": [round(x, 1) for x in perplexity],
    }
    if report is not None:
        row["correlation"] = codes_report(report, model, recording, made, command=shlex.join(["nkfm", *sys.argv[1:]]))
        row["report"] = str(report)
    if as_json:
        click.echo(json.dumps(row))
        return
    click.echo(
        f"{file}: {row['windows']} windows of {row['channels']} sensors as {made.values.size:,} codes, "
        f"{row['bits_per_s']:,.0f} bit/s; wrote {out}"
    )
    for level, (part, spread) in enumerate(zip(share, perplexity, strict=True), 1):
        click.echo(f"  level {level}: {100 * part:.0f} % of {made.size} codes used, perplexity {spread:.1f}")
    for kind, value in row.get("correlation", {}).items():
        click.echo(f"  correlation of {kind} with its reconstruction: {value:.3f}")


@click.command("decode")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--tokenizer", "ref", required=True, help="The one that made the codes.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Recording to write (.h5).")
@click.option("--like", type=click.Path(path_type=Path), help="Recording whose sensors to reconstruct instead.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps ...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def decode(file: Path, ref: str, out: Path, like: Path | None, device: str, as_json: bool) -> None:
    """Turn codes back into signals, at the sensors they came from or at others."""
    from neurokit_fm import read
    from neurokit_fm.data.store import save_recording
    from nkfm_braintokenizer import codes

    model = codes.load_tokenizer(ref, device)
    channels = None
    if like is not None:
        contract: Any = model.contract
        _, series = contract.apply(read(like)).series(contract.modality)
        channels = series.channels
    made = codes.decode(model, codes.Codes.load(file), channels)
    save_recording(made, out)
    sizes = {name: len(signal.channels) for name, signal in made.signals.items()}
    if as_json:
        click.echo(
            json.dumps({"file": str(file), "output": str(out), "channels": sizes, "seconds": made.stop - made.start})
        )
        return
    click.echo(made.describe())
    click.echo(f"wrote {out}; windows have unit size, in arbitrary units")
