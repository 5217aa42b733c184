"""Combine runs that differ only in their seeds into one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lossrun.analysis.values import readings
from lossrun.analysis.values.splits import PARTS, resampled_by, splits
from lossrun.records.files.rows import Rows
from lossrun.records.history import History
from lossrun.records.recorded import RecordedRun

# The keys that may differ between the runs of a group: they name a run or its seeds, and change no result.
_FREE: Final = {"name", "tags", "seed", "seeds", "checkpoint", "lint"}


@dataclass(frozen=True, slots=True)
class RunGroup:
    """Runs that are one experiment with different seeds.

    Attributes:
        run: The combination of the members, under the first one's name; a single member unchanged.
        members: The recorded runs.
    """

    run: RecordedRun
    members: tuple[RecordedRun, ...]


def grouped(runs: Sequence[RecordedRun]) -> tuple[RunGroup, ...]:
    """Combine the runs that are one experiment with different seeds, and keep the order.

    A run stays alone if it is not finished, was changed when it was resumed, has lost part of its history, or repeats a
    seed.
    """
    groups: list[list[RecordedRun]] = []
    for run in runs:
        home = next((group for group in groups if all(_belong_together(run, member) for member in group)), None)
        if home is None:
            groups.append([run])
        else:
            home.append(run)
    return tuple(RunGroup(_united(members), tuple(members)) for members in groups)


def diverged_in_unfinished_runs(group: RunGroup, groups: Sequence[RunGroup]) -> tuple[int, ...]:
    """Return the seeds that diverged in unfinished runs of the same experiment.

    Without them, the seeds of `group` would be a selection of those that went well.
    """
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
    """Return whether two runs are one experiment with different seeds, and stayed so to their end."""
    return (
        experiment_of(run) == experiment_of(other)
        and all(run.environment.get(key) == other.environment.get(key) for key in ("task", "code"))
        and _have_same_data(run, other)
        and not any(event.get("changes") for event in (*run.ledger, *other.ledger))
    )


def _have_same_data(run: RecordedRun, other: RecordedRun) -> bool:
    """Return whether the runs may have used the same dataset, as far as known.

    If every seed drew its own split, the splits differ and only their sizes can be compared.
    """
    ours, its = splits(run), splits(other)
    if ours.own and its.own:
        return ours.total is not None and ours.total == its.total and all(ours.same(its, part) for part in PARTS)
    return bool(run.environment.get("data") == other.environment.get("data"))


def experiment_of(run: RecordedRun) -> dict[str, Any]:
    """Return the config without what names a run, its seeds, or which of the splits it has."""
    # A key that an older version did not have counts as not set.
    found = {key: value for key, value in run.config.items() if key not in _FREE and value is not None}
    if found.get("splits"):
        found["splits"] = True
    if isinstance(folds := found.get("folds"), list):
        found["folds"] = int(folds[0].partition("/")[2])
    return found


def _united(members: Sequence[RecordedRun]) -> RecordedRun:
    """Combine rows and events one after the other, with one `finished` event for all seeds."""
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
        config={**members[0].config, **_joined_seeds(members)},
        history=History(
            Rows(row for member in members for row in member.history.rows),
            any(member.history.torn for member in members),
        ),
        ledger=(*(event for member in members for event in member.ledger if event["event"] != "finished"), finished),
        warnings=tuple(warning for member in members for warning in member.warnings),
    )


def _joined_seeds(members: Sequence[RecordedRun]) -> dict[str, Any]:
    """Return the seeds of all members, and if they list their splits or folds, those of all members too.

    Such lists are sorted by seed: which member has which split is of no importance.
    """
    key = resampled_by(members[0].config)
    if not key or not all(isinstance(member.config[key], list) for member in members):
        return {"seeds": [seed for member in members for seed in member.seeds]}
    found = []
    for member in members:
        which = member.config[key]
        each = len(member.seeds) // len(which)
        found += [(member.seeds[number * each : (number + 1) * each], one) for number, one in enumerate(which)]
    return {"seeds": [seed for seeds, _ in sorted(found) for seed in seeds], key: [one for _, one in sorted(found)]}


def _joined(members: Sequence[RecordedRun]) -> dict[str, Any]:
    """Return the digests and sizes of all seeds' parts as one run would record them; {} if the seeds share them."""
    each = [splits(member) for member in members]
    if not each[0].own:
        return {}
    seeds = _joined_seeds(members)["seeds"]

    def listed(of_members: Sequence[Mapping[int, Any]]) -> list[Any]:
        by_seed = {seed: value for one in of_members for seed, value in one.items()}
        return [by_seed[seed] for seed in seeds if seed in by_seed]

    return {
        "data": {part: "+".join(map(str, listed([one.digests.get(part, {}) for one in each]))) for part in PARTS},
        "samples": {part: listed([one.sizes.get(part, {}) for one in each]) for part in PARTS},
    }
