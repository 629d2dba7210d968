"""A converter that forgets a tensor, and one that takes whatever comes."""

import torch

from neurokit_fm import PublishedWeights, SeriesContract
from neurokit_fm.checkpoints import load_state

KEYS = {f"theirs.{part}.{end}": f"{part}.{end}" for part in ("own", "shared", "place") for end in ("weight", "bias")}


def _model():
    import neurokit_fm as nkfm

    cls = nkfm.models.load("honest")
    return cls(cls.config_class(), cls.example_contract)


def example_reference():
    rng = torch.Generator().manual_seed(0)
    own = _model().state_dict()
    return {"width": 8}, {k: torch.randn(own[v].shape, generator=rng) for k, v in KEYS.items()}


def honest(config, state):
    model = _model()
    load_state(model, state, KEYS, what="honest")
    return model


def forgets(config, state):
    model = _model()
    state = {k: v for k, v in state.items() if "place" not in k}
    model.load_state_dict({KEYS[k]: v for k, v in state.items()}, strict=False)
    return model


def careless(config, state):
    model = _model()
    model.load_state_dict({KEYS[k]: v for k, v in state.items() if k in KEYS}, strict=False)
    return model


def _published(converter, **changes):
    given = {
        "repo": "nobody/nothing",
        "converter": f"nkfm_bad.convert:{converter}",
        "contract": SeriesContract(),
        "licence": "MIT",
        "page": "https://example.org/nothing",
        "paper": "none",
        "parameters": 1,
    }
    return PublishedWeights(**given | changes)


HONEST = _published("honest")
FORGETS = _published("forgets")
CARELESS = _published("careless")
NOWHERE = _published("nowhere")
EMPTY = _published("honest", parameters=0)
