"""The search on curves that are given: where its answer is known."""

import math
from collections.abc import Callable, Sequence

import pytest

from lossrun.analysis.rate_search import RateSearch, RateTry, SearchRound, search, search_curves, working
from lossrun.report.rate_search import reasons

Score = Callable[[float, int], float | None]


def searched(score: Score, steps: int = 900, low: float = 1e-5, high: float = 1.0, run: int = 900) -> RateSearch:
    def train(rates: Sequence[float], length: int) -> list[float | None]:
        return [score(rate, length) for rate in rates]

    return RateSearch("val_loss", "min", run, (7, 8), tuple(search(train, low, high, steps, "min")))


def bowl(best: float, limit: float = math.inf) -> Score:
    """A score that doubles within half a decade on both sides of `best`; nothing from `limit` on."""
    return lambda rate, _: None if rate >= limit else 2 ** abs(2 * math.log10(rate / best))


@pytest.mark.parametrize("best", [1e-7, 2e-5, 3e-3, 0.05, 0.7, 40.0])
def test_the_best_rate_is_found_inside_and_outside_of_the_usual_rates(best: float) -> None:
    suggestion = searched(bowl(best)).suggestion
    assert suggestion is not None
    assert 10**-0.25 < suggestion / best < 10**0.25  # the last round's steps are a quarter of a decade


@pytest.mark.parametrize("drift", [0.5, 1.0])
def test_the_longest_trainings_decide(drift: float) -> None:
    """With nine times the steps the best rate is smaller by `drift` decades."""
    found = searched(
        lambda rate, steps: bowl(0.01 * (900 / steps) ** (drift * math.log10(10) / math.log10(9)))(rate, 0)
    )
    assert found.suggestion is not None
    assert 10**-0.25 < found.suggestion / 0.01 < 10**0.25


def test_the_middle_of_what_works_is_suggested() -> None:
    """Between 0.003 and 0.1 all are equally good: the first or the luckiest of them is no better guess."""
    flat: Score = lambda rate, _: 1.0 if 0.003 <= rate <= 0.1 else 3.0  # noqa: E731
    found = searched(flat)
    assert found.suggestion is not None
    assert 0.003 * 2 < found.suggestion < 0.1 / 2


def test_the_suggestion_stays_near_the_best_where_what_works_falls_to_one_side() -> None:
    """From 0.001 on a little better with each rate, up to 0.1."""
    found = searched(lambda rate, _: 1.09 - 0.045 * math.log10(rate / 0.001) if 0.001 <= rate <= 0.11 else 3.0)
    assert found.working is not None
    assert math.sqrt(found.working[0] * found.working[1]) < 0.1 / 4
    assert found.suggestion == pytest.approx(0.1 / 2)


def test_a_negative_score_has_a_range_that_works_too() -> None:
    tries = [RateTry(0.01, -1.0), RateTry(0.1, -1.95), RateTry(1.0, -2.0), RateTry(10.0, None)]
    assert working(tries, "min") == (0.1, 1.0)
    accuracies = [RateTry(0.01, 0.5), RateTry(0.1, 0.979), RateTry(1.0, 0.98), RateTry(10.0, 0.97)]
    assert working(accuracies, "max") == (0.1, 1.0)


def test_where_all_diverge_there_is_no_suggestion() -> None:
    found = searched(lambda rate, steps: None)
    assert found.suggestion is None
    assert len(found.rounds) == 1
    assert min(one.rate for one in found.rounds[0].tries) < 1e-6


def test_rates_that_diverge_only_later_are_left() -> None:
    """What was best for a ninth of the steps diverges for all of them."""
    found = searched(lambda rate, steps: None if rate * steps > 3 else -rate)
    assert found.suggestion is not None
    assert found.suggestion <= 3 / 900


def test_the_reason_says_what_limits_the_answer_and_what_it_cost() -> None:
    text = "\n".join(reasons(searched(bowl(0.01, limit=0.017), steps=900, run=9000)))
    for part in ("900 of 9,000 steps", "already diverges", "a longer training", "--steps 9000"):
        assert part in text
    found = searched(bowl(0.01))
    steps = sum(len(one.tries) * one.steps for one in found.rounds) * 2
    assert found.cost == pytest.approx(steps / 900)
    assert "the whole run" in "\n".join(reasons(found))


def test_what_did_worse_than_hardly_training_has_no_point() -> None:
    rounds = (SearchRound(10, (RateTry(1e-5, 2.0), RateTry(1e-3, 1.0), RateTry(0.1, 1e9), RateTry(1.0, None))),)
    (line,) = search_curves(RateSearch("val_loss", "min", 10, (7,), rounds)).lines
    assert [score.mean if score else None for score in line.scores] == [2.0, 1.0, None, None]
