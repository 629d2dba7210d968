"""`nkfm states`: hidden states of a recording, the model that found them, and a page about both."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neurokit_fm.errors import ConfigError, DataError

if TYPE_CHECKING:
    from neurokit_fm import Recording
    from nkfm_glmhmm.model import States

MODEL = "glm-hmm"
TRIAL_BINS = 500
"""Length of the blocks that are held out when a recording is one long trial."""


@click.command("states")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--model", "ref", default=MODEL, show_default=True, help="glm-hmm to fit one, or a folder with a fitted one."
)
@click.option("--states", "n_states", default=3, show_default=True, type=click.IntRange(1), help="Number of states.")
@click.option("--select", default="", help="Choose the number of states by cross-validation: 1-5.")
@click.option("--prior", default="none", show_default=True, type=click.Choice(["none", "gaussian", "one-hot"]))
@click.option("--family", default="", help="poisson, bernoulli, gaussian, negative-binomial.  [default: by the signal]")
@click.option("--signal", default="", help="Name of the signal, if the recording holds several.")
@click.option("--graph", "graph_name", default="", help="Name of a graph in the recording to use with the couplings.")
@click.option("--graph-as", default="compare", show_default=True, type=click.Choice(["compare", "prior", "mask"]))
@click.option("--bin", "bin_s", default=0.02, show_default=True, type=float, help="Bin width for events, seconds.")
@click.option("--lags", "n_lags", default=5, show_default=True, type=click.IntRange(1), help="History, bins.")
@click.option("--basis", default="exponential", show_default=True,
              type=click.Choice(["exponential", "log-cosine", "linear-cosine", "free", "none"]))  # fmt: skip
@click.option("--stickiness", default=0.0, show_default=True, type=float, help="Prior bins of staying in a state.")
@click.option("--restarts", default=8, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=0, show_default=True, type=int)
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Folder for the model and states.h5.")
@click.option("--report", type=click.Path(path_type=Path), help="HTML page.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def states(
    file: Path,
    ref: str,
    n_states: int,
    select: str,
    prior: str,
    family: str,
    signal: str,
    graph_name: str,
    graph_as: str,
    bin_s: float,
    n_lags: int,
    basis: str,
    stickiness: float,
    restarts: int,
    seed: int,
    out: Path,
    report: Path | None,
    as_json: bool,
) -> None:
    """Fit a switching GLM to a recording (or apply a fitted one) and write its hidden states."""
    from neurokit_fm import Graph, PointsContract, load_model, read
    from nkfm_glmhmm.config import GlmHmmConfig
    from nkfm_glmhmm.model import GlmHmm
    from nkfm_glmhmm.recordings import contract_for

    recording = read(file)
    graph = recording[graph_name] if graph_name else None
    if graph is not None and not isinstance(graph, Graph):
        raise DataError(f"{graph_name!r} is not a graph but a {graph.layout} signal")
    curve = None
    if ref == MODEL:
        contract = contract_for(recording, signal=signal, bin_s=bin_s)
        chosen = family or ("poisson" if isinstance(contract, PointsContract) else "gaussian")
        config = GlmHmmConfig(
            n_states=n_states,
            family=chosen,  # type: ignore[arg-type]
            basis=basis,  # type: ignore[arg-type]
            n_lags=n_lags,
            prior=prior,  # type: ignore[arg-type]
            stickiness=stickiness,
        )
        if select:
            curve = _curve(GlmHmm(config, contract), recording, select, restarts, seed)
            config = replace(config, n_states=curve.fewest)
        model = GlmHmm(config, contract)
        use: dict[str, Any] = {"graph": graph, "graph_as": graph_as} if graph_as != "compare" else {}
        model.fit([recording], restarts=restarts, seed=seed, **use)
    else:
        loaded = load_model(ref)
        if not isinstance(loaded, GlmHmm):
            raise ConfigError(f"{ref} is a {loaded.name}, not a {MODEL}")
        model = loaded
    found = model.states(recording)
    model.save_pretrained(out)
    _write(out / "states.h5", found, str(file))
    if report is not None:
        from nkfm_glmhmm.report import states_report

        line = shlex.join(["nkfm", "states", *sys.argv[2:]])
        facts = [("seed", seed), ("starts", restarts)]
        states_report(report, model, recording, curve=curve, graph=graph, command=line, facts=facts)
    row = {
        "file": str(file),
        "output": str(out),
        "states": model.config.n_states,
        "neurons": len(model.contract.channels),
        "bins": len(found.times),
        "bin_s": found.bin_s,
        "nats_per_bin": round(found.evidence, 6),
        "occupancy": [round(float(p), 4) for p in found.posterior.mean(0)],
    }
    if as_json:
        click.echo(json.dumps(row, indent=2))
        return
    shares = ", ".join(f"{100 * p:.0f} %" for p in found.posterior.mean(0))
    click.echo(f"{file} -> {out}: {row['states']} states ({shares}) of {row['neurons']} neurons, {row['bins']} bins of "
               f"{1e3 * found.bin_s:g} ms, {found.evidence:.4f} nats per bin")  # fmt: skip
    if report is not None:
        click.echo(f"  report: {report}")


def _curve(model: Any, recording: Recording, select: str, restarts: int, seed: int) -> Any:
    """Cross-validate over a range of states, on the recording's stretches or on blocks of them."""
    from nkfm_glmhmm.design import Trials, blocks
    from nkfm_glmhmm.select import select_states

    low, _, high = select.partition("-")
    if not (low.isdigit() and (high or low).isdigit()):
        raise ConfigError(f"--select takes a range such as 1-5; got {select!r}")
    trials = model.trials([recording])
    pieces = []
    for a, b in zip(trials.layout.starts[:-1], trials.layout.starts[1:], strict=True):
        size = min(TRIAL_BINS, max(1, -(-(b - a) // 8)))
        pieces += [trials.x.numpy()[a + f : a + s] for f, s in blocks(int(b - a), int(size))]
    cut = Trials.of(pieces, basis=model.config.kernels())
    return select_states(
        cut, model.config, range(int(low), int(high or low) + 1), folds=4, restarts=min(4, restarts), seed=seed
    )


def _write(path: Path, found: States, source: str) -> None:
    """Write times, posterior and path in the store's container."""
    from neurokit_fm.data.store_file import write_array, writing

    about: dict[str, str | int | float] = {"source": source, "bin_s": found.bin_s, "nats_per_bin": found.evidence}
    with writing(path, "states", needed=found.posterior.nbytes + 2 * found.times.nbytes, attributes=about) as file:
        write_array(file, "times", found.times)
        write_array(file, "posterior", found.posterior)
        write_array(file, "path", found.path)
        write_array(file, "starts", found.starts)
