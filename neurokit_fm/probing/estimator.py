"""Embedder: a model as a scikit-learn transformer, for pipelines, grid searches and MOABB."""

from __future__ import annotations

import copy
import os
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from neurokit_fm.contract import SeriesContract
from neurokit_fm.data.channels import Channels
from neurokit_fm.data.recording import Recording
from neurokit_fm.data.series import TimeSeries
from neurokit_fm.errors import ConfigError, DataError
from neurokit_fm.hub import load_model
from neurokit_fm.model import Model
from neurokit_fm.probing.cache import model_digest
from neurokit_fm.probing.trials import flatten
from neurokit_fm.training.sampling import Budget, Cut


class Embedder(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A frozen model that maps trials to vectors.

    Parameters
    ----------
    model : Model, str or path
        What `load_model` takes, loaded by `fit`; or a model.
    ch_names : sequence of str, optional
        Names of the channels of arrays; MNE objects bring theirs.
    sfreq : float, Hz, optional
        Of arrays; default: the model's.
    unit : {"V", "uV"}
        Of arrays of EEG; MNE objects hold volts. MOABB gives microvolts.
    features : {"pooled", "channels", "tokens"}
        See `trial_features`.
    batch_tokens : int
        Tokens that go through the model at once, at most.

    Attributes
    ----------
    model_ : Model
    n_features_in_ : int
        Samples of a trial (all channels together).

    Notes
    -----
    Nothing is learned from data: `fit` loads the model and looks at the shape of X. The model's contract is applied to each
    trial by itself, so no statistic passes from one trial to another.

    Clones share a model that is given as such; a name is loaded by each `fit`. The printed form, under which MOABB files
    results, holds the name and a hash of settings and weights of a model, and no more than the name of a name: if other
    weights may come to lie under it, give the model, or have MOABB overwrite its results.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> pipeline = make_pipeline(Embedder("nkfm-tiny", ch_names=("C3", "Cz", "C4")), LogisticRegression())
    """

    def __init__(
        self,
        model: Any = "nkfm-tiny",
        ch_names: Any = None,
        sfreq: float | None = None,
        unit: Literal["V", "uV"] = "V",
        features: Literal["channels", "pooled", "tokens"] = "pooled",
        batch_tokens: int = 8192,
    ):
        self.model = model
        self.ch_names = ch_names
        self.sfreq = sfreq
        self.unit = unit
        self.features = features
        self.batch_tokens = batch_tokens

    def fit(self, X: Any, y: Any = None) -> Embedder:
        """Load the model and note the shape of a trial.

        Parameters
        ----------
        X : MNE Epochs, or array, shape (N, C, T) or (N, C*T)
            A flat array is unfolded along `ch_names`.
        y : ignored

        Raises
        ------
        ConfigError
            If the model takes no sampled signals, or a setting is unknown.
        DataError
            If X is not trials of numbers.
        """
        if self.unit not in ("V", "uV") or self.features not in ("pooled", "channels", "tokens"):
            raise ConfigError(
                "unit must be 'V' or 'uV', features 'pooled', 'channels' or 'tokens'; "
                f"got {self.unit!r} and {self.features!r}"
            )
        self.model_: Model = load_model(self.model) if isinstance(self.model, str | os.PathLike) else self.model
        if not isinstance(self.model_, Model) or not isinstance(self.model_.contract, SeriesContract):
            raise ConfigError(
                f"Embedder takes a model of sampled signals, or what load_model takes; got {self.model!r}"
            )
        x, names, _ = self._trials(X)
        self.n_features_in_ = int(x.shape[1] * x.shape[2])
        self.n_channels_in_ = len(names)
        return self

    def transform(self, X: Any) -> npt.NDArray[np.float32]:
        """Embed trials.

        Parameters
        ----------
        X : as for `fit`

        Returns
        -------
        ndarray, shape (N, D), float32

        Raises
        ------
        ContractError
            If the trials do not fit the model.
        DataError
            If they have another shape than those `fit` saw.
        """
        check_is_fitted(self, "model_")
        x, names, sfreq = self._trials(X)
        if x.shape[1] * x.shape[2] != self.n_features_in_:
            raise DataError(
                f"X has {x.shape[1] * x.shape[2]} features, but Embedder is expecting {self.n_features_in_} features as input"
            )
        contract = self.model_.contract
        assert isinstance(contract, SeriesContract)  # checked by `fit`
        known = names if isinstance(names, Channels) else Channels.of(names, kind=contract.modality, unit="V")
        budget = Budget(self.model_, contract.modality, self.batch_tokens)
        self.model_.eval()
        cuts = []
        for trial in x:
            series = TimeSeries(data=trial, sfreq=sfreq, channels=known, modality=contract.modality)
            _, ready = contract.apply(Recording(signals={contract.modality: series})).series(contract.modality)
            cuts.append(Cut(ready, 0, ready.n_samples))
        with torch.inference_mode():
            parts = [flatten(self.model_(budget.batch(some)), self.features) for some in budget.split(cuts)]
        return np.asarray(torch.cat(parts).float().cpu().numpy())

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        if not isinstance(self.model, Model):
            return str(super().__repr__(N_CHAR_MAX))
        named = copy.copy(self)
        named.model = f"{self.model.name} {model_digest(self.model, '')[:16]}"
        return repr(named)

    def __sklearn_clone__(self) -> Embedder:
        return type(self)(**self.get_params(deep=False))  # nothing changes a model; a copy for every fold costs memory

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.two_d_array = self.ch_names is not None
        tags.requires_fit = True
        return tags

    def _trials(self, X: Any) -> tuple[npt.NDArray[np.float64], Any, float]:
        """Trials (N, C, T) in volts, channels or their names, and rate."""
        contract = self.model_.contract
        assert isinstance(contract, SeriesContract)  # checked by `fit`
        if hasattr(X, "get_data") and hasattr(X, "info"):
            from neurokit_fm.reading import from_mne

            _, series = from_mne(X).series(contract.modality)
            runs = series.runs()
            lengths = {b - a for a, b in runs}
            if len(lengths) > 1:
                raise DataError(f"epochs must have one length; found {sorted(lengths)} samples")
            x = series.read().reshape(len(series.channels), len(runs), -1).swapaxes(0, 1)  # (N, C, T)
            return np.asarray(x, dtype=np.float64), series.channels, series.sfreq
        x = np.asarray(X)
        if x.dtype.kind == "c":
            raise DataError("Complex data not supported: trials are real numbers")
        try:
            x = np.asarray(x, dtype=np.float64)
        except (TypeError, ValueError) as err:
            raise DataError(f"trials must be numbers; got dtype {np.asarray(X).dtype}") from err
        names = None if self.ch_names is None else tuple(self.ch_names)
        if x.ndim == 2 and names is not None and x.shape[1] and x.shape[1] % len(names) == 0:
            x = x.reshape(len(x), len(names), -1)
        if x.ndim != 3:
            raise DataError(
                f"trials are (N, C, T), or (N, C*T) with ch_names; got shape {x.shape}. Reshape your data, or give ch_names"
            )
        if not len(x):
            raise DataError("Found array with 0 sample(s): there is no trial")
        if not np.isfinite(x).all():
            raise DataError("trials contain NaN or infinity")
        if names is None:
            raise DataError("arrays have no channel names: give ch_names, or MNE Epochs")
        if len(names) != x.shape[1]:
            raise DataError(f"{len(names)} channel names for {x.shape[1]} channels")
        return x * (1e-6 if self.unit == "uV" else 1.0), names, self.sfreq or contract.sfreq
