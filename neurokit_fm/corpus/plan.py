"""Plan: which windows make which batch of which step, for every process, from a seed. Indices only, no samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from neurokit_fm.corpus.packing import Ids, Limits, Load, Shape, bucket, evened, pack

EVEN = 0.9
"""Cost of the cheapest batch of a step, as a share of the costliest, at least; the end of an epoch may be worse."""


@dataclass(frozen=True)
class Position:
    """Where a plan stands at the start of a horizon; JSON-able.

    Attributes
    ----------
    horizon : int
        How many were planned before.
    rounds, cursors : tuple of int
        For each stream: how often it was gone through, and windows taken in this round.
    given : tuple of int
        Tokens taken from each stream so far.
    carried : tuple of int
        Windows that wait for a fuller batch.
    """

    horizon: int = 0
    rounds: tuple[int, ...] = (0,)
    cursors: tuple[int, ...] = (0,)
    given: tuple[int, ...] = (0,)
    carried: tuple[int, ...] = ()


class Plan:
    """Batches of equal cost, in a random order that a seed decides.

    Windows are taken in shuffled order, a horizon of some 32 batches at a time, and packed; what fills no batch, or no
    step of equal batches, waits for the next horizon.

    Parameters
    ----------
    shapes : sequence of Shape
    shape_of : ndarray, shape (windows,), int32
        Row of `shapes` for each window.
    streams : sequence of (int, int)
        First and one-past-last window of what is shuffled as one.
    shares : sequence of float or None
        Share of the tokens from each stream, without end; None = all windows once, which ends.
    limits : Limits
    mixed : bool
        Pack shapes together, or keep each batch to one.
    world : int
    seed : int
    """

    def __init__(
        self,
        shapes: Sequence[Shape],
        shape_of: npt.NDArray[np.int32],
        streams: Sequence[tuple[int, int]],
        shares: Sequence[float] | None,
        limits: Limits,
        *,
        mixed: bool,
        world: int,
        seed: int,
    ):
        self.shapes, self.shape_of, self.streams, self.limits = tuple(shapes), shape_of, tuple(streams), limits
        self.shares = None if shares is None else tuple(x / sum(shares) for x in shares)
        self.mixed, self.world, self.seed = mixed, world, seed
        self._tokens = np.array([shape.tokens for shape in shapes], np.int64)
        self._goal = limits.tokens * max(32, 4 * world)
        self._orders: dict[int, tuple[int, Ids]] = {}

    def start(self) -> Position:
        """Return the position before the first horizon."""
        zeros = (0,) * len(self.streams)
        return Position(rounds=zeros, cursors=zeros, given=zeros)

    def horizon(self, at: Position) -> tuple[list[tuple[Load, ...]], Position, bool]:
        """Plan one horizon.

        Returns
        -------
        steps : list of tuple of Load
            For each step, a batch for each process.
        next : Position
        ended : bool
            Whether a round of all windows ends with the last step.
        """
        fresh, after, ended = self._draw(at)
        carried = np.array(at.carried, np.int64)
        groups = self._groups(np.concatenate([carried, fresh]))
        rng = np.random.default_rng([self.seed, 1, at.horizon])
        go, wait = (pack if self.mixed else bucket)(groups, self.limits)
        if ended:
            go, wait = [*go, *wait], []
            go = evened(go, self._tokens[self.shape_of[np.concatenate([load.ids for load in go])]], self.world)
        steps, uneven = self._divided(sorted(go, key=lambda load: -load.tokens), 0.0 if ended else EVEN)
        wait += uneven
        left = tuple(int(i) for load in wait for i in load.ids)
        order = rng.permutation(len(steps))
        return [self._shuffled(steps[i], rng) for i in order], replace(after, carried=left), ended

    def steps(self, at: Position) -> Iterator[tuple[Position, int, bool, tuple[Load, ...]]]:
        """Yield the position and number within the horizon *after* each step, whether a round ends there, the step."""
        while True:
            steps, after, ended = self.horizon(at)
            for number, step in enumerate(steps, 1):
                last = number == len(steps)
                yield (after, 0, ended, step) if last else (at, number, False, step)
            at = after

    def _draw(self, at: Position) -> tuple[Ids, Position, bool]:
        """Take the next windows of each stream."""
        rounds, cursors, given = list(at.rounds), list(at.cursors), list(at.given)
        parts: list[Ids] = []
        ended = False
        for s in range(len(self.streams)):
            share = 1.0 if self.shares is None else self.shares[s]
            goal = round((at.horizon + 1) * self._goal * share) - given[s] if self.shares else self._goal
            while goal > 0 and not ended:
                rest = self._order(s, rounds[s])[cursors[s] :]
                some = rest[: goal // int(self._tokens.min()) + 1]
                cost = np.cumsum(self._tokens[self.shape_of[some]])
                n = min(int(np.searchsorted(cost, goal)) + 1, len(some))
                if self.shares is None and self._left(rest[n:]) < self._goal:
                    some, n = rest, len(rest)  # the last horizon is never a small one
                    cost = np.cumsum(self._tokens[self.shape_of[some]])
                parts.append(some[:n])
                goal -= int(cost[n - 1])
                given[s] += int(cost[n - 1])
                cursors[s] += n
                if n == len(rest):
                    rounds[s], cursors[s], ended = rounds[s] + 1, 0, self.shares is None
        after = Position(at.horizon + 1, tuple(rounds), tuple(cursors), tuple(given))
        return np.concatenate([*parts, np.zeros(0, np.int64)]), after, ended

    def _left(self, rest: Ids) -> int:
        """Tokens of windows, or of the first of them, which are more than a horizon's."""
        some = rest[: self._goal // int(self._tokens.min()) + 1]
        return int(self._tokens[self.shape_of[some]].sum())

    def _order(self, stream: int, turn: int) -> Ids:
        """Windows of a stream in the order of one round."""
        if self._orders.get(stream, (None,))[0] != turn:
            first, last = self.streams[stream]
            order = np.random.default_rng([self.seed, 0, stream, turn]).permutation(last - first) + first
            self._orders[stream] = turn, order
        return self._orders[stream][1]

    def _groups(self, ids: Ids) -> list[tuple[Shape, Ids]]:
        kinds = self.shape_of[ids]
        order = np.argsort(kinds, kind="stable")
        kinds, ids = kinds[order], ids[order]
        values, first = np.unique(kinds, return_index=True)
        return [(self.shapes[k], part) for k, part in zip(values, np.split(ids, first[1:]), strict=True)]

    def _divided(self, loads: Sequence[Load], even: float) -> tuple[list[Sequence[Load]], list[Load]]:
        """Steps of batches of like cost, from the costliest on; and what finds no like."""
        steps: list[Sequence[Load]] = []
        alone: list[Load] = []
        first = 0
        while first < len(loads):
            step = loads[first : first + self.world]
            if len(step) == self.world and step[-1].tokens >= even * step[0].tokens:
                steps.append(step)
                first += self.world
            else:
                alone.append(loads[first])
                first += 1
        return steps, alone

    def _shuffled(self, loads: Sequence[Load], rng: np.random.Generator) -> tuple[Load, ...]:
        return tuple(loads[i] for i in rng.permutation(len(loads)))
