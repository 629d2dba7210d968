"""Rules for positional encodings."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from neurokit_fm.model import PositionalEncoding
from neurokit_fm.testing.checks.check import Case, Rule, expect
from neurokit_fm.testing.checks.inputs import CLOSE, deviation, seeded
from neurokit_fm.testing.checks.parts import check_class, check_config, check_size, example_config

WIDTH = 32


class EncodingCase(Case):
    """A small encoding."""

    @cached_property
    def encoding(self) -> PositionalEncoding:
        """A fresh one, of width 32."""
        self.rests_on(builds)
        return self.build()

    def build(self) -> PositionalEncoding:
        """Build the example."""
        with seeded():
            return self.target(example_config(self), width=WIDTH)  # type: ignore[no-any-return]


def places(n: int = 5, steps: int = 3) -> Tensor:
    """Coordinates (2, n*steps, 4) of sensors on a head, metres, at seconds 0, 0.7, 1.4."""
    rng = torch.Generator().manual_seed(0)
    xyz = 0.09 * torch.nn.functional.normalize(torch.randn((2, n, 1, 3), generator=rng), dim=-1)
    seconds = (0.7 * torch.arange(steps).float()).view(1, 1, steps, 1).expand(2, n, steps, 1)
    return torch.cat([xyz.expand(2, n, steps, 3), seconds], dim=-1).flatten(1, 2)


def builds(case: EncodingCase) -> None:
    """The class builds from its `example` and a width, small."""
    check_class(case, PositionalEncoding)
    check_size(case.build())


def config(case: EncodingCase) -> None:
    """Its configuration is a frozen dataclass that JSON can hold."""
    case.rests_on(builds)
    check_config(example_config(case))


def shapes(case: EncodingCase) -> None:
    """Coordinates (B, N, 4) become finite vectors (B, N, D)."""
    coords = places()
    out = case.encoding(coords)
    expect(out.shape == (*coords.shape[:2], WIDTH), f"shape {tuple(out.shape)}", f"return (2, 15, {WIDTH}) here")
    expect(torch.isfinite(out).all(), "values that are not finite", "known coordinates must give finite vectors")


def unknown(case: EncodingCase) -> None:
    """An unknown coordinate (NaN) gives finite vectors and gradients: no place, no time, or neither."""
    for label, axes in (("positions", slice(0, 3)), ("times", slice(3, 4)), ("coordinates", slice(0, 4))):
        coords, encoding = places(), case.build()
        coords[0, :, axes] = torch.nan
        out = encoding(coords)
        bad = int((~torch.isfinite(out)).sum())
        expect(not bad, f"unknown {label}: {bad} of {out.numel()} values are not finite", "replace NaN: nan_to_num(0)")
        if out.requires_grad:
            out.sum().backward()
        wrong = [n for n, p in encoding.named_parameters() if p.grad is not None and not torch.isfinite(p.grad).all()]
        expect(not wrong, f"unknown {label}: gradient of {', '.join(wrong)} is NaN", "replace NaN before, not after")


def gradients(case: EncodingCase) -> None:
    """Every parameter gets a gradient."""
    encoding = case.build()
    trained = [(n, p) for n, p in encoding.named_parameters() if p.requires_grad]
    if trained:
        encoding(places()).square().sum().backward()
    without = [n for n, p in trained if p.grad is None]
    expect(not without, f"none for {', '.join(without)}", "remove the parameter, or use it")


def shuffle(case: EncodingCase) -> None:
    """A vector depends on its own coordinates only: shuffled coordinates give the same vectors, shuffled."""
    case.rests_on(shapes)
    coords = places()
    order = torch.randperm(coords.shape[1], generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        far = deviation(case.encoding(coords[:, order]), case.encoding(coords)[:, order])
    expect(far < CLOSE, f"vectors differ by {far:.2g} of the largest", "do not use the place in the sequence")


def autocast(case: EncodingCase) -> None:
    """Inside a bfloat16 autocast the vectors are computed in float32: bfloat16 cannot tell neighbouring sensors apart."""
    case.rests_on(shapes)
    with torch.no_grad():
        exact = case.encoding(places())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = case.encoding(places())
    mend = "wrap the computation in torch.autocast(device_type, enabled=False)"
    expect(found.dtype == torch.float32, f"{found.dtype}", mend)
    far = deviation(found, exact)
    expect(far < CLOSE, f"vectors differ by {far:.2g} of the largest from those without autocast", mend)


def meta_device(case: EncodingCase) -> None:
    """It is built and runs on the meta device: every tensor is made where its input is."""
    case.rests_on(shapes)
    with torch.device("meta"):
        encoding = case.target(example_config(case), width=WIDTH)
    out = encoding(places().to("meta"))
    expect(out.is_meta, f"a result on {out.device}", "make tensors with x.new_zeros or device=x.device")


CASE = EncodingCase
CHECKS: tuple[Rule, ...] = (builds, config, shapes, unknown, gradients, shuffle, autocast, meta_device)
