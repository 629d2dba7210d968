"""pretrain: a self-supervised model on recordings in memory, or a whole recipe; both drive the same engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import overload

import numpy as np
import torch
from tqdm import tqdm

from neurokit_fm.data.recording import Recording
from neurokit_fm.errors import ConfigError
from neurokit_fm.model import Model
from neurokit_fm.training.crew import Alone
from neurokit_fm.training.engine import Engine
from neurokit_fm.training.history import History, Step
from neurokit_fm.training.objective import own_loss, trainable
from neurokit_fm.training.optimisers import OptimiserConfig
from neurokit_fm.training.recipe import Recipe, TrainConfig, read_recipe
from neurokit_fm.training.run import carry_out
from neurokit_fm.training.sampling import Budget, Cut, Sampler
from neurokit_fm.training.schedules import trapezoid
from neurokit_fm.training.sources import WindowSource, pools


@overload
def pretrain(
    model: Model,
    recordings: Sequence[Recording],
    *,
    steps: int,
    batch_tokens: int = 4096,
    lr: float = 1e-3,
    warmup: float = 0.1,
    cooldown: float = 0.1,
    weight_decay: float = 0.01,
    grad_clip: float = 5.0,
    window_s: float | None = None,
    held_out_s: float = 0.0,
    seed: int = 0,
    progress: bool = False,
    on_step: Callable[[Step], None] | None = None,
) -> History: ...


@overload
def pretrain(
    model: Recipe | str | os.PathLike[str],
    *,
    progress: bool = False,
    on_step: Callable[[Step], None] | None = None,
) -> History: ...


def pretrain(
    model: Model | Recipe | str | os.PathLike[str],
    recordings: Sequence[Recording] | None = None,
    *,
    steps: int | None = None,
    batch_tokens: int = 4096,
    lr: float = 1e-3,
    warmup: float = 0.1,
    cooldown: float = 0.1,
    weight_decay: float = 0.01,
    grad_clip: float = 5.0,
    window_s: float | None = None,
    held_out_s: float = 0.0,
    seed: int = 0,
    progress: bool = False,
    on_step: Callable[[Step], None] | None = None,
) -> History:
    """Train a model in place on random windows of recordings, or carry out a recipe.

    The model's contract is applied to each recording once. Windows are drawn uniformly over time from all recordings,
    never across a break, until a batch holds `batch_tokens` tokens; recordings of different channel counts share
    batches. The optimiser is StableAdamW; one trapezoid of learning rates spans the whole run.

    Parameters
    ----------
    model : Model, Recipe or path-like
        With a self-supervised `loss` and a series contract; trained where it is, in its dtype. Or a recipe, or its TOML
        file: then everything but `progress` and `on_step` is said there, and the run resumes where it stopped.
    recordings : sequence of Recording
    steps : int
    batch_tokens : int
        Tokens of a batch at most; one window always goes.
    lr : float
        Peak learning rate; the run starts at a hundredth and ends at a thousandth of it.
    warmup, cooldown : float
        Shares of the run.
    weight_decay : float
    grad_clip : float
        Largest norm of the gradient over all parameters; `math.inf` = no clipping.
    window_s : float, seconds, optional
        Default: the contract's. A run shorter than that, but not than the contract's shortest window, is used whole.
    held_out_s : float, seconds
        The last so many seconds of each recording are not trained on, and the loss there is measured before and after.
        Normalisation and filters of the contract still see them, as they see every recording to be embedded.
    seed : int
        Of windows, masks and dropout. The same seed gives the same run on the same machine; torch's global random
        state is left as it was.
    progress : bool
        Show a bar.
    on_step : callable, optional
        Called with every Step.

    Returns
    -------
    History

    Raises
    ------
    ConfigError
        If the model has no objective, or a setting is out of range.
    ContractError
        If a recording does not fit the model.
    DataError
        If there is nothing to train on.
    TrainingError
        If a loss or gradient is not finite, or the run diverges. The weights are then those of the last good step.

    Notes
    -----
    Source: settings of REVE, arXiv:2510.21585, which repeats the trapezoid every epoch and keeps batches homogeneous
    in channel count; here windows are drawn without epochs, and packing makes mixed batches as cheap.
    """
    if not isinstance(model, Model):
        if recordings is not None or steps is not None:
            raise ConfigError("a recipe says itself what to train on and for how many steps")
        recipe = model if isinstance(model, Recipe) else read_recipe(model)
        return carry_out(recipe, progress=progress, on_step=on_step)
    if recordings is None or steps is None:
        raise ConfigError("training a model takes recordings and a number of steps")
    contract = trainable(model)
    if min(steps, batch_tokens) < 1 or min(lr, grad_clip) <= 0 or held_out_s < 0:
        raise ConfigError(
            "steps, batch_tokens, lr and grad_clip must be positive and held_out_s not negative; "
            f"got {steps}, {batch_tokens}, {lr:g}, {grad_clip:g} and {held_out_s:g} s"
        )
    window_s = contract.window_s if window_s is None else window_s
    if window_s < contract.min_window_s:
        raise ConfigError(f"window_s={window_s:g} s is below the {contract.min_window_s:g} s that give a token")
    pool, held = pools(contract, recordings, window_s, held_out_s)
    budget = Budget(model, contract.modality, batch_tokens)
    sampler = Sampler(pool, round(window_s * contract.sfreq), np.random.default_rng(seed))

    def rate(step: int) -> float:
        return trapezoid(
            step,
            total=steps,
            peak=lr,
            warmup=int(warmup * steps),
            cooldown=int(cooldown * steps),
            start=lr / 100,
            end=lr / 1000,
        )

    was_training = model.training
    engine = Engine(
        model,
        WindowSource(sampler, budget),
        budget,
        TrainConfig(steps=steps, batch_tokens=batch_tokens, clip=grad_clip, seed=seed),
        OptimiserConfig(lr=lr, weight_decay=weight_decay),
        rate,
        Alone(budget.device),
    )
    before = held_out_loss(model, budget, held)
    log: list[Step] = []
    for step in tqdm(engine.run(steps), total=steps, unit="step", disable=not progress):
        log.append(step)
        if on_step is not None:
            on_step(step)
    after = held_out_loss(model, budget, held)
    model.train(was_training)
    return History(steps=tuple(log), held_out_start=before, held_out_end=after)


def held_out_loss(model: Model, budget: Budget, held: Sequence[Cut]) -> float | None:
    """Mean loss over windows, in evaluation mode, weighted by tokens; None if there are none."""
    if not held:
        return None
    model.eval()
    generator = torch.Generator().manual_seed(0)
    total, tokens = 0.0, 0
    with torch.no_grad():
        for cuts in budget.split(held):
            weight = sum(map(budget.tokens, cuts))
            total += weight * float(own_loss(model, budget.batch(cuts), generator).total)
            tokens += weight
    return total / tokens
