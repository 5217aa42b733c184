"""Compare two runs over the seeds they share: difference, interval, and p-value.

The interval and the p-value are Student's, for the paired differences. The table shows how often the 95 % interval
contains the true mean difference, by simulation (20,000 samples each, standard error 0.2 points):

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
Johnson's correction for skewness (90 to 93 % in the last line) does worse where it matters: at 10 seeds it covers 91.9
% in the second line. A sign-flip test cannot reach a p-value below 0.0625 with 5 seeds, or 0.031 with 6, which is too
coarse to be corrected for several comparisons. Student's bootstrap is random and, at 5 seeds, 1.3 times as wide.

All this is for seeds on one split. Several splits (`splits`, `folds`, `split_seed: seed`) share samples: their training
sets overlap, a mean over them varies more than a mean of independent values, and Student's interval
becomes too narrow as the number of splits grows. The variance of the mean is then taken as deviation^2 (1/J +
n_test/n_train), with J splits and t of J - 1 degrees of freedom (Nadeau and Bengio, "Inference for the generalization
error", 2003). The second table shows how often 95 % intervals contain the true mean difference of two learners over
datasets, by simulation (2,000 datasets each, rmse on a fifth of 60 samples with 5 inputs;
`tests/analysis/values/test_split_coverage.py`):

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

An interval for new seeds and new test items is the root of the summed squares of two half-widths: Student's over seeds,
and Student's over items, each averaged over the seeds first. Its coverage is at least 94 % whichever of the two varies
more (`tests/analysis/values/test_seeds_and_items.py`); that of one of them alone may be far lower.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from lossrun.analysis.values.binomial import clopper_pearson
from lossrun.analysis.values.metric_names import Goal, sign
from lossrun.analysis.values.student import critical_t, two_sided_p

LEVEL: Final = 0.05  # the chance of any false verdict in a comparison; intervals have 1 - LEVEL
LEAST_FOR_INTERVAL: Final = 3  # seeds
LEAST_FOR_VERDICT: Final = 6  # seeds
LEAST_ITEMS: Final = 30  # test items for a verdict; the mean of fewer may be far from normal
ROUNDING: Final = 1e-6  # relative; the effect of different kernels, or another order of sums, in float32
_CONSTANT: Final = 1e-12  # relative; differences closer together than this are equal


@dataclass(frozen=True, slots=True)
class Resampled:
    """How values depend on each other if their seeds have different splits.

    Attributes:
        split_of: {seed: what distinguishes its split from the others}.
        ratio: Held-out samples / training samples; None if unknown.
        same_held_out: Whether all seeds were measured on the same samples, and only training and validation samples
            were drawn.
    """

    split_of: Mapping[int, str]
    ratio: float | None
    same_held_out: bool = False


@dataclass(frozen=True, slots=True)
class Variation:
    """How a mean varies over one kind of values.

    Attributes:
        over: What the values are: one for each seed, each split (the mean over its seeds), or each test item (the mean
            over the seeds).
        count: How many there are.
    """

    over: Literal["seeds", "splits", "items"]
    count: int
    standard_error: float

    @property
    def decides(self) -> bool:
        """Whether there are enough values for a verdict."""
        return self.count >= (LEAST_ITEMS if self.over == "items" else LEAST_FOR_VERDICT)

    def half_width(self, level: float) -> float:
        """Return half the width of Student's interval that misses the mean with a chance of `level`."""
        return critical_t(level, self.count - 1) * self.standard_error


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
        ratio: n_test / n_train of splits, which enlarges the variance; 0 on one split. None if unknown; then there is
            no interval.
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
        return _half_width(self.parts, level) if self.parts else None


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

    Values that differ only by rounding have the difference 0. If all differences are equal, Student's t has no scale:
    the p-value is then that of a sign test, 2^(1 - n), or 1 if they are 0. For overlapping splits n is 1 / (1/n +
    ratio), the number of independent values whose mean has the same variance.

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
    scale = max(abs(value) for seed in seeds for value in (run[seed], other[seed]))
    over: Literal["seeds", "splits"] = "seeds"
    values, same_held_out = list(per_seed.values()), False
    ratio: float | None = 0.0
    apart: tuple[float | None, float | None] = (None, None)
    if resampled and len(groups := _by_split(per_seed, resampled.split_of)) > 1:
        over, ratio, same_held_out = "splits", resampled.ratio, resampled.same_held_out
        values, apart = [sum(group) / len(group) for group in groups], _deviations(groups)
    count = len(values)
    constant = max(values) - min(values) <= _CONSTANT * scale
    mean = values[0] if constant else sum(values) / count
    deviation = None
    if count > 1:
        squares = sum((value - mean) * (value - mean) for value in values)
        deviation = 0.0 if constant else math.sqrt(squares / (count - 1))
    ties = values.count(0.0)
    better = sum(value * sign(goal) > 0 for value in values)
    wins = (better + ties / 2) / count
    found = PairedDifference(
        per_seed, mean, deviation, None, None, wins, ties, count, over=over, ratio=ratio, same_held_out=same_held_out
    )
    found = replace(found, split_deviation=apart[0], seed_deviation=apart[1])
    if over == "seeds":
        beats = clopper_pearson(better, count, LEVEL)
        found = replace(found, beats=beats, beaten=clopper_pearson(count - ties - better, count, LEVEL))
    parts: list[Variation] = []
    if not only_items:
        # The differences of a run that diverged may be too large to square.
        if count < LEAST_FOR_INTERVAL or deviation is None or ratio is None or not math.isfinite(deviation):
            return found
        parts.append(Variation(over, count, deviation * math.sqrt(1 / count + ratio)))
    if items is not None and items.count > 1:
        parts.append(items)
    return _with_interval(found, tuple(parts)) if parts else found


def _with_interval(found: PairedDifference, parts: tuple[Variation, ...]) -> PairedDifference:
    """Return the difference with interval and p-value."""
    mean, half = found.mean, _half_width(parts, LEVEL)
    if half:
        p_value = _p_value(parts, mean)
    else:
        independent = 1 / (1 / found.count + (found.ratio or 0.0))
        p_value = 2.0 ** (1 - independent) if mean else 1.0
    return replace(found, interval=(mean - half, mean + half), p_value=p_value, parts=parts)


def _half_width(parts: Sequence[Variation], level: float) -> float:
    """Return the root of the summed squares of the half-widths of all parts."""
    return math.hypot(*(part.half_width(level) for part in parts))


def _p_value(parts: Sequence[Variation], mean: float) -> float:
    """Return the least level whose interval excludes 0.

    Of several parts it is above the p-value of each alone. It is found where the half-width, which falls as the level
    rises, equals the mean: by the Illinois method (Dowell and Jarratt 1971) on the logarithm of the level.
    """
    varying = [part for part in parts if part.standard_error]
    alone = [two_sided_p(mean / part.standard_error, part.count - 1) for part in varying]
    if len(varying) == 1:
        return alone[0]

    def excess(log_level: float) -> float:
        return _half_width(varying, math.exp(log_level)) - abs(mean)

    low, high = math.log(max(*alone, 1e-300)), 0.0
    above, below = excess(low), -abs(mean)
    side = 0
    while high - low > _CONSTANT * max(1.0, -low) and above > 0 > below:
        middle = (low * below - high * above) / (below - above)
        found = excess(middle)
        if abs(found) <= _CONSTANT * abs(mean):
            return math.exp(middle)
        if found > 0:
            low, above, below, side = middle, found, below / 2 if side > 0 else below, 1
        else:
            high, below, above, side = middle, found, above / 2 if side < 0 else above, -1
    return math.exp(high)


def _by_split(per_seed: Mapping[int, float], split_of: Mapping[int, str]) -> list[list[float]]:
    """Return the differences of the seeds of each split."""
    grouped: dict[str, list[float]] = {}
    for seed, value in per_seed.items():
        grouped.setdefault(split_of[seed], []).append(value)
    return list(grouped.values())


def _deviations(groups: Sequence[Sequence[float]]) -> tuple[float | None, float | None]:
    """Return the standard deviations over splits and over the seeds of a split, each without the other's share."""
    if min(map(len, groups)) < 2:
        return None, None
    count, total = len(groups), sum(map(len, groups))
    means = [sum(group) / len(group) for group in groups]
    within = sum((value - mean) ** 2 for group, mean in zip(groups, means, strict=True) for value in group)
    seeds = within / (total - count)
    middle = sum(means) / count
    of_means = sum((mean - middle) ** 2 for mean in means) / (count - 1)
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


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number by Holm's step-down method.

    The chance of any false rejection at a level is then at most that level, however the tests depend on each other.

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    corrected = [0.0] * len(p_values)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = least
    return corrected
