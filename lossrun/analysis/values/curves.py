"""Read a column of several histories, epoch by epoch."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from operator import gt, itemgetter
from typing import TypeAlias

from lossrun.analysis.values.readings import Spread, spread
from lossrun.records.files.rows import Row, Rows
from lossrun.records.recorded import RecordedRun

Spreads: TypeAlias = tuple[Spread | None, ...]


class EpochIndex:
    """A run's history by epoch. It holds positions, because a list for each of a million epochs costs too much."""

    def __init__(self, run: RecordedRun) -> None:
        self._rows = run.history.rows
        self._epochs = run.history.rows.column("epoch")
        # They are in order, unless the file was edited.
        if any(map(gt, self._epochs, islice(self._epochs, 1, None))):
            self._rows = Rows(sorted(run.history.rows, key=itemgetter("epoch")))
            self._epochs = self._rows.column("epoch")
        self._distinct = set(self._epochs)

    def rows(self, epoch: int) -> Sequence[Row]:
        """Return the rows of one epoch, in the history's order."""
        return self._rows[bisect_left(self._epochs, epoch) : bisect_right(self._epochs, epoch)]

    def epochs(self, name: str) -> set[int]:
        """Return the epochs that have a row with the column `name`."""
        places = self._rows.places(name)
        if sum(map(len, places)) == len(self._rows):
            return self._distinct
        return {epoch for some in places for epoch in self._epochs[some.start : some.stop]}


class CurveRows(Mapping[int, Spreads]):
    """One spread for each run, for every epoch in which any run has the column `name`; None for a run without it.

    Spreads are computed when they are read: a table shows 20 of what may be a million epochs.
    """

    def __init__(self, name: str, runs: Sequence[EpochIndex]) -> None:
        self._name = name
        self._runs = runs
        self._epochs = sorted(set().union(*(run.epochs(name) for run in runs)))
        self._known: dict[int, Spreads] = {}

    def __getitem__(self, epoch: int) -> Spreads:
        if epoch not in self._known:
            found = self._spreads(epoch)
            if not any(found):
                raise KeyError(epoch)
            self._known[epoch] = found
        return self._known[epoch]

    def __iter__(self) -> Iterator[int]:
        return iter(self._epochs)

    def __len__(self) -> int:
        return len(self._epochs)

    def _spreads(self, epoch: int) -> Spreads:
        return tuple(
            spread({row["seed"]: row[self._name] for row in run.rows(epoch) if self._name in row}) for run in self._runs
        )
