"""Probing: how well frozen features, or plain methods, tell labelled trials apart, with an honest error bar."""

from neurokit_fm.evaluation.outcome import Outcome, Prediction
from neurokit_fm.evaluation.protocols import Fold, Protocol, folds
from neurokit_fm.evaluation.report import Comparison, ProbeReport, Score, compare
from neurokit_fm.probing.cache import FeatureCache
from neurokit_fm.probing.leaks import Leak, find_leaks
from neurokit_fm.probing.linear import probe
from neurokit_fm.probing.methods import Method, evaluate, model_probe
from neurokit_fm.probing.plain_methods import baselines, plain_methods
from neurokit_fm.probing.trials import Trials, labelled_windows, raw_trials, trial_features

__all__ = [
    "Comparison",
    "FeatureCache",
    "Fold",
    "Leak",
    "Method",
    "Outcome",
    "Prediction",
    "ProbeReport",
    "Protocol",
    "Score",
    "Trials",
    "baselines",
    "compare",
    "evaluate",
    "find_leaks",
    "folds",
    "labelled_windows",
    "model_probe",
    "plain_methods",
    "probe",
    "raw_trials",
    "trial_features",
]
