"""Two runs over the seeds they share: difference, interval, p-value, effect, and how many seeds would settle it.

The interval and the p-value are Student's, of the paired differences. How often the 95 % interval holds the true mean
difference, by simulation (20,000 samples each, standard error 0.2 points):

| differences over seeds                         | 3 seeds | 5 seeds | 6 seeds | 10 seeds |
|------------------------------------------------|---------|---------|---------|----------|
| normal                                         |    95.1 |    94.9 |    95.0 |     95.0 |
| of two equal lognormals (symmetric, skewness 0)|    97.4 |    97.4 |    97.2 |     96.8 |
| Student's t of 3 degrees (heavy tails)         |    96.2 |    96.3 |    96.2 |     96.0 |
| lognormal, sigma 0.5 (skewness 1.75)           |    92.5 |    91.4 |    91.5 |     91.8 |
| lognormal, sigma 1 (skewness 6.2)              |    84.3 |    82.1 |    81.7 |     83.9 |

Where two runs are equally good their differences are symmetric, whatever the distribution of each: there Student's
interval errs at most as often as it says, and a false verdict is no likelier than promised. Strongly skewed
differences need a real difference, and then it is the interval's width that is too optimistic. Johnson's correction
for skewness (90 to 93 % in the last line) was left out because it loses exactly there: at 10 seeds it covers 91.9 %
of the second line. Flipping signs reaches no p-value below 0.0625 with 5 seeds, and 0.031 with 6, too coarse to be
corrected for several comparisons; Student's bootstrap is random and at 5 seeds 1.3 times as wide.

All this is about seeds on one split. Where every seed has a split of its own (`split_seed: seed`), the splits draw on
the same samples: their training sets overlap, a mean over them varies more than independent values would, and Student's
interval is too narrow the more splits there are. The variance of the mean is then taken as deviation^2 (1/J +
n_test/n_train), J splits, t of J - 1 degrees (Nadeau and Bengio, "Inference for the generalization error", 2003). How
often 95 % intervals hold the true mean difference of two learners over datasets, by simulation (2,000 datasets or more
each, rmse on a fifth of the samples; least squares against no fit, but for the last two):

| difference                                       | Student's, 5, 6, 10 splits | corrected        |
|--------------------------------------------------|----------------------------|------------------|
| 60 samples, 5 inputs                             |           88.7  85.8  78.5 | 95.9  95.5  96.2 |
| 100 samples, 5 inputs                            |           90.4  89.0  81.9 | 97.2  98.0  98.3 |
| 100 samples, 1 input                             |           81.0  78.6  69.5 | 92.3  93.0  92.1 |
| ridge 0.1 against 60                             |           93.7  93.2  91.6 | 98.2  98.9  99.2 |
| the same, one training target in twenty far off  |           60.4  54.4  43.4 | 75.0  70.4  68.8 |

The last line is the limit of it: where a few outliers among the training samples decide, all splits share them, and
no interval from one dataset knows what other datasets would hold.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from lossrun.analysis.values.readings import Goal
from lossrun.analysis.values.student import critical_t, two_sided_p

LEVEL: Final = 0.05  # of all false verdicts of a comparison together; intervals are of 1 - LEVEL
POWER: Final = 0.8  # with which a fresh comparison is to find the difference
LEAST_FOR_INTERVAL: Final = 3  # seeds
LEAST_FOR_VERDICT: Final = 6  # seeds
MOST_SEEDS: Final = 1000  # beyond, the number that would settle it is of no use to anybody
ROUNDING: Final = 1e-6  # relative; what other kernels, or another order of sums, do to the same numbers in float32
_CONSTANT: Final = 1e-12  # relative; differences that lie closer together than this are all the same


@dataclass(frozen=True, slots=True)
class Resampled:
    """How values depend on each other whose seeds have splits of their own. `split_of`: per seed, what tells its split
    from the others. `ratio`: held-out samples to training samples, None where it is not known. `same_held_out`: only
    the training and validation samples were drawn, and all seeds were measured on the same ones."""

    split_of: Mapping[int, str]
    ratio: float | None
    same_held_out: bool = False


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """One run minus another on the seeds they share. `count`: of independent values, which are seeds, or where each
    seed has a split of its own (`over` is "splits") the means of its splits. `deviation`: of these, None for one.
    `interval`: 95 %, of the mean, and `p_value`: two-sided, of no difference; both None for fewer than 3. `wins`: the
    share of them on which the one run beats the other, ties half: an estimate of the probability that it does. `ties`:
    how many are equal but for rounding. `ratio`: n_test / n_train of splits, by which the variance is larger; 0 on one
    split, None where it is not known, and so no interval. `same_held_out`: see Resampled."""

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

    @property
    def standard_error(self) -> float | None:
        """Of the mean: deviation sqrt(1/count + ratio); None where it is not known."""
        if self.deviation is None or self.ratio is None:
            return None
        return self.deviation * math.sqrt(1 / self.count + self.ratio)


def paired_difference(
    run: Mapping[int, float], other: Mapping[int, float], goal: Goal, resampled: Resampled | None = None
) -> PairedDifference | None:
    """`run` minus `other`, values per seed, over the seeds where both are finite; None where there is none.

    `goal`: which way is better, for `wins`. Values that are equal but for rounding differ by 0. Differences that are
    all the same leave Student's t without a scale: their p-value is the sign test's, 2^(1 - n), and 1 where they are 0;
    of overlapping splits n is 1 / (1/n + ratio), as many independent values as have the variance of their mean.
    resampled: where seeds have splits of their own. Seeds of the same split are averaged first.
    """
    seeds = [seed for seed in run if math.isfinite(run[seed]) and math.isfinite(other.get(seed, math.nan))]
    if not seeds:
        return None
    per_seed = {seed: difference(run[seed], other[seed]) for seed in seeds}
    scale = max(abs(value) for seed in seeds for value in (run[seed], other[seed]))
    over: Literal["seeds", "splits"] = "seeds"
    values, same_held_out = list(per_seed.values()), False
    ratio: float | None = 0.0
    if resampled and len(means := _split_means(per_seed, resampled.split_of)) > 1:
        over, values, ratio, same_held_out = "splits", means, resampled.ratio, resampled.same_held_out
    count = len(values)
    constant = max(values) - min(values) <= _CONSTANT * scale
    mean = values[0] if constant else sum(values) / count
    deviation = None
    if count > 1:
        squares = sum((value - mean) * (value - mean) for value in values)
        deviation = 0.0 if constant else math.sqrt(squares / (count - 1))
    ties = values.count(0.0)
    better = sum(1.0 if (value > 0) == (goal == "max") else 0.0 for value in values if value)
    wins = (better + ties / 2) / count
    found = PairedDifference(
        per_seed, mean, deviation, None, None, wins, ties, count, over=over, ratio=ratio, same_held_out=same_held_out
    )
    error = found.standard_error
    # Differences of a run that exploded may be too large to be squared.
    if count < LEAST_FOR_INTERVAL or error is None or ratio is None or not math.isfinite(error):
        return found
    if deviation == 0:
        return replace(found, interval=(mean, mean), p_value=2.0 ** (1 - 1 / (1 / count + ratio)) if mean else 1.0)
    half = critical_t(LEVEL, count - 1) * error
    p_value = two_sided_p(mean / error, count - 1)
    return replace(found, interval=(mean - half, mean + half), p_value=p_value)


def _split_means(per_seed: Mapping[int, float], split_of: Mapping[int, str]) -> list[float]:
    """The mean over the seeds of each split."""
    grouped: dict[str, list[float]] = {}
    for seed, value in per_seed.items():
        grouped.setdefault(split_of[seed], []).append(value)
    return [sum(group) / len(group) for group in grouped.values()]


def difference(value: float, other: float) -> float:
    """0 where only rounding differs: nobody can say which of the two is better."""
    return 0.0 if math.isclose(value, other, rel_tol=ROUNDING) else value - other


def within_margin(found: PairedDifference, margin: float, level: float) -> bool:
    """Whether the difference is smaller than `margin` either way: two one-sided t-tests, each at `level`.

    Source: Schuirmann, "A comparison of the two one-sided tests procedure and the power approach for assessing the
    equivalence of average bioavailability", 1987.
    """
    error = found.standard_error
    if error is None or found.interval is None:
        return False
    return abs(found.mean) + critical_t(2 * level, found.count - 1) * error < margin


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for their number, by Holm's step-down method: the chance of any false rejection at or
    under a level is at most that level, however the tests depend on each other.

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    corrected = [0.0] * len(p_values)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = least
    return corrected


def seeds_to_settle(mean: float, deviation: float, level: float, ratio: float = 0.0) -> int | None:
    """About how many seeds, or splits, a fresh comparison needs to find such a difference with probability POWER.

    The least n >= 6 with 1/(1/n + ratio) >= ((t(1 - level/2) + t(POWER)) deviation / mean)^2, t of n - 1 degrees of
    freedom. `ratio`: n_test / n_train of splits. A guess, as mean and deviation are. None beyond MOST_SEEDS.
    """
    if not mean:
        return None

    def enough(count: int) -> bool:
        quantiles = critical_t(level, count - 1) + critical_t(2 * (1 - POWER), count - 1)
        return 1 / (1 / count + ratio) >= (quantiles * deviation / mean) ** 2

    low, high = LEAST_FOR_VERDICT, MOST_SEEDS
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def needs_more_data(mean: float, deviation: float, level: float, ratio: float) -> bool:
    """Whether no number of splits finds such a difference: the variance of the mean stays above deviation^2 times
    `ratio`, however many there are, as all draw on the same samples."""
    if not ratio:
        return False
    from statistics import NormalDist  # only here: importing takes its time

    normal = NormalDist()
    quantiles = normal.inv_cdf(1 - level / 2) + normal.inv_cdf(POWER)
    return ratio * (quantiles * deviation) ** 2 > mean * mean
