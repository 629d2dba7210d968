"""A thread that makes the next items while the last one is used, in a ring of buffers."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from neurokit_fm.errors import DataError

PlanT = TypeVar("PlanT")
MadeT = TypeVar("MadeT")
BufferT = TypeVar("BufferT")


class Ring(Generic[BufferT]):
    """Buffers, some of which the reader may still look at.

    Parameters
    ----------
    make : callable
        Returns a new buffer; called `ring` times, and `ahead` times more.
    ring : int
        How many items stay valid, the last one included.
    ahead : int
        How many are made ahead; 0 = none, and no thread.
    """

    def __init__(self, make: Callable[[], BufferT], ring: int, ahead: int):
        if ring < 1:
            raise DataError(f"ring must be at least 1; got {ring}")
        self.ring, self.ahead = ring, ahead
        self._make = make
        self._buffers: list[BufferT] = []
        self._held: deque[BufferT] = deque()
        self._stop: Callable[[], None] = lambda: None
        self._runs = 0

    def run(self, plans: Iterator[PlanT], work: Callable[[PlanT, BufferT], MadeT]) -> Iterator[tuple[PlanT, MadeT]]:
        """Yield every plan with what `work` made of it in a buffer; a second run ends the first.

        An item is valid until `ring` items later, across runs too. What `work` or `plans` raise is raised here.
        """
        self._stop()
        self._runs += 1
        while len(self._buffers) < self.ring + self.ahead:
            self._buffers.append(self._make())
        free: queue.SimpleQueue[BufferT | None] = queue.SimpleQueue()
        for buffer in self._buffers:
            if not any(buffer is held for held in self._held):
                free.put(buffer)
        if not self.ahead:
            return self._here(plans, work, free)
        return self._threaded(plans, work, free)

    def _still(self, run: int) -> None:
        if run != self._runs:
            raise DataError("this loop was ended by a newer one over the same batches")

    def _hold(self, buffer: BufferT, free: queue.SimpleQueue[BufferT | None]) -> None:
        self._held.append(buffer)
        if len(self._held) > self.ring:
            free.put(self._held.popleft())

    def _here(
        self, plans: Iterator[PlanT], work: Callable[[PlanT, BufferT], MadeT], free: queue.SimpleQueue[BufferT | None]
    ) -> Iterator[tuple[PlanT, MadeT]]:
        mine = self._runs
        for plan in plans:
            self._still(mine)
            if len(self._held) == self.ring:
                free.put(self._held.popleft())
            buffer = free.get()
            assert buffer is not None
            made = work(plan, buffer)
            self._hold(buffer, free)
            yield plan, made

    def _threaded(
        self, plans: Iterator[PlanT], work: Callable[[PlanT, BufferT], MadeT], free: queue.SimpleQueue[BufferT | None]
    ) -> Iterator[tuple[PlanT, MadeT]]:
        ready: queue.SimpleQueue[tuple[PlanT, MadeT, BufferT] | BaseException | None] = queue.SimpleQueue()
        stopped = threading.Event()
        mine = self._runs

        def fill() -> None:
            try:
                for plan in plans:
                    buffer = free.get()
                    if buffer is None or stopped.is_set():
                        return
                    ready.put((plan, work(plan, buffer), buffer))
                ready.put(None)
            except BaseException as err:  # noqa: BLE001 - raised again in the thread that reads
                ready.put(err)

        thread = threading.Thread(target=fill, name="nkfm-prefetch", daemon=True)

        def stop() -> None:
            stopped.set()
            free.put(None)
            thread.join()

        self._stop = stop
        thread.start()
        try:
            while (item := ready.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                plan, made, buffer = item
                self._hold(buffer, free)
                yield plan, made
                self._still(mine)
        finally:
            stop()
            if self._stop is stop:
                self._stop = lambda: None
