from math import cos, pi

import pytest

from lossrun.catalog.schedules import SCHEDULES
from lossrun.components.schedule_curves import EPOCHS, rate_curves
from lossrun.report.reference.examples import values_without_default

NAMES = [schedule.name for schedule in SCHEDULES]


def at(curve, epoch):
    _, epochs, shares = curve
    return dict(zip(epochs, shares, strict=True))[epoch]


def test_a_cosine_is_half_a_period_of_one():
    own, warm = rate_curves("cosine", {})
    for epoch in (0.0, 7.5, 15.0, 25.0):
        assert at(own, epoch) == pytest.approx((1 + cos(pi * epoch / EPOCHS)) / 2)
    # A warm-up of 3 epochs: a straight line up, then the cosine over the 27 that are left.
    assert at(warm, 1.45) == pytest.approx(0.5)  # the 30th of 60 steps
    assert at(warm, 16.5) == pytest.approx(0.5)


def test_parameters_are_those_given():
    assert [at(rate_curves("step", {"every": 5, "gamma": 0.5})[0], epoch) for epoch in (4.95, 5.0, 10.0)] == [
        1,
        0.5,
        0.25,
    ]
    assert at(rate_curves("step", {"warmup_epochs": 3.0})[1], 0.0) == 1.0  # next to its own warm-up: none


@pytest.mark.parametrize("name", NAMES)
def test_every_schedule_has_curves_unless_it_waits_for_results(name):
    curves = rate_curves(name, values_without_default(name))
    assert len(curves) == (0 if name == "reduce_on_plateau" else 2)
    for _, epochs, shares in curves:
        assert (epochs[0], epochs[-1], len(epochs)) == (0.0, EPOCHS, len(shares))
        assert all(0 <= share <= 1 for share in shares)


def test_an_unknown_schedule_is_refused():
    with pytest.raises(KeyError, match="sawtooth"):
        rate_curves("sawtooth", {})
