"""Finetuning: fine-tuning as a method of `evaluate`, beside probes and plain methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurokit_fm.errors import DataError
from neurokit_fm.evaluation.outcome import Outcome
from neurokit_fm.evaluation.protocols import Fold
from neurokit_fm.finetuning.config import FinetuneConfig
from neurokit_fm.finetuning.config import Method as How
from neurokit_fm.finetuning.data import labelled_trials
from neurokit_fm.finetuning.tune import Epoch, predict_trials, read_settings, tune
from neurokit_fm.model import Model
from neurokit_fm.probing.methods import Method, Run


class Finetuning(Method):
    """Fine-tune a copy of a model on the training part of each fold.

    Parameters
    ----------
    model : Model
    how : str
        Method of `finetune`.
    settings : FinetuneConfig or mapping, optional
    name : str
        Of the model; default: what it was loaded as.
    progress : bool
    """

    def __init__(
        self,
        model: Model,
        how: How = "full",
        settings: FinetuneConfig | Mapping[str, Any] | None = None,
        *,
        name: str = "",
        progress: bool = False,
    ):
        super().__init__(f"{name or model.reference}, fine-tuned ({how})")
        self.model, self.how, self.settings, self.progress = model, how, settings, progress

    def run(self, fold: Fold, seed: int) -> Run:
        """Fine-tune, then predict the test part."""
        epochs: list[Epoch] = []
        train, test = (labelled_trials(self.model, fold.take(pieces)) for pieces in (fold.train, fold.test))
        if train.kind != test.kind:
            raise DataError(f"training trials are to be told by {train.kind}, test trials by {test.kind}")
        config = read_settings(self.settings, self.how)
        tuned = tune(self.model, train, None, config, seed=seed, progress=self.progress, on_epoch=epochs.append)
        said = predict_trials(tuned, test, test.kind)
        best = max(i for i, epoch in enumerate(epochs) if epoch.best)
        words = f"fine-tuned ({self.how}), epoch {best + 1} of {len(epochs)} chosen on groups of the training part"
        return Run(Outcome.of(test.kind, test.y, said, test.groups, test.units), len(train), words)
