"""How often intervals over splits contain the truth, over 2,000 datasets each: two standard errors are 0.9 points.

The learners are least squares with a ridge, in closed form, so all datasets and splits are fitted at once. The truth is
the mean difference over many more datasets from the same source.
"""

import math
from functools import cache

import numpy as np
import pytest

from lossrun.analysis.values.statistics import Resampled, Variation, paired_difference

DATASETS, SAMPLES, TEST, INPUTS = 2000, 60, 12, 5
RATIO = TEST / (SAMPLES - TEST)
NONE = 1e9  # a ridge so high that nothing is fitted
# Ridges of the two learners, the deviation of their noise over seeds (of each weight), and of the outliers in training.
SOURCES = {
    "a_fit_and_none": (0.0, NONE, 0.0, 0.0),
    "two_ridges": (0.1, 60.0, 0.0, 0.0),
    "a_fit_and_none_with_noise": (0.0, NONE, 0.1, 0.0),
    "equal_learners_with_noise": (1.0, 1.0, 0.1, 0.0),
    "dominant_outliers": (0.1, 60.0, 0.0, 100.0),
}


def fitted(draw, x, y, ridge, noise):
    """Weights on each split: (datasets, splits, inputs). Noise is a seed's: each fit has its own."""
    inner = np.einsum("...ni,...nj->...ij", x, x) + ridge * np.eye(INPUTS)
    outer = np.einsum("...ni,...n->...i", x, y)
    weights = np.linalg.solve(inner, outer[..., None])[..., 0]
    return weights + noise * draw.normal(size=weights.shape) * (ridge < NONE)


def differences(draw, source, datasets, splits):
    """Test rmse of the first learner minus that of the second: (datasets, splits)."""
    ridge, other, noise, outliers = SOURCES[source]
    x = draw.normal(size=(datasets, SAMPLES, INPUTS))
    y = 0.2 * x.sum(axis=-1) + draw.normal(size=(datasets, SAMPLES))
    wrong = outliers * draw.normal(size=y.shape) * (draw.random(y.shape) < 0.05)  # only where a sample is trained on
    order = np.argsort(draw.random((datasets, splits, SAMPLES)), axis=-1)
    rows = np.arange(datasets)[:, None, None]
    held_out, trained_on = (rows, order[..., :TEST]), (rows, order[..., TEST:])
    scores = []
    for each in (ridge, other):
        weights = fitted(draw, x[trained_on], (y + wrong)[trained_on], each, noise)
        errors = y[held_out] - np.einsum("...ni,...i->...n", x[held_out], weights)
        scores.append(np.sqrt(np.square(errors).mean(axis=-1)))
    return scores[0] - scores[1]


@cache
def truth(source):
    """The expected difference; its own error is a small part of the narrowest interval here."""
    draw = np.random.default_rng(3)
    return np.mean([differences(draw, source, 500, 2).mean() for _ in range(40)])


def coverage(source, splits, ratio):
    values = differences(np.random.default_rng(4), source, DATASETS, splits)
    part = Variation("splits", splits, math.sqrt(1 / splits + ratio))
    return (np.abs(values.mean(axis=1) - truth(source)) <= part.half_width(0.05) * values.std(axis=1, ddof=1)).mean()


@pytest.mark.parametrize("splits", [5, 6, 10])
@pytest.mark.parametrize("source", ["a_fit_and_none", "a_fit_and_none_with_noise", "equal_learners_with_noise"])
def test_corrected_intervals_cover_and_plain_ones_do_not(source, splits):
    covered = coverage(source, splits, RATIO)
    assert covered >= 0.94
    if source == "a_fit_and_none":
        assert covered <= 0.975
        # The control: as for independent seeds.
        assert coverage(source, splits, 0.0) < 0.91


@pytest.mark.parametrize("splits", [5, 6, 10])
def test_equal_learners_get_a_verdict_in_five_per_cent_at_most(splits):
    values = differences(np.random.default_rng(5), "equal_learners_with_noise", DATASETS, splits)
    part = Variation("splits", splits, math.sqrt(1 / splits + RATIO))
    assert (np.abs(values.mean(axis=1)) > part.half_width(0.05) * values.std(axis=1, ddof=1)).mean() <= 0.05


@pytest.mark.parametrize("splits", [5, 6, 10])
def test_dominant_outliers_are_what_no_interval_from_one_dataset_covers(splits):
    """All splits share the outliers. The manual tells this range."""
    assert 0.55 <= coverage("dominant_outliers", splits, RATIO) <= 0.80


def test_a_comparison_has_these_intervals():
    values = differences(np.random.default_rng(6), "two_ridges", 20, 6)
    part = Variation("splits", 6, math.sqrt(1 / 6 + RATIO))
    for row in values:
        of_splits = Resampled({seed: str(seed) for seed in range(6)}, RATIO)
        found = paired_difference(dict(enumerate(row.tolist())), dict.fromkeys(range(6), 0.0), "min", of_splits)
        assert found.half_width(0.05) == pytest.approx(part.half_width(0.05) * row.std(ddof=1))


def test_crossing_seeds_with_splits_covers_less_than_nesting_them():
    """Why each split has new seeds: with the same two seeds on every split, seeds are averaged over far too few."""
    draw, splits, per_split, deviation = np.random.default_rng(7), 10, 2, 1.0
    of_splits = 0.2 * draw.normal(size=(DATASETS, splits))
    nested = of_splits + deviation * draw.normal(size=(DATASETS, splits, per_split)).mean(axis=2)
    crossed = of_splits + deviation * draw.normal(size=(DATASETS, 1, per_split)).mean(axis=2)
    part = Variation("splits", splits, math.sqrt(1 / splits + RATIO))
    covers = [
        (np.abs(values.mean(axis=1)) <= part.half_width(0.05) * values.std(axis=1, ddof=1)).mean()
        for values in (nested, crossed)
    ]
    assert covers[0] >= 0.94
    assert covers[1] < 0.5
