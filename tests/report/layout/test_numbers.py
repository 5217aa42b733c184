import math

import pytest

from lossrun.analysis.values.readings import Spread, spread
from lossrun.report.layout.numbers import (
    format_clock,
    format_difference,
    format_number,
    format_seconds,
    format_size,
    format_spread,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12341, "0.1234"),
        (12.3456, "12.35"),
        (1234.5, "1234"),
        (1.2341e-7, "1.234e-7"),
        (0.1, "0.1000"),
        (0.0, "0.000"),
        (-1.5, "-1.500"),
        (123456.7, "123457"),
        (9999.9, "10000"),
        (1e9, "1.000e9"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
    ],
)
def test_numbers_are_written_with_four_digits(value, text):
    assert format_number(value) == text


def test_format_number_takes_digits():
    assert format_number(0.98765, 2) == "0.99"


@pytest.mark.parametrize(("value", "text"), [(0.5, "+0.5000"), (-0.5, "-0.5000"), (0.0, "0.000"), (math.inf, "+inf")])
def test_a_difference_bears_its_sign(value, text):
    assert format_difference(value) == text


def test_a_spread_has_a_deviation_only_with_several_seeds():
    assert format_spread(spread({0: 0.25}), "±") == "0.2500"
    # Mean 0.3, deviation sqrt(2 * 0.05**2 / 1) = 0.0707.
    assert format_spread(spread({0: 0.25, 1: 0.35}), "+-") == "0.3000 +- 0.071"
    assert format_spread(None, "±") == "-"


@pytest.mark.parametrize(
    ("middle", "deviation", "text"),
    [
        (0.98765, 0.0012, "0.9877 ± 0.0012"),
        (0.98765432, 0.0000123, "0.98765 ± 1.2e-5"),
        (123456.78, 0.4, "123456.8 ± 0.40"),
        (0.987654321987, 1e-12, "0.98765432 ± 1.0e-12"),
        (0.5, 0.0, "0.5000 ± 0.0"),
        (0.001, 5.0, "0.001000 ± 5.0"),
    ],
)
def test_a_mean_has_the_digits_in_which_seeds_differ(middle, deviation, text):
    value = Spread({0: middle, 1: middle}, middle, deviation)
    assert format_spread(value, "±") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0031, "3.1 ms"),
        (0.00996, "10 ms"),
        (0.0994, "99 ms"),
        (0.0996, "0.10 s"),
        (0.42, "0.42 s"),
        (9.996, "10.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.9, "1 h 00 min"),
        (7620, "2 h 07 min"),
        (273600, "3 d 04 h"),
    ],
)
def test_seconds_are_written_in_a_fitting_unit(seconds, text):
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.004, "4.0ms"),
        (0.042, "42ms"),
        (12.34, "12.3s"),
        (185, "3m05s"),
        (7620, "2h07m"),
        (273600, "3d04h"),
        (36 * 3600, "1d12h"),
    ],
)
def test_format_clock_takes_six_characters_at_most(seconds, text):
    assert format_clock(seconds) == text
    assert len(text) <= 6


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (31_580, "31.6 kB"), (999_600, "1 MB"), (3_210_000_000, "3.21 GB")],
)
def test_sizes_are_written_in_a_fitting_unit(size, text):
    assert format_size(size) == text
