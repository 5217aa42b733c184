"""Measure how long an epoch takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Stopwatch:
    """Measures the seconds of an epoch and of its training part; writing checkpoints counts in neither.

    Attributes:
        before: Seconds that earlier processes spent on the epoch, if the run was stopped in the middle of it.
        started: When this process began the epoch, by `time.perf_counter`.
        trained: Seconds of the training part, once it is done.
    """

    before: float = 0.0
    started: float | None = None
    trained: float = 0.0

    def start(self) -> None:
        self.started = time.perf_counter()

    def training_done(self) -> None:
        self.trained = self.seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out the time that the block takes."""
        began = time.perf_counter()
        yield
        if self.started is not None:
            self.started += time.perf_counter() - began

    @property
    def seconds(self) -> float:
        return self.before + (0.0 if self.started is None else time.perf_counter() - self.started)
