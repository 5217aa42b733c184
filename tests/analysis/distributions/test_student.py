"""Expected numbers come from scipy, from closed forms, or from printed tables."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from lossrun.analysis.distributions.student import critical_t, two_sided_p

DEGREES = [1, 2, 3, 4, 5, 6, 7, 9, 10, 19, 30, 99, 298, 299, 300, 301, 302, 999, 4999]
CLOSE = {"rel": 1e-12, "abs": 0.0}


@pytest.mark.parametrize("degrees", DEGREES)
def test_p_values_are_scipys(degrees):
    for t in (1e-3, 0.1, 0.5, 1.0, 1.7, 1.74, 2.0, 2.5, 3.0, 5.0, 10.0, 30.0):
        expected = 2 * stats.t.sf(t, degrees)
        assert two_sided_p(t, degrees) == pytest.approx(expected, **CLOSE), t
        assert two_sided_p(-t, degrees) == two_sided_p(t, degrees)


@pytest.mark.parametrize("degrees", DEGREES)
def test_critical_values_have_their_p_value_by_scipy(degrees):
    # Not by scipy's own critical values: those of scipy 1.14 are right in 10 digits only.
    for p in (0.9, 0.5, 0.4, 0.1, 0.05, 0.05 / 3, 0.01, 0.05 / 45, 1e-4, 1e-6, 1e-9):
        assert 2 * stats.t.sf(critical_t(p, degrees), degrees) == pytest.approx(p, **CLOSE), p


# Two-sided, of the table in Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964, 26.10.
@pytest.mark.parametrize(
    ("degrees", "p", "t"),
    [(1, 0.05, 12.706), (2, 0.05, 4.303), (5, 0.05, 2.571), (9, 0.05, 2.262), (9, 0.01, 3.250), (30, 0.1, 1.697),
     (120, 0.05, 1.980), (4, 0.001, 8.610)],
)  # fmt: skip
def test_critical_values_are_those_of_the_printed_table(degrees, p, t):
    assert critical_t(p, degrees) == pytest.approx(t, abs=5e-4)


@given(st.floats(1e-12, 1e150))
def test_one_and_two_degrees_have_closed_forms(t):
    """Student's t of one degree is Cauchy's distribution; of two, P(|T| >= t) = 1 - t / sqrt(2 + t^2)."""
    assert two_sided_p(t, 1) == pytest.approx(2 / math.pi * math.atan2(1, t), **CLOSE)
    root = math.hypot(math.sqrt(2), t)
    assert two_sided_p(t, 2) == pytest.approx(2 / (root * (root + t)), **CLOSE)


def test_many_degrees_are_the_normal_distribution():
    for t in (0.1, 1.0, 2.0, 5.0):
        assert two_sided_p(t, 1e13) == pytest.approx(math.erfc(t / math.sqrt(2)), rel=1e-9)


def test_the_ends_of_the_range():
    assert two_sided_p(0.0, 5) == 1.0
    assert two_sided_p(5e-324, 5) == 1.0
    assert two_sided_p(1e300, 5) == 0.0
    assert two_sided_p(1e300, 1) == pytest.approx(2 / math.pi * 1e-300, **CLOSE)
    assert critical_t(1.0, 5) == 0.0
    assert critical_t(1e-300, 1) == pytest.approx(2 / math.pi * 1e300, **CLOSE)


@given(st.floats(1e-290, 0.999), st.integers(1, 5000))
def test_the_critical_value_of_a_p_value_has_that_p_value(p, degrees):
    assert two_sided_p(critical_t(p, degrees), degrees) == pytest.approx(p, rel=1e-11)


@given(st.floats(0.0, 1e6), st.floats(0.0, 1e6), st.integers(1, 5000))
def test_p_values_fall_with_distance_and_with_degrees(t, other, degrees):
    near, far = sorted((t, other))
    assume(far > near * (1 + 1e-9))
    assert two_sided_p(far, degrees) <= two_sided_p(near, degrees)
    assert two_sided_p(far, degrees + 1) <= two_sided_p(far, degrees) * (1 + 1e-12)
