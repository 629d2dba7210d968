"""SelfDistillation: further pre-training that stays near a teacher's features."""

from __future__ import annotations

import torch

from neurokit_fm.batch.batch import Batch
from neurokit_fm.errors import ConfigError
from neurokit_fm.model import Loss, Model
from neurokit_fm.training.objective import own_loss


class SelfDistillation:
    r"""A model's own loss plus its distance to a frozen teacher on the unmasked input.

    Parameters
    ----------
    teacher : Model
        Is frozen and put into evaluation mode.
    weight : float
        Of the distance; 0 leaves it and its forward passes out, which is plain pre-training.

    Notes
    -----
    Source: Lee et al., arXiv:2210.02871. Stage 1 goes on with pre-training from $\theta_0$ on the target recordings,
    which gives the teacher; stage 2 starts at $\theta_0$ again and minimises $L + \frac{w}{B} \sum_b \lVert f_s(x_b) -
    f_t(x_b) \rVert^2$. Deviation: f is the model's own summary of a window (`Features.pooled`), for not every model has
    a class token. The student is in training mode: a model with dropout has a distance above 0 even at its teacher's
    weights.
    """

    def __init__(self, teacher: Model, weight: float = 1.0):
        if weight < 0:
            raise ConfigError(f"the weight of the distance must not be negative; got {weight:g}")
        self.teacher = teacher.eval().requires_grad_(False)
        self.weight = weight

    def __call__(self, model: Model, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the loss; its parts are the model's own and ``distance``."""
        own = own_loss(model, batch, generator)
        if not self.weight:
            return own
        with torch.no_grad():
            wanted = self.teacher(batch).pooled().float()  # (B, D)
        distance = (model(batch).pooled().float() - wanted).square().sum(1).mean()
        return Loss(own.total + self.weight * distance, {**own.parts, "distance": distance})
