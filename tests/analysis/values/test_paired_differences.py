"""Expected numbers come from scipy.stats, which lossrun itself does not use, or from a closed form."""

import math

import numpy as np
import pytest
from scipy import stats

from lossrun.analysis.values.evidence import holm
from lossrun.analysis.values.paired_differences import Resampled, paired_difference, within_margin

A = dict(enumerate([0.910, 0.925, 0.893, 0.911, 0.902, 0.917, 0.898]))
B = dict(enumerate([0.921, 0.933, 0.899, 0.908, 0.915, 0.925, 0.911]))


@pytest.mark.parametrize("count", [3, 5, 7])
def test_interval_and_p_value_are_those_of_the_paired_t_test(count):
    a, b = ({seed: values[seed] for seed in range(count)} for values in (A, B))
    expected = stats.ttest_rel(list(b.values()), list(a.values()))
    interval = expected.confidence_interval(0.95)
    found = paired_difference(b, a, "max")
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert found.interval == pytest.approx((interval.low, interval.high), rel=1e-9)
    assert found.mean == pytest.approx(np.mean([b[s] - a[s] for s in range(count)]))
    assert found.deviation == pytest.approx(np.std([b[s] - a[s] for s in range(count)], ddof=1))


def test_swapping_the_runs_changes_the_signs_alone():
    forth, back = paired_difference(B, A, "max"), paired_difference(A, B, "max")
    assert back.mean == -forth.mean
    assert back.interval == (-forth.interval[1], -forth.interval[0])
    assert back.p_value == forth.p_value
    assert back.wins == pytest.approx(1 - forth.wins)


def test_wins_are_the_share_of_seeds_with_ties_half_in_the_direction_that_is_better():
    run, other = {0: 1.0, 1: 2.0, 2: 3.0, 3: 0.1 + 0.2}, {0: 2.0, 1: 3.0, 2: 1.0, 3: 0.3}
    # Lower on seeds 0 and 1, higher on 2, equal except for rounding on 3.
    assert paired_difference(run, other, "min").wins == 2.5 / 4
    assert paired_difference(run, other, "max").wins == 1.5 / 4


def test_only_common_seeds_with_finite_values_are_paired():
    found = paired_difference({0: 1.0, 1: 2.0, 2: math.nan, 3: 4.0}, {1: 1.5, 2: 1.0, 3: math.inf, 4: 1.0}, "min")
    assert found.per_seed == {1: 0.5}
    assert paired_difference({0: 1.0}, {1: 1.0}, "min") is None


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_seeds_have_no_interval(count):
    found = paired_difference(*({s: x[s] for s in range(count)} for x in (B, A)), "max")
    assert (found.interval, found.p_value) == (None, None)


def test_a_difference_that_is_rounding_has_no_small_p_value():
    # 0.3 - 0.2 and the like differ in their last digits only; a t-test would divide by 1e-17.
    other = {seed: seed / 10 for seed in range(6)}
    run = {seed: value + 0.1 for seed, value in other.items()}
    found = paired_difference(run, other, "max")
    assert found.deviation == 0
    assert found.p_value == 2 / 2**6  # all six differences on one side, either side
    assert paired_difference(other, other, "max").p_value == 1


def test_differences_that_cancel_have_the_mean_0():
    run, other = dict(enumerate([0.93, 0.91, 0.95, 0.89])), dict(enumerate([0.92, 0.92, 0.91, 0.93]))
    assert sum(run[seed] - other[seed] for seed in run) != 0  # except for rounding it is
    assert paired_difference(run, other, "max").mean == 0


def test_what_float32_rounds_differently_on_each_seed_is_one_difference():
    """Seeds that only change the order of sums: three values of 1 and of 0.5, each within a few float32 roundings."""
    run, other = {0: 1.0, 1: 1.0 + 2e-8, 2: 1.0 - 6e-8}, {0: 0.5, 1: 0.5, 2: 0.5 + 3e-8}
    found = paired_difference(run, other, "min")
    assert (found.deviation, found.p_value) == (0, 2 / 2**3)
    # A large value on one seed does not make the others equal: each has its own rounding.
    found = paired_difference({0: 1e9, 1: 1.0, 2: 1.1}, {0: 1e9, 1: 0.5, 2: 0.55}, "min")
    assert found.deviation == pytest.approx(np.std([0, 0.5, 0.55], ddof=1))


@pytest.mark.parametrize("splits", ["012345", "001122"])
def test_differences_too_large_to_be_squared_have_no_interval_and_are_no_error(splits):
    run = {0: 1e300, 1: 1e307, 2: 1.0, 3: 1.0, 4: 1.0, 5: 1.0}
    other = {0: -1e300, 1: 1.0, 2: 2.0, 3: 2.0, 4: 2.0, 5: 2.0}
    for resampled in (None, Resampled(dict(enumerate(splits)), 0.25)):
        found = paired_difference(run, other, "min", resampled)
        assert found.interval is None
        assert found.p_value is None


def test_holm_is_stepwise_and_never_decreasing():
    # By hand, of 4: 0.005 * 4, then 0.01 * 3, 0.03 * 2, and 0.04 * 1 raised to what came before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_margin_is_kept_where_both_one_sided_tests_say_so():
    values = [B[s] - A[s] for s in range(7)]
    found = paired_difference(B, A, "max")
    for margin in (0.01, 0.0112, 0.0115, 0.012, 0.02):
        p = max(stats.ttest_1samp(values, -margin, alternative="greater").pvalue,
                stats.ttest_1samp(values, margin, alternative="less").pvalue)  # fmt: skip
        assert within_margin(found, margin, 0.05) == (p < 0.05)
    assert within_margin(found, 0.02, 0.05)
    assert not within_margin(found, 0.01, 0.05)


@pytest.mark.parametrize("seeds", [5, 10])
def test_intervals_of_equal_runs_hold_zero_in_93_to_97_per_cent(seeds):
    draw = np.random.default_rng(20)
    held = 0
    for _ in range(2000):
        a, b = (dict(enumerate(values)) for values in draw.normal(size=(2, seeds)).tolist())
        low, high = paired_difference(b, a, "min").interval
        held += low <= 0 <= high
    assert 0.93 <= held / 2000 <= 0.97


def own_splits(count, ratio=0.25):
    return Resampled({seed: str(seed) for seed in range(count)}, ratio)


@pytest.mark.parametrize("count", [3, 5, 7])
@pytest.mark.parametrize("ratio", [0.0, 0.25, 1.0])
def test_overlapping_splits_have_the_variance_of_nadeau_and_bengio(count, ratio):
    a, b = ({seed: values[seed] for seed in range(count)} for values in (A, B))
    values = np.array([b[seed] - a[seed] for seed in range(count)])
    error = values.std(ddof=1) * math.sqrt(1 / count + ratio)
    found = paired_difference(b, a, "max", own_splits(count, ratio))
    assert found.interval == pytest.approx(stats.t.interval(0.95, count - 1, values.mean(), error), rel=1e-9)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(values.mean()) / error, count - 1), rel=1e-9)
    assert (found.count, found.over, found.ratio) == (count, "splits", ratio)
    for margin in (0.01, 0.02, 0.05):
        bound = abs(values.mean()) + stats.t.ppf(0.95, count - 1) * error
        assert within_margin(found, margin, 0.05) == (bound < margin)


def test_seeds_of_the_same_split_are_averaged_first():
    split_of = dict(enumerate("xxyyzzz"))
    found = paired_difference(B, A, "max", Resampled(split_of, 0.25))
    each = [np.mean([B[s] - A[s] for s in seeds]) for seeds in ((0, 1), (2, 3), (4, 5, 6))]
    assert (found.count, found.over) == (3, "splits")
    assert found.mean == pytest.approx(np.mean(each))
    assert found.deviation == pytest.approx(np.std(each, ddof=1))
    # All seeds on one split after all: seeds are what there is.
    assert paired_difference(B, A, "max", Resampled(dict.fromkeys(range(7), "x"), 0.25)) == paired_difference(
        B, A, "max"
    )


def test_splits_whose_overlap_nobody_knows_have_no_interval():
    found = paired_difference(B, A, "max", own_splits(7, None))
    assert (found.interval, found.p_value, found.parts) == (None, None, ())
    assert not within_margin(found, 1.0, 0.05)


def test_a_difference_that_is_the_same_on_all_splits_counts_as_so_many_independent_ones():
    other = dict.fromkeys(range(10), 1.0)
    run = dict.fromkeys(range(10), 2.0)
    assert paired_difference(run, other, "max").p_value == 2.0**-9
    # 1 / (1/10 + 1/4) = 2.857 independent values have a mean of that variance.
    assert paired_difference(run, other, "max", own_splits(10)).p_value == pytest.approx(2 ** (1 - 1 / 0.35))
