"""How well a fitted model describes trials: log-likelihood per bin, and its gain in bits per spike."""

from __future__ import annotations

import numpy as np
import torch

from nkfm_glmhmm.config import GlmHmmConfig
from nkfm_glmhmm.design import Trials
from nkfm_glmhmm.fit import Parameters, resume


def evidence_per_bin(trials: Trials, config: GlmHmmConfig, parameters: Parameters) -> float:
    """Log-likelihood of trials under a fitted model, nats per observed bin."""
    return float(resume(trials, config, parameters).e_step().evidence.sum()) / max(1, int(trials.seen.sum()))


def constant_rate(train: Trials, test: Trials) -> float:
    """Log-likelihood of `test` per observed bin under Poisson counts at each neuron's mean rate in `train`, nats."""
    seen = torch.from_numpy(test.seen)
    rate = train.x[torch.from_numpy(train.seen)].mean(0).clamp(min=1e-10)
    x = test.x[seen]
    return float((x * rate.log() - rate - torch.lgamma(x + 1)).sum(1).mean())


def bits_per_spike(evidence: float, constant: float, test: Trials) -> float:
    """Gain over constant rates, both in nats per observed bin, as bits per spike."""
    spikes = float(test.x[torch.from_numpy(test.seen)].sum()) / max(1, int(test.seen.sum()))
    return (evidence - constant) / (max(spikes, 1e-12) * float(np.log(2)))
