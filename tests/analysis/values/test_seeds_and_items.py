"""The interval for new seeds and new test items, by simulation.

A difference of two runs for seed s and item i is drawn as mean + a_s + b_i + e_si, with the deviations of the three as
the cases below give them. Coverage is of the mean, over new seeds and new items: 2,000 datasets each, so two standard
errors of a coverage of 95 % are 1.0 points.
"""

import math

import numpy as np
import pytest

from lossrun.analysis.comparison.items import variation_of
from lossrun.analysis.values.paired_differences import paired_difference
from lossrun.analysis.values.variation import Variation

DATASETS = 2000
# Deviations over seeds, over items, and of both together.
CASES = {
    "seeds_alone": (1.0, 0.0, 0.0),
    "items_alone": (0.0, 10.0, 0.0),
    "as_much_of_both": (0.5, 10.0, 5.0),
    "mostly_seeds": (1.0, 3.0, 3.0),
    "mostly_items": (0.1, 10.0, 10.0),
    "neither_but_their_product": (0.0, 0.0, 10.0),
}


def drawn(draw, case, seeds, items):
    """Differences (seeds, items) of one dataset."""
    of_seeds, of_items, of_both = CASES[case]
    return (
        of_seeds * draw.normal(size=(seeds, 1))
        + of_items * draw.normal(size=(1, items))
        + of_both * draw.normal(size=(seeds, items))
    )


def coverage(case, seeds, items):
    """The share of datasets whose intervals contain 0: both, seeds alone, items alone.

    The half-widths are those of `Variation`, for all datasets at once; a test below holds a comparison against them.
    """
    draw, held = np.random.default_rng(6), np.zeros(3)
    blocks = 20
    for _ in range(blocks):
        values = np.stack([drawn(draw, case, seeds, items) for _ in range(DATASETS // blocks)])
        means = np.abs(values.mean(axis=(1, 2)))
        of_seeds = values.mean(axis=2).std(axis=1, ddof=1) * Variation("seeds", seeds, seeds**-0.5).half_width(0.05)
        of_items = values.mean(axis=1).std(axis=1, ddof=1) * Variation("items", items, items**-0.5).half_width(0.05)
        held += [(means <= half).sum() for half in (np.hypot(of_seeds, of_items), of_seeds, of_items)]
    return held / DATASETS


@pytest.mark.parametrize(("seeds", "items"), [(5, 200), (6, 100), (10, 400)])
@pytest.mark.parametrize("case", CASES)
def test_the_interval_for_both_covers_and_its_parts_do_not(case, seeds, items):
    both, over_seeds, over_items = coverage(case, seeds, items)
    assert both >= 0.94
    # The controls: seeds say nothing about items, and items nothing about seeds. The manual tells these ranges.
    if case == "mostly_seeds":
        assert 0.61 <= over_items <= 0.79
    if case == "mostly_items":
        assert 0.49 <= over_seeds <= 0.70


@pytest.mark.parametrize("case", ["as_much_of_both", "mostly_seeds", "mostly_items"])
def test_the_p_value_is_the_level_whose_interval_ends_at_zero(case):
    draw = np.random.default_rng(2)
    for shift in (0.01, 0.3, 3.0, 30.0):
        values = drawn(draw, case, 6, 100) + shift
        run = dict(enumerate(values.mean(axis=1).tolist()))
        found = paired_difference(run, dict.fromkeys(range(6), 0.0), "min", None, variation_of(values))
        assert found.half_width(found.p_value) == pytest.approx(abs(found.mean), rel=1e-9)
        assert found.interval == pytest.approx(
            (found.mean - found.half_width(0.05), found.mean + found.half_width(0.05))
        )
        other = dict.fromkeys(range(6), 0.0)
        over_items = paired_difference(run, other, "min", None, variation_of(values), only_items=True)
        alone = [paired_difference(run, other, "min"), over_items]
        assert found.p_value >= max(one.p_value for one in alone)
        assert found.half_width(0.05) == pytest.approx(math.hypot(*(one.half_width(0.05) for one in alone)))


def test_seeds_that_change_nothing_leave_the_interval_over_items():
    run, other = dict.fromkeys(range(6), 1.0), dict.fromkeys(range(6), 0.5)
    items = Variation("items", 100, 0.1)
    found = paired_difference(run, other, "max", None, items)
    assert found.half_width(0.05) == items.half_width(0.05)
    assert found.p_value == paired_difference(run, other, "max", None, items, only_items=True).p_value


@pytest.mark.parametrize("error", [1e-8, 1e-12, 1e-200])
def test_items_that_vary_by_next_to_nothing_leave_the_p_value_of_the_seeds(error):
    run, other = {seed: 1.0 + seed / 10 for seed in range(6)}, dict.fromkeys(range(6), 0.9)
    found = paired_difference(run, other, "min", None, Variation("items", 100, error))
    assert found.p_value == pytest.approx(paired_difference(run, other, "min").p_value, rel=1e-9)


def test_items_that_all_differ_alike_count_as_so_many_signs():
    found = paired_difference({0: 1.0}, {0: 0.0}, "max", None, Variation("items", 100, 0.0), only_items=True)
    assert (found.interval, found.p_value) == ((1.0, 1.0), 2.0**-99)


def test_one_seed_is_enough_over_items_and_for_nothing_else():
    items = Variation("items", 100, 0.1)
    assert paired_difference({0: 1.0}, {0: 0.5}, "max", None, items).interval is None
    found = paired_difference({0: 1.0}, {0: 0.5}, "max", None, items, only_items=True)
    assert found.interval == pytest.approx((0.5 - items.half_width(0.05), 0.5 + items.half_width(0.05)))
    assert found.decides
    assert not paired_difference({0: 1.0}, {0: 0.5}, "max", None, Variation("items", 29, 0.1), only_items=True).decides


def test_ties_count_against_whoever_is_said_to_win():
    found = paired_difference({0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0}, {0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0}, "max")
    # Three wins of four, none of four: by Clopper and Pearson 0.1941 to 0.9937, and 0 to 0.6024.
    assert found.beats == pytest.approx((0.1941, 0.9937), abs=1e-4)
    assert found.beaten == pytest.approx((0.0, 0.6024), abs=1e-4)


def test_with_more_seeds_items_vary_less_by_what_chance_adds_to_each():
    """Three seeds tell how items that are averaged over 30 vary, and what is left with any number of seeds: here 10."""
    draw, items = np.random.default_rng(3), 400
    few, many = ([variation_of(drawn(draw, "mostly_items", n, items)) for _ in range(200)] for n in (3, 30))
    squared = np.mean([one.with_seeds(30).standard_error ** 2 for one in few])
    assert squared == pytest.approx(np.mean([one.standard_error**2 for one in many]), rel=0.03)
    assert squared < 0.8 * np.mean([one.standard_error**2 for one in few])
    assert np.mean([one.floor**2 for one in few]) == pytest.approx(10.0**2 / items, rel=0.03)


def test_where_chance_is_all_that_items_vary_by_more_seeds_help():
    """The variance of 30 seeds is a tenth of that of 3. What 3 seeds say is above it: no estimate is below 0."""
    draw, items = np.random.default_rng(3), 400
    case = "neither_but_their_product"
    few, many = ([variation_of(drawn(draw, case, n, items)) for _ in range(200)] for n in (3, 30))
    squared = np.mean([one.with_seeds(30).standard_error ** 2 for one in few])
    assert 1 <= squared / np.mean([one.standard_error**2 for one in many]) <= 1.5


def test_one_seed_does_not_tell_how_items_vary_with_more():
    found = variation_of(drawn(np.random.default_rng(3), "mostly_items", 1, 400))
    assert found.floor is None
    assert found.with_seeds(30) == found
