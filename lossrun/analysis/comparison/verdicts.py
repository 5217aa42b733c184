"""Decide which run is better by each deciding metric, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from lossrun.analysis.comparison.items import OverItems
from lossrun.analysis.values.evidence import LEAST_FOR_INTERVAL, LEAST_FOR_VERDICT, LEAST_ITEMS, LEVEL, holm
from lossrun.analysis.values.paired_differences import PairedDifference, paired_difference, within_margin
from lossrun.analysis.values.planning import Needed, needed
from lossrun.analysis.values.readings import Spread
from lossrun.analysis.values.splits import Splits, resampled
from lossrun.analysis.values.variation import Variation
from lossrun.catalog.metric_names import Goal, sign

Over: TypeAlias = Literal["seeds", "items"]
Word: TypeAlias = Literal["better", "worse", "probably better", "probably worse", "equivalent", "no clear difference"]


@dataclass(frozen=True, slots=True)
class Side:
    """A run in a verdict.

    Attributes:
        diverged: The seeds that diverged.
        pending: Why its values are not final; "" if they are.
        splits: The split of each seed; None if all seeds share one.
        untuned: The seeds without a run, because a sweep's tuning found no value for them.
    """

    letter: str
    seeds: tuple[int, ...]
    diverged: tuple[int, ...]
    pending: str
    splits: Splits | None = None
    untuned: tuple[int, ...] = ()

    @property
    def is_selected(self) -> bool:
        """Whether its seeds with a value are a selection of those that went well."""
        return bool(self.diverged or self.untuned)


@dataclass(frozen=True, slots=True)
class Decider:
    """A deciding metric.

    Attributes:
        goal: Whether lower ("min") or higher ("max") values are better.
        values: One spread for each run, all at one moment; None for a run without a value.
    """

    name: str
    goal: Goal
    values: tuple[Spread | None, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of comparing run number `run` with run number `reference` by one metric.

    Attributes:
        word: The verdict in a word or two.
        difference: Run minus reference, over the seeds they share; None if the values must not be subtracted or no seed
            is shared.
        corrected_p_value: The p-value, corrected by Holm's method for all `comparisons` with a p-value.
        seeds: About how many seeds (or splits, see `difference.over`) a fresh comparison needs to decide; None if it is
            decided or the number is unknown.
        hopeless: Whether deciding needs more seeds than anybody trains.
        needs_more_data: Whether no number of seeds, or of splits of these data, can decide.
        because: Why the verdict is not firmer, one sentence each.
        without_items: Why the interval is not over new test items, if it could have been; "" otherwise.
        incomplete: Whether shared seeds diverged or have no value, so that the other seeds are a selection.
    """

    metric: str
    goal: Goal
    run: int
    reference: int
    word: Word
    difference: PairedDifference | None
    corrected_p_value: float | None
    comparisons: int
    seeds: int | None
    hopeless: bool
    needs_more_data: bool
    because: tuple[str, ...]
    without_items: str = ""
    incomplete: bool = False


def verdicts(
    deciders: Sequence[Decider],
    sides: Sequence[Side],
    margin: float | None = None,
    items: OverItems | None = None,
    over: Over | None = None,
) -> tuple[Verdict, ...]:
    """Compare every run with the first, by every deciding metric.

    Runs are not compared with each other: with ten runs that would be five times as many comparisons to correct for,
    and a comparison of many runs usually has one that the others must beat. All p-values are corrected together. Among
    runs that are equally good, the chance of any false "better", "worse", "probably better" or "probably worse" is at
    most LEVEL.

    Args:
        margin: A difference that is surely smaller is "equivalent" (each test at LEVEL divided by the number of
            comparisons).
        items: Estimates how a difference varies over test items; None if no predictions belong to these values.
        over: What the intervals are for: new "seeds" on these items, or new "items" for these trained models; None for
            new seeds and new items, or for new seeds where the variation over items is unknown.
    """
    found = []
    for decider in deciders:
        for index in range(1, len(sides)):
            its_items = _over_items(decider, sides, index, items) if over != "seeds" else ""
            found.append((decider, index, _subtracted(decider, sides, index, its_items, over), its_items))
    tested = [d.p_value for _, _, d, _ in found if d is not None and d.p_value is not None]
    corrected = iter(holm(tested))
    return tuple(
        _verdict(
            decider,
            index,
            sides,
            difference,
            next(corrected) if difference is not None and difference.p_value is not None else None,
            len(tested),
            margin,
            its_items if isinstance(its_items, str) else "",
            over,
        )
        for decider, index, difference, its_items in found
    )


def _over_items(decider: Decider, sides: Sequence[Side], index: int, items: OverItems | None) -> Variation | str:
    """Return how the difference varies over test items; why that is unknown; or "" if it has no meaning here."""
    ours, theirs = decider.values[index], decider.values[0]
    if not decider.name.startswith("test_") or ours is None or theirs is None:
        return ""
    if sides[index].pending or sides[0].pending or any(s.splits and s.splits.own for s in (sides[0], sides[index])):
        return ""
    if items is None:
        return "predictions are kept at the best epochs only"
    return items(decider.name, index, 0, ours.per_seed, theirs.per_seed)


def _subtracted(
    decider: Decider, sides: Sequence[Side], index: int, items: Variation | str, over: Over | None
) -> PairedDifference | None:
    ours, theirs = decider.values[index], decider.values[0]
    if ours is None or theirs is None or sides[index].pending or sides[0].pending:
        return None
    found, mine, its = None, sides[index].splits, sides[0].splits
    if mine and its:
        found = resampled(mine, its, decider.name, ours.per_seed.keys() & theirs.per_seed.keys())
    known = items if isinstance(items, Variation) else None
    return paired_difference(ours.per_seed, theirs.per_seed, decider.goal, found, known, only_items=over == "items")


def _verdict(
    decider: Decider,
    index: int,
    sides: Sequence[Side],
    difference: PairedDifference | None,
    corrected: float | None,
    comparisons: int,
    margin: float | None,
    without_items: str,
    over: Over | None,
) -> Verdict:
    run, reference = sides[index], sides[0]
    lost = _lost(run, reference, difference)
    because = _limits(decider.name, run, reference, difference, lost)
    if difference is not None and not difference.parts and without_items and over == "items":
        because = [without_items]
    word: Word = "no clear difference"
    level = LEVEL / max(comparisons, 1)
    enough = difference is not None and difference.decides
    if difference is not None and corrected is not None and not lost:
        better = difference.mean * sign(decider.goal) > 0
        if margin is not None and enough and within_margin(difference, margin, level):
            word = "no clear difference" if run.is_selected or reference.is_selected else "equivalent"
        elif corrected <= LEVEL and not (run if better else reference).is_selected:
            word = ("better" if better else "worse") if enough else ("probably better" if better else "probably worse")
    incomplete = bool(lost or run.is_selected or reference.is_selected)
    settled_by: Needed | None = None
    # If diverged or lost seeds prevent a verdict, more seeds do not help.
    undecided = word not in ("better", "worse", "equivalent") and not incomplete
    if undecided and difference is not None and corrected is not None:
        settled_by = _settled_by(difference, level, margin)
    return Verdict(
        metric=decider.name,
        goal=decider.goal,
        run=index,
        reference=0,
        word=word,
        difference=difference,
        corrected_p_value=corrected,
        comparisons=comparisons,
        seeds=settled_by.count if settled_by else None,
        hopeless=bool(settled_by and settled_by.hopeless),
        needs_more_data=bool(settled_by and settled_by.more_data),
        because=tuple(because),
        without_items=without_items,
        incomplete=incomplete,
    )


def _settled_by(difference: PairedDifference, level: float, margin: float | None) -> Needed | None:
    """Return how many seeds or splits show the difference, or that it is within the margin, whichever are fewer.

    None if neither seeds nor items vary, or if items alone vary and there is no difference to show.
    """
    deviation = difference.deviation or 0.0
    if not deviation and not (difference.mean and difference.items):
        return None
    if not difference.over_seeds:
        return Needed(None, True)
    ratio, items = difference.ratio or 0.0, difference.items
    found = [needed(difference.mean, deviation, level, ratio, items)]
    if margin is not None and margin > abs(difference.mean):
        # Two one-sided tests, each at the level: an interval of twice the level.
        found.append(needed(margin - abs(difference.mean), deviation, 2 * level, ratio, items))
    counts = [one.count for one in found if one.count is not None]
    return Needed(min(counts, default=None), all(one.more_data for one in found))


def _lost(run: Side, reference: Side, difference: PairedDifference | None) -> int:
    """Return how many shared seeds have no value in one of the runs although they did not diverge.

    The remaining seeds were then selected by their results, for example by early stopping, and cannot decide.
    """
    if difference is None:
        return 0
    common = set(run.seeds) & set(reference.seeds)
    gone = {*run.diverged, *run.untuned, *reference.diverged, *reference.untuned}
    return len(common - gone - set(difference.per_seed))


def _limits(name: str, run: Side, reference: Side, difference: PairedDifference | None, lost: int) -> list[str]:
    """Return why there is no verdict, or no firm one."""
    pending = [f"{side.letter} {side.pending}" for side in (reference, run) if side.pending]
    if pending:
        return pending
    found = [
        f"{len(side.diverged)} of {len(side.seeds)} seeds of {side.letter} diverged"
        for side in (reference, run)
        if side.diverged
    ]
    found += [
        f"the tuning of {side.letter} found no value for {len(side.untuned)} of {len(side.seeds)} seeds"
        for side in (reference, run)
        if side.untuned
    ]
    common = set(run.seeds) & set(reference.seeds)
    if not common:
        return [*found, "the runs share no seed: train both with the same seeds"]
    count = difference.count if difference else 0
    if count == 0:
        return [*found, "no shared seed has a finite value in both runs"]
    assert difference is not None
    if lost:
        have = "has" if lost == 1 else "have"
        found.append(
            f"{lost} of {len(common)} shared seeds {have} no value in one of the runs, so the other seeds cannot decide"
        )
    if difference.parts and not difference.over_seeds:
        return found if difference.decides else [*found, _few_items(difference)]
    if count < LEAST_FOR_INTERVAL:
        what = "split" if difference.over == "splits" else "shared seed"
        few = f"one {what} is not enough to decide" if count == 1 else f"two {what}s are not enough for an interval"
        key = "splits" if difference.over == "splits" else "seeds"
        return [*found, f"{few}: train both with `{key}: {LEAST_FOR_VERDICT}`"]
    if difference.ratio is None:
        overlap = "the training samples of different splits overlap, so there is no interval for a training metric"
        unknown = "the sizes of the splits were not recorded, so there is no interval: train again to record them"
        return [*found, overlap if name.startswith("train_") else unknown]
    if not difference.parts:
        return [*found, "the differences are too large to be squared, so there is no interval"]
    if difference.deviation == 0 and difference.mean:
        over = difference.over
        found.append(f"the difference is the same on every {over[:-1]}, so the {over} seem to have no effect")
    if count < LEAST_FOR_VERDICT:
        what = "splits" if difference.over == "splits" else "shared seeds"
        can = "cannot tell whether they always are" if difference.is_zero else "can only suggest a winner"
        return [*found, f"fewer than {LEAST_FOR_VERDICT} {what} {can}"]
    return found if difference.decides else [*found, _few_items(difference)]


def _few_items(difference: PairedDifference) -> str:
    count = difference.items.count if difference.items else 0
    can = "cannot tell whether they always are" if difference.is_zero else "can only suggest a winner"
    return f"{count} test items {can}: {LEAST_ITEMS} or more can decide"
