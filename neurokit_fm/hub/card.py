"""The model card: what the Hub shows of a model, made from its config, contract, training recipe and measurements."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurokit_fm.registry import models, weights

LIBRARY = "neurokit_fm"

USE = """```python
import neurokit_fm as nkfm

model = nkfm.load_model("owner/name")  # this repository, or a folder
embedding = nkfm.embed(model, nkfm.read("recording.edf"))
```"""


def write_card(
    described: Mapping[str, Any],
    parameters: int,
    licence: str,
    training: Mapping[str, Any],
    evaluation: Mapping[str, Mapping[str, Any]],
) -> str:
    """Return a card with a metadata block that the Hub accepts.

    Parameters
    ----------
    described : mapping
        As in `config.json`.
    parameters : int
    licence : str
        Identifier as the Hub knows them (``"bsd-3-clause"``), or free words, which become ``other`` with that name;
        empty = not stated.
    training : mapping
        The recipe; may be empty.
    evaluation : mapping of data set to mapping
        As `ProbeReport.to_dict` returns them; may be empty.
    """
    name, contract, head = described["neurokit_fm"]["model"], described["contract"], described["head"]
    entry = next((entry for entry in models.entries() if entry.name == name), None)
    paper = entry.paper if entry else ""
    facts = [f"{entry.summary if entry else name}. {parameters:,} parameters.", f"Paper: {paper}." if paper else ""]
    parts = [
        f"# {name}",
        " ".join(filter(None, facts)),
        USE,
        "## Input contract\n\n" + _block(contract),
    ]
    if head is not None:
        named = ", ".join(head["labels"]) or "not named"
        parts.append(f"## Head\n\n{head['n_outputs']} outputs ({named}); pooling: {head['pool']}.")
    if training:
        parts.append("## Training\n\n" + _block(training))
    if evaluation:
        parts.append("## Evaluation\n\n" + "\n\n".join(_measured(data, found) for data, found in evaluation.items()))
    parts.append("## Configuration\n\n" + _block(described["config"]))
    return (
        f"---\n{_metadata(name, contract, paper, licence, training, evaluation)}\n---\n\n" + "\n\n".join(parts) + "\n"
    )


def without_paths(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe as others may read it: without `out`, and with only the last name of this machine's files."""
    values = copy.deepcopy({key: value for key, value in training.items() if key != "out" and value is not None})
    for part in values.get("data", ()):
        for key in ("corpus", "files"):
            if part.get(key):
                part[key] = [Path(name).name for name in part[key]] if key == "files" else Path(part[key]).name
    for place, key in ((values, "init"), (values.get("distil", {}), "teacher")):
        if key in place and Path(place[key]).exists():
            place[key] = Path(place[key]).name
    return values


def _metadata(
    name: str,
    contract: Mapping[str, Any],
    paper: str,
    licence: str,
    training: Mapping[str, Any],
    evaluation: Mapping[str, Mapping[str, Any]],
) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    start = training.get("init")
    base = None
    if start in weights:
        base = getattr(weights.load(str(start)), "repo", None)  # weights that come with a plugin are on no Hub page
    elif start and start.count("/") == 1 and not Path(start).exists():
        base = start.partition("@")[0]
    results = [
        EvalResult(
            task_type="regression" if score.get("metric") == "R2" else "classification",
            task_name=score["protocol"],
            dataset_type=data,
            dataset_name=data,
            metric_type=_metric(score).replace(" ", "_").lower(),
            metric_name=f"{_metric(score)} ({score['method']})",
            metric_value=score["value"],
        )
        for data, found in evaluation.items()
        for score in found["scores"]
    ]
    trained_on = [part["dataset"] for part in training.get("data", ()) if part.get("dataset")]
    known = licence.lower() if " " not in licence else "other"
    card = ModelCardData(
        library_name=LIBRARY,
        license=known or None,
        license_name=licence if known == "other" else None,
        tags=["neuroscience", contract["modality"], name, *([f"arxiv:{paper[6:]}"] if paper[:6] == "arXiv:" else [])],
        base_model=base,
        datasets=trained_on or None,
        model_name=name if results else None,
        eval_results=results or None,
    )
    return card.to_yaml()


def _measured(data: str, found: Mapping[str, Any]) -> str:
    scores = [*found["scores"], *found.get("baselines", ())]
    rows = [
        f"| method | {_metric(scores[0])} | 95% interval | chance | trials (train / test) |",
        "|---|---|---|---|---|",
    ]
    rows += [
        f"| {s['method']} | {s['value']:.3f} | {s['low']:.3f} to {s['high']:.3f} | {s['chance']:.3f} "
        f"| {s['n_train']} / {s['n_test']} |"
        for s in scores
    ]
    protocols = [f"- {s['method']}: {s['protocol']}; seed {s['seed']}" for s in scores]
    return "\n".join([f"### {data}", "", *rows, "", found.get("verdict", ""), "", *protocols])


def _metric(score: Mapping[str, Any]) -> str:
    return str(score.get("metric", "balanced accuracy"))


def _block(values: Mapping[str, Any]) -> str:
    return f"```json\n{json.dumps(values, indent=2)}\n```"
