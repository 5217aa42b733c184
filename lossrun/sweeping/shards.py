"""Run one sweep in several processes, such as the jobs of an array: each takes its share of the cells."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from lossrun.errors import LockedError, UsageError
from lossrun.records.lock import writing
from lossrun.records.sweep_directory import PlannedCell, shard_directory
from lossrun.sweeping.stacks import by_stack

_SHARD: Final = re.compile(r"(\d+)/(\d+)")
_CHECKED_EVERY: Final = 0.1  # seconds


class Shard(NamedTuple):
    """Share `number` (from 1) of `shares` equal shares."""

    number: int
    shares: int

    def of(self, cells: Sequence[PlannedCell]) -> list[PlannedCell]:
        """Return the cells of every `shares`-th stack, so that no share gets only slow stacks."""
        stacks = list(by_stack(cells).values())
        return [cell for stack in stacks[self.number - 1 :: self.shares] for cell in stack]

    def __str__(self) -> str:
        return f"{self.number}/{self.shares}"


def parse_shard(text: str) -> Shard:
    """Read `2/4`. Raises UsageError."""
    match = _SHARD.fullmatch(text)
    shard = Shard(*map(int, match.groups())) if match else Shard(0, 0)
    if not 1 <= shard.number <= shard.shares:
        raise UsageError(f"--shard {text}: expected I/N with I from 1 to N, such as 1/4")
    return shard


@contextmanager
def running_shard(sweep: Path, shard: Shard) -> Iterator[None]:
    """Hold the lock of this share. Raises LockedError if another process runs it."""
    folder = shard_directory(sweep, shard.number, shard.shares)
    folder.mkdir(parents=True, exist_ok=True)
    with writing(folder):
        yield


@contextmanager
def waiting_for(sweep: Path) -> Iterator[None]:
    """Hold the lock of the whole sweep, which other shares hold for a moment, to write its plan and ledger."""
    while True:
        try:
            with writing(sweep):
                yield
            return
        except LockedError:
            time.sleep(_CHECKED_EVERY)
