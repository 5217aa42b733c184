"""Compute what the seconds of a history mean for one seed of a run.

A row's `seconds` are the wall time of its epoch, for all seeds that trained in it. Seeds train in groups, which
run.json lists by their sizes (`chunks`): the groups take turns, and the seeds of a group train at once, as one
computation. So one seed took as long as its group:

| seeds            | chunks    | seconds of one seed                                                         |
|------------------|-----------|-----------------------------------------------------------------------------|
| one              | [1]       | the epoch's                                                                 |
| three in turn    | [1, 1, 1] | a third of the epoch's                                                      |
| three at once    | [3]       | the epoch's; a seed alone would have been faster, so a label says "at once" |
| five, in groups  | [3, 2]    | half of the epoch's (groups differ by at most one seed), with the label     |
| several, unknown | not known | the epoch's, with a label: older versions did not record the groups         |

A group takes no time after all its seeds have stopped. A resumed run may have different groups from then on.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from lossrun.records.recorded import RecordedRun

SECONDS: Final = ("seconds", "train_seconds")  # columns that hold seconds


@dataclass(frozen=True, slots=True)
class Clock:
    """The groups of seeds that a run trained in.

    Attributes:
        seeds: How many seeds the run has.
        since: Pairs of an epoch and the groups from that epoch on, in order; the groups are None if they were not
            recorded.
    """

    seeds: int
    since: tuple[tuple[int, tuple[frozenset[int], ...] | None], ...]

    def turns(self, epoch: int, active: Collection[int]) -> int:
        """Return how many groups took turns in an epoch in which the seeds `active` trained; it divides the seconds."""
        groups = next(groups for first, groups in reversed(self.since) if first <= epoch)
        return max(sum(not group.isdisjoint(active) for group in groups), 1) if groups else 1

    @property
    def at_once(self) -> int | None:
        """The most seeds that trained at once; 1 if each has its own time, None if not recorded."""
        sizes = [max(map(len, groups)) if groups else None for _, groups in self.since]
        known = [size for size in sizes if size]
        return max(known) if len(known) == len(sizes) else None

    @property
    def arrangement(self) -> str:
        """How the seeds trained, in words: `3 seeds in turn`; "" for a single seed."""
        if self.seeds == 1:
            return ""
        if self.at_once == 1:
            return f"{self.seeds} seeds in turn"
        if self.at_once == self.seeds and all(groups and len(groups) == 1 for _, groups in self.since):
            return f"{self.seeds} seeds at once"
        return f"{self.seeds} seeds" + (f", up to {self.at_once} at once" if self.at_once else "")


def clock(run: RecordedRun) -> Clock:
    """Return the groups of a recorded run, from run.json and the ledger's `resumed` events."""
    plans = [(1, run.environment.get("chunks"))]
    for event in run.ledger:
        if event["event"] == "resumed" and "environment" in event and isinstance(event.get("epoch"), int):
            plans = [plan for plan in plans if plan[0] < event["epoch"]]
            plans.append((event["epoch"], event["environment"].get("chunks")))
    return Clock(len(run.seeds), tuple((first, _groups(run.seeds, sizes)) for first, sizes in plans))


def at_once(members: Sequence[RecordedRun]) -> int | None:
    """Return the most seeds that trained at once in any of the members of a group; None if one did not record it."""
    found = [clock(run).at_once for run in members]
    known = [count for count in found if count]
    return max(known) if len(known) == len(found) else None


def shared(count: int | None, seeds: int) -> str:
    """Name seconds that several seeds share: `6 seeds at once`; "" for the seconds of one seed."""
    if seeds == 1 or count == 1:
        return ""
    return f"{count} seeds at once" if count else f"all {seeds} seeds"


def seed_seconds(members: Sequence[RecordedRun]) -> dict[int, dict[int, float]]:
    """Return {seed: {epoch: the seconds that it took}} for the members of a group."""
    found: dict[int, dict[int, float]] = {}
    epoch_of = itemgetter("epoch")
    for run in members:
        its = clock(run)
        for epoch, rows in groupby(sorted(run.history.rows, key=epoch_of), key=epoch_of):
            together = list(rows)
            turns = its.turns(epoch, {row["seed"] for row in together})
            for row in together:
                found.setdefault(row["seed"], {})[epoch] = row.get("seconds", 0.0) / turns
    return found


def _groups(seeds: Sequence[int], sizes: Any) -> tuple[frozenset[int], ...] | None:
    if len(seeds) == 1:
        return (frozenset(seeds),)
    if not isinstance(sizes, list) or not all(isinstance(size, int) and size > 0 for size in sizes):
        return None
    if sum(sizes) != len(seeds):
        return None
    ends = [sum(sizes[: place + 1]) for place in range(len(sizes))]
    return tuple(frozenset(seeds[end - size : end]) for size, end in zip(sizes, ends, strict=True))
