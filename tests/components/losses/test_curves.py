"""Curves of losses against closed forms, worked out with `math` alone."""

from math import cos, exp, inf, log, log1p, pi, sin, tanh

import pytest

from lossrun.catalog.losses import LOSSES
from lossrun.components.losses.curves import CLASSES, pictures

NAMES = [loss.name for loss in LOSSES]
LOGITS = (-10.0, -1.0, 0.0, 1.0, 10.0)


def rows(name, parameters=None, which=0) -> dict[float, tuple[float, float]]:
    return {x: (value, slope) for x, value, slope in pictures(name, parameters)[which].rows}


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def p_right(x: float) -> float:
    """The softmax's share of a class whose logit is x, the others' being 0."""
    return exp(x) / (exp(x) + CLASSES - 1)


# --- closed forms: value and derivative

OVER_ERRORS = {
    "mse": (lambda e: e * e, lambda e: 2 * e),
    "mae": (abs, lambda e: 1.0),
    "huber": (lambda e: e * e / 2 if e <= 1 else e - 0.5, lambda e: min(e, 1.0)),
    "log_cosh": (lambda e: e + log1p(exp(-2 * e)) - log(2), tanh),
    "gaussian_nll": (lambda e: e * e / 2, lambda e: e),
}
OVER_LOGITS_OF_YES = {
    "binary_cross_entropy": (lambda x: log1p(exp(-x)), lambda x: -sigmoid(-x)),
    "hinge": (lambda x: max(0.0, 1 - x), lambda x: -1.0 if x < 1 else 0.0),
    "squared_hinge": (lambda x: max(0.0, 1 - x) ** 2, lambda x: -2 * max(0.0, 1 - x)),
}
OVER_LOGITS_OF_THE_RIGHT_CLASS = {
    "cross_entropy": (lambda x: -log(p_right(x)), lambda x: p_right(x) - 1),
    "kl_divergence": (lambda x: -log(p_right(x)), lambda x: p_right(x) - 1),
    # d p / d x = p (1 - p).
    "generalized_cross_entropy": (
        lambda x: (1 - p_right(x) ** 0.7) / 0.7,
        lambda x: -(p_right(x) ** 0.7) * (1 - p_right(x)),
    ),
    "focal": (
        lambda x: -((1 - p_right(x)) ** 2) * log(p_right(x)),
        lambda x: 2 * (1 - p_right(x)) ** 2 * p_right(x) * log(p_right(x)) - (1 - p_right(x)) ** 3,
    ),
    "categorical_hinge": (lambda x: max(0.0, 1 - x), lambda x: -1.0 if x < 1 else 0.0),
}


@pytest.mark.parametrize("name", OVER_ERRORS)
def test_over_the_error(name):
    value, slope = OVER_ERRORS[name]
    found = rows(name)
    assert list(found) == [0.01, 0.1, 1.0, 10.0, 100.0]
    for e, (v, s) in found.items():
        assert v == pytest.approx(value(e), rel=1e-9)
        assert s == pytest.approx(slope(e), rel=1e-9)


@pytest.mark.parametrize("name", OVER_LOGITS_OF_YES)
def test_over_the_logit_of_yes(name):
    value, slope = OVER_LOGITS_OF_YES[name]
    found = rows(name)
    assert tuple(found) == LOGITS
    for x, (v, s) in found.items():
        assert v == pytest.approx(value(x), rel=1e-9)
        if (name, x) != ("hinge", 1.0):  # a kink has no slope
            assert s == pytest.approx(slope(x), rel=1e-9)


@pytest.mark.parametrize("name", OVER_LOGITS_OF_THE_RIGHT_CLASS)
def test_over_the_logit_of_the_right_class(name):
    value, slope = OVER_LOGITS_OF_THE_RIGHT_CLASS[name]
    found = rows(name)
    assert tuple(found) == LOGITS
    for x, (v, s) in found.items():
        assert v == pytest.approx(value(x), rel=1e-6)
        if (name, x) != ("categorical_hinge", 1.0):
            assert s == pytest.approx(slope(x), rel=1e-6)


def test_squares_after_a_sigmoid_hardly_pull_where_they_are_most_wrong():
    # (sigmoid(x) - 1)^2 and its derivative 2 (p - 1) p (1 - p).
    found = rows("mse", which=1)
    for x, (v, s) in found.items():
        p = sigmoid(x)
        assert v == pytest.approx((p - 1) ** 2, rel=1e-6)
        assert s == pytest.approx(2 * (p - 1) * p * (1 - p), rel=1e-6)
    assert abs(found[-10.0][1]) < 1e-3 < abs(found[0.0][1])


def test_over_an_angle_it_is_minus_the_cosine():
    for degrees, (v, s) in rows("cosine_similarity").items():
        radians = degrees * pi / 180
        assert v == pytest.approx(-cos(radians), abs=1e-9)
        assert s == pytest.approx(sin(radians) * pi / 180, abs=1e-9)


def test_against_a_target_of_one():
    for y, (v, s) in rows("poisson_nll").items():
        assert (v, s) == (pytest.approx(exp(y) - y), pytest.approx(exp(y) - 1, abs=1e-9))
    for e, (v, s) in rows("mape").items():
        assert (v, s) == (pytest.approx(100 * abs(e)), pytest.approx(100 if e > 0 else -100))
    below = rows("msle")[-2.0]
    assert below[1] == 0.0  # an output below 0 has no gradient


def test_parameters_of_a_spelling_are_its_own():
    assert rows("huber", {"delta": 10.0})[10.0] == (pytest.approx(50.0), pytest.approx(10.0))
    # keras.Poisson: outputs are the mean itself, y - t ln(y + eps).
    mean = rows("poisson_nll", {"log_input": False, "eps": 1e-7})
    assert mean[10.0] == (pytest.approx(10 - log(10)), pytest.approx(0.9))
    assert rows("quantile", {"quantile": 0.9})[1.0][1] == pytest.approx(0.1)
    # What only says how outputs come or how samples are averaged changes no curve.
    assert rows("binary_cross_entropy", {"inputs": "probabilities"}) == rows("binary_cross_entropy")
    assert rows("mse", {"reduction": "half_sum"}) == rows("mse")


# --- every loss


@pytest.mark.parametrize("name", NAMES)
def test_every_loss_has_a_picture_with_itself_first(name):
    for picture in pictures(name):
        assert picture.name.split()[0] == name
        assert picture.axis
        low, high = picture.limits
        assert low < high
        assert len({label for label, _, _ in picture.curves}) == len(picture.curves)
        for _, xs, values in picture.curves:
            assert len(xs) == len(values)
            assert all(-inf < value < inf for value in values)
            assert any(low <= value <= high for value in values)
        # The table and the drawn curve are of one function.
        _, xs, values = picture.curves[0]
        spacing = xs[1] - xs[0]
        for x, value, slope in picture.rows:
            if xs[0] <= x <= xs[-1]:
                near = min(range(len(xs)), key=lambda number: abs(xs[number] - x))
                assert values[near] == pytest.approx(value, abs=(abs(slope) + 5) * spacing)


def test_neighbours_are_those_that_one_would_take_instead():
    def neighbours(name, which=0):
        return {label for label, _, _ in pictures(name)[which].curves} - {name}

    assert neighbours("huber") == {"mse", "mae", "log_cosh"}
    assert neighbours("mse") == {"mae", "huber", "log_cosh"}
    assert neighbours("binary_cross_entropy") == {"hinge", "squared_hinge", "mse on sigmoid"}
    assert neighbours("cross_entropy") == {"focal", "generalized_cross_entropy", "symmetric_cross_entropy"}
    assert neighbours("multi_margin") == {"cross_entropy", "categorical_hinge"}
    assert neighbours("mse", which=1) >= {"binary_cross_entropy", "mae on sigmoid"}


def test_an_unknown_loss_is_refused():
    with pytest.raises(KeyError, match="median"):
        pictures("median")
