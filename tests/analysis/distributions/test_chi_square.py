import pytest
from scipy import stats

from lossrun.analysis.distributions.chi_square import chi_square_quantile


@pytest.mark.parametrize("degrees", [1, 2, 4, 9, 63, 999])
@pytest.mark.parametrize("p", [1e-6, 0.05, 0.2, 0.5])
def test_quantiles_are_those_of_scipy(p, degrees):
    assert chi_square_quantile(p, degrees) == pytest.approx(stats.chi2.ppf(p, degrees), rel=1e-12)
