import math

import numpy as np
import pytest

from lossrun.analysis.comparison.verdicts import Decider, Side, Verdict, verdicts
from lossrun.analysis.values.readings import spread

SIX = (0, 1, 2, 3, 4, 5)


def side(letter="A", seeds=SIX, diverged=(), pending=""):
    return Side(letter, tuple(seeds), tuple(diverged), pending)


def decider(*values, name="test_rmse", goal="min"):
    return Decider(name, goal, tuple(spread(dict(enumerate(run))) for run in values))


def judged(*values, goal="min", sides=None, margin=None) -> Verdict:
    """Two runs on one metric; the verdict is on the second."""
    sides = sides or [side(letter, range(len(run))) for letter, run in zip("AB", values, strict=True)]
    (verdict,) = verdicts([decider(*values, goal=goal)], sides, margin)
    return verdict


WORSE = [1.00, 1.10, 0.95, 1.05, 1.02, 0.98]
BETTER = [0.50, 0.58, 0.47, 0.56, 0.50, 0.49]  # by about a half on every seed
NOISE = [1.05, 1.02, 1.01, 0.96, 1.06, 0.99]


def test_six_seeds_give_a_verdict_either_way_and_by_either_goal():
    assert judged(WORSE, BETTER).word == "better"
    assert judged(BETTER, WORSE).word == "worse"
    assert judged(WORSE, BETTER, goal="max").word == "worse"
    assert judged(WORSE, BETTER).because == ()
    assert judged(WORSE, BETTER).seeds is None


@pytest.mark.parametrize("count", [3, 4, 5])
def test_three_to_five_seeds_lean_at_most(count):
    assert judged(WORSE[:count], BETTER[:count]).word == "probably better"
    assert judged(BETTER[:count], WORSE[:count]).word == "probably worse"
    assert judged(WORSE[:count], BETTER[:count]).because == ("fewer than 6 shared seeds can only suggest a winner",)


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_seeds_have_no_interval_and_it_is_said(count):
    verdict = judged(WORSE[:count], BETTER[:count])
    assert verdict.word == "no clear difference"
    assert verdict.difference.interval is None
    assert verdict.because[0].endswith("train both with `seeds: 6`")


def test_no_clear_difference_says_how_many_seeds_are_needed():
    verdict = judged(WORSE, [value + 0.03 for value in NOISE])
    assert verdict.word == "no clear difference"
    # Mean 0.0283, deviation 0.0668: (1.960 + 0.842)^2 (0.0668 / 0.0283)^2 is 43.6 by the normal distribution, and
    # Student's has wider tails.
    assert 44 <= verdict.seeds <= 48
    # Next to nothing is beyond what anybody could train.
    assert judged(WORSE, NOISE).seeds is None


def test_runs_that_share_no_seed_do_not_pair():
    values = Decider("test_rmse", "min", (spread({0: 1.0, 1: 1.1, 2: 1.0}), spread({3: 0.5, 4: 0.6, 5: 0.5})))
    (verdict,) = verdicts([values], [side("A", (0, 1, 2)), side("B", (3, 4, 5))])
    assert (verdict.word, verdict.difference) == ("no clear difference", None)
    assert verdict.because == ("the runs share no seed: train both with the same seeds",)


def test_only_common_seeds_count():
    values = Decider("test_rmse", "min", (spread(dict(enumerate(WORSE))), spread({4: 0.5, 5: 0.6, 6: 0.1, 7: 0.1})))
    (verdict,) = verdicts([values], [side("A"), side("B", (4, 5, 6, 7))])
    assert set(verdict.difference.per_seed) == {4, 5}


def test_common_seeds_without_a_value_are_counted():
    values = Decider("val_rmse", "min", (spread(dict(enumerate(WORSE))), spread(dict(enumerate(BETTER[:4])))))
    (verdict,) = verdicts([values], [side("A"), side("B")])
    assert verdict.because == (
        "2 of 6 shared seeds have no value in one of the runs, so the other seeds cannot decide",
        "fewer than 6 shared seeds can only suggest a winner",
    )


def test_a_side_with_a_seed_that_diverged_is_never_called_better():
    eight = [*BETTER, 0.52, math.nan], [*WORSE, 1.03, 0.99]
    sides = [side("A", range(8), (7,)), side("B", range(8))]
    assert judged(*eight, sides=sides).word == "no clear difference"
    assert judged(*eight, sides=sides).because == ("1 of 8 seeds of A diverged",)
    # The other way round the seeds that are left say what the divergence says.
    other = [side("A", range(8)), side("B", range(8), (7,))]
    verdict = judged([*eight[0][:7], 0.5], [*WORSE, 1.03, math.nan], sides=other)
    assert verdict.word == "worse"
    assert verdict.because == ("1 of 8 seeds of B diverged",)


def test_a_side_with_a_seed_that_diverged_is_not_equivalent_either():
    values = [1.0 + 1e-4 * value for value in WORSE], [1.0 + 1e-4 * value for value in NOISE]
    assert judged(*values, margin=0.1).word == "equivalent"
    assert judged(*values, margin=0.1, sides=[side(), side("B", diverged=(2,))]).word == "no clear difference"


def test_no_number_of_seeds_undoes_a_divergence():
    verdict = judged(WORSE, BETTER, sides=[side(), side("B", diverged=(2,))])
    assert (verdict.word, verdict.seeds) == ("no clear difference", None)


def test_a_difference_that_seeds_do_not_change_is_told():
    verdict = judged([1.0] * 5, [0.5] * 5)
    assert verdict.because[0] == "the difference is the same on every seed, so the seeds seem to have no effect"
    # The sign test's 2^-4 is above 0.05; of six seeds 2^-5 is below.
    assert (verdict.word, verdict.seeds) == ("no clear difference", None)
    assert judged([1.0] * 6, [0.5] * 6).word == "better"


def test_values_that_cannot_be_squared_have_no_interval_and_it_is_said():
    verdict = judged([1e308] * 5 + [-1e308], [-1e308] * 6)
    assert verdict.word == "no clear difference"
    assert verdict.because == ("the differences are too large to be squared, so there is no interval",)


def test_a_run_that_is_not_finished_is_not_subtracted():
    verdict = judged(WORSE, BETTER, sides=[side(), side("B", pending="is not finished (2 of 4 epochs)")])
    assert (verdict.word, verdict.difference) == ("no clear difference", None)
    assert verdict.because == ("B is not finished (2 of 4 epochs)",)


def test_a_margin_makes_equivalence_possible_and_needs_six_seeds():
    assert judged(WORSE, NOISE, margin=0.5).word == "equivalent"
    assert judged(WORSE, NOISE, margin=0.01).word == "no clear difference"
    assert judged(WORSE[:5], NOISE[:5], margin=0.5).word == "no clear difference"
    # Surely different, and surely by less than matters.
    assert judged(WORSE, BETTER, margin=2.0).word == "equivalent"


def test_equivalence_is_corrected_for_the_number_of_comparisons_too():
    # Mean -0.0017, deviation 0.067, t of 5 degrees: within 0.0566 at 0.05 (2.015), within 0.0879 at 0.05 / 4 (3.163).
    unclear = "no clear difference"
    for margin, alone, among_four in ((0.05, unclear, unclear), (0.07, "equivalent", unclear),
                                      (0.09, "equivalent", "equivalent")):  # fmt: skip
        assert judged(WORSE, NOISE, margin=margin).word == alone
        sides = [side(letter) for letter in "ABCDE"]
        found = verdicts([decider(WORSE, NOISE, NOISE, NOISE, NOISE)], sides, margin)
        assert {verdict.word for verdict in found} == {among_four}


def test_every_run_is_judged_against_the_first_and_all_are_corrected_together():
    # Alone the difference would do; next to three others that say nothing it has to be four times as clear.
    slight = [value - step for value, step in zip(WORSE, (0.02, 0.05, 0.01, 0.06, 0.03, -0.005), strict=True)]
    (alone,) = verdicts([decider(WORSE, slight)], [side(), side("B")])
    assert alone.word == "better"
    many = [decider(WORSE, slight, NOISE), decider(WORSE, NOISE, NOISE[::-1], name="test_mae")]
    found = verdicts(many, [side(), side("B"), side("C")])
    assert [(v.metric, v.run, v.reference) for v in found] == [
        *(("test_rmse", 1, 0), ("test_rmse", 2, 0), ("test_mae", 1, 0), ("test_mae", 2, 0)),
    ]
    assert {v.comparisons for v in found} == {4}
    assert found[0].corrected_p_value == pytest.approx(4 * alone.corrected_p_value)
    assert found[0].word == "no clear difference"


def equal_runs(draw, runs, seeds, shape):
    """Values of `runs` equally good runs on two metrics, (2, runs, seeds): what a seed does to all runs, and what
    it does to each; the metrics go together as rmse and mae do."""
    own = {"normal": draw.normal, "skewed": lambda size: draw.lognormal(0, 1, size), "heavy": draw.standard_t}[shape]
    each = own(3, (runs, seeds)) if shape == "heavy" else own(size=(runs, seeds))
    first = draw.normal(size=seeds) + each
    return np.stack([first, 0.8 * first + 0.3 * draw.normal(size=(runs, seeds))])


@pytest.mark.parametrize("shape", ["normal", "skewed", "heavy"])
@pytest.mark.parametrize(("runs", "seeds"), [(5, 6), (2, 10)])
def test_equal_runs_have_a_false_verdict_in_five_per_cent_of_comparisons_at_most(runs, seeds, shape):
    """Both metrics of a regression together. 1,000 comparisons: two standard errors are 1.4 points."""
    draw = np.random.default_rng(7)
    sides = [side(letter, range(seeds)) for letter in "ABCDE"[:runs]]
    false = 0
    for _ in range(1000):
        rmse, mae = equal_runs(draw, runs, seeds, shape).tolist()
        found = verdicts([decider(*rmse), decider(*mae, name="test_mae")], sides)
        false += any(verdict.word != "no clear difference" for verdict in found)
    assert false / 1000 <= 0.05 + 0.014


@pytest.mark.parametrize("seeds", [5, 6, 10])
def test_equal_classifiers_on_few_samples_are_rarely_told_apart(seeds):
    """Accuracies on 50 samples are so coarse that differences repeat. 2,000 comparisons: two standard errors are 1.0
    points."""
    draw = np.random.default_rng(8)
    sides = [side(letter, range(seeds)) for letter in "AB"]
    false = 0
    for _ in range(2000):
        values = (draw.binomial(50, 0.9, size=(2, seeds)) / 50).tolist()
        (verdict,) = verdicts([decider(*values, name="test_accuracy", goal="max")], sides)
        false += verdict.word != "no clear difference"
    assert false / 2000 <= 0.05 + 0.01


def test_equal_values_are_no_difference_and_no_constant_one():
    verdict = judged(WORSE, WORSE)
    assert (verdict.word, verdict.because, verdict.seeds) == ("no clear difference", (), None)


def test_what_other_kernels_round_differently_is_not_told_apart():
    # In float32 the same sum over 10,000 samples, added up in another order, differs by 1e-7 of itself.
    rng = np.random.default_rng(0)
    values = rng.random((6, 10_000), dtype=np.float32)
    forth = [float(row.sum(dtype=np.float32)) / 1e4 for row in values]
    back = [
        float(np.add.reduce(row[::-1].copy().reshape(100, 100), axis=0, dtype=np.float32).sum()) / 1e4 for row in values
    ]
    assert forth != back
    verdict = judged(forth, back)
    assert (verdict.word, verdict.difference.ties, verdict.corrected_p_value) == ("no clear difference", 6, 1.0)


def test_lost_seeds_are_no_matter_of_more_seeds():
    verdict = judged([*WORSE, 1.0, 1.0], [*BETTER, 0.5, math.nan])
    assert (verdict.word, verdict.seeds, verdict.hopeless) == ("no clear difference", None, False)
    assert judged(WORSE, NOISE).hopeless
