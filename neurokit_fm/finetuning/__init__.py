"""Fine-tuning: a head, or a whole model or small adapters in it, trained on labelled trials."""

from neurokit_fm.finetuning.config import FinetuneConfig
from neurokit_fm.finetuning.data import TaskTrainable
from neurokit_fm.finetuning.method import Finetuning
from neurokit_fm.finetuning.tune import Epoch, finetune, predict

__all__ = ["Epoch", "FinetuneConfig", "Finetuning", "TaskTrainable", "finetune", "predict"]
