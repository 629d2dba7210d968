"""Learning rates: published values, borders, and what is refused."""

import json
from pathlib import Path

import pytest

from neurokit_fm.errors import ConfigError
from neurokit_fm.training.schedules import cosine, infinite, trapezoid

GOLDEN = Path(__file__).parents[1] / "goldens" / "reve" / "trapezoid_lr.json"


@pytest.mark.golden
def test_the_cyclic_trapezoid_is_the_published_one() -> None:
    about = json.loads(GOLDEN.read_text(encoding="utf-8"))
    c, rates = about["config"], about["lr"]
    assert len(rates) > c["cycle_length"]  # the golden values reach into a later cycle, which starts at end_lr
    mine = [
        trapezoid(
            step,
            total=c["cycle_length"],
            peak=c["peak_lr"],
            warmup=c["warmup_steps"],
            cooldown=c["cooldown_steps"],
            start=c["start_lr"],
            end=c["end_lr"],
            cyclic=True,
        )
        for step in range(len(rates))
    ]
    assert mine == pytest.approx(rates, rel=1e-9)


# The expected numbers below were computed from the formulas in double precision, hence the tolerance.


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("linear", [0.0, 0.0008, 0.001, 0.001, 0.001, 0.001, 0.00075, 0.0005, 5e-05, 0.0]),
        (
            "sqrt",
            [0.0, 0.0008, 0.001, 0.001, 0.001, 0.001, 0.0005, 0.00029289321881345245, 2.5320565519103668e-05, 0.0],
        ),
    ],
)
def test_warm_up_stable_decay(shape: str, expected: list[float]) -> None:
    steps = [0, 4, 5, 50, 79, 80, 85, 90, 99, 100]
    mine = [trapezoid(n, total=100, peak=1e-3, warmup=5, cooldown=20, shape=shape) for n in steps]  # type: ignore[arg-type]  # parametrised
    assert mine == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_infinite_schedule() -> None:
    steps = [0, 1, 9, 10, 30, 49, 50, 63, 199, 200, 225, 250, 255]
    expected = [0.0, 1e-4, 9e-4, 1e-3, 6.25e-4, 0.000251155999850077, 2.5e-4, 2.5e-4, 2.5e-4, 2.5e-4]
    expected += [1.5811388300841898e-05, 1e-06, 1e-06]
    rates = {"peak": 1e-3, "constant": 2.5e-4, "end": 1e-6, "warmup": 10, "cooldown": 40}
    mine = [infinite(n, **rates, anneal_start=200, anneal_steps=50) for n in steps]
    assert mine == pytest.approx(expected, rel=1e-9)
    assert infinite(10**9, **rates) == 2.5e-4


def test_cosine_with_warm_up() -> None:
    expected = [1e-05, 0.000305, 0.0006, 0.000315, 3.066440078069631e-05, 3e-05, 3e-05]
    mine = [cosine(n, total=50, peak=6e-4, warmup=4, start=1e-5, end=3e-5) for n in (0, 2, 4, 27, 49, 50, 99)]
    assert mine == pytest.approx(expected, rel=1e-9)


def test_schedules_have_no_jumps() -> None:
    n = 10_000
    for rate in (
        lambda s: trapezoid(s, total=n, peak=1.0, warmup=1000, cooldown=3000, end=0.1),
        lambda s: cosine(s, total=n, peak=1.0, warmup=1000, end=0.1),
        lambda s: infinite(
            s, peak=1.0, constant=0.3, end=0.1, warmup=1000, cooldown=2000, anneal_start=5000, anneal_steps=2000
        ),
    ):
        assert max(abs(rate(s + 1) - rate(s)) for s in range(n + 10)) < 0.0011


def test_ramps_may_be_empty() -> None:
    assert [trapezoid(s, total=3, peak=1.0, warmup=0, cooldown=0) for s in range(4)] == [1.0, 1.0, 1.0, 0.0]
    assert cosine(0, total=3, peak=1.0, warmup=0) == 1.0


def test_impossible_ramps_are_named() -> None:
    with pytest.raises(ConfigError, match="warmup=6 and cooldown=6 steps do not fit total=10"):
        trapezoid(0, total=10, peak=1.0, warmup=6, cooldown=6)
    with pytest.raises(ConfigError, match="shape must be 'linear' or 'sqrt'; got 'cubic'"):
        trapezoid(0, total=10, peak=1.0, warmup=1, cooldown=1, shape="cubic")  # type: ignore[arg-type]  # the test
    with pytest.raises(ConfigError, match="warmup=11 steps do not fit total=10"):
        cosine(0, total=10, peak=1.0, warmup=11)
    with pytest.raises(ConfigError, match="annealing must start at step 50 or later"):
        infinite(0, peak=1.0, constant=0.5, end=0.1, warmup=10, cooldown=40, anneal_start=49)
