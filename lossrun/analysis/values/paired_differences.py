"""Compare two runs over the seeds they share: difference, interval, and p-value.

The interval and the p-value are Student's, for the paired differences. The table shows how often the 95 % interval
contains the true mean difference, by simulation (20,000 samples each, standard error 0.2 points;
`tests/analysis/values/test_coverage.py`):

| differences over seeds                         | 3 seeds | 5 seeds | 6 seeds | 10 seeds |
|------------------------------------------------|---------|---------|---------|----------|
| normal                                         |    95.1 |    94.9 |    95.0 |     95.0 |
| of two equal lognormals (symmetric, skewness 0)|    97.4 |    97.4 |    97.2 |     96.8 |
| Student's t of 3 degrees (heavy tails)         |    96.2 |    96.3 |    96.2 |     96.0 |
| lognormal, sigma 0.5 (skewness 1.75)           |    92.5 |    91.4 |    91.5 |     91.8 |
| lognormal, sigma 1 (skewness 6.2)              |    84.3 |    82.1 |    81.7 |     83.9 |

If two runs are equally good, their differences are symmetric, whatever the distribution of each run. Then Student's
interval is wrong at most as often as it says, and a false verdict is no likelier than promised. Strongly skewed
differences only occur with a real difference, and then the interval is too narrow. Three alternatives were rejected.
Johnson's correction for skewness makes intervals too narrow where differences are symmetric, which is where a false
verdict would do harm. A sign-flip test cannot reach a p-value below 0.0625 with 5 seeds, or 0.031 with 6, which is too
coarse to be corrected for several comparisons. Student's bootstrap is random, and wider with 5 seeds.

All this is for seeds on one split. Several splits (`splits`, `folds`, `split_seed: seed`) share samples: their training
sets overlap, a mean over them varies more than a mean of independent values, and Student's interval becomes too narrow
as the number of splits grows. The variance of the mean is then taken as deviation^2 (1/J +
n_test/n_train), with J splits and t of J - 1 degrees of freedom (Nadeau and Bengio, "Inference for the generalization
error", 2003). The second table shows how often 95 % intervals contain the true mean difference of two learners over
datasets, by simulation (2,000 datasets each, rmse on a fifth of 60 samples with 5 inputs;
`tests/analysis/values/test_coverage.py`):

| difference                                       | Student's, 5, 6, 10 splits | corrected        |
|--------------------------------------------------|----------------------------|------------------|
| least squares against no fit                     |           87.5  85.4  76.2 | 95.1  96.0  96.2 |
| the same, with noise over seeds                  |           89.5  87.2  80.8 | 96.7  96.9  97.7 |
| two equal learners with noise over seeds         |           95.2  95.2  95.4 | 98.5  99.2  99.9 |
| ridge 0.1 against 60                             |           92.8  91.6  89.3 | 97.5  98.0  99.2 |
| least squares with 1 input, 100 samples          |           79.1  76.7  66.6 | 90.7  89.8  88.2 |
| ridges; one training target in twenty far off    |           52.6  47.4  37.3 | 65.1  63.5  58.8 |

The last three lines show the limits of the method, which no interval from a single dataset can do without. The
correction assumes that the splits' differences have the correlation n_test / n over datasets. That of the two ridges is
lower, so their interval is wider than it needs to be: with the true correlation it covers 94 to 96 %. One dataset does
not tell the correlation (Bengio and Grandvalet, "No unbiased estimator of the variance of k-fold cross-validation",
2004). What a single weak input gains is skewed over datasets, with the same effect as skewed differences over seeds in
the first table. And if a few outliers among the training samples decide, all splits share them.

If the splits share their held-out samples, as with an official test set, only training samples are drawn. Then the
interval is about such draws from these training samples, and not about other data. For that, Student's interval is
right as it is. No interval from one set of training samples tells how the difference varies over other sets.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from lossrun.analysis.distributions.binomial import clopper_pearson
from lossrun.analysis.values.evidence import LEAST_FOR_INTERVAL, LEVEL
from lossrun.analysis.values.variation import Variation, half_width, p_value
from lossrun.catalog.metric_names import Goal, sign

ROUNDING: Final = 1e-6  # relative; the effect of different kernels, or another order of sums, in float32
_SUM_ROUNDING: Final = 1e-12  # relative; the effect of adding up differences in float64


@dataclass(frozen=True, slots=True)
class Resampled:
    """How values depend on each other if their seeds have different splits.

    Attributes:
        split_of: {seed: what distinguishes its split from the others}.
        ratio: Held-out samples / training samples; 0 if the held-out samples are the same, None if unknown.
        same_held_out: Whether all seeds were measured on the same samples, and only training and validation samples
            were drawn.
    """

    split_of: Mapping[int, str]
    ratio: float | None
    same_held_out: bool = False


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """One run minus another, over the seeds they share.

    Attributes:
        per_seed: {seed: its difference}.
        count: The number of values: seeds, or the means of splits if `over` is "splits".
        deviation: The standard deviation of these values; None for one value.
        interval: The 95 % interval of the mean; None if it cannot be computed.
        p_value: The two-sided p-value for no difference; None without an interval.
        parts: What the interval is over. Of two parts, seeds and items, it is the root of the summed squares of their
            half-widths. Empty without an interval.
        wins: The share of the values on which the run beats the other, where a tie counts half. It estimates the
            probability that it does.
        ties: How many values differ only by rounding.
        beats: The 95 % interval (Clopper and Pearson) of the probability that the run beats the other on a new seed,
            where a tie counts against it. None for splits, which are not independent.
        beaten: The same for the other run beating it.
        ratio: n_test / n_train of splits, which enlarges the variance; 0 on one split, and where all splits share the
            held-out samples. None if unknown; then there is no interval.
        same_held_out: See Resampled.
        split_deviation: How far splits differ beyond what their seeds do: the standard deviation over splits without
            the share of the seeds (one-way analysis of variance). None unless all splits have two seeds or more.
        seed_deviation: The standard deviation over the seeds of one split; None likewise.
    """

    per_seed: dict[int, float]
    mean: float
    deviation: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    wins: float
    ties: int
    count: int
    over: Literal["seeds", "splits"] = "seeds"
    ratio: float | None = 0.0
    same_held_out: bool = False
    parts: tuple[Variation, ...] = ()
    beats: tuple[float, float] | None = None
    beaten: tuple[float, float] | None = None
    split_deviation: float | None = None
    seed_deviation: float | None = None

    @property
    def decides(self) -> bool:
        """Whether there are enough values of each kind for a verdict."""
        return bool(self.parts) and all(part.decides for part in self.parts)

    @property
    def is_zero(self) -> bool:
        """Whether the runs are identical on every seed, and the interval has no width."""
        return self.ties == self.count and self.interval == (0.0, 0.0)

    @property
    def items(self) -> Variation | None:
        """How the mean varies over test items, if the interval is over them."""
        return next((part for part in self.parts if part.over == "items"), None)

    @property
    def over_seeds(self) -> bool:
        """Whether the interval is over seeds or splits, and not only over test items."""
        return any(part.over != "items" for part in self.parts)

    def half_width(self, level: float) -> float | None:
        """Half the width of the interval that misses the mean with a chance of `level`; None if there is no interval.

        Each side is missed with half that chance: a one-sided test at 5 % needs a level of 0.1.
        """
        return half_width(self.parts, level) if self.parts else None


def paired_difference(
    run: Mapping[int, float],
    other: Mapping[int, float],
    goal: Goal,
    resampled: Resampled | None = None,
    items: Variation | None = None,
    *,
    only_items: bool = False,
) -> PairedDifference | None:
    """Subtract `other` from `run`, over the seeds where both are finite.

    Values that differ only by rounding have the difference 0. If all differences are equal up to rounding, Student's t
    has no scale: the p-value is then that of a sign test, 2^(1 - n), or 1 if they are 0. For overlapping splits n is
    1 / (1/n + ratio), the number of independent values whose mean has the same variance.

    Args:
        run: {seed: value}.
        other: {seed: value}.
        goal: Which way is better, for `wins`.
        resampled: Given if seeds have different splits. Seeds on the same split are averaged first.
        items: How the mean difference varies over test items, where that is known.
        only_items: Whether the interval is over test items alone, for these trained models.

    Returns:
        The difference; None if no seed has a finite value in both runs.
    """
    seeds = [seed for seed in run if math.isfinite(run[seed]) and math.isfinite(other.get(seed, math.nan))]
    if not seeds:
        return None
    per_seed = {seed: difference(run[seed], other[seed]) for seed in seeds}
    over: Literal["seeds", "splits"] = "seeds"
    ratio: float | None = 0.0
    groups, same_held_out = [[seed] for seed in seeds], False
    if resampled and len(by_split := _by_split(seeds, resampled.split_of)) > 1:
        over, groups = "splits", by_split
        ratio, same_held_out = resampled.ratio, resampled.same_held_out
    in_groups = [[per_seed[seed] for seed in group] for group in groups]
    values = [sum(group) / len(group) for group in in_groups]
    count, mean = len(values), sum(values) / len(values)
    sizes = [max(abs(one[seed]) for seed in group for one in (run, other)) for group in groups]
    if abs(mean) <= _SUM_ROUNDING * max(sizes):
        mean = 0.0
    deviation = None
    if count > 1:
        constant = all(abs(value - mean) <= ROUNDING * size for value, size in zip(values, sizes, strict=True))
        deviation = 0.0 if constant else _deviation(values)
    ties = values.count(0.0)
    better = sum(value * sign(goal) > 0 for value in values)
    split_deviation, seed_deviation = _apart(in_groups) if over == "splits" else (None, None)
    found = PairedDifference(
        per_seed,
        mean,
        deviation,
        interval=None,
        p_value=None,
        wins=(better + ties / 2) / count,
        ties=ties,
        count=count,
        over=over,
        ratio=ratio,
        same_held_out=same_held_out,
        split_deviation=split_deviation,
        seed_deviation=seed_deviation,
        beats=clopper_pearson(better, count, LEVEL) if over == "seeds" else None,
        beaten=clopper_pearson(count - ties - better, count, LEVEL) if over == "seeds" else None,
    )
    parts: list[Variation] = []
    if not only_items:
        # The differences of a run that diverged may be too large to square.
        if count < LEAST_FOR_INTERVAL or deviation is None or ratio is None or not math.isfinite(deviation):
            return found
        parts.append(Variation(over, count, deviation * math.sqrt(1 / count + ratio)))
    if items is not None and items.count > 1:
        parts.append(items)
    return _with_interval(found, tuple(parts)) if parts and math.isfinite(mean) else found


def _with_interval(found: PairedDifference, parts: tuple[Variation, ...]) -> PairedDifference:
    """Return the difference with interval and p-value."""
    half = half_width(parts, LEVEL)
    if half:
        least = p_value(parts, found.mean)
    else:
        ratio = found.ratio or 0.0
        independent = min(part.count if part.over == "items" else 1 / (1 / part.count + ratio) for part in parts)
        least = 2.0 ** (1 - independent) if found.mean else 1.0
    return replace(found, interval=(found.mean - half, found.mean + half), p_value=least, parts=parts)


def _by_split(seeds: Sequence[int], split_of: Mapping[int, str]) -> list[list[int]]:
    """Return the seeds of each split."""
    grouped: dict[str, list[int]] = {}
    for seed in seeds:
        grouped.setdefault(split_of[seed], []).append(seed)
    return list(grouped.values())


def _deviation(values: Sequence[float]) -> float:
    """Return the standard deviation of a sample (n - 1); infinite if the values are too large to be squared."""
    return math.sqrt(_squares(values) / (len(values) - 1))


def _squares(values: Sequence[float]) -> float:
    """Return the summed squares of the deviations from the mean, by products: ** raises OverflowError."""
    mean = sum(values) / len(values)
    return sum((value - mean) * (value - mean) for value in values)


def _apart(groups: Sequence[Sequence[float]]) -> tuple[float | None, float | None]:
    """Return the standard deviations over splits and over the seeds of a split, each without the other's share."""
    if min(map(len, groups)) < 2:
        return None, None
    count, total = len(groups), sum(map(len, groups))
    seeds = sum(map(_squares, groups)) / (total - count)
    of_means = _squares([sum(group) / len(group) for group in groups]) / (count - 1)
    # The mean over a split's seeds varies by their variance / their number.
    share = seeds * sum(1 / len(group) for group in groups) / count
    return math.sqrt(max(0.0, of_means - share)), math.sqrt(seeds)


def difference(value: float, other: float) -> float:
    """Subtract two values; 0 if they differ only by rounding, because then neither is better."""
    return 0.0 if math.isclose(value, other, rel_tol=ROUNDING) else value - other


def within_margin(found: PairedDifference, margin: float, level: float) -> bool:
    """Return whether the difference is within +-margin, by two one-sided t-tests, each at `level`.

    Source: Schuirmann, "A comparison of the two one-sided tests procedure and the power approach for assessing the
    equivalence of average bioavailability", 1987.
    """
    half = found.half_width(2 * level)
    return half is not None and abs(found.mean) + half < margin
