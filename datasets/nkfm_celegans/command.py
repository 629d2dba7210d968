"""`nkfm worm`: a raw recording of a worm, homogenised and joined with a connectome, in one stored file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from neurokit_fm.errors import DataError


@click.command("worm")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Stored recording to write (.h5).")
@click.option("--connectome", "annotation", default="cook2019", show_default=True, help="Annotation to join, or none.")
@click.option(
    "--field", default="calcium_data", show_default=True, help="Which traces: calcium_data, residual_calcium ..."
)
@click.option("--dt", "dt_s", default=0.333, show_default=True, type=float, help="Step of the even grid, seconds.")
@click.option("--smooth", default="moving", show_default=True, type=click.Choice(["moving", "gaussian", "exponential", "none"]))  # fmt: skip
@click.option("--normalise", default="standard", show_default=True, type=click.Choice(["standard", "causal", "none"]))
@click.option("--labelled-only", is_flag=True, help="Leave traces of unknown neurons out.")
@click.option("--row", default=0, show_default=True, help="Which worm, where the file holds several.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def worm(
    file: Path,
    out: Path,
    annotation: str,
    field: str,
    dt_s: float,
    smooth: str,
    normalise: str,
    labelled_only: bool,
    row: int,
    as_json: bool,
) -> None:
    """Homogenise the recording of a worm, join a connectome on neuron names and store both in one file."""
    from neurokit_fm import TimeSeries
    from neurokit_fm.data.store import save_recording
    from nkfm_celegans.pipeline import PipelineConfig
    from nkfm_celegans.recording import worm_from_file

    config = PipelineConfig(resample_dt_s=dt_s, smooth=smooth, normalise=normalise)  # type: ignore[arg-type]
    wanted = "" if annotation == "none" else annotation
    recording = worm_from_file(file, config=config, field=field, annotation=wanted, row=row)
    series = recording["calcium"]
    assert isinstance(series, TimeSeries)
    known = series.channels.columns["slot"] >= 0
    if labelled_only:
        if not known.any():
            raise DataError(f"{file}: no trace belongs to an identified neuron")
        recording = recording.with_signal("calcium", series.take(known), "traces of unknown neurons left out")
    save_recording(recording, out)
    if as_json:
        facts = {
            "file": str(file),
            "output": str(out),
            "traces": len(series.channels),
            "identified": int(known.sum()),
            "samples": series.n_samples,
            "sfreq_hz": series.sfreq,
            "steps": list(recording.info.steps),
        }
        click.echo(json.dumps(facts, indent=2))
        return
    click.echo(f"{file} -> {out}")
    click.echo(recording.describe())
    for step in recording.info.steps:
        click.echo(f"  - {step}")
