"""Numbers that are set against each other: different ones are written differently, in every sentence."""

import math
import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lossrun.analysis.values.constant_answers import no_better, sentence
from lossrun.config import from_mapping
from lossrun.digits import apart, reach
from lossrun.errors import ConfigError
from lossrun.experiment import load_experiment

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


@given(NUMBERS, st.integers(1, 40))
@example(1e9, 1)
@example(0.1, 1)
def test_neighbours_are_told_apart(value, steps):
    other = value
    for _ in range(steps):
        other = math.nextafter(other, math.inf)
    low, high = apart(value, other)
    assert low != high
    assert reach(value, other) == f"{low} to {high}"


@given(st.lists(NUMBERS, min_size=1, max_size=5), st.integers(1, 17))
def test_no_digit_more_than_needed(values, digits):
    texts = apart(*values, digits=digits)
    assert len(set(texts)) == len({repr(value) for value in values})
    shortest = tuple(f"{value:.{digits}g}" for value in values)
    assert texts == shortest or len(set(shortest)) < len(set(texts))


def test_whole_numbers_stay_whole():
    assert apart(1e9, 1e9 + 1) == ("1000000000", "1000000001")
    assert apart(1e-9, 1.0000001e-9) == ("1e-09", "1.0000001e-09")


def test_no_number_costs_no_digits():
    assert apart(math.nan, math.nan, 1.0) == ("nan", "nan", "1")
    assert apart(math.inf, 0.25) == ("inf", "0.25")


def points(inputs, targets, loss="mse", output="auto"):
    dataset = {"name": "inline", "inputs": inputs, "targets": targets, "task": "regression"}
    model = {"name": "mlp", "hidden": [2], "output": output}
    return {"dataset": dataset, "model": model, "loss": loss, "optimizer": "adam", "learning_rate": 0.01}


def between(low, high, count=30):
    """Return `count` numbers, one half each of two neighbours of float32."""
    return [low, high] * (count // 2)


INPUTS = [place / 10 for place in range(30)]
BILLION = (1e9, float(np.nextafter(np.float32(1e9), np.float32(2e9))))
ABOVE_ONE = (1.0, float(np.nextafter(np.float32(1), np.float32(2))))
BELOW_ZERO = (-1e-7, 1e-7)
FAR_INPUTS = [1e6 + place / 16 for place in range(30)]


@pytest.mark.parametrize(
    ("config", "rule", "numbers"),
    [
        (points(INPUTS, between(*BILLION)), "unscaled_targets", BILLION),
        (points(INPUTS, between(*BILLION), output="sigmoid"), "output_shape", BILLION),
        (points(INPUTS, between(*ABOVE_ONE), "binary_cross_entropy"), "target_range", ABOVE_ONE),
        (points(INPUTS, between(*ABOVE_ONE), output="sigmoid"), "output_shape", ABOVE_ONE),
        (points(FAR_INPUTS, INPUTS), "unscaled_inputs", (FAR_INPUTS[0], 1000002)),
    ],
)
def test_lint_tells_the_ends_of_a_range_apart(config, rule, numbers, tmp_path):
    reading = from_mapping(config, tmp_path, name="c.yaml")
    try:
        found = load_experiment(reading, tmp_path).warnings
    except ConfigError as error:
        found = error.problems
    (text,) = [one for one in found if f"[{rule}]" in one]
    shown = {float(number) for number in NUMBER.findall(text)}
    assert sorted(one for one in shown if math.isclose(one, numbers[0], rel_tol=1e-5)) == pytest.approx(numbers, 3e-8)


@pytest.mark.parametrize("score", [0.47499999, 0.4750000001, 0.3])
def test_a_score_below_a_constant_is_told_apart_from_it(score):
    text = sentence(no_better({"accuracy": score}, {"accuracy": 0.475}), "test")
    found = re.search(r"accuracy (\S+) ([<=]) (\S+)$", text)
    assert found
    assert (found[1] == found[3]) == (found[2] == "=")
