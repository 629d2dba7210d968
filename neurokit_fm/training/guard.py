"""Guard: stops a run whose loss or gradient has left the ground, before the weights follow."""

from __future__ import annotations

import math
import statistics
from collections import deque
from typing import Any

from neurokit_fm.errors import TrainingError

WINDOW, ENOUGH = 100, 20
"""Norms the median runs over, and how many it takes to be trusted."""

REMEDY = "Try a lower lr or a longer warm-up."


class Guard:
    """Looks at every step before it is taken.

    Parameters
    ----------
    name : str
        Of the model.
    factor, patience : float, int
        Stop when the gradient's norm is above `factor` times its running median for `patience` steps on end.
    """

    def __init__(self, name: str, factor: float, patience: int):
        self.name, self.factor, self.patience = name, factor, patience
        self.norms: deque[float] = deque(maxlen=WINDOW)
        self.above = 0
        self.last = ""

    def check(self, number: int, total: float, norm: float, lr: float) -> None:
        """Raise if this step must not be taken.

        Raises
        ------
        TrainingError
            If the loss or the gradient is not finite, or the gradient diverges.
        """
        found = f"(loss {total:g}, gradient norm {norm:g}, lr {lr:g})"
        if not math.isfinite(total) or not math.isfinite(norm):
            what = "gradient" if math.isfinite(total) else "loss"
            last = self.last or "no step was good"
            raise TrainingError(
                f"the {what} of {self.name} is not finite at step {number} {found}; {last}, and the model holds its "
                f"weights. {REMEDY}"
            )
        median = statistics.median(self.norms) if len(self.norms) >= ENOUGH else math.inf
        self.above = self.above + 1 if norm > self.factor * median else 0
        if self.above >= self.patience:
            raise TrainingError(
                f"{self.name} diverges at step {number} {found}: the gradient's norm has been above {self.factor:g} times "
                f"its median ({median:g}) for {self.above} steps. {REMEDY}"
            )
        if not self.above:
            self.norms.append(norm)
        self.last = f"the last good loss was {total:g} at step {number}"

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run must know."""
        return {"norms": list(self.norms), "above": self.above, "last": self.last}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.norms = deque(state["norms"], maxlen=WINDOW)
        self.above, self.last = state["above"], state["last"]
