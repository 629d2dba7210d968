"""Journal: the log of a run, one JSON object a line, appended and never rewritten but cut when a run resumes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from neurokit_fm.errors import TrainingError, need
from neurokit_fm.training.history import Step


class Journal:
    """Writes `log.jsonl`; a line is out of this process before the next step begins, so a killed run keeps it.

    Parameters
    ----------
    folder : Path
        Of the run.
    size : int
        Bytes to keep of a log that is there already: those written before the checkpoint from which the run goes on.
    tensorboard : bool
        Also write what TensorBoard reads, under ``tensorboard``.
    """

    def __init__(self, folder: Path, size: int, *, tensorboard: bool = False):
        self.board: Any = None
        if tensorboard:
            need("tensorboard", "tensorboard = true")
            self.board = need("torch.utils.tensorboard", "tensorboard = true").SummaryWriter(
                str(folder / "tensorboard")
            )
        self.path = folder / "log.jsonl"
        self.file = self.path.open("ab")
        self.file.truncate(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()
        if self.board is not None:
            self.board.close()

    @property
    def size(self) -> int:
        """Bytes so far, all of them on the disk."""
        os.fsync(self.file.fileno())
        return self.file.tell()

    def write(self, event: str, **values: Any) -> None:
        """Append one line.

        Raises
        ------
        TrainingError
            If the disk does not take it.
        """
        try:
            self.file.write(json.dumps({"event": event, **values}).encode() + b"\n")
            self.file.flush()
        except OSError as err:
            raise TrainingError(
                f"the log {self.path} cannot be written ({err.strerror}); free some space and resume"
            ) from err

    def step(self, step: Step, seconds: float) -> None:
        """Append a step."""
        values = {name: getattr(step, name) for name in ("number", "total", "lr", "grad_norm", "windows", "tokens")}
        self.write("step", **values, parts=dict(step.parts), seconds=round(seconds, 3))
        if self.board is not None:
            for name, value in {"loss": step.total, "lr": step.lr, "grad_norm": step.grad_norm, **step.parts}.items():
                self.board.add_scalar(name, value, step.number)


def read_steps(path: Path) -> tuple[Step, ...]:
    """Return the steps in a log; a last line that was cut off by a kill is left out."""
    steps = []
    for line in path.read_bytes().split(b"\n")[:-1] if path.exists() else []:
        values = json.loads(line)
        if values.pop("event") == "step":
            values.pop("seconds")
            steps.append(Step(**values))
    return tuple(steps)
