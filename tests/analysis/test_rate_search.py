"""The search on curves that are given: where its answer is known."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import cycle

import pytest

from lossrun.analysis.rate_search import (
    FEWEST_SEEDS,
    RateSearch,
    RateTry,
    SearchRound,
    noise,
    search,
    search_curves,
    working,
)
from lossrun.report.rate_search import reasons

Score = Callable[[float, int], float | None]


def searched(
    score: Score, steps: int = 900, low: float = 1e-5, high: float = 1.0, run: int = 900, differ: float = 0.0
) -> RateSearch:
    """Search with four seeds. From one rate to the next their scores move by `differ`, two up and two down."""
    ups = cycle([1, -1])

    def train(rates: Sequence[float], length: int, seeds: Sequence[int]) -> list[list[float]]:
        found = [score(rate, length) for rate in rates]
        return [
            [math.nan if one is None else one + differ * up * (-1) ** place for place in range(len(seeds))]
            for one, up in zip(found, ups, strict=False)
        ]

    return RateSearch("val_loss", "min", run, tuple(search(train, low, high, steps, "min", (6, 7, 8, 9))))


def bowl(best: float, limit: float = math.inf) -> Score:
    """A score that doubles within half a decade on both sides of `best`; nothing from `limit` on."""
    return lambda rate, _: None if rate >= limit else 2 ** abs(2 * math.log10(rate / best))


@pytest.mark.parametrize("best", [1e-7, 2e-5, 3e-3, 0.05, 0.7, 40.0])
def test_the_best_rate_is_found_inside_and_outside_of_the_usual_rates(best: float) -> None:
    suggestion = searched(bowl(best)).suggestion
    assert suggestion is not None
    assert 10**-0.25 < suggestion / best < 10**0.25  # the last round's steps are a quarter of a decade


def test_an_optimizer_that_ignores_its_rate_is_told() -> None:
    assert "ignores its learning rate" in "\n".join(reasons(searched(lambda rate, steps: 1.0)))
    assert "ignores" not in "\n".join(reasons(searched(bowl(0.01))))


def test_luck_in_a_short_training_does_not_lead_away() -> None:
    """Two seeds say little about the noise: rates far below the best one of a short round may be no worse by it."""

    def train(rates: Sequence[float], steps: int, seeds: Sequence[int]) -> list[list[float]]:
        errors = [1.0 + 0.12 * abs(math.log10(rate / 0.1)) for rate in rates]
        return [[error + 0.4 * (-1) ** (place + at) for at in range(len(seeds))] for place, error in enumerate(errors)]

    rounds = tuple(search(train, 1e-5, 1.0, 900, "min", range(2)))
    assert noise(rounds[1].tries, "min") > 0.4
    for later in rounds[1:]:
        assert min(one.rate for one in later.tries) < 0.1 < max(one.rate for one in later.tries)


def test_a_run_of_a_few_steps_is_never_shortened() -> None:
    """The training loss of the first step would be the same for all rates."""
    assert [one.steps for one in searched(bowl(0.01), steps=4, run=4).rounds] == [4, 4, 4]
    assert [one.steps for one in searched(bowl(0.01), steps=60, run=60).rounds] == [10, 20, 60]


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
    """From 0.001 on a little better with each rate, up to 0.1, by less than the seeds differ."""
    slope: Score = lambda rate, _: 1.09 - 0.045 * math.log10(rate / 0.001) if 0.001 <= rate <= 0.11 else 3.0  # noqa: E731
    found = searched(slope, differ=0.1)
    assert found.working is not None
    assert math.sqrt(found.working[0] * found.working[1]) < 0.1 / 4
    assert found.suggestion == pytest.approx(0.1 / 2)
    certain = searched(slope)
    assert certain.suggestion == pytest.approx(0.1)


def test_for_a_longer_run_the_smallest_of_the_rates_that_are_as_good_is_suggested() -> None:
    flat: Score = lambda rate, _: 1.0 if 0.009 <= rate <= 0.05 else 3.0  # noqa: E731
    longer = searched(flat, steps=900, run=9000)
    assert longer.working is not None
    assert longer.suggestion == pytest.approx(longer.working[0], rel=0.05)  # two digits
    assert "is the smallest" in "\n".join(reasons(longer))
    whole = searched(flat)
    assert whole.suggestion is not None
    assert whole.suggestion > 1.5 * longer.suggestion


def tries_of(errors: Sequence[float], noise: Sequence[Sequence[float]]) -> list[RateTry]:
    """Return tries a quarter of a decade apart: the mean error of each rate, and what its seeds add to it."""
    found = []
    for number, (error, own) in enumerate(zip(errors, noise, strict=True)):
        scores = tuple(error + value for value in own)
        found.append(RateTry(10 ** (number / 4), sum(scores) / len(scores), scores))
    return found


def test_scores_within_the_noise_of_the_seeds_work_as_well_as_the_best() -> None:
    """By hand: without the means of the rates and of the seeds (+-0.2 / 3), 0.4 / 3 is left at the outer rates and
    0.8 / 3 at the best one. The squares add up to 0.64 / 3 with (3 - 1) * (2 - 1) degrees of freedom, and a difference
    of two means over two seeds has that variance; noise is twice its root."""
    noisy = tries_of([1.2, 1.0, 1.2], [[0.2, -0.2], [-0.2, 0.2], [0.2, -0.2]])
    assert noise(noisy, "min") == pytest.approx(2 * math.sqrt(0.64 / 3 / 2))
    assert working(noisy, "min") == (1.0, 10**0.5)
    assert working([replace(one, score=-(one.score or 0)) for one in noisy], "max") == (1.0, 10**0.5)
    calm = tries_of([1.2, 1.0, 1.2], [[0.0, 0.0]] * 3)
    assert working(calm, "min") == (10**0.25, 10**0.25)


def test_a_seed_that_does_well_with_every_rate_is_no_noise() -> None:
    assert noise(tries_of([1.2, 1.0, 1.2], [[5.0, -5.0]] * 3), "min") == pytest.approx(0.0, abs=1e-12)


def test_the_middle_is_nearer_to_the_best_rate_than_the_luckiest_one() -> None:
    """A score of a classifier with few validation samples: 1 of 100 wrong per half decade, and 1 of 100 by chance. The
    luckiest rate is more than a factor of 3 off in 31 of 200 searches with two seeds, the suggestion in 11."""
    chance = random.Random(0)
    far = {"middle": 0, "luckiest": 0}
    for _ in range(200):

        def train(rates: Sequence[float], length: int, seeds: Sequence[int]) -> list[list[float]]:
            errors = [0.1 + 0.01 * abs(2 * math.log10(rate / 0.01)) for rate in rates]
            return [[1 - error - chance.gauss(0, 0.01) for _ in seeds] for error in errors]

        found = RateSearch("val_accuracy", "max", 900, tuple(search(train, 1e-5, 1.0, 900, "max", range(2))))
        assert found.best is not None
        assert found.suggestion is not None
        far["luckiest"] += not 1 / 3 <= found.best.rate / 0.01 <= 3
        far["middle"] += not 1 / 3 <= found.suggestion / 0.01 <= 3
    assert far["middle"] < far["luckiest"]


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
    for part in ("900 of 9,000 steps", "already diverges", "the run is longer", "--steps 9000"):
        assert part in text
    found = searched(bowl(0.01))
    seeds = (FEWEST_SEEDS, FEWEST_SEEDS, 4)
    steps = sum(len(one.tries) * one.steps * count for one, count in zip(found.rounds, seeds, strict=True))
    assert found.cost == pytest.approx(steps / 900)
    assert found.trainings == sum(len(one.tries) * count for one, count in zip(found.rounds, seeds, strict=True))
    assert "the whole run" in "\n".join(reasons(found))


@pytest.mark.parametrize(
    ("errors", "said", "unsaid"),
    [
        ([2, 1, 2, 2, 2, 2], "the rates next to it are worse", "as good"),
        ([2, 1, 1, 2, 2, 2], "rates from 1.78 to 3.16 are as good; 2.4 is the middle", "any of them"),
        ([1, 1, 1, 1, 1, 2], "rates from 1 to 10 are as good; 3.2 is the middle, and any of them will do", "too"),
        ([1, 1, 2, 1, 2, 1], "5.62 and 17.8 are as good, too, although a rate in between is worse", "any of them"),
    ],
)
def test_the_reason_says_which_rates_are_as_good(errors: list[float], said: str, unsaid: str) -> None:
    tries = tuple(tries_of(errors, [[0.0, 0.0]] * len(errors)))
    text = "\n".join(reasons(RateSearch("val_loss", "min", 10, (SearchRound(10, tries, (6, 7)),))))
    assert said in text
    assert unsaid not in text


def test_what_did_worse_than_hardly_training_has_no_point() -> None:
    rounds = (SearchRound(10, (RateTry(1e-5, 2.0), RateTry(1e-3, 1.0), RateTry(0.1, 1e9), RateTry(1.0, None)), (7,)),)
    (line,) = search_curves(RateSearch("val_loss", "min", 10, rounds)).lines
    assert [score.mean if score else None for score in line.scores] == [2.0, 1.0, None, None]
