"""The share of an item in a metric is the metric's derivative with respect to the item's weight."""

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn

from lossrun.catalog.losses import LOSSES
from lossrun.catalog.metrics import METRICS
from lossrun.components.metrics import compute_metrics, prepared_targets, scored_output
from lossrun.components.metrics.item_shares import item_shares, shares_of
from tests.components.metrics.test_metrics import SAMPLES, drawn, outputs_of
from tests.components.metrics.test_plain_losses import WAYS, targets_for

STEP = 1e-6


def cases(weighted):
    """For each way of reading outputs: the outputs, the targets, and how to call the functions."""
    for task, output, reads_as in WAYS:
        outputs = outputs_of(task)
        raw = drawn(SAMPLES, outputs, seed=3).double()
        weights = drawn(SAMPLES, seed=5).abs().double() + 0.1 if weighted else None
        yield task, raw, targets_for(task, outputs, reads_as), weights, output, reads_as


def shares_and_metrics(case):
    task, raw, targets, weights, output, reads_as = case
    prepared = prepared_targets(task, targets, raw.shape[1], weights=weights)
    found = compute_metrics(task, raw, prepared, output=output, reads_as=reads_as)
    output = scored_output(task, output, reads_as)
    return found, item_shares(found, raw, prepared, task=task, output=output, reads_as=reads_as)


@pytest.mark.parametrize("weighted", [False, True])
def test_shares_are_the_slopes_of_every_metric_by_the_weights(weighted):
    for case in cases(weighted):
        task, raw, targets, weights, output, reads_as = case
        found, shares = shares_and_metrics(case)
        assert shares.keys() == found.keys()
        weights = torch.ones(SAMPLES, dtype=torch.float64) if weights is None else weights
        for item in (0, SAMPLES // 2):
            moved = []
            for factor in (1 + STEP, 1 - STEP):
                each = weights.clone()
                each[item] *= factor  # the item occurs a little more, or less, often
                prepared = prepared_targets(task, targets, raw.shape[1], weights=each)
                moved.append(compute_metrics(task, raw, prepared, output=output, reads_as=reads_as))
            for name, share in shares.items():
                slope = SAMPLES * float(moved[0][name] - moved[1][name]) / (2 * STEP)
                assert float(share[item]) == pytest.approx(slope, rel=1e-4, abs=2e-5), (task, output, reads_as, name)
                assert float(share.mean()) == pytest.approx(0, abs=1e-9)


def test_no_metric_of_the_catalogue_is_without_shares():
    seen = {name for case in cases(weighted=False) for name in shares_and_metrics(case)[1]}
    assert {metric.name for metric in METRICS} | {loss.name for loss in LOSSES if loss.metric} <= seen


def delong(scores, truths):
    """The variance of the area under the curve, by DeLong, DeLong and Clarke-Pearson 1988, equation 3."""
    above = (scores[truths == 1][:, None] > scores[truths == 0]).astype(float)
    positive, negative = above.mean(axis=1), above.mean(axis=0)
    return positive.var(ddof=1) / len(positive) + negative.var(ddof=1) / len(negative)


def test_the_variance_of_auc_is_that_of_delong():
    draw = np.random.default_rng(0)
    truths = np.repeat([0, 1], [60, 40])
    scores = draw.normal(size=100) + truths
    raw, targets = torch.tensor(scores)[:, None], torch.tensor(truths)[:, None]
    prepared = prepared_targets("binary", targets, 1)
    share = item_shares(["auc"], raw, prepared, task="binary", output="sigmoid", reads_as="probabilities")["auc"]
    # DeLong divides by the number of a class less one, the jackknife by the number.
    assert float(share.var(correction=0)) / 100 == pytest.approx(delong(scores, truths), rel=0.03)
    assert sklearn.roc_auc_score(truths, scores) == pytest.approx(float(_auc(raw, prepared)))


def _auc(raw, prepared):
    return compute_metrics("binary", raw, prepared, output="sigmoid", reads_as="probabilities")["auc"]


def test_an_item_of_weight_0_and_a_root_of_0_have_no_share():
    weights = torch.tensor([1.0, 0.0, 2.0], dtype=torch.float64)
    found = shares_of({"mean": lambda each: (each * torch.tensor([1.0, 9.0, 4.0])).sum() / each.sum()}, weights)
    assert found["mean"].tolist() == pytest.approx([-2.0, 0.0, 2.0])  # mean 3: 3 w (v - 3) / (sum of w)
    root = shares_of({"root": lambda each: (each * 0).sum().sqrt()}, weights)["root"]
    assert root.tolist() == [0.0, 0.0, 0.0]
    assert shares_of({"largest": lambda each: torch.tensor(9.0)}, weights) == {}
