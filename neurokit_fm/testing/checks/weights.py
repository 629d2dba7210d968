"""Rules for published weights. The module of a converter holds ``example_reference() -> (config, state)``: a small published
configuration, and random tensors under every published key. Nothing is downloaded.
"""

from __future__ import annotations

import importlib
import json
import re
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from neurokit_fm.checkpoints import PublishedWeights, ShippedWeights, digest
from neurokit_fm.contract import Contract
from neurokit_fm.contract.base import read_contract, write_contract
from neurokit_fm.errors import WeightsError
from neurokit_fm.hub import load_contract, load_model
from neurokit_fm.model import Model
from neurokit_fm.testing.checks.check import Broken, Case, CheckSkipped, Rule, expect
from neurokit_fm.testing.checks.inputs import seeded


class WeightsCase(Case):
    """An entry of the catalogue, its converter, and a small published state dict."""

    def convert(self, config: dict[str, Any], state: dict[str, Tensor]) -> Any:
        """Convert; what the state dict does not fill has the same values each time."""
        self.rests_on(converter)
        module, _, function = self.target.converter.partition(":")
        with seeded():
            return getattr(importlib.import_module(module), function)(config, state)

    @cached_property
    def reference(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """A small published configuration and state dict."""
        module = self.target.converter.partition(":")[0]
        example = getattr(importlib.import_module(module), "example_reference", None)
        mend = f"add example_reference() -> (config, state) to {module}: a tiny published config, random tensors"
        expect(example is not None, f"{module} has no example_reference", mend)
        return example()  # type: ignore[no-any-return, misc]


def describes(case: WeightsCase) -> None:
    """The target says whose weights they are: repository or folder, page, licence and gate, paper, parameters."""
    found = case.target
    shipped = isinstance(found, ShippedWeights)
    kinds = "use `neurokit_fm.PublishedWeights` or `neurokit_fm.checkpoints.ShippedWeights`"
    expect(shipped or isinstance(found, PublishedWeights), f"a {type(found).__name__}", kinds)
    patterns = {"page": r"https://\S+|docs/\S+", "licence": ".+", "paper": ".+"}
    for label, pattern in (patterns if shipped else patterns | {"repo": r"[\w.-]+/[\w.-]+"}).items():
        value = getattr(found, label)
        expect(re.fullmatch(pattern, value), f"{label} = {value!r}", f"give {label} as {pattern}")
    expect(found.licence == case.entry.licence, f"{found.licence!r} and {case.entry.licence!r}", "state one licence")
    expect(found.parameters > 0, f"parameters = {found.parameters}", "give the published number")
    if shipped:
        return
    expect(found.gated == case.entry.gated, f"gated: {found.gated} and {case.entry.gated}", "say the same in both")
    wrong = [name for name, value in found.sha256.items() if not re.fullmatch("[0-9a-f]{64}", value)]
    expect(not wrong, f"sha256 of {', '.join(wrong)}", "give 64 hexadecimal digits, lower case")


def contract(case: WeightsCase) -> None:
    """The contract is complete and survives being written to JSON."""
    case.rests_on(describes)
    mine = load_contract(case.entry.name)
    expect(isinstance(mine, Contract), f"a {type(mine).__name__}", "give the input the weights were trained on")
    back = read_contract(json.loads(json.dumps(write_contract(mine))))
    expect(back == mine, f"{back}, written was {mine}", "use only what JSON can hold")


def converter(case: WeightsCase) -> None:
    """`converter` names a function that can be imported."""
    case.rests_on(describes)
    if isinstance(case.target, ShippedWeights):
        raise CheckSkipped("these weights come with the plugin, in our own format")
    module, _, function = case.target.converter.partition(":")
    found = getattr(importlib.import_module(module), function, None)
    expect(callable(found), f"{case.target.converter} is {found!r}", "give 'module:function'")


def shipped(case: WeightsCase) -> None:
    """Weights that come with the plugin load without a network, replay their fingerprint and are as many as it says."""
    case.rests_on(describes)
    if not isinstance(case.target, ShippedWeights):
        raise CheckSkipped("these weights are downloaded when they are asked for")
    report = load_model(case.entry.name).load_report
    assert report is not None  # `load_model` always makes one
    stated = case.target.parameters
    expect(report.parameters == stated, f"{report.parameters:,} parameters, stated {stated:,}", "state the number")
    expect(report.fingerprint is not None, "no fingerprint", "save the model with `save_pretrained`")


def converts(case: WeightsCase) -> None:
    """The converter turns a published configuration and state dict into a `Model`, all of whose weights come from it."""
    case.rests_on(converter)
    config, state = case.reference
    made = [case.convert(config, {k: v + change for k, v in state.items()}) for change in (0.0, 0.5)]
    expect(isinstance(made[0], Model), f"a {type(made[0]).__name__}", "return a `neurokit_fm.Model`")
    one, other = (dict(model.named_parameters()) for model in made)
    left = [name for name in one if one[name].is_meta or torch.equal(one[name], other[name])]
    expect(not left, f"not from the state dict: {', '.join(left[:6])}", "map every parameter, strictly: `load_state`")


def every_key(case: WeightsCase) -> None:
    """Every published tensor reaches the model; a missing and a superfluous one are errors that name it."""
    case.rests_on(converts)
    config, state = case.reference
    before = digest(dict(case.convert(config, state).state_dict()))
    for key, value in state.items():
        after = digest(dict(case.convert(config, {**state, key: value + 0.5}).state_dict()))
        expect(after != before, f"{key} changes nothing in the model", "map it, or say why it is dropped")
    first = next(iter(state))
    for key, changed in (
        (first, {k: v for k, v in state.items() if k != first}),
        ("of_nobody", {**state, "of_nobody": torch.zeros(1)}),
    ):
        mend = "load with `neurokit_fm.checkpoints.load_state`, which lists every such key"
        try:
            case.convert(config, changed)
        except WeightsError as err:
            expect(key in str(err), f"{key} is not named: {err}", mend)
        except Exception as err:
            raise Broken(f"{type(err).__name__}: {err}", mend) from err
        else:
            raise Broken(f"{key} {'missing' if key == first else 'superfluous'}, and no error", mend)


CASE = WeightsCase
CHECKS: tuple[Rule, ...] = (describes, contract, shipped, converter, converts, every_key)
