"""Expected numbers come from scipy.stats, which lossrun itself does not use, or from a closed form."""

import math

import numpy as np
import pytest
from scipy import stats

from lossrun.analysis.values.planning import deviation_limit, needed, needs_more_data, seeds_to_settle
from lossrun.analysis.values.variation import Variation


@pytest.mark.parametrize(("effect", "level"), [(1.0, 0.05), (0.5, 0.05), (0.5, 0.025), (2.5, 0.05)])
def test_as_many_seeds_as_are_named_find_the_difference_four_times_in_five(effect, level):
    """The power of Student's test by the non-central t distribution, of which ours is the usual approximation."""

    def power(count):
        bound = stats.t.ppf(1 - level / 2, count - 1)
        return stats.nct.sf(bound, count - 1, effect * math.sqrt(count))

    count = seeds_to_settle(effect, 1.0, level)
    assert power(count) == pytest.approx(0.8, abs=0.05) or count == 6
    assert power(count) > 0.78


def test_nobody_can_say_how_many_seeds_settle_a_difference_of_next_to_nothing():
    assert seeds_to_settle(0.0, 1.0, 0.05) is None
    assert seeds_to_settle(1e-6, 1.0, 0.05) is None


def test_more_splits_do_not_settle_what_lies_below_their_common_variance():
    # As n grows the error goes to sqrt(ratio) deviation: 2.802 (1.960 + 0.842) of these are 1.401 with ratio 1/4.
    assert not needs_more_data(1.41, 1.0, 0.05, 0.25)
    assert needs_more_data(1.39, 1.0, 0.05, 0.25)
    assert not needs_more_data(1e-9, 1.0, 0.05, 0.0)
    assert seeds_to_settle(1.39, 1.0, 0.05, 0.25) is None
    assert seeds_to_settle(1.0, 1.0, 0.05) < seeds_to_settle(1.0, 1.0, 0.05, 0.02) < 20
    assert needs_more_data(0.0, 1.0, 0.05, 0.25)


def test_more_seeds_help_where_chance_under_single_seeds_makes_the_items_vary():
    # Over items of three seeds the error is 0.5, of which a floor of 0.5, 0.2 or 0 is left. 2.802 floors can be found.
    items = [Variation("items", 10_000, 0.5, seeds=3, floor=floor) for floor in (0.5, 0.2, 0.0)]
    found = [needed(1.0, 0.5, 0.05, 0.0, one) for one in items]
    assert [one.more_data for one in found] == [True, False, False]
    assert found[1].count > found[2].count >= 6
    # The items of 30 seeds: a tenth of the variance above the floor.
    assert items[1].with_seeds(30).standard_error == pytest.approx(math.sqrt(0.04 + 0.21 / 10))
    # One seed does not tell the floor, so the error stays.
    assert needed(1.0, 0.5, 0.05, 0.0, Variation("items", 10_000, 0.5)).more_data


@pytest.mark.parametrize("count", [3, 5, 12])
def test_the_limit_of_a_deviation_is_above_the_true_one_in_four_of_five_samples(count):
    draw = np.random.default_rng(5)
    found = [deviation_limit(one, count) for one in draw.normal(size=(4000, count)).std(axis=1, ddof=1).tolist()]
    assert np.mean(np.array(found) > 1) == pytest.approx(0.8, abs=0.02)  # three standard errors
    interval = stats.chi2.ppf(0.2, count - 1)
    assert deviation_limit(2.0, count) == pytest.approx(2.0 * math.sqrt((count - 1) / interval), rel=1e-12)


@pytest.mark.parametrize("pilot", [3, 5])
def test_four_pilots_in_five_lead_to_the_power_and_two_in_five_with_the_deviation_itself(pilot):
    """2,000 pilots for a difference of 0.6 deviations; the power is the non-central t distribution's."""
    draw, size, level = np.random.default_rng(11), 0.6, 0.05
    power = {}
    for count in range(6, 1001):
        bound = stats.t.ppf(1 - level / 2, count - 1)
        power[count] = float(stats.nct.sf(bound, count - 1, size * math.sqrt(count)))
        if power[count] > 0.999:
            break
    reached = {"limit": 0, "plain": 0}
    for deviation in draw.normal(size=(2000, pilot)).std(axis=1, ddof=1).tolist():
        for name, taken in (("limit", deviation_limit(deviation, pilot)), ("plain", deviation)):
            count = needed(size, taken, level).count
            reached[name] += count is None or power.get(count, 1.0) >= 0.8
    assert reached["limit"] / 2000 >= 0.78  # four in five; two standard errors are 1.8 points
    assert reached["plain"] / 2000 < 0.5
