"""carry_out: a recipe from its first line to the saved model, and from wherever it was stopped."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from tqdm import tqdm

from neurokit_fm import __version__
from neurokit_fm.config import read_config, write_config
from neurokit_fm.contract import SeriesContract, read_contract
from neurokit_fm.corpus.batches import Batches
from neurokit_fm.corpus.corpus import Corpus
from neurokit_fm.data.atomic import only_one
from neurokit_fm.data.recording import Recording
from neurokit_fm.dataset import Dataset
from neurokit_fm.errors import ConfigError, TrainingError
from neurokit_fm.hub import load_model
from neurokit_fm.hub.folder import Evaluation
from neurokit_fm.model import Model
from neurokit_fm.reading import find_recordings, read
from neurokit_fm.registry import datasets, models
from neurokit_fm.splits import split
from neurokit_fm.training import checkpoint as checkpoints
from neurokit_fm.training.crew import Crew, crew_for
from neurokit_fm.training.distillation import SelfDistillation
from neurokit_fm.training.engine import Engine
from neurokit_fm.training.history import History, Step
from neurokit_fm.training.journal import Journal, read_steps
from neurokit_fm.training.objective import LossOf, own_loss, trainable
from neurokit_fm.training.recipe import DataConfig, EvaluateConfig, Recipe
from neurokit_fm.training.sampling import Budget, Cut, Sampler
from neurokit_fm.training.sources import Mixture, Source, WindowSource, pools

logger = logging.getLogger(__name__)

MAY_CHANGE = re.compile(
    r"(out|log_every|save_every|keep|tensorboard|evaluate|schedule|train\.(steps|accumulate|device))(\.|$)"
)
"""Settings with which a run may go on although it began with others; `accumulate`, so that it can move to another number
of processes."""


def carry_out(
    recipe: Recipe,
    *,
    resume: Literal["auto", "no"] = "auto",
    progress: bool = False,
    on_step: Callable[[Step], None] | None = None,
) -> History:
    """Carry out a recipe, alone or as one of the processes that `accelerate launch` started.

    The folder ``recipe.out`` then holds ``log.jsonl``, ``checkpoints/step-*`` and the trained ``model``.

    Parameters
    ----------
    recipe : Recipe
    resume : {"auto", "no"}
        Go on from the newest checkpoint if there is one; or insist on a new run.
    progress : bool
        Show a bar.
    on_step : callable, optional
        Called with every Step taken now, in every process.

    Returns
    -------
    History
        Of the logged steps, those before a resumption included.

    Raises
    ------
    ConfigError
        If the recipe cannot be carried out, or the folder holds another run.
    StoreError
        If another process is training there.
    TrainingError
        If the run cannot go on. The last good checkpoint is intact.
    """
    out, steps = Path(recipe.out), recipe.train.steps
    _last(out, recipe, resume)  # says what does not fit before anything is loaded
    crew = crew_for(recipe.train.device)
    engine = build(recipe, crew)
    measured: dict[str, Evaluation] = {}
    with ExitStack() as stack:
        if crew.rank == 0:
            stack.enter_context(only_one(out, "training"))
        last = _last(out, recipe, resume)
        if last is not None:
            engine.restore(last)
        crew.wait()
        journal = stack.enter_context(_journal(out, recipe, last, crew)) if crew.rank == 0 else None
        began = time.monotonic()
        bar = stack.enter_context(
            tqdm(total=steps, initial=engine.taken, unit="step", disable=not progress or crew.rank > 0)
        )
        for step in _explained(engine, out, steps):
            if journal is not None and step.number % recipe.log_every == 0:
                journal.step(step, time.monotonic() - began)
            if on_step is not None:
                on_step(step)
            bar.update()
            bar.set_postfix(loss=f"{step.total:.4g}", refresh=False)
            if recipe.evaluate is not None and (engine.taken % recipe.evaluate.every == 0 or engine.taken == steps):
                measured[recipe.evaluate.dataset] = _evaluate(engine, recipe, recipe.evaluate, journal)
            if engine.taken % recipe.save_every == 0 or engine.taken == steps:
                _save(engine, out, recipe, journal)
        _finish(engine, out, recipe, measured, crew)
    return History(steps=read_steps(out / "log.jsonl"))


def build(recipe: Recipe, crew: Crew) -> Engine:
    """Make everything a recipe names, ready for its first step.

    Raises
    ------
    ConfigError
        If the model has no objective.
    ContractError
        If a recording does not fit the model.
    DataError
        If there is nothing to train on.
    """
    model = _model(recipe)
    contract = trainable(model)
    model = model.to(crew.device)
    budget = Budget(model, contract.modality, recipe.train.batch_tokens)
    loss: LossOf = own_loss
    if recipe.distil is not None:
        teacher = load_model(recipe.distil.teacher)
        if teacher.contract != contract:
            raise ConfigError(
                f"the teacher {recipe.distil.teacher} was trained on another input than {model.reference}"
            )
        loss = SelfDistillation(teacher.to(crew.device), recipe.distil.weight)
    steps, lr = recipe.train.steps, recipe.optimiser.lr

    def rate(step: int) -> float:
        return recipe.schedule.rate(step, lr=lr, steps=steps)

    source = _source(recipe, contract, budget, crew)
    return Engine(model, source, budget, recipe.train, recipe.optimiser, rate, crew, loss)


def _model(recipe: Recipe) -> Model:
    if recipe.init is not None:
        return load_model(recipe.init)
    assert recipe.model is not None  # a recipe checks this
    assert recipe.contract is not None
    config = dict(recipe.model)
    if "name" not in config:
        raise ConfigError(f"[model] needs a 'name' (`nkfm list models`); got {', '.join(config) or 'nothing'}")
    cls = models.load(config.pop("name"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.train.seed)
        model: Model = cls(read_config(cls.config_class, config), read_contract(recipe.contract))
    return model


def _source(recipe: Recipe, contract: SeriesContract, budget: Budget, crew: Crew) -> Source:
    """Windows of recordings in memory, batches of corpora, or both by turns."""
    settings = recipe.train
    window_s = contract.window_s if settings.window_s is None else settings.window_s
    if window_s < contract.min_window_s:
        raise ConfigError(f"window_s={window_s:g} s is below the {contract.min_window_s:g} s that give a token")
    stored = [part for part in recipe.data if part.corpus]
    loaded = [part for part in recipe.data if not part.corpus]
    sources: list[Source] = []
    if loaded:
        pool: list[Cut] = []
        weights: list[float] = []
        for part in loaded:
            cuts, _ = pools(contract, list(_recordings(part, settings.seed)), window_s)
            pool += cuts
            weights += [part.weight / sum(cut.last - cut.first for cut in cuts)] * len(cuts)
        rng = np.random.default_rng(settings.seed)
        sampler = Sampler(pool, round(window_s * contract.sfreq), rng, weights)
        sources.append(WindowSource(sampler, budget, crew.rank, crew.world))
    if stored:
        sources.append(_corpora(recipe, stored, contract, budget, crew))
    if len(sources) == 1:
        return sources[0]
    return Mixture(sources, [sum(part.weight for part in parts) for parts in (loaded, stored)], settings.seed)


def _corpora(recipe: Recipe, parts: list[DataConfig], contract: SeriesContract, budget: Budget, crew: Crew) -> Source:
    corpora = [Corpus(part.corpus) for part in parts]
    for corpus in corpora:
        if corpus.contract != contract:
            odd = [n for n in vars(contract) if getattr(contract, n) != getattr(corpus.contract, n)]
            raise ConfigError(f"{corpus.path} was prepared after another contract ({', '.join(odd)}); prepare it again")
    return Batches(
        corpora,
        weights=[part.weight for part in parts] if len(parts) > 1 else None,
        batch_tokens=budget.limit,
        tokens_of=budget.tokens_of,
        seed=recipe.train.seed,
        rank=crew.rank,
        world=crew.world,
        mixed=recipe.train.mixed,
    )


def recordings_of(part: DataConfig, seed: int) -> Dataset:
    """Return the data set of a part of the mixture, only what may be trained on."""
    whole = _dataset(part.dataset, part)
    return split(whole, by=part.split, test_size=part.test_size, seed=seed)[0] if part.split else whole


def _recordings(part: DataConfig, seed: int) -> Iterable[Recording]:
    return (read(file) for file in find_recordings(part.files)) if part.files else recordings_of(part, seed)


def _dataset(name: str, part: DataConfig | EvaluateConfig) -> Dataset:
    made: Dataset = datasets.load(name)(**part.settings)
    return made


def _last(out: Path, recipe: Recipe, resume: str) -> checkpoints.Checkpoint | None:
    """Return the checkpoint to go on from, after comparing its recipe with this one."""
    if resume not in ("auto", "no"):
        raise ConfigError(f"resume must be 'auto' or 'no'; got {resume!r}")
    folder = out / "checkpoints"
    if resume == "no" and checkpoints.found(folder):
        raise ConfigError(f"{out} holds a run already; resume it, remove it, or choose another out")
    last = checkpoints.newest(folder)
    if last is None:
        return None
    before, now = last.state["recipe"], json.loads(json.dumps(write_config(recipe)))
    changed = [
        f"{key}: {_flat(before).get(key)!r} -> {_flat(now).get(key)!r}"
        for key in sorted({*_flat(before), *_flat(now)})
        if _flat(before).get(key) != _flat(now).get(key) and not MAY_CHANGE.match(key)
    ]
    if changed:
        lines = "\n".join(f"  - {line}" for line in changed)
        raise ConfigError(f"{out} holds a run of another recipe; choose another out, or undo the changes:\n{lines}")
    return last


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Nested tables as dotted keys."""
    if isinstance(values, dict):
        return {k: v for name, value in values.items() for k, v in _flat(value, f"{prefix}{name}.").items()}
    return {prefix.removesuffix("."): values}


def _journal(out: Path, recipe: Recipe, last: checkpoints.Checkpoint | None, crew: Crew) -> Journal:
    """Open the log where the run goes on."""
    journal = Journal(out, 0 if last is None else last.state["log_bytes"], tensorboard=recipe.tensorboard)
    if last is None:
        journal.write("start", version=__version__, recipe=write_config(recipe), **crew.about)
    else:
        journal.write("resume", step=last.state["step"], **crew.about)
    return journal


def _explained(engine: Engine, out: Path, steps: int) -> Iterable[Step]:
    """Take the steps; a failure names the checkpoint to go back to."""
    try:
        yield from engine.run(steps)
    except TrainingError as err:
        saved = max(checkpoints.found(out / "checkpoints"), default=None)
        where = f"the last good checkpoint is {saved[1]}" if saved else "no checkpoint had been written yet"
        raise TrainingError(f"{err} ({where})") from err


def _evaluate(engine: Engine, recipe: Recipe, config: EvaluateConfig, journal: Journal | None) -> Evaluation:
    """Probe the model as it is now, in all processes, so that none waits for another."""
    from neurokit_fm.probing import probe  # which imports this package to cut its windows

    seed = recipe.train.seed
    train, test = split(_dataset(config.dataset, config), by=config.split, test_size=config.test_size, seed=seed)
    with engine.whole_model() as model, torch.random.fork_rng(devices=[]):
        report = probe(model, train, test, config.head, config.features, seed=seed)
    if journal is not None:
        (score,) = report.scores
        values = {name: getattr(score, name) for name in ("value", "low", "high", "chance", "p_value", "n_test")}
        journal.write("probe", step=engine.taken, dataset=config.dataset, **values)
        if journal.board is not None:
            journal.board.add_scalar("probe", score.value, engine.taken)
    return report


def _save(engine: Engine, out: Path, recipe: Recipe, journal: Journal | None) -> None:
    """Write a checkpoint, unless the run is on its way up and away."""
    if engine.guard.above:
        logger.warning("no checkpoint at step %d: the gradient is far above its median", engine.taken)
        return
    made = engine.checkpoint()
    if journal is not None:
        state = {**made.state, "recipe": write_config(recipe), "log_bytes": journal.size, "saved_with": __version__}
        checkpoints.save(out / "checkpoints", replace(made, state=state), recipe.keep)
    engine.crew.wait()


def _finish(engine: Engine, out: Path, recipe: Recipe, measured: Mapping[str, Evaluation], crew: Crew) -> None:
    """Save the model, or its running average, with what it was trained on and the last probe of it."""
    with engine.whole_model() as model:
        if crew.rank == 0:
            model.reference = model.name
            model.save_pretrained(out / "model", training=write_config(recipe), evaluation=measured)
    crew.wait()
