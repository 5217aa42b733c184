"""Values of ranges: inside, each different, and no longer to write than that takes."""

import math
import random

import pytest

from lossrun.sweeping.search_space.ranges import Span, beyond, draws, spaced

RANGES = [
    (1e-4, 1.0, True),
    (0.9, 0.99, False),
    (0.999, 0.9999, False),
    (0.123456, 0.123457, False),
    (1e-8, 1e-7, True),
    (1e-300, 1e300, True),
    (-1.0, 1.0, False),
]


@pytest.mark.parametrize(("low", "high", "log"), RANGES)
def test_values_are_inside_their_range_in_order_and_each_different(low: float, high: float, log: bool) -> None:
    for points in (2, 7, 100):
        values = spaced(low, high, points, log=log, whole=False)
        assert values == sorted(set(values))
        assert (values[0], values[-1], len(values)) == (low, high, points)
    drawn = [one["x"] for one in draws([Span("x", low, high, log)], 300, seed=0)]
    assert len(set(drawn)) == 300
    assert low <= min(drawn) < max(drawn) <= high


@pytest.mark.parametrize(("low", "high", "log"), RANGES[:3])
def test_rounding_moves_a_draw_by_a_thousandth_of_the_range_at_most(low: float, high: float, log: bool) -> None:
    span, generator = Span("x", low, high, log), random.Random(1)
    for value in (span.draw(generator) for _ in range(100)):
        off = abs(math.log(span.settled(value) / value) / math.log(high / low)) if log else 0.0
        assert (off or abs(span.settled(value) - value) / (high - low)) <= 1.1e-3
        assert len(f"{span.settled(value):g}".strip("0.")) <= 6


def test_integers_stay_integers() -> None:
    assert spaced(8, 128, 5, log=True, whole=True) == [8, 16, 32, 64, 128]
    assert all(type(value) is int for value in spaced(1, 9, 3, log=False, whole=True))
    drawn = [one["n"] for one in draws([Span("n", 2, 6, log=False, whole=True)], 20, seed=0)]
    assert sorted(drawn) == [2, 3, 4, 5, 6]
    assert all(type(value) is int for value in drawn)
    # 16 * 2, 3 - 1, and at least one further where the step rounds to nothing.
    assert beyond(16, 2.0, 0.0, up=True, whole=True) == 32
    assert beyond(3, 0.0, 1.0, up=False, whole=True) == 2
    assert beyond(3, 1.05, 0.0, up=True, whole=True) == 4


def test_the_value_beyond_an_edge_is_a_new_one() -> None:
    assert beyond(1.0, 10.0, 0.0, up=True, whole=False) == 10.0
    assert beyond(0.9999, 0.0, 1e-5, up=True, whole=False) == pytest.approx(0.99991, abs=1e-6)
    assert beyond(1e-4, 10.0, 0.0, up=False, whole=False) == 1e-5
