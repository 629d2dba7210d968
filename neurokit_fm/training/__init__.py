"""Training a model in one process: the loop, the optimiser and the learning-rate schedules."""

from neurokit_fm.training.history import History, Step
from neurokit_fm.training.loop import pretrain
from neurokit_fm.training.stable_adamw import StableAdamW

__all__ = ["History", "StableAdamW", "Step", "pretrain"]
