"""`nkfm finetune`: a model and labelled data in, a model that predicts the labels out, with its score on the test part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from neurokit_fm.cli.probe import load_dataset

METHODS = ("full", "head", "two-stage", "lora", "dora", "ia3", "adalora", "oft")


@click.command("finetune")
@click.argument("model")
@click.option("--data", required=True, help="Name of a labelled data set (`nkfm list datasets`).")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Setting of the data set; repeatable.")
@click.option(
    "--split", "by", type=click.Choice(["given", "subject", "session", "time"]), default="given", show_default=True,
    help="What is tested on: see `neurokit_fm.split`.",
)  # fmt: skip
@click.option("--test-size", default=0.2, show_default=True, help="Share of that part.")
@click.option("--method", type=click.Choice(METHODS), default="full", show_default=True, help="What learns.")
@click.option("--tune", "tuning", multiple=True, metavar="KEY=VALUE", help="Setting such as lr=3e-5; repeatable.")
@click.option("--plain/--no-plain", default=True, show_default=True, help="Measure plain methods beside.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps ...")
@click.option("--seed", default=0, show_default=True, help="Of head, order, held-out groups and resampling.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Folder of the fine-tuned model.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def finetune(
    model: str,
    data: str,
    settings: tuple[str, ...],
    by: Any,
    test_size: float,
    method: Any,
    tuning: tuple[str, ...],
    plain: bool,
    device: str,
    seed: int,
    out: Path,
    as_json: bool,
) -> None:
    """Fine-tune MODEL, a model folder, catalogue name, or owner/name[@revision] on the Hub."""
    from neurokit_fm.cli.embed import check_writable
    from neurokit_fm.cli.probe import read_values
    from neurokit_fm.config import write_config
    from neurokit_fm.evaluation.report import score
    from neurokit_fm.finetuning import finetune as tune
    from neurokit_fm.finetuning.data import labelled_trials
    from neurokit_fm.finetuning.tune import Epoch, predict_trials, read_settings
    from neurokit_fm.hub import load_model
    from neurokit_fm.probing import Outcome, ProbeReport, baselines
    from neurokit_fm.splits import split

    config = read_settings(read_values(tuning), method)
    train, test = split(load_dataset(data, settings), by=by, test_size=test_size, seed=seed)
    check_writable([out / "config.json"], [])
    loaded = load_model(model, device=device)
    epochs: list[Epoch] = []
    tuned = tune(loaded, train, method, settings=config, seed=seed, progress=not as_json, on_epoch=epochs.append)
    tuned.save_pretrained(out)
    trials = labelled_trials(tuned, test)
    outcome = Outcome.of(trials.kind, trials.y, predict_trials(tuned, trials, trials.kind), trials.groups, trials.units)
    mine = score(
        f"{Path(model).name}, fine-tuned ({method})",
        outcome,
        n_train=len(labelled_trials(loaded, train)),
        protocol=f"split by {by}; best of {len(epochs)} epochs on groups of the training part",
        seed=seed,
    )
    beside = baselines(train, test, modality=trials.cuts[0].series.modality, seed=seed) if plain else []
    report = ProbeReport(scores=(mine,), baselines=tuple(beside))
    training = {"init": model, "data": [{"dataset": data, "split": by}], "finetune": write_config(config), "seed": seed}
    tuned.save_pretrained(out, training=training, evaluation={data: report})
    found = {
        "model": str(out),
        "settings": write_config(config),
        "epochs": [vars(epoch) for epoch in epochs],
        **report.to_dict(),
    }
    click.echo(json.dumps(found, indent=2) if as_json else f"{out}\n\n{report.to_markdown()}")
