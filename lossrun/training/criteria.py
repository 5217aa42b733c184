"""Keep track of state that belongs to one metric and has no meaning for another.

A best value, and the epochs counted since, have no meaning for another metric, another direction or another least
improvement. Each checkpoint says under which criteria its state was reached; a run that is resumed under other criteria
begins such state again. Three things watch a metric:

- `best`, which cannot change in an existing run, because the weights that another metric would have chosen are gone;
- early stopping, with its best value, its count of epochs, and the seeds that it has stopped;
- `reduce_on_plateau`, with its best value and its count. Reductions made so far stay, and so does a cooldown.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from lossrun.catalog import DataFacts
from lossrun.catalog.metric_names import better
from lossrun.components.schedules import PlateauState
from lossrun.config import Config
from lossrun.config.resolve import resolve
from lossrun.errors import CheckpointError
from lossrun.steps.replica import Replica
from lossrun.training.build import best_and_stopping, plateau
from lossrun.training.session import Session

# For each of the three: its metric, mode and least improvement; None if it does not watch a metric.
Criteria: TypeAlias = Mapping[str, Mapping[str, Any] | None]


def criteria(config: Config) -> dict[str, dict[str, Any] | None]:
    """Return the criteria of a resolved config, as plain values for a checkpoint."""
    early, schedule = config.early_stopping, config.schedule
    return {
        "best": {"metric": config.best.metric, "mode": config.best.mode},
        "early_stopping": {name: getattr(early, name) for name in ("metric", "mode", "min_delta")} if early else None,
        "plateau": {name: schedule[name] for name in ("metric", "mode", "threshold")} if plateau(schedule) else None,
    }


def criteria_of(metadata: Mapping[str, Any], before: Config, facts: DataFacts) -> Criteria:
    """Return the criteria of a checkpoint. Those of an older version are taken from `before`, the config so far."""
    found: Criteria = metadata.get("criteria") or criteria(resolve(before, facts))
    return found


def renew(session: Session, reached_under: Criteria) -> list[str]:
    """Reset the state that belongs to criteria that the config no longer has, and return a message about it.

    Seeds that early stopping has stopped go on if it would not stop them now. In the middle of an epoch they wait for
    the next one, because an epoch counts as a whole. Raises CheckpointError if `best` has changed.
    """
    now = criteria(session.config)
    if reached_under["best"] != now["best"]:
        raise CheckpointError(
            f"the best weights of {session.run.name} were chosen by {_told(reached_under['best'])}, and its config "
            f"says {_told(now['best'])}; best cannot change in an existing run: put config.yaml back as it was"
        )
    return [*_renew_early_stopping(session, reached_under, now), *_renew_plateau(session, reached_under, now)]


def thaw(replicas: Iterable[Replica]) -> None:
    """Resume seeds that have been waiting for the epoch to end."""
    for replica in replicas:
        if replica.thaws:
            replica.stopped_epoch, replica.thaws = None, False


def _renew_early_stopping(session: Session, before: Criteria, now: Criteria) -> list[str]:
    early = session.config.early_stopping
    changed = before["early_stopping"] != now["early_stopping"]
    thawed = []
    for replica in session.replicas:
        if changed:
            replica.stopping = best_and_stopping(session.config)[1]
        # Also if only the patience has changed.
        stops = early and replica.stopping and replica.stopping.bad_epochs >= early.patience
        if replica.stopped_epoch is not None and not stops:
            replica.thaws = True
            thawed.append(replica.seed)
    if session.step_in_epoch == 0:
        thaw(session.replicas)
    told = _going_on(thawed, "" if session.step_in_epoch == 0 else f" from epoch {session.position.epoch + 1} on")
    if not changed or early is None:
        return [f"early stopping: {told}"] if told else []
    change = _changed(before["early_stopping"], now["early_stopping"])
    return [f"early stopping: {change}{'; ' if told else ''}{told}"]


def _renew_plateau(session: Session, before: Criteria, now: Criteria) -> list[str]:
    if session.plateau is None or before["plateau"] is None or before["plateau"] == now["plateau"]:
        return []
    for replica in session.replicas:
        if state := replica.plateau:
            fresh = session.plateau.start()
            replica.plateau = PlateauState(fresh.best, 0, state.cooldown_left, state.reduction)
    reduced = any(replica.plateau and replica.plateau.reduction != 1 for replica in session.replicas)
    kept = "; the learning rate stays reduced" if reduced else ""
    return [f"reduce_on_plateau: {_changed(before['plateau'], now['plateau'])}{kept}"]


def _changed(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> str:
    if before is None:
        return f"starts now, watching {_told(now)}"
    return f"watches {_told(now)} and no longer {_told(before)}; its best value and its count of epochs start again"


def _told(criterion: Mapping[str, Any] | None) -> str:
    assert criterion is not None
    metric, mode, *margin = criterion.values()
    name = "min_delta" if "min_delta" in criterion else "threshold"
    return f"{metric} ({better(mode)} is better{f', {name} {margin[0]:g}' if any(margin) else ''})"


def _going_on(seeds: list[int], when: str) -> str:
    if not seeds:
        return ""
    several = len(seeds) > 1
    listed = ", ".join(map(str, seeds))
    return (
        f"{'seeds' if several else 'seed'} {listed}, which had stopped, {'train' if several else 'trains'} again{when}"
    )
