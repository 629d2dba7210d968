"""Batches: the windows of corpora, packed to equal cost, the same for every process and every restart."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurokit_fm.batch.batch import Batch
from neurokit_fm.corpus.corpus import Corpus
from neurokit_fm.corpus.packing import Ids, Limits, Load, Shape
from neurokit_fm.corpus.plan import Plan, Position
from neurokit_fm.corpus.prefetch import Ring
from neurokit_fm.corpus.shelf import Shelf
from neurokit_fm.errors import ConfigError, DataError

_Step = tuple[Position, int, bool, tuple[Load, ...]]


class Batches:
    """Batches of about `batch_tokens` tokens each, read ahead by a thread.

    Without `weights`, iterating goes through every window once, in random order, and ends; the next loop is the next
    epoch, in another order. With `weights` it has no end, and the tokens come from the corpora in these proportions.
    A loop that is left early is taken up by the next one at the next batch.

    The order depends on the corpora, the settings and the seed alone. Every process plans all of it and reads its own
    part: as many batches as every other, at each step of the same cost within 10 % but for the end of an epoch, and
    never the same window. (Where single windows fill a batch, up to ``world - 1`` of them may not go round, and are left
    out of that epoch.) With `mixed`, windows of all sizes share batches, first-fit decreasing within a random set of
    some 32 batches (M1: arXiv:2404.09529); otherwise each batch holds windows of one size.

    **A batch is valid until `ring` batches later**: its memory is then filled anew. Use it, copy it to a device, or
    ask for `copy`. A copy to a device that does not block must be over by then.

    Parameters
    ----------
    corpora : Corpus, path, or sequence of them
        With equal contracts; window lengths may differ.
    weights : sequence of float, optional
        Share of the tokens from each corpus, > 0.
    batch_tokens : int
        Tokens of a batch at most.
    tokens_of : callable
        (channels, samples) of a window to its number of tokens.
    seed : int
    rank, world : int
        Which of how many processes this is.
    mixed : bool
    padding : float
        With `mixed`, a batch has at most this many values (B x C x T, padding included) for each that a full batch of
        real windows may have; it bounds memory.
    ring : int
        How many batches stay valid, the last one included.
    prefetch : bool
        Read ahead in a thread; else when a batch is asked for. The batches are the same.
    copy : bool
        Give each batch memory of its own.

    Attributes
    ----------
    corpora : tuple of Corpus
    epoch : int
        How often all windows were gone through; stays 0 with `weights`.
    steps, windows, tokens : int
        Handed out so far: batches of this process, windows and tokens of all processes.

    Raises
    ------
    ConfigError
        If a setting is out of range, contracts differ, or a window has more tokens than a batch may.
    DataError
        If there are no windows, or fewer than processes.
    """

    def __init__(
        self,
        corpora: Corpus | str | os.PathLike[str] | Sequence[Corpus | str | os.PathLike[str]],
        *,
        weights: Sequence[float] | None = None,
        batch_tokens: int,
        tokens_of: Callable[[int, int], int],
        seed: int,
        rank: int = 0,
        world: int = 1,
        mixed: bool = True,
        padding: float = 2.0,
        ring: int = 2,
        prefetch: bool = True,
        copy: bool = False,
    ):
        given = [corpora] if isinstance(corpora, Corpus | str | os.PathLike) else list(corpora)
        self.corpora = tuple(c if isinstance(c, Corpus) else Corpus(c) for c in given)
        _check(self.corpora, weights, batch_tokens, rank, world, padding)
        self.rank, self.world, self.copy = rank, world, copy
        self._shelf = Shelf(self.corpora)
        shapes, shape_of = _shapes(self._shelf, tokens_of)
        _check_shapes(shapes, shape_of, batch_tokens, world)
        dense = max(shape.channels * shape.samples / shape.tokens for shape in shapes)
        largest = max(shape.channels * shape.samples for shape in shapes)
        limits = Limits(batch_tokens, max(largest, int((padding if mixed else 1.0) * dense * batch_tokens)))
        ends = np.cumsum([0, *(corpus.n_windows for corpus in self.corpora)]).tolist()
        streams = [(0, ends[-1])] if weights is None else list(itertools.pairwise(ends))
        self._plan = Plan(shapes, shape_of, streams, weights, limits, mixed=mixed, world=world, seed=seed)
        self._ring: Ring[Tensor] = Ring(self._buffer, ring, 1 if prefetch else 0)
        self._settings = {
            "corpora": hashlib.sha256("".join(s.sha256 for c in self.corpora for s in c.shards).encode()).hexdigest(),
            "weights": None if weights is None else [float(w) for w in weights],
            "batch_tokens": batch_tokens,
            "shapes": hashlib.sha256(json.dumps([asdict(shape) for shape in shapes]).encode()).hexdigest(),
            "seed": seed,
            "world": world,
            "mixed": mixed,
            "padding": padding,
        }
        self._at, self._number = self._plan.start(), 0
        self.epoch = self.steps = self.windows = self.tokens = 0

    def __iter__(self) -> Iterator[Batch]:
        for (at, number, ended, loads), batch in self._ring.run(self._steps(), self._read):
            self._at, self._number, self.steps = at, number, self.steps + 1
            self.epoch += int(ended)
            self.windows += sum(len(load.ids) for load in loads)
            self.tokens += sum(load.tokens for load in loads)
            yield batch
            if ended:
                return

    def state_dict(self) -> dict[str, Any]:
        """Return where this stands, as JSON values: after the last batch that was handed out, whatever is read ahead.

        It is the same in every process.
        """
        counts = {name: getattr(self, name) for name in _COUNTS}
        return {"format": 1, "settings": self._settings, "at": asdict(self._at), "number": self._number, **counts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken; from the next loop on.

        Raises
        ------
        ConfigError
            If it was taken over other corpora or with other settings, naming them.
        """
        if state.get("format") != 1:
            raise ConfigError(f"this state of batches has format {state.get('format')!r}; this version reads format 1")
        differ = [name for name, value in self._settings.items() if state["settings"].get(name) != value]
        if differ:
            was = ", ".join(
                f"{name} ({state['settings'].get(name)!r}, now {self._settings[name]!r})" for name in differ
            )
            raise ConfigError(f"the state was saved with other batches; what differs: {was}")
        at = state["at"]
        self._at = Position(at["horizon"], *(tuple(at[name]) for name in ("rounds", "cursors", "given", "carried")))
        self._number = int(state["number"])
        for name in _COUNTS:
            setattr(self, name, int(state[name]))

    def steps_left(self) -> int:
        """Steps up to the end of this epoch, counted by planning them.

        Raises
        ------
        ConfigError
            If there are `weights`: such batches have no end.
        """
        if self._plan.shares is not None:
            raise ConfigError("batches with weights have no end; count steps in the training run instead")
        return next(n for n, (_, _, ended, _) in enumerate(self._steps(), 1) if ended)

    def _steps(self) -> Iterator[_Step]:
        """Yield what follows the present position."""
        skip = self._number
        for step in self._plan.steps(self._at):
            if skip:
                skip -= 1
                continue
            yield step
            if step[2]:  # a loop ends with the epoch; nothing of the next one is read ahead
                return

    def _read(self, step: _Step, buffer: Tensor) -> Batch:
        ids: Ids = np.sort(step[3][self.rank].ids)
        return self._shelf.batch(ids, self._buffer() if self.copy else buffer)

    def _buffer(self) -> Tensor:
        return torch.empty(self._plan.limits.values, pin_memory=torch.cuda.is_available())


_COUNTS = ("epoch", "steps", "windows", "tokens")


def _check(
    corpora: Sequence[Corpus],
    weights: Sequence[float] | None,
    batch_tokens: int,
    rank: int,
    world: int,
    padding: float,
) -> None:
    if batch_tokens < 1 or not 0 <= rank < world or not padding >= 1:
        raise ConfigError(
            "batch_tokens and padding must be at least 1 and rank in [0, world); "
            f"got {batch_tokens}, {padding:g}, rank {rank} of {world}"
        )
    if weights is not None and (len(weights) != len(corpora) or not all(0 < w < float("inf") for w in weights)):
        raise ConfigError(f"weights must be one positive number a corpus ({len(corpora)}); got {list(weights)}")
    if not corpora:
        raise DataError("batches need at least one corpus")
    empty = [str(corpus.path) for corpus in corpora if not corpus.n_windows]
    if empty:
        raise DataError(f"there are no windows in {', '.join(empty)}")
    first = corpora[0]
    for other in corpora[1:]:
        if other.contract != first.contract:
            fields = [n for n in vars(first.contract) if getattr(first.contract, n) != getattr(other.contract, n)]
            what = ", ".join(f"{n} {getattr(first.contract, n)!r} and {getattr(other.contract, n)!r}" for n in fields)
            raise ConfigError(
                f"{first.path} and {other.path} were prepared after different contracts ({what}); prepare one again"
            )


def _shapes(shelf: Shelf, tokens_of: Callable[[int, int], int]) -> tuple[list[Shape], Any]:
    """Sizes that occur, and which of them each window has."""
    _, channels, samples = shelf.sizes(np.arange(len(shelf)))
    above = int(samples.max()) + 1
    sizes, shape_of = np.unique(channels * above + samples, return_inverse=True)
    shapes = [
        Shape(size // above, size % above, int(tokens_of(size // above, size % above))) for size in sizes.tolist()
    ]
    return shapes, shape_of.astype(np.int32)


def _check_shapes(shapes: Sequence[Shape], shape_of: Any, batch_tokens: int, world: int) -> None:
    large = max(shapes, key=lambda shape: shape.tokens)
    if large.tokens > batch_tokens:
        raise ConfigError(
            f"a window of {large.channels} channels and {large.samples} samples has {large.tokens} tokens, a batch at most "
            f"{batch_tokens}; raise batch_tokens, or prepare shorter windows"
        )
    small = min(shapes, key=lambda shape: shape.tokens)
    if small.tokens < 1:
        raise ConfigError(
            f"tokens_of gives {small.tokens} tokens to {small.channels} channels and {small.samples} samples"
        )
    if len(shape_of) < world:
        raise DataError(f"{len(shape_of)} windows cannot be divided among {world} processes")
