"""`nkfm wormgraph`: forecast a worm's activity, compare it with its wiring, and write a page about both."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neurokit_fm.errors import ConfigError, DataError

if TYPE_CHECKING:
    from neurokit_fm import Model, SeriesContract

MODELS = ("linear", "linear-coupled", "rnn", "transformer", "wired")


@click.command("wormgraph")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--models", default="linear,linear-coupled,rnn,wired,transformer", show_default=True, help="Beside persistence.")  # fmt: skip
@click.option(
    "--share", default=0.6, show_default=True, type=click.FloatRange(0.1, 0.9), help="Of the time, to train on."
)
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--steps", default=200, show_default=True, type=click.IntRange(1), help="Of training, at most.")
@click.option("--limit", "limit_s", default=110.0, show_default=True, help="Seconds a training run may take.")
@click.option("--horizons", default="2,5,10", show_default=True, help="Further steps ahead to score; empty for none.")
@click.option("--draws", default=200, show_default=True, type=click.IntRange(1), help="Rewired graphs for each null.")
@click.option(
    "--graph", "graph_name", default="connectome", show_default=True, help="Name of the graph in the recording."
)
@click.option("--save", type=click.Path(path_type=Path), help="Folder for the best model.")
@click.option("--report", type=click.Path(path_type=Path), help="HTML page.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def wormgraph(
    file: Path,
    models: str,
    share: float,
    seeds: int,
    steps: int,
    limit_s: float,
    horizons: str,
    draws: int,
    graph_name: str,
    save: Path | None,
    report: Path | None,
    as_json: bool,
) -> None:
    """Forecast the activity of a stored worm on held-out time and compare it with its connectome."""
    import torch

    from neurokit_fm import Graph, read
    from nkfm_wormgraph.evaluate import compare, contract_for, split_in_time
    from nkfm_wormgraph.population import graph_of
    from nkfm_wormgraph.report import Findings, verdict, worm_report
    from nkfm_wormgraph.structure import MEASURES, agreement, coupling, functional_agreement
    from nkfm_wormgraph.training import TrainingPlan, train

    wanted = [name for name in models.split(",") if name]
    unknown = [name for name in wanted if name not in MODELS]
    if unknown:
        raise ConfigError(f"no model {', '.join(unknown)}; known: {', '.join(MODELS)}")
    far = [int(h) for h in horizons.split(",") if h]
    recording = read(file)
    graph = recording[graph_name]
    if not isinstance(graph, Graph):
        raise DataError(f"{graph_name!r} is not a graph but a {graph.layout} signal")
    first, later = split_in_time(recording, share)
    plan = TrainingPlan(steps=steps, limit_s=limit_s)
    makers = {"persistence": _maker("persistence"), "linear": _maker("linear")} | {n: _maker(n) for n in wanted}
    skills = compare(makers, [first], [later], reference="linear", seeds=range(seeds), plan=plan, horizons=far)
    found = coupling(recording)
    kinds = [k for i, k in enumerate(graph.kinds) if (graph.kind == i).any()]
    agreements = [
        agreement(found, graph, connectome=graph_name, kind=kind, measure=measure, draws=draws)
        for kind in kinds
        for measure in MEASURES
    ]
    atlas = graph_of("randi2023")
    agreements += [agreement(found, atlas, connectome="randi2023", kind="functional", measure=m, draws=draws) for m in MEASURES]  # fmt: skip
    findings = Findings(
        skills=skills,
        reference="linear",
        share=share,
        agreements=agreements,
        functional=functional_agreement(found, atlas, graph),
    )
    if save is not None:
        best = max(skills, key=lambda r: r.mean)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = makers[best.name](contract_for(first, window=plan.window))
        train(model, [first], plan, seed=0)
        model.save_pretrained(save)
    if report is not None:
        line = shlex.join(["nkfm", "wormgraph", *sys.argv[2:]])
        worm_report(
            report, recording, graph, findings, command=line, facts=[("seeds", seeds), ("rewired graphs", draws)]
        )
    if as_json:
        click.echo(json.dumps(_plain(findings), indent=2))
        return
    click.echo(f"{'model':16} {'skill':>7}  95 %               gain over linear  95 %                 s")
    for r in skills:
        click.echo(f"{r.name:16} {r.mean:7.4f}  {r.interval[0]:7.4f} {r.interval[1]:7.4f}    {r.gain[0]:+.4f}  {r.gain[1]:+.4f} {r.gain[2]:+.4f}  {r.trained.seconds:6.1f}")  # fmt: skip
    for text in verdict(findings):
        click.echo(text)
    click.echo(f"{'edges':28} {'coupling':12} rank    null means (p): degree, space, labels")
    for a in agreements:
        nulls = "  ".join(f"{mean:+.3f} ({p:.3f})" for mean, _, p in a.nulls.values())
        click.echo(f"{a.connectome + ' ' + a.kind:28} {a.measure:12} {a.rank:+.3f}  {nulls}")
    if report is not None:
        click.echo(f"  report: {report}")


def _maker(name: str) -> Callable[[SeriesContract], Model]:
    from nkfm_wormgraph import config as c
    from nkfm_wormgraph.linear import WormLinear, WormPersistence
    from nkfm_wormgraph.recurrent import WormRecurrent
    from nkfm_wormgraph.transformer import WormTransformer
    from nkfm_wormgraph.wired import WormWired

    hide = c.ForecastConfig(hide=0.2)
    made: dict[str, Callable[[SeriesContract], Model]] = {
        "persistence": lambda k: WormPersistence(c.PersistenceConfig(), k),
        "linear": lambda k: WormLinear(c.LinearConfig(), k),
        "linear-coupled": lambda k: WormLinear(c.LinearConfig(coupling="full"), k),
        "rnn": lambda k: WormRecurrent(c.RecurrentConfig(width=64, forecast=hide), k),
        "transformer": lambda k: WormTransformer(c.TransformerConfig(forecast=hide), k),
        "wired": lambda k: WormWired(c.WiredConfig(), k),
    }
    return made[name]


def _plain(found: Any) -> dict[str, Any]:
    return {
        "models": [
            {
                "name": r.name, "skill": r.mean, "interval": r.interval, "per_seed": r.per_seed.tolist(),
                "gain_over_linear": r.gain, "horizons": dict(r.horizons), "seconds": r.trained.seconds,
            }
            for r in found.skills
        ],
        "structure": [
            {
                "connectome": a.connectome, "kind": a.kind, "measure": a.measure, "pairs": a.pairs, "edges": a.edges,
                "spearman": a.rank, "roc_area": a.area, "nulls": dict(a.nulls),
            }
            for a in found.agreements
        ],
        "functional_atlas": dict(found.functional),
    }  # fmt: skip
