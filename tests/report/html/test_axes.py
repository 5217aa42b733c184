import math
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lossrun.report.html.axes import Axis, opened, tick_text

NUMBERS = st.floats(-1e12, 1e12, allow_subnormal=False)


@pytest.mark.parametrize(
    ("low", "high", "log", "texts"),
    [
        (0.88, 0.97, False, ["0.88", "0.9", "0.92", "0.94", "0.96"]),
        (0.5, 30.2, False, ["5", "10", "15", "20", "25", "30"]),
        (-0.04, 0.002, False, ["-0.04", "-0.03", "-0.02", "-0.01", "0"]),
        (0.0005, 20, True, ["0.001", "0.01", "0.1", "1", "10"]),
        (0.3, 12, True, ["0.5", "1", "2", "5", "10"]),
        (0.91, 0.97, True, ["0.91", "0.92", "0.93", "0.94", "0.95", "0.96", "0.97"]),
    ],
)
def test_ticks_are_round(low, high, log, texts):
    assert [text for _, text in Axis(low, high, 0, 100, log).ticks()] == texts


@given(st.lists(NUMBERS, min_size=1, max_size=5), st.booleans())
@example(values=[1256.0, 7e-306], log=True)
def test_ticks_lie_within_and_their_texts_are_their_values(values, log):
    span = opened(values, log=log)
    if span is None:
        assert log
        assert max(values) <= 0
        return
    axis = Axis(*span, 200, 10, log)
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 14
    for value, text in ticks:
        assert 10 - 1e-6 <= axis.place(value) <= 200 + 1e-6
        assert float(text) == pytest.approx(value, rel=1e-2)
    assert all(value < after for (value, _), (after, _) in pairwise(ticks))


@given(st.lists(NUMBERS, min_size=1, max_size=5))
def test_every_value_has_a_place_within(values):
    axis = Axis(*opened(values), 0, 100)
    places = [axis.place(value) for value in values]
    assert all(0 <= place <= 100 for place in places)
    assert [value for value, _ in sorted(zip(values, places, strict=True), key=lambda pair: pair[1])] == pytest.approx(
        sorted(values), rel=1e-9, abs=1e-9 * max(map(abs, values))
    )


def test_a_logarithmic_axis_spaces_magnitudes_evenly():
    axis = Axis(0.01, 100.0, 0, 400, log=True)
    assert [axis.place(value) for value in (0.01, 0.1, 1, 10, 100)] == pytest.approx([0, 100, 200, 300, 400])
    assert axis.inside(0.0) == axis.inside(-3.0) == 0


def test_what_is_not_finite_opens_no_axis():
    assert opened([math.nan, math.inf]) is None
    assert opened([0.0, -1.0], log=True) is None
    assert opened([math.nan, 2.0, 4.0]) == pytest.approx((1.92, 4.08))


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.5, "0.5"), (20.0, "20"), (1e-5, "1e-5"), (2.5e6, "2.5e6"), (-0.03, "-0.03")]
)
def test_a_tick_has_no_digit_too_many(value, text):
    assert tick_text(value) == text
