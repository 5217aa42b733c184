"""Friedman's test equals SciPy's, and the critical difference is Demsar's."""

import math

import numpy as np
import pytest
from scipy import stats

from lossrun.analysis.distributions.chi_square import chi_square_tail
from lossrun.analysis.values.friedman import friedman, range_quantile
from lossrun.analysis.values.signed_ranks import ranked


def tables():
    """Values by dataset and method: without ties, with many, and with an effect."""
    draw = np.random.default_rng(0)
    for methods in (3, 4, 7):
        for datasets in (3, 6, 20):
            yield draw.normal(size=(datasets, methods))
            yield draw.integers(0, 4, size=(datasets, methods)).astype(float)
            yield draw.normal(size=(datasets, methods)) + np.arange(methods)


def test_statistic_and_p_value_are_scipys():
    compared = 0
    for values in tables():
        expected = stats.friedmanchisquare(*values.T)
        if not math.isfinite(expected.statistic):
            continue  # all methods tie everywhere
        found = friedman([ranked(row.tolist()) for row in values], 0.05)
        assert found.statistic == pytest.approx(expected.statistic, rel=1e-9, abs=1e-9)
        assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
        compared += 1
    assert compared > 15


def test_methods_that_are_equal_everywhere_do_not_differ():
    found = friedman([[2.0, 2.0, 2.0]] * 8, 0.05)
    assert (found.statistic, found.p_value, found.alike) == (0.0, 1.0, ((0, 1, 2),))


@pytest.mark.parametrize("degrees", [1, 2, 3, 6, 11])
def test_the_tail_of_chi_square_is_scipys(degrees):
    for x in (0.0, 1e-9, 0.5, 3.0, 20.0, 300.0):
        assert chi_square_tail(x, degrees) == pytest.approx(stats.chi2.sf(x, degrees), rel=1e-11)


def test_the_critical_difference_is_that_of_demsars_tables():
    # Demsar (2006), table 5 (a): q at 0.05 for 2 to 10 classifiers, which is the range's quantile / sqrt(2).
    table = (1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164)
    for count, q in enumerate(table, 2):
        assert range_quantile(0.95, count) / math.sqrt(2) == pytest.approx(q, abs=1e-3)
    assert range_quantile(0.95, 5) == pytest.approx(stats.studentized_range.ppf(0.95, 5, np.inf), rel=1e-6)
    # His example in section 3.2.4: 4 classifiers on 14 datasets have a critical difference of 1.25 at 0.05.
    four = [[1.0, 2.0, 3.0, 4.0]] * 14
    assert friedman(four, 0.05).critical_difference == pytest.approx(1.25, abs=0.005)


def test_groups_are_the_longest_within_the_critical_difference():
    # Mean ranks 1, 2, 3 and 4 on 14 datasets, 1.25 apart at most: neighbours.
    found = friedman([[1.0, 2.0, 3.0, 4.0]] * 14, 0.05)
    assert found.alike == ((0, 1), (1, 2), (2, 3))
    # With 200 datasets 0.33: none. Without a difference that Friedman's test finds: all.
    assert friedman([[1.0, 2.0, 3.0, 4.0]] * 200, 0.05).alike == ()
    assert friedman([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]] * 10, 0.05).alike == ((0, 1, 2),)
