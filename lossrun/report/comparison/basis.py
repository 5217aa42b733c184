"""Say what the intervals of a comparison are over, and what its p-values are corrected for."""

from collections.abc import Sequence
from typing import Final

from lossrun.analysis.comparison.compare import ComparedRuns
from lossrun.analysis.comparison.verdicts import Verdict
from lossrun.analysis.values.evidence import LEVEL
from lossrun.analysis.values.paired_differences import PairedDifference
from lossrun.report.layout.numbers import format_number

_VALUES: Final = {"seeds": "seeds", "splits": "splits", "items": "test items"}


def basis(comparison: ComparedRuns) -> list[str]:
    """Say what the intervals are over and what the p-values are corrected for; empty if no interval is shown."""
    found = [(one, one.difference) for one in comparison.verdicts]
    judged = [(one, pair) for one, pair in found if pair and pair.interval and not pair.is_zero]
    if not judged:
        return []
    comparisons = comparison.verdicts[0].comparisons
    told = _populations(comparison, judged)
    factors = [
        f"1/{difference.count} + {format_number(difference.ratio or 0, 2)}"
        for _, difference in judged
        if difference.over == "splits" and not difference.same_held_out
    ]
    if factors:
        told.append(
            "the training samples of the splits overlap, so the variance of the mean is the variance over the splits "
            f"times 1/J + n_test/n_train, here {' or '.join(dict.fromkeys(factors))} (Nadeau and Bengio 2003)"
        )
    if comparisons > 1:
        told.append(f"p-values are corrected for {comparisons} comparisons (Holm)")
    if len(comparison.runs) > 2:
        told.append(f"every run is compared with {comparison.runs[0].letter}, the first")
    if any(verdict.seeds for verdict in comparison.verdicts):
        told.append(
            f"the number of {judged[0][1].over} needed is for a fresh comparison: adding {judged[0][1].over} here, and "
            "stopping as soon as there is a verdict, is wrong about one time in four"
        )
    return told


def _populations(comparison: ComparedRuns, judged: Sequence[tuple[Verdict, PairedDifference]]) -> list[str]:
    """Say what the intervals are about, with the metrics and runs if these differ."""
    about: dict[str, list[Verdict]] = {}
    for verdict, difference in judged:
        about.setdefault(_population(verdict, difference), []).append(verdict)
    found = []
    for population, some in about.items():
        why = "; ".join(dict.fromkeys(filter(None, (verdict.without_items for verdict in some))))
        over = f"for the mean difference over {population}" + (f" (not over new test items: {why})" if why else "")
        if len(about) == 1:
            return [f"95 % intervals are {over}"]
        letters: dict[str, list[str]] = {}
        for verdict in some:
            letters.setdefault(verdict.metric, []).append(comparison.runs[verdict.run].letter)
        every = {metric: sum(verdict.metric == metric for verdict, _ in judged) for metric in letters}
        which = [
            metric if len(runs) == every[metric] else f"{metric} for {', '.join(runs)}"
            for metric, runs in letters.items()
        ]
        found.append(f"95 % intervals of {' and '.join(which)} are {over}")
    return found


def _population(verdict: Verdict, difference: PairedDifference) -> str:
    """Return what the mean difference is a mean over, and on which data."""
    if difference.over == "splits":
        if difference.same_held_out:
            return "splits of these training data: only for these held-out data and training sets, not for other data"
        return (
            "splits: for new data from the same source, if chance in the test items outweighs chance in the training "
            "set"
        )
    if not difference.over_seeds:
        seeds = len(difference.per_seed)
        averaged = f", averaged over their {seeds} seeds" if seeds > 1 else ""
        return f"new test items, for these trained models{averaged}"
    if difference.items:
        return (
            "new seeds and new test items, on these training and validation data: an interval combines a half-width "
            "over seeds and one over test items, as the root of the sum of their squares"
        )
    if verdict.metric.startswith("train_"):
        return "seeds, on these training data"
    return "seeds, on this split and these held-out data"


def half_widths(verdict: Verdict) -> list[str]:
    """Return the parts of the interval, if there is more than one."""
    difference = verdict.difference
    if difference is None or difference.is_zero:
        return []
    if difference.split_deviation is not None and difference.seed_deviation is not None:
        split, seed = map(format_number, (difference.split_deviation, difference.seed_deviation))
        return [f"standard deviation of the difference: split {split}, seed {seed}"]
    if len(difference.parts) < 2:
        return []
    each = [
        f"{format_number(part.half_width(LEVEL))} over {part.count} {_VALUES[part.over]}" for part in difference.parts
    ]
    return [f"half-width: {', '.join(each)}"]
