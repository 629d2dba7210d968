"""StableAdamW against the published trajectory, and what any torch optimiser must do."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from neurokit_fm.errors import ConfigError
from neurokit_fm.training import StableAdamW

GOLDEN = Path(__file__).parents[1] / "goldens" / "reve" / "stable_adamw.safetensors"


@pytest.mark.golden
def test_the_published_trajectory_is_reproduced() -> None:
    tensors, about = load_file(GOLDEN), json.loads(GOLDEN.with_suffix(".json").read_text(encoding="utf-8"))
    params = [tensors["input.param0"].clone().requires_grad_(), tensors["input.param1"].clone().requires_grad_()]
    optimiser = StableAdamW(params, **about["config"])
    for step in range(5):
        for i, p in enumerate(params):
            p.grad = tensors[f"input.grad{i}.step{step}"]
        optimiser.step()
        for i, p in enumerate(params):
            torch.testing.assert_close(p.detach(), tensors[f"output.param{i}.step{step}"], **about["tolerance"])


def by_the_formula(p: Tensor, grads: list[Tensor], lr: float, decay: float) -> Tensor:
    """One tensor's trajectory, written down as in the notes of the class, float64."""
    p, m, v = p.double(), torch.zeros_like(p).double(), torch.zeros_like(p).double()
    for k, g in enumerate((g.double() for g in grads), 1):
        b1, b2 = ((b**k - b) / (b**k - 1) for b in (0.92, 0.999))
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        rms = (g**2 / v.clamp(min=1e-18)).mean().sqrt()
        eta = lr / max(1.0, float(rms))
        p = p * (1 - eta * decay) - eta * m / (v.sqrt() + 1e-9)
    return p


def test_jumps_shorten_the_step_and_tensors_that_miss_gradients_keep_their_own_count() -> None:
    g = torch.Generator().manual_seed(0)
    starts = [torch.randn(shape, generator=g) for shape in ((3, 4), (7,), (2, 2, 2))]
    params = [s.clone().requires_grad_() for s in starts]
    optimiser = StableAdamW([{"params": params[:2], "lr": 0.02}, {"params": params[2:]}], lr=0.1, weight_decay=0.1)
    seen: list[list[Tensor]] = [[], [], []]
    for step in range(6):
        scale = 100.0 if step == 3 else 1.0  # a jump that the second moment has not seen: the step must shrink
        for i, p in enumerate(params):
            p.grad = None if i == 1 and step in (0, 2) else scale * torch.randn(p.shape, generator=g)
            if p.grad is not None:
                seen[i].append(p.grad.clone())
        optimiser.step()
    for i, (p, start, lr) in enumerate(zip(params, starts, (0.02, 0.02, 0.1), strict=True)):
        expected = by_the_formula(start, seen[i], lr, 0.1)
        torch.testing.assert_close(p.detach().double(), expected, atol=1e-6, rtol=1e-5)  # float32 against float64


def test_a_saved_state_continues_the_same_way() -> None:
    def run(interrupt: bool) -> Tensor:
        g = torch.Generator().manual_seed(1)
        p = torch.ones(5, requires_grad=True)
        optimiser = StableAdamW([p], lr=0.05)
        for step in range(6):
            if interrupt and step == 3:
                saved = optimiser.state_dict()
                p = p.detach().clone().requires_grad_()
                optimiser = StableAdamW([p], lr=0.5)
                optimiser.load_state_dict(saved)
            p.grad = torch.randn(5, generator=g)
            optimiser.step()
        return p.detach()

    assert torch.equal(run(interrupt=True), run(interrupt=False))


def test_closure_empty_tensors_and_missing_gradients_are_fine() -> None:
    p, empty, frozen = torch.ones(2, requires_grad=True), torch.ones(0, requires_grad=True), torch.ones(2)
    optimiser = StableAdamW([p, empty, frozen], lr=0.1)

    def closure() -> float:
        optimiser.zero_grad()
        loss = (p**2).sum() + empty.sum()
        loss.backward()
        return float(loss.detach())

    assert optimiser.step(closure) == 2.0
    assert bool((p < 1).all())
    assert torch.equal(frozen, torch.ones(2))


def test_impossible_settings_are_named() -> None:
    with pytest.raises(ConfigError, match=r"betas in \[0, 1\); got lr=0.1"):
        StableAdamW([torch.ones(1, requires_grad=True)], lr=0.1, betas=(1.0, 0.9))
    embedding = torch.nn.Embedding(4, 2, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(ConfigError, match="sparse=False"):
        StableAdamW(embedding.parameters()).step()
