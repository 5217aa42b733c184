"""Runs that are equal but for their seeds, united to one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lossrun.analysis.values import readings
from lossrun.analysis.values.splits import PARTS, splits
from lossrun.records.files.rows import Rows
from lossrun.records.history import History
from lossrun.records.recorded import RecordedRun

# What may differ between the runs of a group: it names a run or its seeds, and changes nothing that is measured.
_FREE: Final = {"name", "tags", "seed", "seeds", "checkpoint", "lint"}


@dataclass(frozen=True, slots=True)
class RunGroup:
    """`run`: what the members make together, under the first one's name; a lone member as it is."""

    run: RecordedRun
    members: tuple[RecordedRun, ...]


def grouped(runs: Sequence[RecordedRun]) -> tuple[RunGroup, ...]:
    """The runs, in their order, with those united that are one experiment on different seeds.

    A run that is not finished, was changed on its way, has lost a part of its history, or repeats a seed stays alone:
    it is something else, or nothing new.
    """
    groups: list[list[RecordedRun]] = []
    for run in runs:
        home = next((group for group in groups if all(_belong_together(run, member) for member in group)), None)
        if home is None:
            groups.append([run])
        else:
            home.append(run)
    return tuple(RunGroup(_united(members), tuple(members)) for members in groups)


def diverged_elsewhere(group: RunGroup, groups: Sequence[RunGroup]) -> tuple[int, ...]:
    """The seeds that diverged in runs which are the same experiment as `group`'s and did not finish: without them its
    own seeds are a choice of the good ones."""
    found = {
        seed
        for other in groups
        if other is not group and other.run.status == "diverged" and _is_same(group.run, other.run)
        for seed in readings.diverged_seeds(other.run)
    }
    return tuple(sorted(found - set(group.run.seeds)))


def _belong_together(run: RecordedRun, other: RecordedRun) -> bool:
    return (
        run.status == other.status == "finished"
        and not set(run.seeds) & set(other.seeds)
        and _is_same(run, other)
        and not readings.is_short(run)
        and not readings.is_short(other)
    )


def _is_same(run: RecordedRun, other: RecordedRun) -> bool:
    """Whether they are one experiment but for their seeds, and remained so to their end."""
    return (
        _experiment(run) == _experiment(other)
        and all(run.environment.get(key) == other.environment.get(key) for key in ("task", "code"))
        and _have_same_data(run, other)
        and not any(event.get("changes") for event in (*run.ledger, *other.ledger))
    )


def _have_same_data(run: RecordedRun, other: RecordedRun) -> bool:
    """Whether what is known of their data fits one dataset. Splits that were drawn for each seed differ, and only their
    sizes can be held against each other."""
    ours, its = splits(run), splits(other)
    if ours.own and its.own:
        return ours.total is not None and ours.total == its.total and all(ours.same(its, part) for part in PARTS)
    return bool(run.environment.get("data") == other.environment.get("data"))


def _experiment(run: RecordedRun) -> dict[str, Any]:
    return {key: value for key, value in run.config.items() if key not in _FREE}


def _united(members: Sequence[RecordedRun]) -> RecordedRun:
    """Rows and events one after the other, and one end with all seeds."""
    if len(members) == 1:
        return members[0]
    ends = [member.finished or {} for member in members]
    finished = {
        "event": "finished",
        "seeds": {seed: facts for end in ends for seed, facts in end.get("seeds", {}).items()},
        "seconds": sum(end.get("seconds", 0.0) for end in ends),
    }
    return replace(
        members[0],
        environment={**members[0].environment, **_joined(members)},
        config={**members[0].config, "seeds": [seed for member in members for seed in member.seeds]},
        history=History(
            Rows(row for member in members for row in member.history.rows),
            any(member.history.torn for member in members),
        ),
        ledger=(*(event for member in members for event in member.ledger if event["event"] != "finished"), finished),
        warnings=tuple(warning for member in members for warning in member.warnings),
    )


def _joined(members: Sequence[RecordedRun]) -> dict[str, Any]:
    """The digests and sizes of all seeds' parts, as one run would have recorded them; nothing where they share them."""
    each = [splits(member) for member in members]
    if not each[0].own:
        return {}
    return {
        "data": {part: "+".join(str(d) for one in each for d in one.digests.get(part, {}).values()) for part in PARTS},
        "samples": {part: [n for one in each for n in one.sizes.get(part, {}).values()] for part in PARTS},
    }
