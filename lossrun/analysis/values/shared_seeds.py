"""Reduce runs with different seeds to the seeds that each shares with the first.

A mean that is shown next to a verdict is then over the verdict's seeds. With three or more runs, the first may share
different seeds with each. Its own values are over all seeds that it shares with any run, and a note says where a
verdict is over fewer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from lossrun.analysis.values import readings
from lossrun.analysis.values.groups import RunGroup
from lossrun.records.files.rows import Rows
from lossrun.records.history import History
from lossrun.records.recorded import RecordedRun


def on_shared_seeds(groups: Sequence[RunGroup]) -> tuple[RunGroup, ...]:
    """Return the groups with each `run` reduced to the shared seeds; `members` stay complete.

    A run that shares no seed with the first is not changed.
    """
    kept = _kept(groups)
    return tuple(
        group if len(seeds) == len(group.run.seeds) else RunGroup(_restricted(group.run, seeds), group.members)
        for group, seeds in zip(groups, kept, strict=True)
    )


def left_out_notes(groups: Sequence[RunGroup], letters: Sequence[str]) -> list[str]:
    """Return a note for each run with seeds left out, and for each that is compared over different seeds."""
    first, kept = letters[0], _kept(groups)
    found = []
    for group, seeds, letter in zip(groups, kept, letters, strict=True):
        if left_out := [seed for seed in group.run.seeds if seed not in seeds]:
            lacking = f"{first} does not have" if letter != first else "no other run has"
            found.append(
                f"{letter}: {listed(left_out)} {'is' if len(left_out) == 1 else 'are'} left out of every number, "
                f"because {lacking} {'it' if len(left_out) == 1 else 'them'}"
            )
        if letter == first:
            continue
        if not set(seeds) & set(groups[0].run.seeds):
            found.append(f"{letter} shares no seed with {first}, so the values of {letter} are over different seeds")
        elif set(seeds) != set(kept[0]):
            found.append(
                f"{letter} is compared with {first} on {listed(seeds)}, while the values of {first} are over "
                f"{listed(kept[0])}"
            )
    if any(len(seeds) < len(group.run.seeds) for seeds, group in zip(kept, groups, strict=True)):
        found.append("leaving out seeds is fair unless they were chosen by their results")
    return found


def without_epoch(groups: Sequence[RunGroup], letters: Sequence[str], epoch: int) -> list[str]:
    """Return a note for each run with seeds that have no such epoch."""
    found = []
    for group, letter in zip(groups, letters, strict=True):
        reached = readings.rows_at(group.run, epoch)
        if without := [seed for seed in group.run.seeds if seed not in reached]:
            lacking = f"{letter}: {listed(without)} {'has' if len(without) == 1 else 'have'} no epoch {epoch}"
            over = f", so the values of {letter} are over {listed(reached)}" if reached else ""
            found.append(lacking + over)
    return found


def _kept(groups: Sequence[RunGroup]) -> list[tuple[int, ...]]:
    """Return the seeds of each run that verdicts are over."""
    first = groups[0].run.seeds
    shared = [tuple(seed for seed in group.run.seeds if seed in set(first)) for group in groups[1:]]
    of_first = tuple(seed for seed in first if any(seed in seeds for seeds in shared))
    others = [seeds or group.run.seeds for seeds, group in zip(shared, groups[1:], strict=True)]
    return [of_first or first, *others]


def _restricted(run: RecordedRun, seeds: Sequence[int]) -> RecordedRun:
    kept = set(seeds)
    return replace(
        run,
        config={**run.config, "seeds": list(seeds)},
        history=History(Rows(row for row in run.history.rows if row["seed"] in kept), run.history.torn),
        ledger=tuple(
            {**event, "seeds": {seed: facts for seed, facts in event["seeds"].items() if int(seed) in kept}}
            if event["event"] == "finished"
            else event
            for event in run.ledger
        ),
    )


def listed(seeds: Iterable[int]) -> str:
    """Write seeds in words: `seed 3`, `seeds 3 and 7`, `seeds 6 to 9`."""
    ordered = sorted(seeds)
    if len(ordered) == 1:
        return f"seed {ordered[0]}"
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"seeds {ordered[0]} to {ordered[-1]}"
    return f"seeds {', '.join(map(str, ordered[:-1]))} and {ordered[-1]}"
