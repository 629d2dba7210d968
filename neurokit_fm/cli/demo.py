"""`nkfm demo`: train a small model on a sample recording, embed it, probe it, and write what was found."""

from __future__ import annotations

import copy
import json
import shlex
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import torch

from neurokit_fm import datasets, embed, load_model, models, probe, split
from neurokit_fm.batch.batch import Batch
from neurokit_fm.batch.collate import collate
from neurokit_fm.config import read_config
from neurokit_fm.contract import SeriesContract
from neurokit_fm.data.recording import Recording
from neurokit_fm.model import Model
from neurokit_fm.probing import ProbeReport, baselines
from neurokit_fm.probing.classify import Head
from neurokit_fm.probing.trials import Summary
from neurokit_fm.report.learning import probe_section, reconstruction_section, training_section
from neurokit_fm.report.page import write_report
from neurokit_fm.report.reconstruction import Grid, plain_predictions
from neurokit_fm.report.recording import contract_section, embedding_section, in_units, summary_section
from neurokit_fm.training import History, Step, pretrain
from neurokit_fm.windows import fixed_windows

STEPS = 400
HELD_OUT_S = 48.0
MODEL, DATA, LABELLED, SHIPPED = "mae", "eeglab-attention", "finger-movements-repaired", "nkfm-tiny"
HOP_S = 0.5
"""Step between the windows of the embedding."""

HEAD: Head = "ridge"
FEATURES: Summary = "channels"
"""How trials are probed; chosen by cross-validation within the training part of `LABELLED`."""

TRAINING = (
    "The model was made at random and trained on this recording alone, without labels, all but its last {held:g} s: over half "
    "of the patches are hidden, in blocks of neighbouring channels, and predicted from the others. Normalisation and filters "
    "saw the whole recording. The model's size and learning rate were chosen by the held-out loss, which therefore flatters it "
    "a little."
)
PROBE = (
    "A linear classifier on frozen features of labelled trials of another person and another amplifier "
    "({data}: is a left or a right key about to be pressed?). The model was not trained on them; {shipped}, which comes with "
    "the package, was, without labels and on the training trials only. Settings were chosen on the training trials only.\n\n"
    "Four minutes of one person are no reason to expect much of another person's trials. The table shows how such a claim is "
    "put to the test: beside the same model untrained, beside plain methods, and with the chance level and intervals. One run "
    "says little: from the same seed, one thread and two round differently and may score some hundredths apart."
)

LEARNING: dict[str, Any] = {"batch_tokens": 1920, "lr": 5e-3, "cooldown": 0.3}
PATCH_S = 0.25
SIZE = {"width": 162, "heads": 6, "head_dim": 27}

CONTRACT: dict[str, Any] = {
    "modality": "eeg",
    "sfreq": 100.0,
    "min_sfreq": 50.0,
    "window_s": 2.0,
    "min_window_s": PATCH_S,
    "band": (0.5, 45.0),
    "normalise": "zscore",
    "clip": 15.0,
    "frame": "template",
}
"""Both samples fit: 128 Hz in one run, and 100 Hz in trials of half a second."""

CONFIG: dict[str, Any] = {
    "encoder": {
        "tokenizer": {"name": "patch", "length_s": PATCH_S, "hop_s": PATCH_S},
        "encoding": {"name": "fourier-4d", "freqs": 3, "step_s": PATCH_S, "margin_m": 0.0},
        "transformer": {**SIZE, "depth": 2},
    },
    "decoder": {**SIZE, "depth": 2},
    "mask": {"steps": 2},
}
"""A masked autoencoder after REVE. Width 162 = 2 * 3**4 holds every frequency of the 4-D encoding, left and right too."""


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Folder to write.",
)
@click.option("--steps", type=click.IntRange(min=2), default=STEPS, show_default=True, help="Training steps.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights, windows, masks and resampling.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON; progress goes to stderr.")
def demo(out: Path, steps: int, seed: int, as_json: bool) -> None:
    """Train a small model on a sample recording, embed it, probe it, and write a report. Offline, on any computer."""
    started = time.perf_counter()

    def say(text: str) -> None:
        click.echo(f"[{time.perf_counter() - started:5.1f} s] {text}", err=as_json)

    found = run(out, steps, seed, say)
    found["seconds"] = round(time.perf_counter() - started, 1)
    say("done")
    click.echo(json.dumps(found, indent=2) if as_json else f"open {found['report']}")


def run(out: Path, steps: int, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Do everything and return the numbers, JSON-able."""
    contract = SeriesContract(**CONTRACT)
    recording = datasets.load(DATA)()[0]
    say(f"1/6 read the sample recording\n{recording.describe()}")

    model = build(contract, seed)
    untrained = copy.deepcopy(model)
    size = f"{model.count_parameters():,} parameters"
    say(f"2/6 pretrain {MODEL} ({size}) for {steps} steps, the last {HELD_OUT_S:g} s of the recording held out")
    batch, starts = held_out_windows(contract.apply(recording), contract)
    began = time.perf_counter()
    history, errors = learn(model, recording, batch, steps, seed)
    took = time.perf_counter() - began
    grid = fill_in(model, batch, seed)
    plain = {name: grid.error(filled) for name, filled in plain_predictions(grid).items()}
    learned = compare(grid.error(), plain)
    say(learned)

    model.save_pretrained(out / "model")
    model = load_model(out / "model")
    say(f"3/6 saved it in {out / 'model'} and loaded it again: {model.load_report}")
    embedding = embed(model, recording, hop_s=HOP_S)
    embedding.save(out / "embedding.h5")
    say(
        f"4/6 embedded the recording, {len(embedding.values)} windows x {embedding.values.shape[1]}: {out / 'embedding.h5'}"
    )
    probed = probe_both(model, untrained, steps, seed)
    say(f"5/6 probed the labelled trials of {LABELLED}, in the given split\n{probed.to_markdown()}")

    settings = [
        ("model", f"{MODEL}, {size}"),
        ("steps", steps),
        ("seconds", round(took, 1)),
        *((k, str(v)) for k, v in LEARNING.items()),
    ]
    report = write_report(
        out / "report.html",
        [
            summary_section(recording, contract.modality),
            contract_section(recording, contract, embedding.steps[len(recording.info.steps) :]),
            training_section(history, errors, plain, text=TRAINING.format(held=HELD_OUT_S), settings=settings),
            reconstruction_section(grid, starts, in_units(recording, contract)),
            embedding_section(embedding, recording),
            probe_section(probed, text=PROBE.format(data=LABELLED, shipped=SHIPPED)),
        ],
        title="neurokit_fm demo: a small masked autoencoder, trained on four minutes of EEG",
        summary=[learned, *probed.verdict.splitlines()],
        command=shlex.join(["nkfm", "demo", "--out", str(out), "--steps", str(steps), "--seed", str(seed)]),
        facts=[
            ("seed", seed),
            ("threads", torch.get_num_threads()),
            ("load report", model.load_report),
            ("weights (sha256)", embedding.weights),
        ],
    )
    say(f"6/6 wrote the report: {report}")
    return {
        "steps": steps,
        "seed": seed,
        "parameters": model.count_parameters(),
        "pretraining_seconds": round(took, 1),
        "held_out_loss": grid.error(),
        "held_out_loss_of_plain_predictions": plain,
        "probe": probed.to_dict(),
        "report": str(report),
    }


def build(contract: SeriesContract, seed: int) -> Model:
    """Make the model; torch's global random state is left as it was."""
    cls = models.load(MODEL)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Model = cls(read_config(cls.config_class, CONFIG), contract)
    return model


def held_out_windows(ready: Recording, contract: SeriesContract) -> tuple[Batch, npt.NDArray[np.float64]]:
    """Cut the last `HELD_OUT_S` seconds of a recording in model units into windows; with their starts in seconds."""
    _, series = ready.series(contract.modality)
    _, late = ready.crop(series.stop - HELD_OUT_S, series.stop).series(contract.modality)
    starts = late.start + fixed_windows(late, contract.window_s)[:, 0] / late.sfreq
    return collate([ready.crop(at, at + contract.window_s) for at in starts]), starts


def learn(
    model: Model, recording: Recording, batch: Batch, steps: int, seed: int
) -> tuple[History, list[tuple[int, float]]]:
    """Pretrain in place; also the loss on the held-out batch, about ten times on the way."""
    errors = [(0, fill_in(model, batch, seed).error())]

    def on_step(step: Step) -> None:
        done = step.number + 1
        if done % max(1, steps // 10) == 0 or done == steps:
            errors.append((done, fill_in(model, batch, seed).error()))

    history = pretrain(
        model, [recording], steps=steps, held_out_s=HELD_OUT_S, seed=seed, progress=True, on_step=on_step, **LEARNING
    )
    return history, errors


def fill_in(model: Any, batch: Batch, seed: int) -> Grid:
    """Hide patches of a batch, the same ones for the same seed, and let the model predict them."""
    model.eval()
    with torch.no_grad():
        return Grid.of(model.reconstruct(batch, generator=torch.Generator().manual_seed(seed)))


def compare(error: float, plain: Mapping[str, float]) -> str:
    """Say in a sentence how well the model fills in hidden patches."""
    best = min(plain, key=lambda name: plain[name])
    beats = "less" if error < plain[best] else "not less"
    return (
        f"Held-out hidden patches: mean absolute error {error:.3f} standard deviations, {beats} than the best plain "
        f"prediction ({best}, {plain[best]:.3f}; zero gives {plain['zero']:.3f})."
    )


def probe_both(model: Model, untrained: Model, steps: int, seed: int) -> ProbeReport:
    """Probe the trained, the untrained and the shipped model on the same trials, beside plain methods."""
    train, test = split(datasets.load(LABELLED)(), by="given")
    plain = baselines(train, test, seed=seed)
    scores = [
        probe(it, train, test, HEAD, FEATURES, seed=seed, name=name).scores[0]
        for it, name in (
            (model, f"pretrained ({steps} steps)"),
            (untrained, "same model, untrained"),
            (load_model(SHIPPED), SHIPPED),
        )
    ]
    return ProbeReport(scores=tuple(scores), baselines=tuple(plain))
