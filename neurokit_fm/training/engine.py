"""Engine: the one training loop, for a model in memory and for a recipe, in one process and in several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from neurokit_fm.batch.batch import Batch
from neurokit_fm.errors import NkfmError, TrainingError
from neurokit_fm.model import Model
from neurokit_fm.training.averaging import Average
from neurokit_fm.training.checkpoint import Checkpoint, fill, load_optimiser_state, optimiser_state, whole
from neurokit_fm.training.crew import Crew
from neurokit_fm.training.guard import Guard
from neurokit_fm.training.history import Step
from neurokit_fm.training.objective import LossOf, Objective, own_loss, recompute_activations
from neurokit_fm.training.optimisers import OptimiserConfig
from neurokit_fm.training.recipe import TrainConfig
from neurokit_fm.training.sampling import Budget
from neurokit_fm.training.sources import Source, endless


class Engine:
    """Steps of an optimiser on batches of a source, and everything needed to go on later.

    Randomness within a batch (masks, position noise, dropout) is a function of the seed and of the number of the batch
    in the run, counted over steps, accumulation and processes. So there is no random state to save, and `world`
    processes draw the same as one that accumulates `world` batches.

    Parameters
    ----------
    model : Model
        Trained in place; on the crew's device.
    source : Source
        Of this process.
    budget : Budget
        Of the same model, to count tokens.
    settings : TrainConfig
    optimiser : OptimiserConfig
    rate : callable
        Learning rate of a step, counted from 0.
    crew : Crew
    loss : callable
        See `LossOf`.

    Attributes
    ----------
    taken : int
        Steps taken.
    """

    def __init__(
        self,
        model: Model,
        source: Source,
        budget: Budget,
        settings: TrainConfig,
        optimiser: OptimiserConfig,
        rate: Callable[[int], float],
        crew: Crew,
        loss: LossOf = own_loss,
    ):
        self.model, self.source, self.settings, self.rate, self.crew = model, source, settings, rate, crew
        if settings.recompute:
            recompute_activations(model)
        self.budget = budget
        self.spare: Model | None = None
        if crew.sharded:  # shards cannot be run by themselves: a copy counts tokens, is probed and is saved
            self.spare = budget.model = deepcopy(model).requires_grad_(False)
        objective = Objective(model, loss, bf16=settings.precision == "bf16")
        if settings.compile:
            objective.compile(dynamic=True)
        self.objective, self.optimiser = crew.join(objective, optimiser.build)
        self.average = Average(model, settings.ema) if settings.ema else None
        self.guard = Guard(model.name, settings.diverge_factor, settings.diverge_steps)
        self.generator = torch.Generator()
        self.batches = endless(source)
        self.taken = 0

    def run(self, steps: int) -> Iterator[Step]:
        """Take steps until there were so many in all.

        torch's global random state is left as it was, also between two steps.

        Raises
        ------
        TrainingError
            If the data source fails, the loss or the gradient is not finite, or the run diverges. The weights are then
            those of the last good step.
        """
        while self.taken < steps:
            with self._own_random_state():
                step = self._step()
            self.taken += 1
            yield step

    def _step(self) -> Step:
        number, many = self.taken, self.crew.world * self.settings.accumulate > 1
        lr = self.rate(number)
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        self.model.train()
        self.optimiser.zero_grad(set_to_none=True)
        log = Sums()
        for turn in range(self.settings.accumulate):
            batch = self._next(number).to(self.crew.device)
            tokens = self.budget.count(batch)
            share = tokens / self.settings.batch_tokens if many else 1.0
            self._seed(number, turn)
            last = turn == self.settings.accumulate - 1
            with nullcontext() if last else self.crew.hold(self.objective):
                total, parts = self.objective(batch, self.generator)
                (total * share).backward()
            log.add(share, total, parts, windows=len(batch), tokens=tokens)
        found = log.over(self.crew)
        parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        if many:  # each batch counts by its tokens, however they were dealt; processes were averaged already
            grads = [p.grad for p in parameters if p.grad is not None]
            torch._foreach_mul_(grads, self.crew.world / found.share)
        norm = clip_grad_norm_(parameters, self.settings.clip)
        grad_norm = float(self.crew.whole(norm))
        self.guard.check(number, found.total, grad_norm, lr)
        self.optimiser.step()
        if self.average is not None:
            self.average.update(self.model, number)
        return Step(
            number=number,
            total=found.total,
            parts=found.parts,
            lr=lr,
            grad_norm=grad_norm,
            windows=found.windows,
            tokens=found.tokens,
        )

    def _next(self, number: int) -> Batch:
        try:
            return next(self.batches)
        except Exception as err:
            what = str(err) if isinstance(err, NkfmError) else f"{type(err).__name__}: {err}"
            raise TrainingError(f"the data source failed at step {number}: {what}") from err

    def _seed(self, number: int, turn: int) -> None:
        """Seed the randomness of one batch: masks from the generator, dropout from the global state."""
        batch = (number * self.settings.accumulate + turn) * self.crew.world + self.crew.rank
        seed = int(np.random.SeedSequence((self.settings.seed, batch)).generate_state(1, np.uint64)[0] >> 1)
        self.generator.manual_seed(seed)
        torch.manual_seed(seed)

    @contextmanager
    def _own_random_state(self) -> Iterator[None]:
        device = self.crew.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield

    @contextmanager
    def whole_model(self, *, averaged: bool = True) -> Iterator[Model]:
        """Give the model as it is now, or its running average if there is one, whole in every process.

        All processes must enter together. The model must not be kept.
        """
        average = self.average if averaged else None
        if self.spare is None:
            with average.swapped(self.model) if average is not None else nullcontext():
                yield self.model
            return
        tensors = {
            **whole(self.model.state_dict(), self.crew),
            **(whole(average.tensors, self.crew) if average is not None else {}),
        }
        fill(self.spare.state_dict(), tensors, self.crew, "the model")
        yield self.spare

    def checkpoint(self) -> Checkpoint:
        """Return everything a run needs to go on; all processes must call this."""
        tensors, numbers = optimiser_state(self.model, self.optimiser)
        kept = {"model": whole(self.model.state_dict(), self.crew), "optimiser": whole(tensors, self.crew)}
        if self.average is not None:
            kept["average"] = whole(self.average.tensors, self.crew)
        state = {
            "step": self.taken,
            "optimiser": numbers,
            "guard": self.guard.state_dict(),
            "sources": self.crew.gather(dict(self.source.state_dict())),
        }
        return Checkpoint(state=state, tensors=kept)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint.

        Raises
        ------
        WeightsError
            If it is of another model.
        TrainingError
            If another number of processes wrote it, and each had data of its own.
        """
        state, tensors = checkpoint.state, checkpoint.tensors
        fill(self.model.state_dict(), tensors["model"], self.crew, "the model")
        load_optimiser_state(self.model, self.optimiser, tensors["optimiser"], state["optimiser"], self.crew)
        if self.average is not None:
            fill(self.average.tensors, tensors.get("average", {}), self.crew, "the average")
        sources = state["sources"]
        if len(sources) != self.crew.world and any(mine != sources[0] for mine in sources):
            raise TrainingError(
                f"the checkpoint was written by {len(sources)} processes, each with its place in the data; resume with as "
                f"many (there are {self.crew.world} now)"
            )
        self.source.load_state_dict(sources[self.crew.rank if len(sources) == self.crew.world else 0])
        self.batches = endless(self.source)
        self.guard.load_state_dict(state["guard"])
        self.taken = int(state["step"])


class Sums:
    """What the batches of one step add up to."""

    def __init__(self) -> None:
        self.share = self.total = 0.0
        self.windows = self.tokens = 0
        self.parts: dict[str, float] = {}

    def add(self, share: float, total: Tensor, parts: Mapping[str, Tensor], *, windows: int, tokens: int) -> None:
        """Take in a batch."""
        self.share += share
        self.total += share * float(total.detach())
        for name, part in parts.items():
            self.parts[name] = self.parts.get(name, 0.0) + share * float(part)
        self.windows, self.tokens = self.windows + windows, self.tokens + tokens

    def over(self, crew: Crew) -> Sums:
        """Sum over all processes, then turn the loss and its parts into means."""
        names = sorted(self.parts)
        mine = [self.share, self.windows, self.tokens, self.total, *(self.parts[name] for name in names)]
        share, windows, tokens, total, *parts = crew.sum(torch.tensor(mine, dtype=torch.float64)).tolist()
        found = Sums()
        found.share, found.windows, found.tokens, found.total = share, int(windows), int(tokens), total / share
        found.parts = {name: part / share for name, part in zip(names, parts, strict=True)}
        return found
