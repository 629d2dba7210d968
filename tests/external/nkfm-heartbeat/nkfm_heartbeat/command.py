"""`nkfm heartbeat`: recordings in, a pretrained masked autoencoder of beats out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from neurokit_fm import Model


@click.command("heartbeat")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Folder for the model.")
@click.option("--steps", default=50, show_default=True, type=click.IntRange(1), help="Steps of training.")
@click.option("--seed", default=0, show_default=True, help="Of weights, windows and masks.")
def heartbeat(files: tuple[Path, ...], out: Path, steps: int, seed: int) -> None:
    """Pretrain a small masked autoencoder of heartbeats on FILES."""
    import neurokit_fm as nkfm

    model = autoencoder(seed=seed)
    history = nkfm.pretrain(model, [nkfm.read(path) for path in files], steps=steps, batch_tokens=256, seed=seed)
    model.save_pretrained(out)
    click.echo(f"loss {history.steps[0].total:.3f} -> {history.steps[-1].total:.3f} in {steps} steps; saved in {out}")


def autoencoder(seed: int = 0) -> Model:
    """Make the core's masked autoencoder with the beat tokenizer and the 4-D encoding, all found by name."""
    import torch

    import neurokit_fm as nkfm
    from neurokit_fm.config import read_config
    from nkfm_heartbeat.config import AUTOENCODER, ECG

    cls = nkfm.models.load("mae")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return cls(read_config(cls.config_class, AUTOENCODER), ECG)
