"""Expected numbers come from scipy.stats, which lossrun itself does not use."""

import numpy as np
import pytest
from scipy import stats

from lossrun.analysis.values.signed_ranks import ranked, signed_ranks

CASES = {
    # Demsar (2006), table 2: the accuracies of C4.5+m minus those of C4.5 on 14 datasets.
    "demsar": [0.005, -0.008, 0.017, 0.033, 0.006, -0.005, 0.007, 0.0, 0.063, 0.0, 0.022, 0.047, 0.009, 0.021],
    "without_ties": [0.3, -0.1, 0.25, 0.4, 0.05, 0.7, -0.2],
    "ties": [0.1, 0.1, -0.1, 0.2, 0.2, 0.3, 0.3, -0.3],
    "zeros": [0.0, 0.0, 0.2, -0.1, 0.3, 0.4, 0.5],
    "one_side": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_p_value_is_that_of_scipys_test_over_all_signs(name):
    values = CASES[name]
    found = signed_ranks(values)
    ranks = stats.rankdata(np.abs(values))
    zeros = ranks[np.array(values) == 0].sum() / 2
    assert found.positive == pytest.approx(ranks[np.array(values) > 0].sum() + zeros)
    assert found.negative == pytest.approx(ranks[np.array(values) < 0].sum() + zeros)

    def difference(signed, axis):
        return (ranks * np.sign(signed)).sum(axis)

    expected = stats.permutation_test((values,), difference, permutation_type="samples", n_resamples=np.inf)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_the_example_of_the_paper_has_its_sums_of_ranks():
    found = signed_ranks(CASES["demsar"])
    assert (found.positive, found.negative) == (93, 12)


@pytest.mark.parametrize("count", [6, 9, 25, 50])
def test_without_ties_it_is_scipys_exact_test(count):
    values = np.random.default_rng(count).normal(0.3, size=count).tolist()
    expected = stats.wilcoxon(values, method="exact")
    found = signed_ranks(values)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert min(found.positive, found.negative) == expected.statistic


def test_equal_methods_have_no_small_p_value():
    assert signed_ranks([0.0] * 8).p_value == 1.0


@pytest.mark.parametrize("values", [[3.0, 1.0, 2.0], [1.0, 1.0, 2.0, 0.5], [2.0, 2.0, 2.0], [1.0]])
def test_equal_values_share_the_mean_of_their_ranks(values):
    assert ranked(values) == stats.rankdata(values).tolist()
