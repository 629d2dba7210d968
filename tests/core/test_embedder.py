"""Embedder in pipelines, on arrays and MNE Epochs, and the checks of scikit-learn that apply to trials."""

from pathlib import Path

import mne
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks as checks

import neurokit_fm as nkfm
from neurokit_fm.config import read_config
from neurokit_fm.errors import ConfigError, ContractError, DataError

NAMES = ("Fz", "Cz", "Pz", "Oz")


def small() -> nkfm.Model:
    cls = nkfm.models.load("mae")
    encoder = {
        "tokenizer": {"name": "patch", "length_s": 0.25, "hop_s": 0.25},
        "transformer": {"width": 16, "depth": 1, "heads": 2, "head_dim": 8},
    }
    contract = nkfm.SeriesContract(
        sfreq=100.0, min_sfreq=50.0, window_s=0.5, min_window_s=0.25, normalise="none", unit_scale=1e5, frame="template"
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: nkfm.Model = cls(read_config(cls.config_class, {"encoder": encoder}), contract)
    return model.eval()


def trials(n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    x = 1e-5 * rng.normal(size=(n, 4, 50))
    x[y == 1, 3] += 4e-5
    return x, y


def test_it_works_in_a_pipeline_with_cross_validation_and_survives_cloning() -> None:
    x, y = trials()
    pipeline = make_pipeline(Embedder_(features="channels"), StandardScaler(), LogisticRegression())
    assert cross_val_score(pipeline, x, y, cv=4).mean() > 0.9
    pipeline.set_params(embedder__features="pooled")
    assert clone(pipeline).get_params()["embedder__features"] == "pooled"
    assert cross_val_score(clone(pipeline), x[:, :, :50].reshape(len(x), -1), y, cv=2).shape == (2,)


def Embedder_(**more: object) -> nkfm.Embedder:
    return nkfm.Embedder(small(), ch_names=NAMES, **more)  # type: ignore[arg-type]  # passed on


def test_embeddings_are_those_of_the_model_whatever_the_trials_come_in(tmp_path: Path) -> None:
    x, _ = trials(6)
    model = small()
    found = Embedder_().fit_transform(x)
    rec = nkfm.from_array(x, sfreq=100.0, names=NAMES)
    assert np.allclose(found, nkfm.embed(model, rec).values, atol=1e-5)
    info = mne.create_info(list(NAMES), 100.0, "eeg")
    epochs = mne.EpochsArray(x, info, verbose=False)
    assert np.allclose(nkfm.Embedder(model).fit_transform(epochs), found, atol=1e-5)
    assert np.allclose(Embedder_(unit="uV").fit_transform(1e6 * x), found, atol=1e-5)
    model.save_pretrained(tmp_path / "saved")
    assert np.allclose(nkfm.Embedder(str(tmp_path / "saved"), ch_names=NAMES).fit_transform(x), found, atol=1e-5)
    assert Embedder_(features="channels").fit_transform(x).shape == (6, 4 * 16)
    alone = Embedder_().fit(x).transform(x[:1])
    assert np.allclose(alone, found[:1], atol=1e-5)  # no trial depends on another


@pytest.mark.parametrize(
    "check",
    [
        checks.check_no_attributes_set_in_init,
        checks.check_parameters_default_constructible,
        checks.check_estimator_cloneable,
        checks.check_estimator_repr,
        checks.check_get_params_invariance,
        checks.check_set_params,
        checks.check_estimator_tags_renamed,
        checks.check_valid_tag_types,
        checks.check_mixin_order,
    ],
    ids=lambda check: check.__name__,
)
def test_checks_of_scikit_learn(check) -> None:
    check("Embedder", Embedder_())


def test_wrong_input_is_refused() -> None:
    x, _ = trials(4)
    fitted = Embedder_().fit(x)
    with pytest.raises(DataError, match="X has 160 features, but Embedder is expecting 200 features"):
        fitted.transform(x[:, :, :40])
    with pytest.raises(DataError, match="arrays have no channel names: give ch_names"):
        nkfm.Embedder(small()).fit(x)
    with pytest.raises(DataError, match="4 channel names for 3 channels"):
        fitted.transform(x[:, :3])
    with pytest.raises(DataError, match="NaN or infinity"):
        fitted.transform(np.full_like(x, np.nan))
    with pytest.raises(DataError, match="Complex data not supported"):
        fitted.transform(x.astype(complex))
    with pytest.raises(ConfigError, match="unit must be 'V' or 'uV'"):
        Embedder_(unit="mV").fit(x)
    with pytest.raises(ConfigError, match="takes a model of sampled signals"):
        nkfm.Embedder(3).fit(x)
    with pytest.raises(ContractError, match="shorter|short"):
        Embedder_().fit(x[:, :, :10]).transform(x[:, :, :10])
    with pytest.raises(Exception, match="not fitted"):
        Embedder_().transform(x)
