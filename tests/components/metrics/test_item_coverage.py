"""How often an interval over items contains the difference of two fixed models over new items, by simulation.

Representatives of each kind of metric: a mean, a root, a ratio of sums, and two of ranks. Items are drawn from a
source, and two models score them; the truth is the mean difference over all datasets. With 1,000 datasets, two standard
errors of a coverage of 95 % are 1.4 points. Where squared errors have heavy tails, as from Student's t with 5 degrees,
their own mean is far from normal: coverage of rmse and r2 was then 91 to 92 % for 100 and 200 items, and 94 to 95 % for
1,000.
"""

import math

import numpy as np
import pytest
import torch

from lossrun.analysis.values.variation import Variation
from lossrun.components.metrics import prepared_targets
from lossrun.components.metrics.item_shares import shares_of
from lossrun.components.metrics.plain_losses import plain_losses
from lossrun.components.metrics.plain_metrics import of_weights
from lossrun.components.metrics.sample_means import over_samples

pytestmark = pytest.mark.slow
DATASETS, ITEMS = 1000, 200
TWO_ERRORS = 0.014


def binary(draw):
    """One class in four; the second model looks at more, and is too sure of itself."""
    x = draw.normal(size=(ITEMS, 2))
    truths = (draw.random(ITEMS) < 1 / (1 + np.exp(1.5 - 1.5 * x[:, 0] - 0.5 * x[:, 1]))).astype(float)
    return [1.5 * x[:, :1] - 1.5, 2.5 * (1.2 * x[:, :1] + 0.8 * x[:, 1:] - 1.2)], truths[:, None]


def regression(draw):
    x = draw.normal(size=(ITEMS, 1))
    return [0.9 * x, 0.6 * x], x + 0.5 * draw.normal(size=(ITEMS, 1))


CASES = [
    (binary, "binary", "sigmoid", ("binary_cross_entropy", "f1", "auc", "average_precision")),
    (regression, "regression", "none", ("rmse", "r2")),
]


@pytest.mark.parametrize(("source", "task", "output", "names"), CASES, ids=["binary", "regression"])
def test_intervals_over_items_cover_new_items(source, task, output, names):
    draw, ones = np.random.default_rng(1), torch.ones(ITEMS, dtype=torch.float64)
    how = {"task": task, "output": output, "reads_as": "mean" if task == "regression" else "probabilities"}
    differences, half_widths = [], []
    for _ in range(DATASETS):
        models, truths = source(draw)
        prepared = prepared_targets(task, torch.tensor(truths), 1)
        values, shares = [], []
        for model in models:
            functions = {name: function(name, torch.tensor(model), prepared, how) for name in names}
            values.append([float(functions[name](ones)) for name in names])
            found = shares_of(functions, ones)
            shares.append(np.stack([found[name].numpy() for name in names]))
        differences.append(np.subtract(*values))
        errors = (shares[0] - shares[1]).std(axis=1, ddof=1) / math.sqrt(ITEMS)
        half_widths.append([Variation("items", ITEMS, float(error)).half_width(0.05) for error in errors])
    truth = np.mean(differences, axis=0)
    covered = (np.abs(differences - truth) <= half_widths).mean(axis=0)
    assert covered.min() >= 0.94 - TWO_ERRORS, dict(zip(names, covered, strict=True))
    assert covered.max() <= 0.96 + TWO_ERRORS


def function(name, raw, prepared, how):
    if name == "binary_cross_entropy":
        losses = plain_losses(name, raw, prepared, **how)
        return lambda weights: over_samples(losses, weights)
    return of_weights(name, raw, prepared, **how)
