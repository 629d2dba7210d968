"""Evaluation: how data are divided, and what predictions of test trials are worth, with their error bars."""

from neurokit_fm.evaluation.outcome import Outcome, Prediction
from neurokit_fm.evaluation.protocols import Fold, Protocol, folds
from neurokit_fm.evaluation.report import Comparison, ProbeReport, Score, compare

__all__ = ["Comparison", "Fold", "Outcome", "Prediction", "ProbeReport", "Protocol", "Score", "compare", "folds"]
