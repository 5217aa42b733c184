"""Compare several runs: what differs, what may be compared, and which run is better by which metric."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from lossrun.analysis.comparison import comparability
from lossrun.analysis.comparison.differences import Difference, config_differences, letters
from lossrun.analysis.comparison.items import over_items
from lossrun.analysis.comparison.labels import labels, named_by_user
from lossrun.analysis.comparison.metrics import ComparedMetric, compared_metrics
from lossrun.analysis.comparison.moments import Moment, Moments, moments
from lossrun.analysis.comparison.plans import Plan, plans
from lossrun.analysis.comparison.remarks import remarks
from lossrun.analysis.comparison.targets import Target, reaching
from lossrun.analysis.comparison.verdicts import Decider, Over, Side, Verdict, verdicts
from lossrun.analysis.given_runs import check_at_least_two, check_different
from lossrun.analysis.values import readings
from lossrun.analysis.values.curves import CurveRows, EpochIndex
from lossrun.analysis.values.groups import RunGroup, diverged_in_unfinished_runs, grouped
from lossrun.analysis.values.readings import Spread
from lossrun.analysis.values.shared_seeds import left_out_notes, on_shared_seeds, without_epoch
from lossrun.analysis.values.splits import splits
from lossrun.catalog.metric_names import bare, largest
from lossrun.errors import UsageError
from lossrun.records.names import bare_name
from lossrun.records.recorded import RecordedRun
from lossrun.records.status import Status


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """One run of a comparison; runs that differ only in their seeds count as one.

    Attributes:
        letter: A, B, C and so on, in the order given.
        label: What distinguishes this run from the others.
        seeds: The seeds that its values are over.
        best_metric: The metric that chose the best epochs, from the run's config.
        best_epochs: {seed: its best epoch}.
        last_epochs: {seed: its last epoch}.
        remarks: What to keep in mind about this run, one sentence each.
        members: The names of the recorded runs that it consists of; usually one.
        diverged: The seeds that diverged.
        left_out: Its seeds that are in no value, because the first run does not have them.
        tuned: The values that a sweep chose for it: `learning_rate 0.1`; "" for any other run.
        retuned: Whether it was tuned for each seed separately, so that the differences between seeds include tuning.
    """

    name: str
    letter: str
    label: str
    status: Status
    epochs_done: int
    epochs_asked: int
    seeds: tuple[int, ...]
    best_metric: str
    best_epochs: dict[int, int]
    last_epochs: dict[int, int]
    remarks: tuple[str, ...]
    members: tuple[str, ...]
    diverged: tuple[int, ...]
    left_out: tuple[int, ...] = ()
    tuned: str = ""
    retuned: bool = False

    @property
    def called_by_name(self) -> bool:
        """Whether the label only repeats the directory's name."""
        return self.label in (self.name, bare_name(Path(self.name)))


@dataclass(frozen=True, slots=True)
class Curve:
    """A column of the history, epoch by epoch.

    Attributes:
        ranked: Whether the runs' values have the same meaning.
        rows: {epoch: one spread for each run}; None for a run without this epoch.
    """

    name: str
    ranked: bool
    rows: Mapping[int, tuple[Spread | None, ...]]


@dataclass(frozen=True, slots=True)
class ComparedRuns:
    """The result of a comparison.

    Attributes:
        comparable: False if the metrics were measured on different data or for different tasks.
        reasons: Why the runs are not comparable.
        differences: The keys of the config that differ, and the training data if they differ.
        warnings: Differences of the environment.
        refusals: Single comparisons that would mislead and are not made.
        notes: What to keep in mind about the numbers as a whole.
        metric: The metric that was asked for to decide; None for the task's primary metrics.
        at: The moment of each metric's `measured` values, which the verdicts are based on.
        margin: Differences smaller than this count as equivalent, in the units of the deciding metric.
        over: What the intervals are for, as asked: "seeds" or "items"; None for both where possible.
        own_splits: Whether seeds of a run have different splits of the data.
        target: How soon each run reaches the target that was asked for.
        labelled: The labels that the user chose.
        plans: What fresh comparisons need, if the runs were given as a pilot; then there are no verdicts.
    """

    runs: tuple[ComparedRun, ...]
    comparable: bool
    reasons: tuple[str, ...]
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]
    refusals: tuple[str, ...]
    notes: tuple[str, ...]
    metrics: tuple[ComparedMetric, ...]
    curves: tuple[Curve, ...]
    metric: str | None
    at: Moment
    margin: float | None
    verdicts: tuple[Verdict, ...]
    own_splits: bool
    target: Target | None
    labelled: tuple[str, ...] = ()
    over: Over | None = None
    plans: tuple[Plan, ...] = ()


def compare(
    runs: Sequence[RecordedRun],
    metric: str | None = None,
    *,
    at: Moment = "best",
    margin: float | None = None,
    target: str | None = None,
    plan: float | None = None,
    over: Over | None = None,
    label: Sequence[str] = (),
    specs: Mapping[str, Path] = MappingProxyType({}),
    untuned: Mapping[str, Sequence[int]] = MappingProxyType({}),
) -> ComparedRuns:
    """Compare at least two runs; every run is compared with the first.

    Runs that differ only in their seeds count as one run (see `grouped`).

    Args:
        metric: Decides instead of the task's primary metrics: `rmse`, `val_rmse`, or any other spelling.
        at: "best" for each run's best epoch, "last" for its last, or the number of an epoch.
        margin: Differences surely smaller than this are "equivalent", in the units of the deciding metric.
        target: `val_accuracy=0.97` reports how soon each run gets there.
        plan: The runs are a pilot: plan a comparison that finds a difference of this size, and give no verdict.
        over: Intervals for new "seeds" on these test items, or for new "items" and these trained models; None for new
            seeds and new test items, where predictions on test data were kept.
        label: What to call the runs, as `named_by_user` takes it.
        specs: {what a run was called on the command line: its directory}.
        untuned: {name of a run: the seeds that it lacks because a sweep's tuning found no value for them}.

    Raises:
        UsageError: For fewer than two runs, a run given twice, a metric that the runs do not share, an epoch that no
            run has, an invalid margin, target or plan, a pilot too small for a plan, or no variation over items.
    """
    _check(runs, at, margin, plan, over)
    whole = grouped(runs)
    united = [group.run for group in whole]
    groups = on_shared_seeds(whole)
    compared_runs = [group.run for group in groups]
    differences = config_differences([run.config for run in united])
    marks = letters(len(united))
    own = labels(united, differences)
    names = named_by_user(label, [group.members for group in groups], own, specs)
    reasons = comparability.reasons(united, marks)
    ranked, refusals = comparability.loss_columns(united)
    rows = [moments(run, at) for run in compared_runs]
    compared = tuple(map(_compared, whole, groups, marks, names, rows))
    pending = [_pending(run, group.run, at) for run, group in zip(compared, whole, strict=True)]
    found = compared_metrics(
        compared_runs,
        rows,
        pending=list(map(bool, pending)),
        ranked=ranked,
        refusals=refusals,
        metric=metric,
        comparable=not reasons,
    )
    indices = [EpochIndex(run) for run in compared_runs]
    primary = [y.name for y in found if y.primary and y.name.startswith("val_") and y.name not in ranked]
    curves = [
        Curve(name, same and not reasons, CurveRows(name, indices))
        for name, same in {**ranked, **dict.fromkeys(primary, True)}.items()
    ]
    _check_sizes([y.name for y in found if y.decides], margin, plan)
    deciders = [Decider(y.name, y.goal, y.measured.values) for y in found if y.decides and y.goal]
    sides = []
    for run, group, why in zip(compared, whole, pending, strict=True):
        elsewhere = diverged_in_unfinished_runs(group, whole)
        lacking = tuple(untuned.get(group.run.name, ()))
        seeds = (*group.run.seeds, *elsewhere, *lacking)
        sides.append(Side(run.letter, seeds, (*run.diverged, *elsewhere), why, splits(group.run), lacking))
    items = over_items(whole, marks) if at == "best" else None
    judged = verdicts(deciders, sides, margin, items, over) if not reasons else ()
    if over == "items" and not any(verdict.difference and verdict.difference.items for verdict in judged):
        unknown = [verdict.without_items for verdict in judged if verdict.without_items]
        because = unknown[0] if unknown else "no deciding metric was measured on test items that all seeds share"
        raise UsageError(f"over items: {because}")
    members = [(member, mark) for group, mark in zip(whole, marks, strict=True) for member in group.members]
    return ComparedRuns(
        runs=compared,
        comparable=not reasons,
        reasons=reasons,
        differences=(*differences, *comparability.training_data(united)),
        warnings=comparability.environment_warnings([run for run, _ in members], [mark for _, mark in members]),
        refusals=refusals,
        notes=(
            *left_out_notes(whole, marks),
            *(without_epoch(groups, marks, at) if isinstance(at, int) else ()),
            *comparability.notes(united, [y.name for y in found if y.decides], at),
        ),
        metrics=found,
        curves=tuple(curve for curve in curves if curve.rows),
        metric=metric,
        at=at,
        margin=margin,
        verdicts=judged if plan is None else (),
        own_splits=any(side.splits and side.splits.own for side in sides),
        labelled=tuple(name for name in names if name not in own),
        target=reaching(groups, target, ranked) if target is not None else None,
        over=over,
        plans=plans(judged, groups, plan) if plan is not None else (),
    )


def _check(
    runs: Sequence[RecordedRun], at: Moment, margin: float | None, plan: float | None, over: Over | None
) -> None:
    check_at_least_two(len(runs))
    check_different(runs, "compare")
    if margin is not None and not (math.isfinite(margin) and margin > 0):
        raise UsageError(f"margin {margin}: expected a number above 0, in the units of the deciding metric")
    if plan is not None and over == "items":
        raise UsageError("a plan is about new seeds, and `over` items is about these trained models; leave out one")
    if isinstance(at, int) and not any(at in run.history.rows.column("epoch") for run in runs):
        longest = max(map(readings.epochs_done, runs))
        raise UsageError(f"no run has an epoch {at}; expected best, last or an epoch from 1 to {longest}")


def _check_sizes(deciding: Sequence[str], margin: float | None, plan: float | None) -> None:
    """Refuse a percentage in place of a share: with a margin of 1, all accuracies would be equivalent."""
    for name in deciding:
        for what, size in (("margin", margin), ("plan", plan)):
            if size is not None and size >= (most := largest(name)):
                between = f"{bare(name)} lies between 0 and {most:g}, so no difference is larger"
                raise UsageError(f"{what} {size:g}: {between}; 1 % is 0.01")


def _compared(group: RunGroup, shared: RunGroup, letter: str, label: str, rows: Moments) -> ComparedRun:
    run, seeds = group.run, shared.run.seeds
    return ComparedRun(
        name=run.name,
        letter=letter,
        label=label,
        status=run.status,
        epochs_done=readings.epochs_done(run),
        epochs_asked=run.config["epochs"],
        seeds=seeds,
        best_metric=run.config["best"]["metric"],
        best_epochs={seed: row["epoch"] for seed, row in rows.best.items()},
        last_epochs={seed: row["epoch"] for seed, row in rows.last.items()},
        remarks=tuple(remark for member in group.members for remark in remarks(member, seeds)),
        members=tuple(member.name for member in group.members),
        diverged=readings.diverged_seeds(run),
        left_out=tuple(seed for seed in run.seeds if seed not in seeds),
    )


def _pending(run: ComparedRun, recorded: RecordedRun, at: Moment) -> str:
    """Return why the run's values are not final, or "" if they are.

    At a fixed epoch values are final, whatever comes later.
    """
    if isinstance(at, int):
        return ""
    if readings.is_short(recorded):
        return "has lost part of its history"
    if run.status == "finished":
        return ""
    if run.status == "diverged":
        return f"diverged and ended after {run.epochs_done} of {run.epochs_asked} epochs"
    return f"is not finished ({run.epochs_done} of {run.epochs_asked} epochs)"
