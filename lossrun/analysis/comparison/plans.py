"""Plan a comparison from a pilot: how many fresh seeds find a difference of a given size, and what they cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from lossrun.analysis.comparison.verdicts import Verdict
from lossrun.analysis.values.evidence import LEAST_FOR_INTERVAL, LEVEL
from lossrun.analysis.values.groups import RunGroup
from lossrun.analysis.values.planning import Needed, deviation_limit, needed
from lossrun.analysis.values.splits import resampled_by
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
        items: Whether the verdict of the fresh comparison is over new test items too.
        pilot: How many of these values there are.
        deviation: The standard deviation of the pilot's differences.
        limit: The upper confidence limit of the deviation.
        needed: How many seeds or splits are needed if the deviation is as large as its limit: enough for four in five
            pilots.
        guess: How many are needed if the deviation is exactly that of the pilot.
        commands: The commands that train fresh seeds of both runs: as many as the largest plan asks for, because all
            runs are compared on the seeds of the first. Empty if its own number is unknown.
        seconds: The time to train both runs with one seed, or with one split, at the pilot's pace; None if it was not
            recorded.
    """

    metric: str
    run: int
    reference: int
    size: float
    level: float
    over: Literal["seeds", "splits"]
    items: bool
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
        UsageError: If the size is not above 0, or the pilot has no deviation, or is a selection of its seeds.
    """
    if not (math.isfinite(size) and size > 0):
        raise UsageError(f"plan {size}: expected a difference above 0, in the units of the deciding metric")
    if not verdicts:
        raise UsageError("no plan: these runs have no verdict; the comparison without --plan says why")
    found = [_plan(verdict, groups, size) for verdict in verdicts if verdict.metric == verdicts[0].metric]
    most = max((plan.needed.count or 0 for plan in found), default=0)
    fresh = max(seed for group in groups for member in group.members for seed in member.seeds) + 1
    return tuple(
        replace(plan, commands=tuple(_command(groups[place], fresh, most) for place in (plan.reference, plan.run)))
        if plan.needed.count is not None
        else plan
        for plan in found
    )


def _plan(verdict: Verdict, groups: Sequence[RunGroup], size: float) -> Plan:
    difference = verdict.difference
    if difference is None or difference.interval is None or difference.deviation is None:
        few = difference is not None and difference.count < LEAST_FOR_INTERVAL
        what = difference.over if difference is not None and difference.over == "splits" else "shared seeds"
        least = f"a pilot needs at least {LEAST_FOR_INTERVAL} {what}, and {ADVISED} are advised"
        raise UsageError(f"no plan: {least if few else '; '.join(verdict.because)}")
    if verdict.incomplete:
        raise UsageError(f"no plan: {verdict.because[0]}; the other seeds of the pilot were selected by their results")
    if not difference.deviation:
        raise UsageError(
            f"no plan: the difference is the same on all {difference.count} {difference.over} of the pilot, so it says "
            "nothing about how differences vary"
        )
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
        items=difference.items is not None,
        pilot=difference.count,
        deviation=difference.deviation,
        limit=limit,
        needed=found,
        guess=needed(size, difference.deviation, level, ratio, difference.items),
        seconds=sum(known) * len(difference.per_seed) / difference.count if len(known) == len(paces) else None,
        commands=(),
    )


def _command(group: RunGroup, fresh: int, count: int) -> str:
    """Return the command that trains a run with `count` fresh seeds, from the seed `fresh` on, or on `count` splits.

    Other seeds would have the same folds. So after a pilot on folds, `count` splits with test data of the same size are
    drawn at random.
    """
    config, set_ = group.run.config, [f"seed={fresh}", f"seeds={count}"]
    if key := resampled_by(config):
        given = group.members[0].config[key]
        each = len(group.members[0].seeds) // (len(given) if isinstance(given, list) else given)
        set_ = [f"seed={fresh}", f"splits={count}", f"seeds={count * each}"]
        if key == "folds":
            folds = int(given[0].partition("/")[2]) if isinstance(given, list) else given
            set_ += ["folds=null", f"dataset.test={1 / folds:.3g}"]
    return command("train", RunDirectory(group.run.path).config_path, set_=set_)


def _pace(group: RunGroup) -> float | None:
    """Return the wall time of a run for each of its seeds, including those that the other run does not have."""
    seconds = [(member.finished or {}).get("seconds") for member in group.members]
    known = [one for one in seconds if one is not None]
    seeds = sum(len(member.seeds) for member in group.members)
    return sum(known) / seeds if len(known) == len(seconds) else None
