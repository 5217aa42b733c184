"""Compute a loss as a metric, by its own function at its default parameters, sample by sample.

Every declared loss can be computed this way. For most losses `classes.py` and `regression.py` have formulas that share
work between metrics; these are used instead and must give the same values.
"""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lossrun.catalog import Task, get
from lossrun.catalog.declaration import Loss, Prediction
from lossrun.components.lookup import loss_function
from lossrun.components.losses.arguments import EPSILON
from lossrun.components.metrics.classes import ClassTargets
from lossrun.components.metrics.regression import RegressionTargets, means
from lossrun.components.network import Output, activated


def plain_losses(
    name: str,
    preactivations: Tensor,
    targets: RegressionTargets | ClassTargets,
    *,
    task: Task,
    output: Output,
    reads_as: Prediction | None,
) -> Tensor:
    """Return the loss of each sample, (..., N), at the declared defaults; for regression in original units.

    Args:
        preactivations: (..., N, K), with models as leading axes, in double precision.
        output: The activation whose results are scored (`metrics.scored_output`).

    The other arguments are those of `metrics.compute_metrics`.
    """
    declared = get("loss", name)
    assert isinstance(declared, Loss)
    models = preactivations.flatten(0, -3) if preactivations.ndim > 2 else preactivations.unsqueeze(0)
    if isinstance(targets, RegressionTargets):
        losses = [_of_numbers(declared, raw, targets, output, reads_as) for raw in models]
    else:
        truths = targets.labels[0] if task == "multiclass" else targets.values.mT
        losses = [of_classes(declared, raw, truths, task=task, output=output) for raw in models]
    return torch.stack(losses).reshape(*preactivations.shape[:-2], -1)


def of_classes(declared: Loss, raw: Tensor, targets: Tensor, *, task: Task, output: Output) -> Tensor:
    """Return the loss of each sample, (N,), of one model's pre-activations (N, K) and targets as a loss takes them."""
    loss = loss_function(declared.name)
    if declared.prediction is None:
        return loss(raw, targets)
    probabilities = activated(raw, output)
    if declared.prediction == "mean":
        return loss(probabilities, targets)
    if "logits" not in declared.accepts:
        return loss(probabilities, targets, **_told(declared, "probabilities"))
    return loss(_logits(declared, raw, probabilities, task, output), targets, **_told(declared, "logits"))


def _told(declared: Loss, form: str) -> dict[str, Any]:
    return {"inputs": form} if declared.parameter("inputs") else {}


def _logits(declared: Loss, raw: Tensor, probabilities: Tensor, task: Task, output: Output) -> Tensor:
    """Return the logits from which the loss, by its own softmax or sigmoid, makes the scored probabilities."""
    if task != "multiclass":
        # A softmax over labels: the sigmoid of these log-odds gives its probabilities.
        return raw if output != "softmax" else probabilities.logit()
    if declared.sigmoid:
        return raw if output == "sigmoid" else _odds(raw)
    # The loss needs probabilities that sum to 1.
    return F.logsigmoid(raw) if output == "sigmoid" else raw


def _odds(logits: Tensor) -> Tensor:
    """Return ln(p / (1 - p)) of the probabilities of a softmax, (N, K).

    It is the logit minus the log-sum of all others, because 1 - p of the likeliest class may have no digits left.
    """
    logarithms = logits.log_softmax(dim=1)
    odds = logarithms - torch.log1p(-logarithms.exp())
    top, likeliest = logits.max(dim=1, keepdim=True)
    others = logits.scatter(1, likeliest, -torch.inf).logsumexp(dim=1, keepdim=True)
    return odds.scatter(1, likeliest, top - others)


def predicted_numbers(raw: Tensor, targets: RegressionTargets, output: Output, reads_as: Prediction | None) -> Tensor:
    """Return the predictions (N, K) of one model in original units."""
    predicted = means(raw.mT, output, reads_as)
    if targets.scale is not None and targets.shift is not None:
        predicted = torch.addcmul(targets.shift, predicted, targets.scale)
    return predicted.mT


def _of_numbers(
    declared: Loss, raw: Tensor, targets: RegressionTargets, output: Output, reads_as: Prediction | None
) -> Tensor:
    loss = loss_function(declared.name)
    if declared.prediction == "probabilities":
        logits = "logits" in declared.accepts
        given = raw if logits else activated(raw, "sigmoid")
        return loss(given, targets.values.mT, **_told(declared, "logits" if logits else "probabilities"))
    outputs = predicted_numbers(raw, targets, output, reads_as)
    if declared.prediction == "mean_and_log_variance":
        log_variances = raw[:, raw.shape[1] // 2 :].mT
        if targets.scale is not None:
            log_variances = log_variances + 2 * targets.scale.log()
        outputs = torch.cat([outputs, log_variances.mT], dim=1)
    elif declared.prediction == "log_mean":
        # The model gives the logarithm, so small predictions lose no digits.
        unscaled = reads_as == "log_mean" and targets.scale is None
        outputs = raw if unscaled else outputs.clamp(min=EPSILON).log()
    return loss(outputs, targets.originals.mT)
