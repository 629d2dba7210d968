"""`nkfm codes`: the codes of a recording, which patterns tell its parts apart, and a page that shows both."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from neurokit_fm.errors import ConfigError, StoreError

SHOWN = 8


@click.command("codes")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--model", "ref", required=True, help="Model folder, or owner/name[@revision] on the Hub.")
@click.option("--event", "labels", multiple=True, help="Contrast windows during these events with the others.")
@click.option("--lasting", "lasting_s", type=float, help="Length of events that have none, seconds.")
@click.option("--hop", "hop_s", type=float, help="Step between windows, seconds.  [default: half a window]")
@click.option("--orders", default="1,2", show_default=True, help="Lengths of the n-grams.")
@click.option("--drop", default="", help="Channels to leave out, separated by commas.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="HDF5 file for codes and scores.")
@click.option("--report", type=click.Path(path_type=Path), help="HTML page.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def codes(
    file: Path,
    ref: str,
    labels: tuple[str, ...],
    lasting_s: float | None,
    hop_s: float | None,
    orders: str,
    drop: str,
    out: Path | None,
    report: Path | None,
    as_json: bool,
) -> None:
    """Read the codes of a recording, and which of their patterns are telling.

    With --event, the patterns that tell windows during these events from the others; without, those that tell the tenth
    of the windows that the codes describe least well from the rest.
    """
    from neurokit_fm import load_model, read
    from nkfm_eegformer.contrast import UNUSUAL_NAME, contrast, during, unusual
    from nkfm_eegformer.model import EEGFormer
    from nkfm_eegformer.reading import pattern, read_codes, usage, without

    lengths = _lengths(orders)
    for path in (out, report):
        if path is not None and not path.parent.is_dir():
            raise StoreError(f"{path} cannot be written: there is no folder {path.parent}; create it first")
    model = load_model(ref)
    if not isinstance(model, EEGFormer):
        raise ConfigError(
            f"{ref} is a {model.name}; here codes are read with an {EEGFormer.name}; `nkfm tokenize` is for a braintokenizer"
        )
    recording = without(read(file), [name.strip() for name in drop.split(",") if name.strip()])
    hop_s = model.contract.window_s / 2 if hop_s is None else hop_s
    found = read_codes(model, recording, hop_s=hop_s, spectra=True)
    if labels:
        inside = during(found, recording.events, labels, lasting_s)
        made = contrast(found, inside, name=f"during {' or '.join(labels)}", orders=lengths)
    else:
        made = contrast(found, unusual(found), name=UNUSUAL_NAME, orders=lengths)
    if out is not None:
        found.save(out, source=str(file), model=model.reference)
    if report is not None:
        from nkfm_eegformer.report import codes_report

        line = shlex.join(["nkfm", "codes", *sys.argv[2:]])
        codes_report(report, model, recording, found, made, events=labels, command=line)
    use = usage(found)
    row: dict[str, Any] = {
        "file": str(file),
        "model": model.reference,
        "windows": len(found),
        "window_s": model.contract.window_s,
        "hop_s": hop_s,
        "channels": len(found.channels),
        "patches": found.codes.shape[2],
        "codebook": found.n_codes,
        "used": found.n_codes - len(use.dead),
        "perplexity": round(use.perplexity, 2),
        "dead": list(use.dead),
        "inside": made.name,
        "inside_windows": int(made.inside.sum()),
        "held_out_auroc": None if made.held_out is None else round(made.held_out.auroc, 4),
        "telling": [],
    }
    for one in made.telling(SHOWN):
        what = pattern(found, one.key)
        strongest = [found.channels.name[i] for i in (-what.rate).argsort()[:3]]
        row["telling"].append(
            {
                "codes": list(one.key),
                "log_odds": round(one.log_odds, 3),
                "at_least": round(one.at_least, 3),
                "inside": one.inside,
                "outside": one.outside,
                "hz": [round(float(what.hz.min()), 2), round(float(what.hz.max()), 2)],
                "peak_hz": round(what.peak_hz, 2),
                "channels": strongest,
            }
        )
    if as_json:
        click.echo(json.dumps({**row, "output": None if out is None else str(out)}, indent=2))
        return
    _print(row, out, report)


def _lengths(orders: str) -> tuple[int, ...]:
    parts = [part.strip() for part in orders.split(",")]
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ConfigError(f"--orders takes lengths such as 1,2; got {orders!r}")
    return tuple(map(int, parts))


def _print(row: dict[str, Any], out: Path | None, report: Path | None) -> None:
    click.echo(
        f"{row['file']}: {row['windows']} windows of {row['window_s']:g} s, {row['channels']} channels, {row['patches']} codes "
        f"each; {row['used']} of {row['codebook']} codes used, perplexity {row['perplexity']:.1f}"
    )
    auroc = "cannot be said" if row["held_out_auroc"] is None else f"{row['held_out_auroc']:.2f} (chance 0.50)"
    click.echo(
        f"{row['inside_windows']} windows are {row['inside']}, told from the rest by patterns learned elsewhere: AUROC {auroc}"
    )
    header = f"{'codes':>12}  {'log-odds':>8}  {'at least':>8}  {'inside':>6}  {'outside':>7}  {'Hz':>13}  {'peak':>6}  channels"
    click.echo(header)
    for one in row["telling"]:
        hz = f"{one['hz'][0]:g}-{one['hz'][1]:g}"
        click.echo(
            f"{'-'.join(map(str, one['codes'])):>12}  {one['log_odds']:8.2f}  {one['at_least']:8.2f}  {one['inside']:6d}  "
            f"{one['outside']:7d}  {hz:>13}  {one['peak_hz']:6.1f}  {', '.join(one['channels'])}"
        )
    for label, path in (("codes", out), ("report", report)):
        if path is not None:
            click.echo(f"  {label}: {path}")
