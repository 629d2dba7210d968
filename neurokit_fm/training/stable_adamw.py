"""StableAdamW: AdamW whose step shrinks where the gradient outruns its running second moment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from neurokit_fm.errors import ConfigError


class StableAdamW(torch.optim.Optimizer):
    r"""AdamW with update clipping, one learning rate a tensor and step.

    Parameters
    ----------
    params : iterable of Tensor, or of mapping
        Parameters or parameter groups, as any torch optimiser takes them.
    lr : float
        Largest step size; a tensor's own may be lower.
    betas : (float, float)
    eps : float
    weight_decay : float
        Decoupled, on all parameters, scaled by the tensor's own step size.

    Raises
    ------
    ConfigError
        If a value is out of range, or a gradient is sparse.

    Notes
    -----
    Source: Wortsman et al., arXiv:2304.13013, with the settings REVE (arXiv:2510.21585) was trained with. With
    $\hat\beta = (\beta^k - \beta) / (\beta^k - 1)$ at step k (no other bias correction), $m \leftarrow \hat\beta_1 m +
    (1 - \hat\beta_1) g$, $v \leftarrow \hat\beta_2 v + (1 - \hat\beta_2) g^2$:
    $\eta = \mathrm{lr} / \max(1, \sqrt{\mathrm{mean}(g^2 / \max(v, \epsilon^2))})$, then $p \leftarrow p (1 - \eta
    \lambda) - \eta\, m / (\sqrt v + \epsilon)$. There is no compensated (Kahan) summation for low-precision parameters.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.92, 0.999),
        eps: float = 1e-9,
        weight_decay: float = 0.01,
    ):
        if lr < 0 or eps <= 0 or weight_decay < 0 or not all(0 <= beta < 1 for beta in betas):
            raise ConfigError(
                "StableAdamW needs lr >= 0, eps > 0, weight_decay >= 0 and betas in [0, 1); "
                f"got lr={lr:g}, eps={eps:g}, weight_decay={weight_decay:g}, betas={betas}"
            )
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]  # torch overloads
        """Update every parameter that has a gradient; return what `closure` returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            alike: dict[tuple[torch.device, torch.dtype, int], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None and p.numel():
                    alike.setdefault((p.device, p.dtype, self._count(p)), []).append(p)
            for (_, _, k), params in alike.items():
                self._update(group, k, params)
        return loss

    def _count(self, p: Tensor) -> int:
        """Number of this parameter's step, from 1; makes its state at the first."""
        if p.grad is not None and p.grad.is_sparse:
            raise ConfigError("StableAdamW takes dense gradients; make the embedding with sparse=False")
        state = self.state[p]
        if not state:
            state.update(step=0, mean=torch.zeros_like(p), square=torch.zeros_like(p))
        state["step"] += 1
        return int(state["step"])

    def _update(self, group: dict[str, Any], k: int, params: list[Tensor]) -> None:
        """Step tensors of one device, type and step number together."""
        new1, new2 = (1 - (beta**k - beta) / (beta**k - 1) for beta in group["betas"])  # weights of the new gradient
        grads = [p.grad for p in params if p.grad is not None]
        mean, square = [self.state[p]["mean"] for p in params], [self.state[p]["square"] for p in params]
        torch._foreach_lerp_(mean, grads, new1)
        torch._foreach_mul_(square, 1 - new2)
        torch._foreach_addcmul_(square, grads, grads, new2)

        root = torch._foreach_sqrt(square)
        outrun = torch._foreach_div(grads, torch._foreach_clamp_min(root, group["eps"]))
        size = torch.stack(torch._foreach_norm(outrun))  # (tensors,)
        if type(size) is not Tensor:  # shards of several processes: the norm is that of the whole tensor
            size = size.full_tensor()  # type: ignore[attr-defined]  # of DTensor, which takes a second to import
        rms = size / size.new_tensor([math.sqrt(p.numel()) for p in params])
        eta = group["lr"] / rms.clamp(min=1)  # (tensors,) stays on the device

        torch._foreach_add_(root, group["eps"])
        change = torch._foreach_div(mean, root)
        torch._foreach_mul_(change, list(eta.unbind()))
        torch._foreach_mul_(params, list((1 - eta * group["weight_decay"]).unbind()))
        torch._foreach_sub_(params, change)
