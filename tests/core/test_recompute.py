"""Recomputed activations: every built-in model that can be pretrained gets the loss and gradients it gets without."""

from copy import deepcopy

import pytest
import torch

import neurokit_fm as nkfm
from neurokit_fm.errors import ConfigError
from neurokit_fm.model import Model, Pretrainable
from neurokit_fm.testing.checks.inputs import Inputs
from neurokit_fm.training.objective import Objective, recompute_activations

NAMES = [
    name for name in nkfm.models
    if issubclass(cls := nkfm.models.load(name), Pretrainable) and isinstance(cls.example_contract, nkfm.SeriesContract)
]  # fmt: skip
NO_LAYERS = {"worm-linear", "worm-persistence", "worm-rnn", "worm-wired"}


def small(name: str) -> Model:
    cls = nkfm.models.load(name)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: Model = cls(cls.example or cls.config_class(), cls.example_contract)
    return model.train()


def taken(model: Model) -> tuple[float, dict[str, torch.Tensor], int, dict[str, torch.Tensor]]:
    """Loss, gradients, how often a part of the model was run, and buffers afterwards."""
    runs: list[int] = []
    hooks = [module.register_forward_pre_hook(lambda *_: runs.append(1)) for module in model.modules()]
    inputs = Inputs(accepts=model.accepts, contract=model.contract)
    with torch.random.fork_rng():
        torch.manual_seed(5)  # of dropout
        total, _ = Objective(model)(inputs.batch(*inputs.sizes), torch.Generator().manual_seed(0))
        total.backward()
    for hook in hooks:
        hook.remove()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return float(total.detach()), gradients, len(runs), dict(model.named_buffers())


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NO_LAYERS])
def test_recomputing_activations_changes_no_number(name: str) -> None:
    model = small(name)
    again = deepcopy(model)
    recompute_activations(again)
    again = deepcopy(again)  # as for a running mean of the weights
    loss, gradients, runs, buffers = taken(model)
    same_loss, same_gradients, more_runs, same_buffers = taken(again)
    assert loss == same_loss
    assert gradients.keys() == same_gradients.keys()
    assert all(torch.equal(value, same_gradients[key]) for key, value in gradients.items())
    assert all(torch.equal(value, same_buffers[key]) for key, value in buffers.items())
    assert more_runs > runs  # parts of layers, once more in the backward pass
    assert list(again.state_dict()) == list(model.state_dict())


@pytest.mark.parametrize("name", sorted(NO_LAYERS))
def test_a_model_without_layers_says_so(name: str) -> None:
    with pytest.raises(ConfigError, match=f"needs a model made of layers .*; {name} has none"):
        recompute_activations(small(name))


def test_most_models_have_layers() -> None:
    assert {"eegformer-vq", "mae", "braintokenizer", "brainomni", "cbramod", "code-prediction"} <= set(
        NAMES
    ) - NO_LAYERS
