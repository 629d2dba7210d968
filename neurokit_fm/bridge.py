"""as_module: our models where other toolkits expect a plain `nn.Module` over arrays."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from neurokit_fm.batch.batch import Batch
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.contract import SeriesContract
from neurokit_fm.data.channels import Channels
from neurokit_fm.errors import ConfigError, DataError
from neurokit_fm.model import Model
from neurokit_fm.positions import move, place


class ArrayModule(nn.Module):
    """A model over plain arrays; see `as_module`."""

    def __init__(self, model: Model, final_layer: nn.Module | None, frame: str, names: tuple[str, ...] | None):
        super().__init__()
        if not isinstance(model.contract, SeriesContract):
            raise ConfigError(
                f"as_module takes models of sampled signals; {model.name} has a {model.contract.layout} contract"
            )
        self.model, self.frame, self.names = model, frame, names
        self.contract: SeriesContract = model.contract
        self.final_layer = final_layer if final_layer is not None else nn.Identity()

    def forward(
        self, x: Tensor, channel_positions: Tensor | None = None, ch_names: Sequence[str] | None = None
    ) -> Tensor:
        """Map signals (B, C, T) in the contract's units and rate to (B, D), or through the head to (B, outputs)."""
        names = tuple(ch_names) if ch_names is not None else self.names
        stream = SeriesStream.from_arrays(
            x,
            sfreq=self.contract.sfreq,
            positions=self._positions(x, channel_positions, names),
            names=names,
            frame=self.contract.frame or "unknown",
        )
        batch = Batch(streams={self.contract.modality: stream})
        out = self.model(batch).pooled() if self.model.head is None else self.model.predict(batch)
        return self.final_layer(out)  # type: ignore[no-any-return]

    def _positions(self, x: Tensor, given: Tensor | None, names: tuple[str, ...] | None) -> Tensor | None:
        target = self.contract.frame
        if target is None:
            return given
        modality, shape = self.contract.modality.partition("|")[0], (*x.shape[:2], 3)
        if given is not None:
            given = given.detach().expand(shape)
            if self.frame == target:
                return given
            flat = given.reshape(-1, 3).cpu().double().numpy()
            return torch.as_tensor(move(flat, modality, self.frame, target), dtype=torch.float32, device=x.device).view(
                shape
            )
        if names is None:
            raise DataError(f"{self.model.name} needs to know where sensors are: give channel_positions or ch_names")
        channels, _ = place(Channels.of(names, kind=modality), modality, target)
        return torch.as_tensor(channels.position, dtype=torch.float32, device=x.device).expand(shape)


def as_module(
    model: Model, head: nn.Module | None = None, *, frame: str = "head", ch_names: Sequence[str] | None = None
) -> ArrayModule:
    """Wrap a model as a plain module ``forward(x, channel_positions=None, ch_names=None)``.

    Parameters
    ----------
    model : Model
        Of sampled signals.
    head : Module, optional
        Applied to the (B, D) summary, as ``final_layer``.
    frame : str
        Frame of the ``channel_positions`` to come; MNE's head frame by default, moved to the contract's.
    ch_names : sequence of str, optional
        Channel names where callers pass only ``x``.

    Returns
    -------
    ArrayModule
        Runs in neuralbench, Open EEG Bench, skorch and braindecode. `x` must be in the contract's units: apply
        ``model.contract`` to the recordings first.
    """
    return ArrayModule(model, head, frame, None if ch_names is None else tuple(ch_names))
