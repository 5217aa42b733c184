"""Which run is better on the metrics that decide, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from lossrun.analysis.values.readings import Goal, Spread
from lossrun.analysis.values.splits import Splits, resampled
from lossrun.analysis.values.statistics import (
    LEAST_FOR_INTERVAL,
    LEAST_FOR_VERDICT,
    LEVEL,
    PairedDifference,
    holm,
    needs_more_data,
    paired_difference,
    seeds_to_settle,
    within_margin,
)

Word: TypeAlias = Literal["better", "worse", "leaning better", "leaning worse", "equivalent", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Side:
    """A run as verdicts see it. `diverged`: its seeds that did. `pending`: why its values are not its last word, ""
    where they are. `splits`: which split each seed had; None: one for all."""

    letter: str
    seeds: tuple[int, ...]
    diverged: tuple[int, ...]
    pending: str
    splits: Splits | None = None


@dataclass(frozen=True, slots=True)
class Decider:
    """A metric that decides. `values`: one per run, at one moment of each."""

    name: str
    goal: Goal
    values: tuple[Spread | None, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be said of run number `run` against run number `reference` on one metric.

    `difference`: run minus reference on their common seeds, None where they must not be subtracted or share no seed.
    `corrected_p_value`: by Holm's method, over all `comparisons` that have a p-value. `seeds`: about how many would
    settle it in a fresh comparison (splits, where `difference.over` says so), None where it is settled or nobody can
    say; `hopeless`: more than anybody trains; `needs_more_data`: no number of splits of these data would settle it.
    `because`: why it is no firmer, in plain words.
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


def verdicts(deciders: Sequence[Decider], sides: Sequence[Side], margin: float | None = None) -> tuple[Verdict, ...]:
    """Every run against the first, metric by metric.

    Against the first and not each against each, because with ten runs that would be five times as many comparisons to
    correct for: whoever compares many runs has one that the others are to beat. All of them, on all metrics, are
    corrected together: the chance of any false "better", "worse" or "leaning" among runs that are equally good is
    LEVEL at most. `margin`: a difference that is surely smaller is "equivalent" (each test at LEVEL divided by the
    number of comparisons).
    """
    found = [
        (decider, index, _subtracted(decider, sides, index)) for decider in deciders for index in range(1, len(sides))
    ]
    tested = [d.p_value for _, _, d in found if d is not None and d.p_value is not None]
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
        )
        for decider, index, difference in found
    )


def _subtracted(decider: Decider, sides: Sequence[Side], index: int) -> PairedDifference | None:
    ours, theirs = decider.values[index], decider.values[0]
    if ours is None or theirs is None or sides[index].pending or sides[0].pending:
        return None
    found, mine, its = None, sides[index].splits, sides[0].splits
    if mine and its:
        found = resampled(mine, its, decider.name, ours.per_seed.keys() & theirs.per_seed.keys())
    return paired_difference(ours.per_seed, theirs.per_seed, decider.goal, found)


def _verdict(
    decider: Decider,
    index: int,
    sides: Sequence[Side],
    difference: PairedDifference | None,
    corrected: float | None,
    comparisons: int,
    margin: float | None,
) -> Verdict:
    run, reference = sides[index], sides[0]
    lost = _lost(run, reference, difference)
    because = _limits(decider.name, run, reference, difference, lost)
    word: Word = "cannot tell"
    level = LEVEL / max(comparisons, 1)
    enough = difference is not None and difference.count >= LEAST_FOR_VERDICT
    if difference is not None and corrected is not None and not lost:
        better = (difference.mean > 0) == (decider.goal == "max")
        if margin is not None and enough and within_margin(difference, margin, level):
            word = "cannot tell" if run.diverged or reference.diverged else "equivalent"
        elif corrected <= LEVEL and not (run if better else reference).diverged:
            word = ("better" if better else "worse") if enough else ("leaning better" if better else "leaning worse")
    seeds, hopeless, more_data = None, False, False
    # Where seeds that diverged or were lost forbid the verdict, more seeds are no way out.
    open_ = word not in ("better", "worse", "equivalent") and not (lost or run.diverged or reference.diverged)
    if open_ and difference is not None and corrected is not None and difference.deviation:
        ratio = difference.ratio or 0.0
        more_data = needs_more_data(difference.mean, difference.deviation, level, ratio)
        seeds = None if more_data else seeds_to_settle(difference.mean, difference.deviation, level, ratio)
        hopeless = seeds is None and not more_data
    return Verdict(
        metric=decider.name,
        goal=decider.goal,
        run=index,
        reference=0,
        word=word,
        difference=difference,
        corrected_p_value=corrected,
        comparisons=comparisons,
        seeds=seeds,
        hopeless=hopeless,
        needs_more_data=more_data,
        because=tuple(because),
    )


def _lost(run: Side, reference: Side, difference: PairedDifference | None) -> int:
    """How many common seeds have no value in one of the runs though they did not diverge. Those that are left are a
    choice by the results, early stopping's for one, and prove nothing."""
    if difference is None:
        return 0
    common = set(run.seeds) & set(reference.seeds)
    return len(common - set(run.diverged) - set(reference.diverged) - set(difference.per_seed))


def _limits(name: str, run: Side, reference: Side, difference: PairedDifference | None, lost: int) -> list[str]:
    """What keeps a verdict from being given, or from being firm."""
    pending = [f"{side.letter} {side.pending}" for side in (reference, run) if side.pending]
    if pending:
        return pending
    found = [
        f"{len(side.diverged)} of {len(side.seeds)} seeds of {side.letter} diverged"
        for side in (reference, run)
        if side.diverged
    ]
    common = set(run.seeds) & set(reference.seeds)
    if not common:
        return [*found, "they have no common seed: train both with the same seeds"]
    count = difference.count if difference else 0
    if count == 0:
        return [*found, "no common seed has a finite value in both"]
    assert difference is not None
    if lost:
        have = "has" if lost == 1 else "have"
        found.append(
            f"{lost} of {len(common)} common seeds {have} no value in one of them, so the others prove nothing"
        )
    if count < LEAST_FOR_INTERVAL:
        seeds = "one common seed proves nothing" if count == 1 else "two common seeds give no interval"
        return [*found, f"{seeds}: train both with `seeds: {LEAST_FOR_VERDICT}`"]
    if difference.ratio is None:
        overlap = "the training samples of different splits overlap, and there is no interval for what they themselves"
        unknown = (
            "the sizes of the splits were not recorded, so there is no interval: train again to have them recorded"
        )
        return [*found, f"{overlap} show" if name.startswith("train_") else unknown]
    if difference.deviation == 0 and difference.mean:
        found.append("the difference is the same on every seed, as if seeds changed nothing")
    if count < LEAST_FOR_VERDICT:
        return [*found, f"fewer than {LEAST_FOR_VERDICT} common seeds lean at most"]
    return found
