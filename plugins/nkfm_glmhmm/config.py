"""Settings of the switching GLM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from neurokit_fm.errors import ConfigError
from nkfm_glmhmm import basis
from nkfm_glmhmm.families import FAMILIES
from nkfm_glmhmm.layout import Array
from nkfm_glmhmm.links import LINKS

BASES = ("exponential", "log-cosine", "linear-cosine", "free", "given", "none")


@dataclass(frozen=True, kw_only=True)
class GlmHmmConfig:
    """A GLM whose weights switch with a hidden state.

    Attributes
    ----------
    n_states : int
        1 is a plain GLM.
    family : {"poisson", "bernoulli", "gaussian", "negative-binomial", "categorical"}
    link : {"", "softplus", "exp", "sigmoid", "linear"}
        Empty: the family's usual one.
    basis : {"exponential", "log-cosine", "linear-cosine", "free", "given", "none"}
        How the history of each neuron enters; ``"none"`` for covariates only, or a plain HMM.
    given_basis : tuple of tuple of float, shape (B, H)
        Your own basis, for ``"given"``: one row a basis, weights of lags 1 to H. `n_lags` and `n_bases` do not count then.
    n_lags : int
        History length, bins.
    n_bases : int
        Raised cosines a neuron.
    decay : float
        Of the exponential basis, per bin.
    self_coupling : bool
        Whether a neuron's own history enters.
    shared_bias : bool
        One intercept for all states, as published.
    n_covariates : int
        Further covariates of each bin.
    n_inputs : int
        Inputs that drive the transitions.
    n_classes : int
        Of the categorical family.
    prior : {"none", "gaussian", "one-hot"}
        Learned prior of the couplings; see `nkfm_glmhmm.priors`.
    ridge : float
        Precision of the weights around 0 where no learned prior holds, and of the Gaussian prior's mean.
    state_sd : float
        Standard deviation of weights between states, Gaussian prior.
    class_shares : (float, float, float)
        Expected shares of inhibitory, absent and excitatory connections, one-hot prior.
    class_weight : float
        How many states the expected shares are worth.
    absent_sd : float
        Standard deviation of the weight of an absent connection, one-hot prior.
    concentration : float
        Dirichlet parameter of transitions and first state, >= 1.
    stickiness : float
        Added to the Dirichlet parameter of staying in a state, in bins.
    learn_initial : bool
        Learn the first state's probabilities; else they stay equal.
    max_iter : int
    tolerance : float
        EM ends when an iteration gains less, nats a bin.
    """

    n_states: int = 3
    family: Literal["poisson", "bernoulli", "gaussian", "negative-binomial", "categorical"] = "poisson"
    link: Literal["", "softplus", "exp", "sigmoid", "linear"] = ""
    basis: Literal["exponential", "log-cosine", "linear-cosine", "free", "given", "none"] = "exponential"
    given_basis: tuple[tuple[float, ...], ...] = ()
    n_lags: int = 5
    n_bases: int = 3
    decay: float = 1.0
    self_coupling: bool = True
    shared_bias: bool = False
    n_covariates: int = 0
    n_inputs: int = 0
    n_classes: int = 2
    prior: Literal["none", "gaussian", "one-hot"] = "none"
    ridge: float = 1.0
    state_sd: float = 1 / 3
    class_shares: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)
    class_weight: float = 2.0
    absent_sd: float = 0.08
    concentration: float = 1.1
    stickiness: float = 0.0
    learn_initial: bool = True
    max_iter: int = 200
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        wrong = []
        if self.n_states < 1 or self.n_lags < 1 or self.max_iter < 1 or self.n_classes < 2:
            wrong.append(
                f"n_states, n_lags and max_iter must be at least 1 and n_classes 2; got {self.n_states}, {self.n_lags}, "
                f"{self.max_iter} and {self.n_classes}"
            )
        if self.family not in (*FAMILIES, "categorical"):
            wrong.append(f"family must be one of {', '.join((*FAMILIES, 'categorical'))}; got {self.family!r}")
        elif self.link and (self.link not in LINKS or self.link not in self.links):
            wrong.append(f"the {self.family} family goes with the links {', '.join(self.links)}; got {self.link!r}")
        if self.basis not in BASES:
            wrong.append(f"unknown basis {self.basis!r}; known: {', '.join(BASES)}")
        lengths = {len(row) for row in self.given_basis}
        if (self.basis == "given") != bool(self.given_basis) or len(lengths) > 1 or 0 in lengths:
            wrong.append(
                "given_basis goes with basis='given': rows of the same number of lags, one a basis; got "
                f"basis={self.basis!r} and rows of {sorted(lengths)} lags"
            )
        if self.prior not in ("none", "gaussian", "one-hot"):
            wrong.append(f"prior must be 'none', 'gaussian' or 'one-hot'; got {self.prior!r}")
        if self.prior == "one-hot" and (self.basis == "none" or self.family == "categorical"):
            wrong.append(
                "the one-hot prior is about couplings between neurons: it needs a basis and no choice of classes"
            )
        if self.family == "categorical" and self.basis != "none":
            wrong.append("the categorical family takes covariates only: set basis='none'")
        if self.concentration < 1 or self.stickiness < 0:
            wrong.append(
                f"concentration must be >= 1 and stickiness >= 0; got {self.concentration:g}, {self.stickiness:g}"
            )
        if self.ridge < 0 or min(self.state_sd, self.absent_sd, self.class_weight, *self.class_shares) <= 0:
            wrong.append(
                "ridge must not be negative; state_sd, absent_sd, class_weight and class_shares must be positive"
            )
        if wrong:
            raise ConfigError("; ".join(wrong))

    @property
    def links(self) -> tuple[str, ...]:
        """Links the family can be used with, the usual one first."""
        return FAMILIES[self.family].links if self.family in FAMILIES else ("",)

    @property
    def link_name(self) -> str:
        """The link in use."""
        return self.link or self.links[0]

    def kernels(self) -> Array | None:
        """Basis of the history, (H, B), or None."""
        if self.basis == "exponential":
            return basis.exponential(self.n_lags, self.decay)
        if self.basis == "free":
            return basis.free(self.n_lags)
        if self.basis == "none":
            return None
        if self.basis == "given":
            return np.array(self.given_basis).T
        return basis.raised_cosine(self.n_lags, self.n_bases, spacing="log" if self.basis == "log-cosine" else "linear")

    def n_features(self, n_neurons: int) -> int:
        """Covariates of a bin, F, for N neurons."""
        kernels = self.kernels()
        return self.n_covariates + (0 if kernels is None else n_neurons * int(np.shape(kernels)[1]))
