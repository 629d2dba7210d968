"""Learning rates as pure functions of the step: nothing to save, resuming at step n repeats the sequence."""

from __future__ import annotations

import math
from typing import Literal

from neurokit_fm.errors import ConfigError


def trapezoid(
    step: int,
    *,
    total: int,
    peak: float,
    warmup: int,
    cooldown: int,
    start: float = 0.0,
    end: float = 0.0,
    shape: Literal["linear", "sqrt"] = "linear",
    cyclic: bool = False,
) -> float:
    r"""Linear warm-up, plateau, cool-down (also called warm-up, stable, decay).

    Parameters
    ----------
    step : int
        From 0.
    total : int
        Steps of one trapezoid.
    peak : float
        Rate of the plateau.
    warmup, cooldown : int
        Steps of the two ramps, at most `total` together.
    start, end : float
        Rates at step 0 and at the end of the cool-down.
    shape : {"linear", "sqrt"}
        Cool-down along f or $\sqrt f$, with f its progress.
    cyclic : bool
        Start over after `total` steps, from `end`; otherwise the rate stays at `end`.

    Raises
    ------
    ConfigError
        If the ramps do not fit, or the shape is unknown.

    Notes
    -----
    Source: REVE, arXiv:2510.21585 and its released code (linear, cyclic, ramps of 10 %); the square root is that of
    Hägele et al., arXiv:2405.18392.

    Examples
    --------
    >>> [trapezoid(n, total=10, peak=1.0, warmup=2, cooldown=4) for n in (0, 1, 2, 6, 8, 10)]
    [0.0, 0.5, 1.0, 1.0, 0.5, 0.0]
    """
    if min(warmup, cooldown) < 0 or warmup + cooldown > total or total < 1:
        raise ConfigError(f"warmup={warmup} and cooldown={cooldown} steps do not fit total={total}")
    if shape not in ("linear", "sqrt"):
        raise ConfigError(f"shape must be 'linear' or 'sqrt'; got {shape!r}")
    if step >= total and not cyclic:
        return end
    cycle, n = divmod(step, total)
    if n < warmup:
        low = end if cycle else start
        return low + (peak - low) * n / warmup
    if n < total - cooldown:
        return peak
    done = (n - (total - cooldown)) / cooldown
    return peak - (peak - end) * (done if shape == "linear" else math.sqrt(done))


def cosine(step: int, *, total: int, peak: float, warmup: int, start: float = 0.0, end: float = 0.0) -> float:
    """Linear warm-up from `start`, then half a cosine down to `end` at step `total`, where it stays.

    Raises
    ------
    ConfigError
        If the warm-up is longer than `total`.

    Notes
    -----
    With `start` > 0 this is the re-warming schedule of Gupta et al., arXiv:2308.04014.
    """
    if not 0 <= warmup <= total:
        raise ConfigError(f"warmup={warmup} steps do not fit total={total}")
    if step < warmup:
        return start + (peak - start) * step / warmup
    return _half_cosine((step - warmup) / (total - warmup), peak, end) if step < total else end


def infinite(
    step: int,
    *,
    peak: float,
    constant: float,
    end: float,
    warmup: int,
    cooldown: int,
    anneal_start: int | None = None,
    anneal_steps: int = 1,
) -> float:
    """Warm-up, cosine cool-down to a constant for as long as data arrive, and on demand exponential annealing.

    Parameters
    ----------
    step : int
    peak, constant, end : float
        Rates after the warm-up, after the cool-down, and after annealing; `constant` and `end` > 0.
    warmup, cooldown : int
        Steps.
    anneal_start : int, optional
        First step of the annealing; None = not yet.
    anneal_steps : int
        Its length.

    Raises
    ------
    ConfigError
        If annealing starts before the cool-down ends, or a rate it needs is not positive.

    Notes
    -----
    Source: arXiv:2503.02844, "infinite" schedule.
    """
    if anneal_start is not None and (anneal_start < warmup + cooldown or anneal_steps < 1 or min(constant, end) <= 0):
        raise ConfigError(
            f"annealing must start at step {warmup + cooldown} or later, take a step and run between positive rates; "
            f"got anneal_start={anneal_start}, anneal_steps={anneal_steps}, constant={constant:g}, end={end:g}"
        )
    if step < warmup:
        return peak * step / warmup
    if step < warmup + cooldown:
        return _half_cosine((step - warmup) / cooldown, peak, constant)
    if anneal_start is None or step < anneal_start:
        return constant
    return constant * math.pow(end / constant, min(1.0, (step - anneal_start) / anneal_steps))


def _half_cosine(done: float, high: float, low: float) -> float:
    return low + (high - low) * (1 + math.cos(math.pi * done)) / 2
