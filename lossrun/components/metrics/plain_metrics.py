"""Compute a metric that is not a loss by its own function in `scores.py`, as a function of the weights of the samples.

Most metrics also have a formula that shares work with others (`classes.py`, `regression.py`). It is used instead, and
must give the same values.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from lossrun.catalog import Task, get
from lossrun.catalog.declaration import Metric, Prediction
from lossrun.components.lookup import function_of
from lossrun.components.metrics.classes import ClassTargets
from lossrun.components.metrics.exact_softmax import softmax
from lossrun.components.metrics.plain_losses import predicted_numbers
from lossrun.components.metrics.regression import RegressionTargets
from lossrun.components.network import Output, activated


def plain_metric(
    name: str,
    preactivations: Tensor,
    targets: RegressionTargets | ClassTargets,
    *,
    task: Task,
    output: Output,
    reads_as: Prediction | None,
) -> Tensor:
    """Return a metric that is not a loss, (...), by the function of its name in `scores.py`.

    The arguments are those of `plain_losses.plain_losses`.
    """
    models = preactivations.flatten(0, -3) if preactivations.ndim > 2 else preactivations.unsqueeze(0)
    weights = preactivations.new_ones(preactivations.shape[-2]) if targets.weights is None else targets.weights
    values = [of_weights(name, raw, targets, task=task, output=output, reads_as=reads_as)(weights) for raw in models]
    return torch.stack(values).reshape(preactivations.shape[:-2])


def of_weights(
    name: str,
    raw: Tensor,
    targets: RegressionTargets | ClassTargets,
    *,
    task: Task,
    output: Output,
    reads_as: Prediction | None,
) -> Callable[[Tensor], Tensor]:
    """Return a metric of one model as a function of the weights of the samples, (N,), to a scalar.

    Args:
        raw: (N, K), the pre-activations in double precision.

    The other arguments are those of `plain_losses.plain_losses`.
    """
    score, declared = function_of("metric", name), get("metric", name)
    assert isinstance(declared, Metric)
    if isinstance(targets, RegressionTargets):
        predicted, truths = predicted_numbers(raw, targets, output, reads_as), targets.originals.mT
    else:
        truths = targets.labels[0] if task == "multiclass" else targets.values.mT
        if declared.of_decisions:
            predicted = _decisions(raw, task, output, reads_as)
        elif declared.of_ranks:
            predicted = _order(raw, output)
        else:
            predicted = activated(raw, output)
    return lambda weights: score(predicted, truths, weights)


def _decisions(raw: Tensor, task: Task, output: Output, reads_as: Prediction | None) -> Tensor:
    """Return what is predicted, bool (N, K)."""
    if task == "multiclass":
        return torch.zeros_like(raw, dtype=torch.bool).scatter(1, raw.argmax(dim=1, keepdim=True), True)
    if output == "softmax":
        return activated(raw, output) > 0.5
    # Outputs trained towards 0 and 1 decide at 0.5, logits and margins at 0.
    return raw > (0.5 if output == "none" and reads_as == "mean" else 0)


def _order(raw: Tensor, output: Output) -> Tensor:
    """Return scores that rank the samples, (N, K)."""
    if output != "softmax":
        return raw
    classes_first = raw.mT.clone(memory_format=torch.contiguous_format)
    return softmax(classes_first, *classes_first.max(dim=0, keepdim=True)).order().mT
