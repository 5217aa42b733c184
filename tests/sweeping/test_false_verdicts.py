"""How often a sweep over equal recipes claims a difference, by simulation of its scores.

`python -m tests.sweeping.test_false_verdicts 400` simulates each case 400 times and prints the shares.
"""

import math
import sys
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import pytest

from lossrun.sweeping.plan import Planned
from tests.sweeping.simulated import Trainings, bump, equal, has_verdict, planned, simulated

GRID: Final = {"learning_rate": {"log_range": [1e-3, 1], "points": 7}}
RANGE: Final = {"learning_rate": {"log_range": [1e-3, 1]}}
RANDOM: Final = {**RANGE, "samples": 8}
TPE: Final = {**RANGE, "samples": 15, "sampler": "tpe"}
HALVING: Final = {"halving": {"factor": 3}}
# The best rate, 0.03, is beyond it.
EXTEND: Final = {"learning_rate": {"log_range": [3e-4, 1e-2], "points": 4}, "extend": True}
REPEATED: Final = {"tune": {"repeats": 6}}


class Case(NamedTuple):
    """A sweep over equal pairs. `own` and `diverging`: see Trainings. `simulations`: in a test."""

    block: dict[str, Any]
    changes: dict[str, Any]
    accuracy: Callable[[float, int], float] = bump
    own: float = 0.5
    diverging: float = math.inf
    pairs: int = 6
    simulations: int = 40


# A sweep may say "tuning included" of these: 6 pairs with the same recipe, 80 validation samples.
TUNING_INCLUDED: Final = {
    "grid": Case({**GRID, **REPEATED}, {}),
    "grid, scores from the samples alone": Case({**GRID, **REPEATED}, {}, own=0.0),
    "grid, scores from the trainings alone": Case({**GRID, **REPEATED}, {}, own=1.0),
    "grid, diverging": Case({**GRID, **REPEATED}, {}, diverging=0.02),
    "halving": Case({**GRID, **HALVING, **REPEATED}, {}),
    "extend": Case({**EXTEND, **REPEATED}, {}),
    "extend, halving": Case({**EXTEND, **HALVING, **REPEATED}, {}),
    "random": Case({**RANDOM, **REPEATED}, {}),
    "tpe": Case({**TPE, **REPEATED}, {}, simulations=12),
    "tpe, halving": Case({**TPE, **HALVING, **REPEATED}, {}, simulations=8),
    "splits": Case(GRID, {"splits": 6}),
    "folds": Case(GRID, {"folds": 6}),
    "folds, tpe, halving": Case({**TPE, **HALVING}, {"folds": 6}, simulations=8),
}
# Each of two pairs is tuned once, and whatever is chosen is equally good.
CHOSEN_EQUAL: Final = {
    "grid": Case(GRID, {}, equal, pairs=2),
    "halving": Case({**GRID, **HALVING}, {}, equal, pairs=2),
    "extend": Case({**EXTEND}, {}, equal, pairs=2),
    "random": Case(RANDOM, {}, equal, pairs=2),
    "tpe": Case(TPE, {}, equal, pairs=2, simulations=30),
    "tpe, halving": Case({**TPE, **HALVING}, {}, equal, pairs=2, simulations=20),
}
# Tuned once, with only the best recipes equal: a verdict is about what was chosen, and the report says so.
ONCE: Final = Case(GRID, {}, simulations=30)


def plan_of(case: Case) -> Planned:
    return planned(case.block, pairs=case.pairs, **case.changes)


def false_verdicts(case: Case, simulations: int) -> int:
    """How many of the simulated sweeps have any verdict."""
    if case.block.get("sampler") == "tpe":
        pytest.importorskip("optuna")
    generator = np.random.default_rng(1)
    plan = plan_of(case)
    runs = (Trainings(generator, case.accuracy, case.own, case.diverging) for _ in range(simulations))
    return sum(has_verdict(simulated(plan, trainings)) for trainings in runs)


def most(simulations: int) -> float:
    """5 %, and two standard errors of such a share."""
    return 0.05 * simulations + 2 * math.sqrt(0.05 * 0.95 * simulations)


@pytest.mark.parametrize("case", TUNING_INCLUDED.values(), ids=TUNING_INCLUDED)
def test_equal_recipes_rarely_get_a_verdict_tuning_included(case: Case) -> None:
    assert false_verdicts(case, case.simulations) <= most(case.simulations)


@pytest.mark.parametrize("case", CHOSEN_EQUAL.values(), ids=CHOSEN_EQUAL)
def test_equal_choices_rarely_get_a_verdict(case: Case) -> None:
    assert false_verdicts(case, case.simulations) <= most(case.simulations)


def test_one_tuning_on_few_samples_often_finds_a_difference() -> None:
    """So the report says then that another tuning may choose other values, and never "tuning included"."""
    assert false_verdicts(ONCE, ONCE.simulations) > 0.15 * ONCE.simulations


if __name__ == "__main__":
    count = int(sys.argv[1])
    every = {"tuning included": TUNING_INCLUDED, "chosen equal": CHOSEN_EQUAL, "once": {"grid": ONCE}}
    for title, cases in every.items():
        for name, case in cases.items():
            sys.stdout.write(f"{title}: {name}: {false_verdicts(case, count)} of {count}\n")
            sys.stdout.flush()
