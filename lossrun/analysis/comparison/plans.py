"""Plan a comparison from a pilot: how many fresh seeds find a difference of a given size, and what they cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from lossrun.analysis.comparison.verdicts import Verdict
from lossrun.analysis.values.groups import RunGroup
from lossrun.analysis.values.planning import Needed, deviation_limit, needed
from lossrun.analysis.values.statistics import LEAST_FOR_INTERVAL, LEVEL
from lossrun.errors import UsageError
from lossrun.records.run_directory import RunDirectory
from lossrun.shell import command

ADVISED: Final = 5  # seeds of a pilot


@dataclass(frozen=True, slots=True)
class Plan:
    """What a fresh comparison of run number `run` with run number `reference` needs.

    Attributes:
        size: The difference to find, in the units of the metric.
        level: The chance of a false verdict in the fresh comparison, corrected for the number of comparisons.
        over: What the pilot's values are: "seeds", or the means of "splits".
        pilot: How many of them there are.
        deviation: The standard deviation of the pilot's differences.
        limit: The upper confidence limit of the deviation.
        needed: How many seeds or splits are needed if the deviation is as large as its limit: enough for four in five
            pilots.
        guess: How many are needed if the deviation is exactly that of the pilot.
        commands: The commands that train as many fresh seeds of both runs; empty if the number is unknown.
        seconds: The time to train both runs with one seed, or with one split, at the pilot's pace; None if it was not
            recorded.
    """

    metric: str
    run: int
    reference: int
    size: float
    level: float
    over: Literal["seeds", "splits"]
    pilot: int
    deviation: float
    limit: float
    needed: Needed
    guess: Needed
    seconds: float | None
    commands: tuple[str, ...]


def plans(verdicts: Sequence[Verdict], groups: Sequence[RunGroup], size: float) -> tuple[Plan, ...]:
    """Return a plan for each run against the first, by the first deciding metric.

    Raises:
        UsageError: If the size is not above 0, or the pilot has no deviation.
    """
    if not (math.isfinite(size) and size > 0):
        raise UsageError(f"plan {size}: expected a difference above 0, in the units of the deciding metric")
    if not verdicts:
        raise UsageError("no plan: these runs have no verdict; the comparison without --plan says why")
    return tuple(_plan(verdict, groups, size) for verdict in verdicts if verdict.metric == verdicts[0].metric)


def _plan(verdict: Verdict, groups: Sequence[RunGroup], size: float) -> Plan:
    difference = verdict.difference
    if difference is None or difference.interval is None or difference.deviation is None:
        few = difference is not None and difference.count < LEAST_FOR_INTERVAL
        least = f"a pilot needs at least {LEAST_FOR_INTERVAL} shared seeds, and {ADVISED} are advised"
        raise UsageError(f"no plan: {least if few else '; '.join(verdict.because)}")
    level = LEVEL / max(verdict.comparisons, 1)
    limit = deviation_limit(difference.deviation, difference.count)
    ratio = difference.ratio or 0.0
    found = needed(size, limit, level, ratio, difference.items)
    both = [groups[verdict.reference], groups[verdict.run]]
    paces = [_pace(group) for group in both]
    known = [pace for pace in paces if pace is not None]
    return Plan(
        metric=verdict.metric,
        run=verdict.run,
        reference=verdict.reference,
        size=size,
        level=level,
        over=difference.over,
        pilot=difference.count,
        deviation=difference.deviation,
        limit=limit,
        needed=found,
        guess=needed(size, difference.deviation, level, ratio, difference.items),
        seconds=sum(known) * len(difference.per_seed) / difference.count if len(known) == len(paces) else None,
        commands=_commands(both, found),
    )


def _commands(groups: Sequence[RunGroup], needed: Needed) -> tuple[str, ...]:
    if needed.count is None:
        return ()
    fresh = max(seed for group in groups for seed in group.run.seeds) + 1
    splits, folds = (groups[0].run.config.get(key) for key in ("splits", "folds"))
    if folds:
        return ()  # other seeds would have the same folds
    set_ = [f"seed={fresh}", f"seeds={needed.count}"]
    if splits:
        each = len(groups[0].members[0].seeds) // splits
        set_ = [f"seed={fresh}", f"splits={needed.count}", f"seeds={needed.count * each}"]
    return tuple(command("train", RunDirectory(group.run.path).config_path, set_=set_) for group in groups)


def _pace(group: RunGroup) -> float | None:
    """Return the wall time of a run divided by its seeds."""
    seconds = [(member.finished or {}).get("seconds") for member in group.members]
    known = [one for one in seconds if one is not None]
    return sum(known) / len(group.run.seeds) if len(known) == len(seconds) else None
