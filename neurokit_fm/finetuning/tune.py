"""finetune: a copy of a model with a head, trained on labelled trials; predict: what it says about others."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from tqdm import tqdm

from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.config import read_config
from neurokit_fm.contract import SeriesContract
from neurokit_fm.dataset import Dataset
from neurokit_fm.errors import ConfigError, TrainingError
from neurokit_fm.evaluation.outcome import Kind, Outcome, Prediction, measures
from neurokit_fm.finetuning.adapters import add_adapters, parameter_groups
from neurokit_fm.finetuning.config import ADAPTERS, FinetuneConfig, Method
from neurokit_fm.finetuning.data import Labelled, Target, TaskTrainable, hold_out, labelled_trials, mix
from neurokit_fm.heads import HeadConfig
from neurokit_fm.model import Model


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What one pass over the training trials gave.

    Attributes
    ----------
    stage : {"head", "all", "adapters"}
        What was trained.
    number : int
        Within the stage, from 0.
    loss : float
        Mean over the training trials.
    valid : float or None
        Balanced accuracy or R2 of the trials held out.
    lr : float
        Of the model's weights, or of the head where only that learns, at the end.
    best : bool
        Whether this epoch's weights are kept so far.
    """

    stage: str
    number: int
    loss: float
    valid: float | None
    lr: float
    best: bool


def finetune(
    model: Model,
    train: Dataset,
    method: Method = "full",
    *,
    settings: FinetuneConfig | Mapping[str, Any] | None = None,
    valid: Dataset | None = None,
    seed: int = 0,
    progress: bool = False,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Model:
    """Train a copy of a model to predict labels.

    Parameters
    ----------
    model : Model
        Left as it is.
    train : Dataset
        With `label_of` or a `target`; see `split`. A quantity gives a head with one output, joint labels one output each.
    method : {"full", "head", "two-stage", "lora", "dora", "ia3", "adalora", "oft"}
        What learns; see `FinetuneConfig`, whose own `method` gives way to this.
    settings : FinetuneConfig or mapping, optional
        Everything else.
    valid : Dataset, optional
        To choose the best epoch on; default: groups of the training part, see `FinetuneConfig.valid_share`.
    seed : int
        Of the head's weights, dropout, order, mixup and the groups held out.
    progress : bool
        Show a bar.
    on_epoch : callable, optional
        Called after each epoch.

    Returns
    -------
    Model
        In evaluation mode, with its head; `save_pretrained` keeps both, and the names of the outputs.

    Raises
    ------
    ContractError
        If a recording does not fit the model.
    DataError
        If there are too few classes or trials.
    MissingDependency
        If adapters are asked for and peft is not installed.
    TrainingError
        If the loss is no longer finite.

    Notes
    -----
    After the two stages of REVE (arXiv:2510.21585), with what its released script leaves out: the frozen encoder stays in
    evaluation mode, and the second stage starts from the best weights of the first. torch's global random state is left
    as it was.
    """
    config = read_settings(settings, method)
    data = labelled_trials(model, train)
    held = None if valid is None else labelled_trials(model, valid)
    return tune(model, data, held, config, seed=seed, progress=progress, on_epoch=on_epoch)


def tune(
    model: Model,
    data: Labelled,
    held: Labelled | None,
    config: FinetuneConfig,
    *,
    seed: int,
    progress: bool = False,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Model:
    """Fine-tune a copy of a model on trials that are already there; the part of `finetune` that computes."""
    tuned = copy.deepcopy(model)
    if held is None:
        data, held = hold_out(data, config.valid_share, seed)
    target = Target(data, config.balance, config.label_smoothing)
    device = next(tuned.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        tuned.attach_head(_head(tuned, data, target, config)).to(device)
        assert tuned.head is not None
        if config.method in ("head", "two-stage"):
            tuned.requires_grad_(False)
            tuned.head.requires_grad_(True)
            _Stage(tuned, data, held, target, config, "head", seed).run(config.head_epochs, progress, on_epoch)
        if config.method in ("full", "two-stage"):
            tuned.requires_grad_(True)
            _Stage(tuned, data, held, target, config, "all", seed).run(config.epochs, progress, on_epoch)
        if config.method in ADAPTERS:
            steps = config.epochs * math.ceil(len(data) / config.batch)
            stage = _Stage(tuned, data, held, target, config, "adapters", seed)
            stage.tuner = add_adapters(tuned, config, steps)
            stage.run(config.epochs, progress, on_epoch)
            stage.tuner.merge_and_unload()
    target.settle(tuned.head.linear)
    tuned.reference = tuned.name
    tuned.load_report = None
    return tuned.requires_grad_(True).eval()


def predict(model: Model, dataset: Dataset, kind: Kind = "classes", *, batch: int = 64) -> Prediction:
    """Say what a model with a head predicts of each labelled trial of a data set, in order.

    Parameters
    ----------
    model : Model
        With a head.
    dataset : Dataset
    kind : {"classes", "quantity", "labels"}
        What the head's outputs are.
    batch : int
        Trials at once.

    Returns
    -------
    Prediction
        Probabilities of classes or labels, or values.
    """
    return predict_trials(model, labelled_trials(model, dataset), kind, batch)


def read_settings(settings: FinetuneConfig | Mapping[str, Any] | None, method: Method) -> FinetuneConfig:
    """Settings as a config, with the method put in."""
    if isinstance(settings, FinetuneConfig):
        return replace(settings, method=method)
    return read_config(FinetuneConfig, {**(settings or {}), "method": method})


@torch.no_grad()
def _head(model: Model, data: Labelled, target: Target, config: FinetuneConfig) -> HeadConfig:
    modality, device = _modality(model), next(model.parameters()).device
    features = model.eval()(data.batch([0], modality, device))
    if config.pool == "flat" and len({cut.shape for cut in data.cuts}) > 1:
        raise ConfigError("a flat head needs trials of one length and one choice of channels; use pool='attention'")
    return HeadConfig(
        width=features.tokens.shape[2],
        n_outputs=target.n_outputs,
        pool=config.pool,
        n_tokens=features.tokens.shape[1] if config.pool == "flat" else 0,
        dropout=config.dropout,
        labels=target.names,
    )


def _modality(model: Model) -> str:
    assert isinstance(model.contract, SeriesContract)  # `labelled_trials` refuses others
    return model.contract.modality


def predict_trials(model: Model, data: Labelled, kind: Kind, batch: int = 64) -> Prediction:
    """As `predict`, of trials that are already there."""
    device, parts = next(model.parameters()).device, []
    model.eval()
    with torch.inference_mode():
        for first in range(0, len(data), batch):
            rows = range(first, min(first + batch, len(data)))
            parts.append(model.predict(data.batch(rows, _modality(model), device)).double().cpu())
    out = torch.cat(parts)
    assert model.head is not None
    names = model.head.config.labels
    if kind == "quantity":
        return Prediction(names=(), decision=out.numpy())
    return Prediction(
        names=names, decision=(out.softmax(1) if kind == "classes" else out.sigmoid()).numpy(), probability=True
    )


class _Stage:
    """One stage of training: some weights learn, the best epoch is kept."""

    def __init__(
        self,
        model: Model,
        data: Labelled,
        held: Labelled | None,
        target: Target,
        config: FinetuneConfig,
        name: str,
        seed: int,
    ):
        self.model, self.data, self.held, self.target, self.config, self.name = model, data, held, target, config, name
        self.rng = np.random.default_rng((seed, ("head", "all", "adapters").index(name)))
        self.device = next(model.parameters()).device
        self.wanted = target.encode(data.y)
        self.tuner: Any = None

    def run(self, epochs: int, progress: bool, on_epoch: Callable[[Epoch], None] | None) -> None:
        """Train for so many epochs, or until none was better for a while; then put the best weights back."""
        config = self.config
        groups = parameter_groups(self.model, config)
        optimiser = config.optimiser_config.build(groups)  # type: ignore[arg-type]  # groups of parameters
        total = epochs * math.ceil(len(self.data) / config.batch)
        step, since, best = 0, 0, -math.inf
        kept: dict[str, Tensor] = {}
        with tqdm(total=epochs, unit="epoch", desc=self.name, disable=not progress) as bar:
            for number in range(epochs):
                losses = []
                order = self.rng.permutation(len(self.data))
                for first in range(0, len(order), config.batch):
                    share = config.schedule_config.rate(step, lr=1.0, steps=total)
                    for group in optimiser.param_groups:
                        group["lr"] = group["peak"] * share
                    losses.append(self._step(order[first : first + config.batch], optimiser, step))
                    step += 1
                valid = self._valid()
                better = valid is None or valid > best
                if better:
                    best, since = valid if valid is not None else best, 0
                    kept = {n: x.detach().clone() for n, x in self._moving()}
                else:
                    since += 1
                lr = optimiser.param_groups[-1]["lr"]
                loss = float(np.mean(losses))
                if on_epoch is not None:
                    on_epoch(Epoch(stage=self.name, number=number, loss=loss, valid=valid, lr=lr, best=better))
                bar.set_postfix(loss=f"{loss:.3f}", valid="none" if valid is None else f"{valid:.3f}")
                bar.update()
                if since >= config.patience:
                    break
        with torch.no_grad():
            for n, x in self._moving():
                if n in kept:
                    x.copy_(kept[n])

    def _moving(self) -> Iterator[tuple[str, Tensor]]:
        """What an epoch changes: the weights that learn, and buffers, such as running means."""
        yield from ((n, p) for n, p in self.model.named_parameters() if p.requires_grad)
        yield from self.model.named_buffers()

    def _step(self, rows: Any, optimiser: torch.optim.Optimizer, step: int) -> float:
        self.model.train(self.name != "head")
        assert self.model.head is not None
        self.model.head.train()
        modality = _modality(self.model)
        batch, wanted = self.data.batch(rows, modality, self.device), self.wanted[rows].to(self.device)
        if self.config.mixup:
            stream, wanted = mix(batch.the(SeriesStream), wanted, self.config.mixup, self.rng)
            batch = replace(batch, streams={modality: stream})
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.config.precision == "bf16"):
            if self.name != "head" and isinstance(self.model, TaskTrainable):
                loss = self.model.task_loss(batch, wanted, loss=self.target.loss).total
            else:
                loss = self.target.loss(self.model.predict(batch), wanted)
        if self.name == "adapters" and self.config.method == "adalora":
            loss = loss + self._orthogonal()
        if not bool(torch.isfinite(loss)):
            raise TrainingError(f"the loss is {float(loss)} at step {step}; lower lr (now {self.config.lr:g}) or clip")
        loss.backward()  # type: ignore[no-untyped-call]  # torch
        clip_grad_norm_([p for group in optimiser.param_groups for p in group["params"]], self.config.clip)
        optimiser.step()
        if self.config.method == "adalora" and self.tuner is not None:
            self.tuner.update_and_allocate(step)
        return float(loss.detach())

    def _orthogonal(self) -> Tensor:
        """AdaLoRA's penalty that keeps both factors orthogonal (arXiv:2303.10512, equation 4), with its weight of 0.5."""
        total, count = torch.zeros((), device=self.device), 0
        for name, p in self.model.named_parameters():
            if "lora_A" in name or "lora_B" in name:
                product = p @ p.T if "lora_A" in name else p.T @ p
                total = total + (product - torch.eye(len(product), device=p.device)).norm()
                count += 1
        return 0.5 * total / max(1, count)

    def _valid(self) -> float | None:
        if self.held is None:
            return None
        kind, held = self.target.kind, self.held
        said = predict_trials(self.model, held, kind, 2 * self.config.batch)
        if kind == "quantity":
            said = replace(said, decision=said.decision * self.target.scale + self.target.mean)
        outcome = Outcome.of(kind, held.y, said, held.groups, held.units)
        return float(measures(outcome, np.ones((1, len(outcome))))[outcome.metric][0])
