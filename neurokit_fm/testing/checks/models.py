"""Rules for models."""

from __future__ import annotations

import copy
import json
import re
import tempfile
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from neurokit_fm.batch.batch import Batch
from neurokit_fm.contract import SeriesContract
from neurokit_fm.contract.base import read_contract, write_contract
from neurokit_fm.errors import NkfmError
from neurokit_fm.hub import load_model
from neurokit_fm.model import Fittable, Model, Pretrainable
from neurokit_fm.testing.checks.check import Broken, Case, CheckSkipped, Rule, expect
from neurokit_fm.testing.checks.inputs import (
    CLOSE,
    LAYOUT,
    Inputs,
    deviation,
    difference,
    filled,
    finite,
    over,
    permuted,
    seeded,
    untouched,
)
from neurokit_fm.testing.checks.parts import check_class, check_config, check_size, example_config
from neurokit_fm.testing.checks.tokenizers import same_tokens
from neurokit_fm.tokens import Features


class ModelCase(Case):
    """A small model, and batches for it."""

    @cached_property
    def model(self) -> Any:
        """A fresh one in evaluation mode; fitted, if it is of that kind."""
        self.rests_on(builds)
        model = self.build()
        if isinstance(model, Fittable):
            self.rests_on(fit)
            model.fit(self.recordings(), seed=0)
        return model.eval()

    def build(self) -> Any:
        """Build the example."""
        with seeded():
            return self.target(example_config(self), self.target.example_contract)

    @cached_property
    def inputs(self) -> Inputs:
        """Made-up batches that fit the example's contract."""
        return Inputs(accepts=self.target.accepts, contract=self.target.example_contract)

    def recordings(self) -> list[Any]:
        """Two recordings in SI units to fit to."""
        (_, (n, seconds)) = self.inputs.sizes
        return [self.inputs.recording((n, 5 * seconds), seed=seed, si=True) for seed in (0, 1)]

    def mixed(self, **options: Any) -> Batch:
        """Return a batch of a small and a large sample."""
        return self.inputs.batch(*self.inputs.sizes, **options)

    @torch.no_grad()
    def run(self, batch: Batch) -> Features:
        """Features in evaluation mode."""
        return self.model(batch)  # type: ignore[no-any-return]


def builds(case: ModelCase) -> None:
    """The class builds from its `example` and `example_contract`, small, and is called what its entry says."""
    check_class(case, Model)
    found = case.target
    expect(found.name == case.entry.name, f"name = {found.name!r}", f"set name = {case.entry.name!r}")
    known = ", ".join(kind.__name__ for kind in LAYOUT)
    expect(found.accepts and set(found.accepts) <= set(LAYOUT), f"accepts = {found.accepts}", f"accept {known}")
    check_size(case.build())


def config(case: ModelCase) -> None:
    """Configuration and contract are frozen dataclasses that JSON can hold."""
    case.rests_on(builds)
    check_config(example_config(case))
    contract = case.target.example_contract
    back = read_contract(json.loads(json.dumps(write_contract(contract))))
    expect(back == contract, f"{back}, written was {contract}", "use only what JSON can hold")


def fit(case: ModelCase) -> None:
    """A model that is fitted gives the same result for the same seed, and leaves the global random state alone."""
    case.rests_on(builds)
    if not isinstance(case.build(), Fittable):
        raise CheckSkipped("is not fitted")
    states = []
    for _ in range(2):
        model = case.build()
        with untouched():
            model.fit(case.recordings(), seed=0)
        states.append(model.state_dict())
    other = [key for key in states[0] if not torch.equal(states[0][key], states[1][key])]
    expect(not other, f"{', '.join(other)} differ between two fits", "draw all randomness from `seed`")


def features(case: ModelCase) -> None:
    """Features are (B, N, D) with mask (B, N), and finite where real; the summary is (B, D) and finite."""
    out = case.run(case.mixed())
    expect(isinstance(out, Features), f"a {type(out).__name__}", "return `neurokit_fm.Features`")
    expect(out.tokens.ndim == 3 and len(out.tokens) == 2, f"tokens {tuple(out.tokens.shape)}", "return (B, N, D)")
    expect(out.mask.any(1).all(), "a sample without a real token", "every sample that is long enough has one")
    expect(finite(out), "values that are not finite", "mask before you divide or take exponentials")
    expect(out.pooled().ndim == 2, f"summary {tuple(out.pooled().shape)}", "return (B, D)")


def deterministic(case: ModelCase) -> None:
    """In evaluation the same batch gives the same features, bit for bit."""
    case.rests_on(features)
    one, other = case.run(case.mixed()), case.run(case.mixed())
    same = torch.equal(one.tokens[one.mask], other.tokens[other.mask]) and torch.equal(one.pooled(), other.pooled())
    expect(same, f"two runs differ by {difference(other, one):.2g} of the largest", "no randomness outside `loss`")


def padding(case: ModelCase) -> None:
    """Padding may hold anything: with 1e6 in it features are the same as with 0."""
    case.rests_on(deterministic)
    clean, dirty = (case.run(over(case.mixed(), filled, value)) for value in (0.0, 1e6))
    far = max(difference(dirty, clean, (b, b)) for b in range(2))
    expect(far < CLOSE, f"features differ by {far:.2g} of the largest", "mask padded keys, sums and norms")


def independence(case: ModelCase) -> None:
    """A sample does not depend on the others of its batch."""
    case.rests_on(deterministic)
    size = case.inputs.sizes[1]
    one, other = (case.run(case.inputs.batch(size, size, seeds=seeds)) for seeds in ((0, 1), (0, 2)))
    far = difference(other, one)
    expect(far < CLOSE, f"with another neighbour it changes by {far:.2g}", "sum over tokens, never over the batch")


def packing(case: ModelCase) -> None:
    """A sample gives the same features alone and beside one of another size, whether the batch is padded or packed."""
    case.rests_on(padding, independence)
    together = case.run(case.mixed())
    for b, size in enumerate(case.inputs.sizes):
        alone = case.run(case.inputs.batch(size, seeds=[b]))
        far = difference(together, alone, (b, 0))
        found = f"a sample of {size[0]} channels and {size[1]:g} s differs by {far:.2g} of the largest"
        expect(far < CLOSE, found, "attend within a segment (`Runs`), and divide by the number of real tokens")


def permutation(case: ModelCase) -> None:
    """Permuting channels with their positions permutes the tokens and leaves the summary, unless `order_aware` is set."""
    case.rests_on(deterministic)
    if case.target.order_aware:
        raise CheckSkipped("declared order-aware")
    size = case.inputs.sizes[1]
    batch = case.inputs.batch(size, size)
    moved = {name: permuted(stream) for name, stream in batch.streams.items()}
    one, other = case.run(batch), case.run(Batch(streams={name: stream for name, (stream, _) in moved.items()}))
    order = next(iter(moved.values()))[1]
    far = same_tokens(other.tokens, other.mask, other.index, one.tokens, one.mask, one.index, order)
    far = max(far, deviation(other.pooled(), one.pooled()))
    expect(
        far < CLOSE, f"features differ by {far:.2g} of the largest", "treat channels alike, or set order_aware = True"
    )


def unknown_positions(case: ModelCase) -> None:
    """Without any position features are finite, or an error of `neurokit_fm` speaks of positions."""
    case.rests_on(features)
    try:
        out = case.run(case.mixed(known=False))
    except NkfmError as err:
        expect("position" in str(err), str(err), "say that this model needs positions")
        return
    expect(
        finite(out), "values that are not finite", "take NaN as unknown, or raise DataError saying positions are needed"
    )


def gradients(case: ModelCase) -> None:
    """Every parameter gets a finite gradient that is not zero: from `loss` where there is one, else from the features."""
    case.rests_on(features)
    model = copy.deepcopy(case.model).train()
    rng = torch.Generator().manual_seed(0)
    for parameter in model.parameters():  # opens gates that start at 0
        parameter.data += 0.02 * torch.randn(parameter.shape, generator=rng)
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if not trained:
        raise CheckSkipped("has no parameter that is trained by gradients")
    if isinstance(model, Pretrainable):
        model.loss(case.mixed(), generator=rng).total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    else:
        out = model(case.mixed())
        (out.tokens[out.mask].square().mean() + out.pooled().square().mean()).backward()
    wrong = [name for name, p in trained if p.grad is None or not 0 < float(p.grad.abs().sum()) < float("inf")]
    expect(not wrong, f"none for {', '.join(wrong[:6])} ({len(wrong)} of {len(trained)})", "remove them, or use them")


def repeatable_loss(case: ModelCase) -> None:
    """In training the same generator state gives the same loss, and the global random state is left alone."""
    case.rests_on(features)
    model = copy.deepcopy(case.model).train()
    if not isinstance(model, Pretrainable):
        raise CheckSkipped("has no loss")
    with untouched():
        losses = [model.loss(case.mixed(), generator=torch.Generator().manual_seed(7)).total for _ in range(2)]
    one, other = (float(loss.detach()) for loss in losses)
    expect(one == other, f"{one:g} and {other:g}", "draw all randomness from `generator`")


def loss_padding(case: ModelCase) -> None:
    """The loss does not depend on what padding holds either."""
    case.rests_on(padding, repeatable_loss)
    values = []
    for value in (0.0, 1e6):
        with torch.no_grad():
            loss = case.model.loss(over(case.mixed(), filled, value), generator=torch.Generator().manual_seed(7))
        values.append(loss.total[None])
    far = deviation(values[1], values[0])
    expect(far < CLOSE, f"with 1e6 in padding it differs by {far:.2g}", "average over real tokens only")


def autocast(case: ModelCase) -> None:
    """Inside a bfloat16 autocast features and loss are finite."""
    case.rests_on(features)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        out = case.model(case.mixed())
        expect(finite(out), "features that are not finite", "take norms, exponentials and sums in float32")
        if isinstance(case.model, Pretrainable):
            loss = case.model.loss(case.mixed(), generator=torch.Generator().manual_seed(0)).total
            expect(torch.isfinite(loss), f"a loss of {float(loss)}", "compute the loss in float32")


def meta_device(case: ModelCase) -> None:
    """It is built and runs on the meta device: every tensor is made where its input is."""
    case.rests_on(features)
    with torch.device("meta"):
        model = case.target(example_config(case), case.target.example_contract).eval()
    out = model(case.mixed().to("meta"))
    for label, where in (("tokens", out.tokens.device), ("mask", out.mask.device), ("summary", out.pooled().device)):
        expect(where.type == "meta", f"{label} on {where}", "make tensors with x.new_zeros or device=x.device")


def save_load(case: ModelCase) -> None:
    """Saving and loading changes nothing: settings, contract, weights and features are the same, bit for bit."""
    case.rests_on(deterministic)
    with tempfile.TemporaryDirectory() as folder:
        case.model.save_pretrained(folder)
        back = load_model(folder)
    same = back.config == case.model.config and back.contract == case.model.contract
    expect(same, f"{back.config} under {back.contract}", "keep `config` and `contract` as they were given")
    mine, theirs = case.model.state_dict(), back.state_dict()
    other = [key for key in mine if key not in theirs or not torch.equal(mine[key], theirs[key])]
    expect(not other, f"other weights: {', '.join(other[:6])}", "keep everything learned in parameters or buffers")
    with torch.no_grad():
        one, two = case.run(case.mixed()), back(case.mixed())
    found = f"features differ by {difference(two, one):.2g}"
    expect(torch.equal(one.tokens[one.mask], two.tokens[two.mask]), found, "keep what was fitted in buffers")


def shortest(case: ModelCase) -> None:
    """The shortest window of the contract, on one channel if any will do, gives finite features."""
    case.rests_on(features)
    if not isinstance(case.inputs.contract, SeriesContract):
        raise CheckSkipped("only sampled signals have a shortest length")
    out = case.run(case.inputs.batch(case.inputs.shortest))
    expect(out.mask.any(), f"no real token in {case.inputs.shortest[1]:g} s", "raise the contract's min_window_s")
    expect(finite(out), "values that are not finite", "mind sums over one token: a variance of one value is NaN")


def too_short(case: ModelCase) -> None:
    """A signal of one sample gives finite features, or an error of `neurokit_fm` that names the minimum."""
    case.rests_on(features)
    if not isinstance(case.inputs.contract, SeriesContract):
        raise CheckSkipped("only sampled signals have a shortest length")
    mend = "raise DataError(f'... the minimum is {n} samples ({s:g} s)')"
    try:
        out: Tensor = case.run(case.inputs.batch((case.inputs.shortest[0], 1 / case.inputs.contract.sfreq))).pooled()
    except NkfmError as err:
        expect(re.search(r"(minimum|at least)\D*\d", str(err)), str(err), mend)
    except Exception as err:
        raise Broken(f"{type(err).__name__}: {err}", mend) from err
    else:
        expect(torch.isfinite(out).all(), "features that are not finite, and no error", mend)


CASE = ModelCase
CHECKS: tuple[Rule, ...] = (
    builds, config, fit, features, deterministic, padding, independence, packing, permutation, unknown_positions,
    gradients, repeatable_loss, loss_padding, autocast, meta_device, save_load, shortest, too_short,
)  # fmt: skip
