"""Training a model: recipes and the loop that carries them out, optimisers, schedules, checkpoints."""

from neurokit_fm.training.distillation import SelfDistillation
from neurokit_fm.training.history import History, Step
from neurokit_fm.training.loop import pretrain
from neurokit_fm.training.recipe import Recipe, read_recipe
from neurokit_fm.training.run import carry_out
from neurokit_fm.training.stable_adamw import StableAdamW

__all__ = ["History", "Recipe", "SelfDistillation", "StableAdamW", "Step", "carry_out", "pretrain", "read_recipe"]
