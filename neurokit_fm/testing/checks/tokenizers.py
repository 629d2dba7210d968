"""Rules for tokenizers."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from neurokit_fm.batch.points import PointStream
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm.contract import SeriesContract
from neurokit_fm.errors import NkfmError
from neurokit_fm.model import Invertible, Tokenizer
from neurokit_fm.testing.checks.check import Broken, Case, CheckSkipped, Rule, expect
from neurokit_fm.testing.checks.inputs import CLOSE, LAYOUT, Inputs, Size, by_place, deviation, filled, permuted, seeded
from neurokit_fm.testing.checks.parts import check_class, check_config, check_size, example_config
from neurokit_fm.tokens import Tokens

WIDTH = 32


class TokenizerCase(Case):
    """A small tokenizer, and streams for it."""

    @cached_property
    def tokenizer(self) -> Any:
        """A fresh one, of width 32."""
        self.rests_on(builds)
        return self.build().eval()

    def build(self) -> Any:
        """Build the example."""
        with seeded():
            return self.target(example_config(self), width=WIDTH, sfreq=self.target.example_sfreq)

    @cached_property
    def inputs(self) -> Inputs:
        """Made-up streams of its first accepted type, at its example rate."""
        tokenizer, sfreq = self.tokenizer, self.target.example_sfreq
        shortest = tokenizer.shortest_s(sfreq)
        contract = SeriesContract(
            sfreq=sfreq, min_sfreq=sfreq, min_window_s=shortest, window_s=4 * shortest, frame="template"
        )
        return Inputs(accepts=self.target.accepts[:1], contract=contract)

    @property
    def is_series(self) -> bool:
        """Whether it takes sampled signals."""
        return bool(self.target.accepts[0] is SeriesStream)

    def stream(self, *sizes: Size, **options: Any) -> Any:
        """Return a padded stream of samples of these sizes."""
        (stream,) = self.inputs.batch(*sizes, **options).streams.values()
        return stream

    @torch.no_grad()
    def cut(self, *sizes: Size, **options: Any) -> Tokens:
        """Tokens with their raw values."""
        tokens: Tokens = self.tokenizer.cut(self.stream(*sizes, **options))
        return tokens


def builds(case: TokenizerCase) -> None:
    """The class builds from its `example`, a width and a rate, small, and says what it accepts."""
    check_class(case, Tokenizer)
    known = ", ".join(kind.__name__ for kind in LAYOUT)
    expect(case.target.accepts and set(case.target.accepts) <= set(LAYOUT), f"{case.target.accepts}", f"accept {known}")
    tokenizer = case.build()
    check_size(tokenizer)
    shortest = tokenizer.shortest_s(case.target.example_sfreq)
    expect(shortest > 0, f"shortest_s gives {shortest}", "return the seconds that give one token")


def config(case: TokenizerCase) -> None:
    """Its configuration is a frozen dataclass that JSON can hold."""
    case.rests_on(builds)
    check_config(example_config(case))


def shapes(case: TokenizerCase) -> None:
    """Raw values are (B, N, raw_width), vectors (B, N, D); masks are bool, coordinates float32, indices int64."""
    tokens = case.cut(*case.inputs.sizes)
    b, n = tokens.mask.shape
    raw = case.tokenizer.raw_width
    expect(b == 2 and n, f"{n} tokens for {b} of 2 samples", "make a token of every place that is long enough")
    expect(tokens.values.shape == (b, n, raw), f"raw values {tuple(tokens.values.shape)}", f"return (2, N, {raw})")
    with torch.no_grad():
        out = case.tokenizer.embed(tokens.values)
    expect(out.shape == (b, n, WIDTH), f"vectors {tuple(out.shape)}", f"return (2, {n}, {WIDTH}) here")
    types = tokens.mask.dtype, tokens.coords.dtype, tokens.index.dtype
    wanted = torch.bool, torch.float32, torch.int64
    expect(types == wanted, f"mask, coords, index are {types}", f"make them {wanted}")


def dtype(case: TokenizerCase) -> None:
    """Values keep their type: float32 stays float32, bfloat16 stays bfloat16."""
    case.rests_on(shapes)
    for wanted in (torch.float32, torch.bfloat16):
        stream = case.stream(*case.inputs.sizes).to(dtype=wanted)
        tokenizer = case.build().to(wanted)
        with torch.no_grad():
            raw = tokenizer.cut(stream).values
            kept = raw.dtype == wanted or case.target.accepts[0] is PointStream  # times are never cast
            expect(kept, f"{wanted} in, raw values {raw.dtype}", "do not cast signal values")
            out = tokenizer.embed(raw.to(wanted)).dtype
            expect(out == wanted, f"{wanted} in, vectors {out}", "cast back to the type of the input")


def mask(case: TokenizerCase) -> None:
    """A token is real if, and only if, it is made of real data: padding a sample in a batch adds none and takes none."""
    case.rests_on(shapes)
    together = case.cut(*case.inputs.sizes)
    for b, size in enumerate(case.inputs.sizes):
        alone = case.cut(size, seeds=[b])
        here, there = (_places(tokens, row) for tokens, row in ((alone, 0), (together, b)))
        wrong = sorted(there - here)[:3] + sorted(here - there)[:3]
        found = (
            f"a sample of {size[0]} channels and {size[1]:g} s has {len(here)} real tokens alone and {len(there)} in a "
            f"batch with another; they differ in (row, step) {', '.join(map(str, wrong))}"
        )
        expect(not wrong, found, "combine channel_mask and time_mask; a patch is real if all its samples are")


def _places(tokens: Tokens, b: int) -> set[tuple[int, ...]]:
    return {tuple(place) for place in tokens.index[b, tokens.mask[b]].tolist()}


def _clock(seconds: Tensor, steps: Tensor) -> None:
    """Hold the times (K,) of one sample against its steps (K,)."""
    each = sorted(set(steps.tolist()))
    for step in each:
        when = seconds[steps == step]
        found = f"step {step} of one sample at {when.min():g} to {when.max():g} s"
        expect(when.max() - when.min() < 1e-6, found, "one step, one time, in all channels of a sample")
    starts = [float(seconds[steps == step][0]) for step in each]
    expect(starts == sorted(set(starts)), f"steps at {starts} s", "times must ascend with the step")


def coords(case: TokenizerCase) -> None:
    """Coordinates are those of the token's own channel and step: finite where known, NaN where unknown.

    Seconds count from the start of the window and ascend with the step. A token of no single channel has no position. A
    tokenizer that needs positions may refuse to go without, in an error of `neurokit_fm` that speaks of them.
    """
    case.rests_on(mask)
    stream = case.stream(*case.inputs.sizes)
    with torch.no_grad():
        tokens = case.tokenizer.cut(stream)
    seconds, rows = tokens.coords[..., 3][tokens.mask], tokens.index[..., 0]
    if case.is_series:
        expect(torch.isfinite(seconds).all(), "times that are not finite", "give seconds from the start of the window")
        for b in range(len(tokens.mask)):  # tokens placed by what the signal holds lie elsewhere in each sample
            _clock(tokens.coords[b, tokens.mask[b], 3], tokens.index[b, tokens.mask[b], 1])
        if _per_channel(case):
            own = stream.positions.gather(1, rows[..., None].expand(-1, -1, 3))[tokens.mask]
            off = (tokens.coords[..., :3][tokens.mask] - own).abs().amax(-1)
            wrong = int((~(off < 1e-6)).sum())
            found = f"{wrong} of {len(own)} tokens are not where the channel of their index is"
            expect(not wrong, found, "take positions[b, row] for the token whose index is (row, step)")
        try:
            nowhere = case.cut(*case.inputs.sizes, known=False)
        except NkfmError as err:
            expect("position" in str(err), str(err), "say that this tokenizer needs positions")
            return
        lost = nowhere.coords[nowhere.mask]
        expect(torch.isnan(lost[:, :3]).all(), "positions where none is known", "leave an unknown position NaN")
        expect(
            torch.isfinite(lost[:, 3]).all(), "no times where no position is known", "the time is known all the same"
        )
    elif case.target.accepts[0] is PointStream:
        expect(torch.isfinite(seconds).all(), "times that are not finite", "a firing has a time")


@torch.no_grad()
def _per_channel(case: TokenizerCase) -> bool:
    """Whether tokens belong to channels: those that do not, stay as they are when channels are permuted."""
    one = case.stream(case.inputs.sizes[1])
    shuffled, _ = permuted(one)
    return deviation(case.tokenizer.cut(shuffled).values, case.tokenizer.cut(one).values) >= CLOSE


def order(case: TokenizerCase) -> None:
    """Tokens come channel-major: all steps of the first row, then all of the second."""
    case.rests_on(mask)
    tokens = case.cut(*case.inputs.sizes)
    for b in range(len(tokens.mask)):
        places = [tuple(place) for place in tokens.index[b, tokens.mask[b]].tolist()]
        expect(
            places == sorted(set(places)),
            f"(row, step) {places[:4]} ...",
            "flatten (B, C, S) from the left: flatten(1, 2)",
        )


def padding(case: TokenizerCase) -> None:
    """Padding may hold anything: with 1e6 in it real tokens are the same as with 0."""
    case.rests_on(mask)
    stream = case.stream(*case.inputs.sizes)
    with torch.no_grad():
        clean, dirty = (case.tokenizer(filled(stream, value)) for value in (0.0, 1e6))
        raw = [case.tokenizer.cut(filled(stream, value)).values[clean.mask] for value in (0.0, 1e6)]
    for label, a, b in (
        ("vectors", dirty.values[clean.mask], clean.values[clean.mask]),
        ("raw values", raw[1], raw[0]),
        ("coordinates", dirty.coords[clean.mask].nan_to_num(), clean.coords[clean.mask].nan_to_num()),
    ):
        far = deviation(a, b)
        expect(
            far < CLOSE, f"{label} differ by {far:.2g} of the largest", "use channel_mask and time_mask in every sum"
        )


def permutation(case: TokenizerCase) -> None:
    """Permuting channels with their positions permutes the tokens (or changes nothing, where tokens mix channels)."""
    case.rests_on(shapes)
    stream = case.stream(case.inputs.sizes[1], case.inputs.sizes[1])
    shuffled, moved = permuted(stream)
    with torch.no_grad():
        one, other = case.tokenizer(stream), case.tokenizer(shuffled)
    far = same_tokens(other.values, other.mask, other.index, one.values, one.mask, one.index, moved)
    expect(far < CLOSE, f"vectors differ by {far:.2g} of the largest", "treat all channels alike")


def same_tokens(
    values: Tensor, mask: Tensor, index: Tensor, were: Tensor, mask0: Tensor, index0: Tensor, moved: Tensor
) -> float:
    """How far tokens are from those before a permutation, permuted or unchanged, whichever is nearer."""
    permuted_too = deviation(by_place(values, mask, index, moved), by_place(were, mask0, index0))
    return min(permuted_too, deviation(by_place(values, mask, index), by_place(were, mask0, index0)))


def meta_device(case: TokenizerCase) -> None:
    """It is built and runs on the meta device: every tensor is made where its input is."""
    case.rests_on(shapes)
    with torch.device("meta"):
        tokenizer = case.target(example_config(case), width=WIDTH, sfreq=case.target.example_sfreq)
    tokens = tokenizer(case.stream(*case.inputs.sizes).to("meta"))
    for label in ("values", "mask", "coords", "index"):
        where = getattr(tokens, label).device
        expect(where.type == "meta", f"{label} on {where}", "make tensors with x.new_zeros or device=x.device")


def shortest(case: TokenizerCase) -> None:
    """A signal as long as `shortest_s` says gives a real token for one channel alone."""
    case.rests_on(builds)
    if not case.is_series:
        raise CheckSkipped("only sampled signals have a shortest length")
    tokens = case.cut((1, case.inputs.shortest[1]))
    expect(
        tokens.mask.any(), f"no real token in {case.inputs.shortest[1]:g} s", "let shortest_s return the true minimum"
    )


def too_short(case: TokenizerCase) -> None:
    """A shorter signal is an error of `neurokit_fm` that names the minimum, in samples or seconds."""
    case.rests_on(builds)
    sfreq, seconds = case.target.example_sfreq, case.inputs.shortest[1]
    least = round(seconds * sfreq)
    if not case.is_series or least < 2:
        raise CheckSkipped("there is no shorter signal")
    mend = f"raise DataError(f'... the minimum is {least} samples ({seconds:g} s)')"
    try:
        tokens = case.cut((2, (least - 1) / sfreq))
    except NkfmError as err:
        expect(str(least) in str(err) or f"{seconds:g} s" in str(err), str(err), mend)
    except Exception as err:
        raise Broken(f"{type(err).__name__}: {err}", mend) from err
    else:
        raise Broken(f"{least - 1} samples gave {int(tokens.mask.sum())} real tokens and no error", mend)


def decode(case: TokenizerCase) -> None:
    """Where the tokenizer has `decode`, it gives back the signal that its raw tokens were cut from."""
    case.rests_on(shapes)
    tokenizer: Any = case.tokenizer
    if not isinstance(tokenizer, Invertible):
        raise CheckSkipped("offers no decode")
    stream = case.stream(case.inputs.sizes[1])
    with torch.no_grad():
        back = tokenizer.decode(case.tokenizer.cut(stream))
    truth = stream.values[..., : back.shape[-1]]
    far = deviation(back, truth)
    found = f"shape {tuple(back.shape)}, the signal has {tuple(stream.values.shape)}; values differ by {far:.2g}"
    expect(far < CLOSE, found, "return (B, C, T) for as many samples as the tokens cover, or do not call it decode")


CASE = TokenizerCase
CHECKS: tuple[Rule, ...] = (
    builds, config, shapes, dtype, mask, coords, order, padding, permutation, meta_device, shortest, too_short, decode,
)  # fmt: skip
