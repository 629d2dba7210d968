"""ScheduleConfig: a learning-rate schedule by name, with ramps as shares of the run and rates as shares of the peak."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neurokit_fm.errors import ConfigError
from neurokit_fm.training.schedules import cosine, infinite, trapezoid

USES = {
    "trapezoid": ("start", "cooldown"),
    "wsd": ("cooldown", "shape"),
    "cosine": (),
    "rewarm-cosine": ("start",),
    "infinite": ("cooldown", "constant", "anneal_from", "anneal_steps"),
}
"""Which of the optional settings each schedule takes; all take warmup, end and horizon."""


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """How the learning rate changes, see `neurokit_fm.training.schedules`.

    Attributes
    ----------
    name : {"trapezoid", "wsd", "cosine", "rewarm-cosine", "infinite"}
        Linear ramps around a plateau, over again every `horizon` steps; warm-up from 0, plateau, decay, once; warm-up
        from 0 and half a cosine; the same from `start`; warm-up, cosine to a constant, annealing on demand.
    warmup, cooldown : float
        Shares of `horizon`; a `cooldown` left out is 0.1.
    start, end, constant : float
        Rates as shares of the optimiser's; left out, `start` is 0.01 and `constant` 0.25.
    shape : {"linear", "sqrt"}
        Of the decay of wsd; left out, linear.
    horizon : int
        Steps the shares refer to; default: those of the run. Give it to lengthen a run without changing its past.
    anneal_from, anneal_steps : int
        First step of the annealing, and how many it takes (to the end of the run when left out).
    """

    name: Literal["trapezoid", "wsd", "cosine", "rewarm-cosine", "infinite"] = "trapezoid"
    warmup: float = 0.1
    cooldown: float | None = None
    start: float | None = None
    end: float = 0.001
    constant: float | None = None
    shape: Literal["linear", "sqrt"] | None = None
    horizon: int | None = None
    anneal_from: int | None = None
    anneal_steps: int | None = None

    def __post_init__(self) -> None:
        optional = ("start", "cooldown", "shape", "constant", "anneal_from", "anneal_steps")
        odd = [key for key in optional if getattr(self, key) is not None and key not in USES.get(self.name, ())]
        if odd or self.name not in USES:
            raise ConfigError(f"the schedule {self.name!r} takes no {', '.join(odd) or 'settings: it is unknown'}")
        if self.horizon is not None and self.horizon < 1:
            raise ConfigError(f"schedule.horizon must be at least 1 step; got {self.horizon}")
        if not 0 <= self.warmup <= 1 or not 0 <= (self.cooldown or 0) <= 1:
            raise ConfigError(f"warmup and cooldown are shares of the run; got {self.warmup:g} and {self.cooldown}")

    def rate(self, step: int, *, lr: float, steps: int) -> float:
        """Return the learning rate of a step, counted from 0, of a run of `steps` with peak rate `lr`.

        Raises
        ------
        ConfigError
            If the ramps do not fit.
        """
        total = self.horizon or steps
        warmup, cooldown = int(self.warmup * total), int((0.1 if self.cooldown is None else self.cooldown) * total)
        start, end = lr * (0.01 if self.start is None else self.start), lr * self.end
        if self.name == "trapezoid":
            return trapezoid(
                step, total=total, peak=lr, warmup=warmup, cooldown=cooldown, start=start, end=end, cyclic=True
            )
        if self.name == "wsd":
            return trapezoid(
                step, total=total, peak=lr, warmup=warmup, cooldown=cooldown, end=end, shape=self.shape or "linear"
            )
        if self.name in ("cosine", "rewarm-cosine"):
            start = start if self.name == "rewarm-cosine" else 0.0
            return cosine(step, total=total, peak=lr, warmup=warmup, start=start, end=end)
        return infinite(
            step,
            peak=lr,
            constant=lr * (0.25 if self.constant is None else self.constant),
            end=end,
            warmup=warmup,
            cooldown=cooldown,
            anneal_start=self.anneal_from,
            anneal_steps=self.anneal_steps or max(1, steps - (self.anneal_from or 0)),
        )
