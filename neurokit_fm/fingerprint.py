"""A model's fingerprint: a small seeded input with the output it gave, replayed whenever the model is loaded.

A wrong kernel, dtype or conversion is noticed at once, on the user's machine.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neurokit_fm.batch.batch import Batch
from neurokit_fm.batch.points import PointStream
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.batch.volume import VolumeStream
from neurokit_fm.contract import Contract, PointsContract, SeriesContract, VolumeContract
from neurokit_fm.errors import WeightsError

if TYPE_CHECKING:
    from neurokit_fm.model import Model

TOLERANCE = 2e-3
"""Largest deviation of a float32 replay, relative to the largest output; kernels differ in the last bits only."""

LARGEST = 30_000_000
"""Values of an example at most: a contract that asks for more is damaged."""

NAMES = ("Fz", "Cz", "Pz", "C3", "C4", "Oz")
"""Channels of the example where the contract leaves them open: known to models that look electrodes up by name."""


def example_batch(contract: Contract, seed: int = 0) -> Batch:
    """Make a small random batch that fits a contract: two samples, the second with fewer channels.

    Raises
    ------
    WeightsError
        If even that would hold more than `LARGEST` values.
    """
    rng = torch.Generator().manual_seed(seed)
    if isinstance(contract, VolumeContract):
        shape = (1, len(contract.contrasts), *contract.shape)
        _affordable(math.prod(shape))
        stream = VolumeStream(
            values=torch.randn(shape, generator=rng),
            contrast_mask=torch.ones(shape[:2], dtype=torch.bool),
            affine=torch.diag(torch.tensor([contract.spacing_m] * 3 + [1.0]))[None].double(),
            contrasts=contract.contrasts,
        )
        return Batch(streams={contract.modality: stream})
    if isinstance(contract, PointsContract):
        return Batch(streams={contract.modality: _example_points(contract, rng)})
    assert isinstance(contract, SeriesContract)
    names = contract.channels or NAMES
    samples = round(min(contract.window_s, 3 * contract.min_window_s, LARGEST) * contract.sfreq)
    _affordable(2 * len(names) * samples)
    places = torch.randn((len(names), 3), generator=rng)
    places = 0.09 * places / places.norm(dim=1, keepdim=True)  # on a head of 9 cm
    channel_mask = torch.ones((2, len(names)), dtype=torch.bool)
    if not contract.channels:
        channel_mask[1, -2:] = False
    series = SeriesStream.from_arrays(
        torch.randn((2, len(names), samples), generator=rng),
        sfreq=contract.sfreq,
        positions=places if contract.needs_positions else None,
        names=names,
        channel_mask=channel_mask,
        frame=contract.frame or "unknown",
    )
    return Batch(streams={contract.modality: series})


def take(model: Model) -> dict[str, Tensor]:
    """Return the model's fingerprint: inputs and output, as named tensors."""
    batch = example_batch(model.contract)
    return {**_inputs(batch), "output.pooled": _run(model, batch)}


def replay(model: Model, stored: dict[str, Tensor]) -> float:
    """Run the stored input again and compare.

    Returns
    -------
    float
        Largest deviation relative to the largest output.

    Raises
    ------
    WeightsError
        If it exceeds `TOLERANCE`.
    """
    batch = example_batch(model.contract)
    inputs = _inputs(batch)
    known = set(stored) == {*inputs, "output.pooled"}
    if not known or any(not torch.equal(value, stored[name]) for name, value in inputs.items()):
        raise WeightsError(
            "the stored fingerprint was made for another contract; the folder's files do not belong together"
        )
    expected = stored["output.pooled"].float()
    found = _run(model, batch)
    if found.shape != expected.shape:
        raise WeightsError(f"fingerprint: output of shape {tuple(found.shape)}, stored {tuple(expected.shape)}")
    deviation = float((found - expected).abs().max() / expected.abs().max().clamp(min=1e-6))
    if not deviation <= TOLERANCE:
        raise WeightsError(
            f"the loaded model does not reproduce its own fingerprint (relative deviation {deviation:.2g}, allowed "
            f"{TOLERANCE:g}): the weights, the code or a kernel differ from those it was saved with"
        )
    return deviation


def _inputs(batch: Batch) -> dict[str, Tensor]:
    """What the model is given, as named tensors."""
    (stream,) = batch.streams.values()
    if isinstance(stream, PointStream):
        return {"input.times": stream.times, "input.source": stream.source}
    return {"input.values": stream.values} if isinstance(stream, SeriesStream | VolumeStream) else {}


def _affordable(values: float) -> None:
    if not values <= LARGEST:
        raise WeightsError(f"the contract asks for an example of {values:.3g} values; at most {LARGEST:,} are made")


def _example_points(contract: PointsContract, rng: torch.Generator) -> PointStream:
    """Two samples of random events, about one in ten bins and source, the second sample of half the length."""
    names = contract.channels or tuple(f"S{i}" for i in range(6))
    bins = min(round(contract.window_s / contract.bin_s), 64)
    n_events = max(1, bins * len(names) // 10)
    duration = contract.bin_s * torch.tensor([bins, max(1, bins // 2)], dtype=torch.float32)
    places = torch.rand((2, n_events), generator=rng)
    return PointStream(
        times=(places * duration[:, None]).sort(dim=1).values,
        source=torch.randint(len(names), (2, n_events), generator=rng),
        mask=torch.ones((2, n_events), dtype=torch.bool),
        channel_mask=torch.ones((2, len(names)), dtype=torch.bool),
        positions=torch.full((2, len(names), 3), torch.nan),
        duration=duration,
        names=(names, names),
    )


def _run(model: Model, batch: Batch) -> Tensor:
    """Pooled output of a model, computed in float32 at least and returned on the CPU."""
    if any(p.dtype in (torch.float16, torch.bfloat16) for p in model.parameters()):
        model = copy.deepcopy(model).float()
    home = next(model.parameters(), torch.zeros(()))
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            out: Tensor = model(batch.to(home.device)).pooled().detach().float().cpu().contiguous()
    finally:
        model.train(training)
    return out
