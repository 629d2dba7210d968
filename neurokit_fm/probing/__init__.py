"""Probing: how well frozen features, or plain baselines, tell labelled trials apart, with an honest error bar."""

from neurokit_fm.probing.linear import probe
from neurokit_fm.probing.plain_methods import baselines
from neurokit_fm.probing.report import ProbeReport, Score
from neurokit_fm.probing.trials import Trials, labelled_windows, raw_trials, trial_features

__all__ = ["ProbeReport", "Score", "Trials", "baselines", "labelled_windows", "probe", "raw_trials", "trial_features"]
