import pytest
from scipy import stats

from lossrun.analysis.distributions.binomial import clopper_pearson


@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 1), (3, 3), (0, 6), (4, 6), (6, 6), (9, 10), (31, 64), (999, 1000)]
)
def test_intervals_are_those_of_scipy(successes, trials):
    expected = stats.binomtest(successes, trials).proportion_ci(0.95, method="exact")
    assert clopper_pearson(successes, trials, 0.05) == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-12)
