"""Make the folder of weights of a finished run of `recipes/nkfm-tiny.toml`.

    python -m nkfm_tiny.build runs/nkfm-tiny recipes/nkfm-tiny.toml

Weights are rounded to half precision before the fingerprint is taken, so what is loaded is exactly what was saved. The
card, `README.md`, is written by hand and left alone.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from neurokit_fm import load_model

FOLDER = Path(__file__).with_name("weights")
LOG_LINES = 1000
"""About so many steps of the log are kept, evenly spaced."""


def build(run: Path, recipe: Path, folder: Path = FOLDER) -> None:
    """Write weights, contract, fingerprint, recipe and log of a run into a folder."""
    model = load_model(run / "model")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())
    folder.mkdir(exist_ok=True)
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8") if card.exists() else None
    model.reference = "nkfm-tiny"
    model.save_pretrained(folder)
    if text is not None:
        card.write_text(text, encoding="utf-8")
    stored = folder / "model.safetensors"
    save_file({name: value.half() for name, value in load_file(stored).items()}, stored, metadata={"format": "pt"})
    shutil.copy(recipe, folder / "recipe.toml")
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [line for line in lines if json.loads(line)["event"] == "step"]
    kept = set(steps[:: max(1, len(steps) // LOG_LINES)]) | {steps[-1]}
    lines = [line for line in lines if line in kept or json.loads(line)["event"] != "step"]
    (folder / "log.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("recipe", type=Path)
    given = parser.parse_args()
    build(given.run, given.recipe)


if __name__ == "__main__":
    main()
