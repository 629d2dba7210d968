"""pretrain: a self-supervised model, recordings in memory, one process.

Not here: recipes in files, checkpoints to resume from, several processes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn.utils import clip_grad_norm_
from tqdm import tqdm

from neurokit_fm.batch.batch import Batch
from neurokit_fm.contract import SeriesContract
from neurokit_fm.data.recording import Recording
from neurokit_fm.errors import ConfigError, DataError
from neurokit_fm.model import Loss, Model, Pretrainable
from neurokit_fm.training.history import History, Step
from neurokit_fm.training.sampling import Budget, Cut, Sampler, stretches, tile
from neurokit_fm.training.schedules import trapezoid
from neurokit_fm.training.stable_adamw import StableAdamW


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
) -> History:
    """Train a model in place on random windows of recordings.

    The model's contract is applied to each recording once. Windows are drawn uniformly over time from all recordings,
    never across a break, until a batch holds `batch_tokens` tokens; recordings of different channel counts share
    batches. The optimiser is StableAdamW; one trapezoid of learning rates spans the whole run.

    Parameters
    ----------
    model : Model
        With a self-supervised `loss` and a series contract; trained where it is, in its dtype.
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
        If the model has no objective, a setting is out of range, or a loss or gradient is not finite. The weights are
        then those of the last good step.
    ContractError
        If a recording does not fit the model.
    DataError
        If there is nothing to train on.

    Notes
    -----
    Source: settings of REVE, arXiv:2510.21585, which repeats the trapezoid every epoch and keeps batches homogeneous
    in channel count; here windows are drawn without epochs, and packing makes mixed batches as cheap.
    """
    contract = model.contract
    if not isinstance(model, Pretrainable):
        raise ConfigError(f"{model.name} has no self-supervised loss; train a model that has one, such as 'mae'")
    if not isinstance(contract, SeriesContract):
        raise ConfigError(f"pretrain takes models of sampled signals; {model.name} has a {contract.layout} contract")
    if min(steps, batch_tokens) < 1 or min(lr, grad_clip) <= 0 or held_out_s < 0:
        raise ConfigError(
            "steps, batch_tokens, lr and grad_clip must be positive and held_out_s not negative; "
            f"got {steps}, {batch_tokens}, {lr:g}, {grad_clip:g} and {held_out_s:g} s"
        )
    window_s = contract.window_s if window_s is None else window_s
    if window_s < contract.min_window_s:
        raise ConfigError(f"window_s={window_s:g} s is below the {contract.min_window_s:g} s that give a token")
    pool, held = _pools(contract, recordings, window_s, held_out_s)
    budget = Budget(model, contract.modality, batch_tokens)
    sampler = Sampler(pool, round(window_s * contract.sfreq), np.random.default_rng(seed))
    generator = torch.Generator().manual_seed(seed)
    optimiser = StableAdamW([p for p in model.parameters() if p.requires_grad], lr, weight_decay=weight_decay)
    log: list[Step] = []
    was_training = model.training
    with torch.random.fork_rng(devices=[budget.device] if budget.device.type == "cuda" else []):
        torch.manual_seed(seed)  # dropout draws from the global state
        before = _held_out_loss(model, budget, held)
        batches = budget.split(sampler)
        for number in tqdm(range(steps), unit="step", disable=not progress):
            rate = trapezoid(
                number,
                total=steps,
                peak=lr,
                warmup=int(warmup * steps),
                cooldown=int(cooldown * steps),
                start=lr / 100,
                end=lr / 1000,
            )
            log.append(_step(model, optimiser, budget, next(batches), generator, rate, grad_clip, log))
            if on_step is not None:
                on_step(log[-1])
        after = _held_out_loss(model, budget, held)
    model.train(was_training)
    return History(steps=tuple(log), held_out_start=before, held_out_end=after)


def _pools(
    contract: SeriesContract, recordings: Sequence[Recording], window_s: float, held_out_s: float
) -> tuple[list[Cut], list[Cut]]:
    """Stretches to draw from, and held-out windows, of all recordings."""
    length, shortest = round(window_s * contract.sfreq), round(contract.min_window_s * contract.sfreq)
    pool: list[Cut] = []
    held: list[Cut] = []
    for recording in recordings:
        _, series = contract.apply(recording).series(contract.modality)
        border = max(0, series.n_samples - round(held_out_s * contract.sfreq))
        mine, kept = stretches(series, shortest, 0, border), stretches(series, shortest, border)
        if not mine or (held_out_s and not kept):
            raise DataError(
                f"{recording.title}: {series.duration:g} s with held_out_s={held_out_s:g} s leave no stretch of "
                f"{contract.min_window_s:g} s to {'hold out' if mine else 'train on'}; hold out {'more' if mine else 'less'}"
            )
        pool += mine
        held += [window for stretch in kept for window in tile(stretch, length)]
    if not pool:
        raise DataError("there are no recordings to train on")
    return pool, held


def _step(
    model: Model,
    optimiser: StableAdamW,
    budget: Budget,
    cuts: list[Cut],
    generator: torch.Generator,
    rate: float,
    grad_clip: float,
    log: Sequence[Step],
) -> Step:
    """Take one optimiser step on a batch, unless something is not finite."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    model.train()
    optimiser.zero_grad(set_to_none=True)
    loss = _loss(model, budget.batch(cuts), generator)
    loss.total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    norm = clip_grad_norm_([p for group in optimiser.param_groups for p in group["params"]], grad_clip)
    step = Step(
        number=len(log),
        total=float(loss.total.detach()),
        parts={name: float(part.detach()) for name, part in loss.parts.items()},
        lr=rate,
        grad_norm=float(norm),
        windows=len(cuts),
        tokens=sum(map(budget.tokens, cuts)),
    )
    if not math.isfinite(step.total) or not math.isfinite(step.grad_norm):
        what = "gradient" if math.isfinite(step.total) else "loss"
        last = f"the last good loss was {log[-1].total:g} at step {log[-1].number}" if log else "no step was good"
        raise ConfigError(
            f"the {what} of {model.name} is not finite at step {step.number} (loss {step.total:g}, gradient norm "
            f"{step.grad_norm:g}, lr {rate:g}); {last}, and the model holds its weights. Try a lower lr or a longer warm-up."
        )
    optimiser.step()
    return step


def _held_out_loss(model: Model, budget: Budget, held: Sequence[Cut]) -> float | None:
    """Mean loss over windows, in evaluation mode, weighted by tokens; None if there are none."""
    if not held:
        return None
    model.eval()
    generator = torch.Generator().manual_seed(0)
    total, tokens = 0.0, 0
    with torch.no_grad():
        for cuts in budget.split(held):
            weight = sum(map(budget.tokens, cuts))
            total += weight * float(_loss(model, budget.batch(cuts), generator).total)
            tokens += weight
    return total / tokens


def _loss(model: Model, batch: Batch, generator: torch.Generator) -> Loss:
    assert isinstance(model, Pretrainable)
    return model.loss(batch, generator=generator)
