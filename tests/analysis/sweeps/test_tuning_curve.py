"""The tuning curve against opda, the implementation of Lourie and others, and by simulation."""

import math

import numpy as np
import pytest

from lossrun.analysis.sweeps.trials import Trial
from lossrun.analysis.sweeps.tuning import PairTuning
from lossrun.analysis.sweeps.tuning_curve import cdf_band, tuning_curve
from lossrun.analysis.values.readings import spread
from lossrun.catalog.metric_names import Goal
from lossrun.records.sweep_directory import PlannedCell

SCORES = (0.31, 0.12, 0.9, 0.45, 0.2, 0.66, 0.15)


def pair(scores: tuple[float | None, ...]) -> PairTuning:
    trials = []
    for number, score in enumerate(scores):
        cell = PlannedCell(f"tune-{number}", "tune", {}, {"learning_rate": number}, {"seeds": [1]})
        measured = None if score is None else spread({1: score})
        trials.append(Trial(cell, {"learning_rate": number}, measured, diverged=score is None, ended=True))
    return PairTuning({}, tuple(trials), None, (), None)


@pytest.mark.parametrize("count", [3, 7, 12])
def test_the_band_holds_for_all_draws_together_in_95_per_cent(count: int) -> None:
    """20,000 simulations: the standard error is 0.15 points; three of these are allowed for."""
    draws = np.sort(np.random.default_rng(0).random((20_000, count)), axis=1)
    lows, highs = map(np.array, cdf_band(count))
    inside = ((draws >= lows) & (draws <= highs)).all(axis=1).mean()
    assert inside == pytest.approx(0.95, abs=0.0045)


@pytest.mark.parametrize("goal", ["min", "max"])
def test_it_is_the_curve_of_opda(goal: Goal) -> None:
    """Its limits are simulated, so they agree to a few thousandths; a step of the curve is no nearer than that here."""
    nonparametric = pytest.importorskip("opda.nonparametric")
    bands = nonparametric.EmpiricalDistribution.confidence_bands(
        np.array(SCORES), 0.95, generator=np.random.default_rng(0), method="ld_equal_tailed"
    )
    tries = np.arange(1, len(SCORES) + 1)
    curves = [one.quantile_tuning_curve(tries, minimize=goal == "min") for one in bands]
    found = tuning_curve(pair(SCORES), goal)
    assert [point.median for point in found] == pytest.approx(curves[1].tolist())
    low, high = (curves[2], curves[0])
    assert [point.low for point in found] == pytest.approx(low.tolist())
    assert [point.high for point in found] == pytest.approx(high.tolist())


def test_more_tries_are_never_worse_and_the_band_contains_the_curve() -> None:
    found = tuning_curve(pair(SCORES), "min")
    medians = [point.median for point in found]
    assert medians == sorted(medians, reverse=True)
    assert medians[-1] == min(SCORES)
    assert all(point.low <= point.median <= point.high for point in found)
    assert math.isinf(found[-1].low)  # nothing says how good a value can be that was not tried


def test_a_value_that_diverged_is_the_worst() -> None:
    found = tuning_curve(pair((*SCORES[:3], None)), "min")
    assert math.isinf(found[0].high)
    assert found[-1].median == min(SCORES[:3])
    assert tuning_curve(pair(SCORES[:2]), "min") == ()


def test_a_band_of_many_draws_is_there_at_once() -> None:
    """By Dvoretzky, Kiefer, Wolfowitz and Massart: sqrt(ln(2 / 0.05) / (2 n)) on both sides."""
    lows, highs = cdf_band(400)
    half = math.sqrt(math.log(40) / 800)
    assert lows[199] == pytest.approx(0.5 - half)
    assert highs[200] == pytest.approx(0.5 + half)
