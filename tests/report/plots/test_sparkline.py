from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossrun.report.plots.sparkline import WIDTH, sparkline


def test_eight_even_steps_are_the_eight_blocks():
    assert sparkline(range(8)) == "▁▂▃▄▅▆▇█"
    assert sparkline(range(8), unicode=False) == "_.-~=+*#"
    assert sparkline(range(7, -1, -1)) == "█▇▆▅▄▃▂▁"


def test_many_values_are_means_of_stretches():
    # Stretches of two: means 0.5, 0.5, 7.5, 7.5; single values would show the zigzag.
    assert sparkline([0, 1, 1, 0, 7, 8, 8, 7], width=4) == "▁▁██"


def test_powers_of_ten_rise_evenly_on_a_logarithmic_scale():
    powers = [10.0**exponent for exponent in range(-4, 4)]
    assert sparkline(powers, log=True) == "▁▂▃▄▅▆▇█"
    assert sparkline(powers) == "▁▁▁▁▁▁▁█"


@pytest.mark.parametrize(("unicode", "text"), [(True, "▁·█·"), (False, "_!#!")])
def test_what_is_not_finite_has_a_mark_of_its_own(unicode, text):
    assert sparkline([0.0, nan, 1.0, inf], unicode=unicode) == text


def test_what_has_no_logarithm_has_that_mark_too():
    assert sparkline([1.0, 0.0, 10.0, -1.0], log=True) == "▁·█·"


def test_values_alike_lie_in_the_middle():
    assert sparkline([3.0, 3.0]) == "▅▅"
    assert sparkline([]) == ""


@given(
    values=st.lists(st.floats(), max_size=3 * WIDTH),
    width=st.integers(1, WIDTH),
    unicode=st.booleans(),
    log=st.booleans(),
)
def test_any_values_make_a_word(values, width, unicode, log):
    text = sparkline(values, width, unicode=unicode, log=log)
    assert len(text) == min(width, len(values))
    assert text == text.strip()
    assert unicode or text.isascii()
