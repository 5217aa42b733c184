"""Compute the metrics: every loss and metric of a task at its default parameters, whatever the run was trained on.

Everything is computed from the pre-activations, in double precision: their logarithms of probabilities are exact even
if the probabilities have been rounded to 0 or 1. Any number of seeds is scored at once. No value is read back to Python
and no shape depends on a value: on a GPU each read would wait for the device, and so the same list of kernels can be
replayed on other values. What depends only on the targets is computed once, in `prepared_targets`.

In this room the samples are the last axis, (..., K, N): a CPU then works on many samples at a time, and a softmax over
a few classes takes a tenth of the time.

`catalog/` declares the metrics, and `catalog/metrics.py` says which of them a run has. `classes.py` and `regression.py`
compute most of them together. The others are computed by their own functions, in `components/losses/` or `scores.py`.
"""

from collections.abc import Collection, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from lossrun.catalog import Task
from lossrun.catalog.declaration import Prediction
from lossrun.catalog.metrics import is_metric, metric_names
from lossrun.components.metrics.classes import ClassTargets, class_targets, exclusive_metrics, label_metrics
from lossrun.components.metrics.plain_losses import plain_losses
from lossrun.components.metrics.plain_metrics import plain_metric
from lossrun.components.metrics.regression import RegressionTargets, means, regression_metrics, regression_targets
from lossrun.components.metrics.sample_means import over_samples
from lossrun.components.network import Output, activated

ReadsAs: TypeAlias = Prediction | None
PreparedTargets: TypeAlias = RegressionTargets | ClassTargets


def prepared_targets(
    task: Task,
    targets: Tensor,
    outputs: int,
    *,
    target_mean: float | Tensor = 0.0,
    target_std: float | Tensor = 1.0,
    deciding: Sequence[Tensor] = (),
    weights: Tensor | None = None,
) -> PreparedTargets:
    """Compute what `compute_metrics` needs to know about targets, once for many calls.

    The result stays on the targets' device, or on the CPU for "mps", which has no float64. A few values of regression
    targets are read back to Python, such as the lowest and the highest.

    Args:
        task: The task.
        targets: (N, K); 0 and 1 except for regression. For multiclass also class indices (N,).
        outputs: K, for classes.
        target_mean, target_std: The mean and standard deviation that regression targets were standardized by, () or
            (K,). The metrics are in original units.
        deciding: The regression targets that decide which metrics have a meaning, if they are not `targets` alone, so
            that several parts of the data get the same metrics.
        weights: (N,), at least 0, and not all 0. A sample of weight 2 counts as two samples, one of weight 0 does not
            count.
    """
    targets = _where_doubles_are(targets.detach())
    weights = None if weights is None else _where_doubles_are(weights.detach())
    if task != "regression":
        return class_targets(targets, outputs, weights)
    others = [_where_doubles_are(other.detach()) for other in deciding]
    return regression_targets(targets, mean=target_mean, std=target_std, deciding=others, weights=weights)


def compute_metrics(
    task: Task,
    preactivations: Tensor,
    targets: PreparedTargets,
    *,
    output: Output,
    reads_as: ReadsAs,
    left_out: Collection[str] = (),
) -> dict[str, Tensor]:
    """Return the value of each loss and metric of the task, by name and in the catalogue's order.

    A name that has no meaning for these outputs and targets is left out (`catalog.metrics.metric_names`). If an output
    is NaN, so is every value. R2 of constant targets is NaN. The loss of a sample is the mean over K if the catalogue
    says so; samples count by their weights, or the same without weights.

    Args:
        task: The task.
        preactivations: (..., N, K), with models (seeds) as leading axes; (..., N, 2 K) for K means and K logarithms of
            variances.
        targets: The same for all models.
        output: The model's output activation.
        reads_as: The `prediction` of the loss that the model was trained on. Logits (output none) that the loss reads
            as probabilities go through a softmax (multiclass) or a sigmoid. If the loss itself applies a sigmoid to
            exclusive classes, pass output "sigmoid".
        left_out: Names not to compute (`catalog.metrics.unsuitable_metrics`).

    Returns:
        {name: value of shape (...)}, float64, on the same device (for "mps", which has no float64, on the CPU).
    """
    # Transposed and converted in one pass; float64 is copied too, because it would keep its memory order otherwise.
    raw = _where_doubles_are(preactivations.detach()).mT.to(
        torch.float64, copy=True, memory_format=torch.contiguous_format
    )
    output = scored_output(task, output, reads_as)

    def plain(name: str) -> Tensor:
        exact = _where_doubles_are(preactivations.detach()).double()
        if is_metric(name):
            return plain_metric(name, exact, targets, task=task, output=output, reads_as=reads_as)
        losses = plain_losses(name, exact, targets, task=task, output=output, reads_as=reads_as)
        return over_samples(losses, targets.weights)

    if isinstance(targets, RegressionTargets):
        names = metric_names(
            task,
            output=output,
            reads_as=reads_as,
            targets=len(targets.values),
            target_range=targets.range,
            least_magnitude=targets.least_magnitude,
            standardized=targets.scale is not None,
        )
        wanted = [name for name in names if name not in left_out]
        values = regression_metrics(raw, targets, output, reads_as, wanted)
        return {name: values[name] if name in values else plain(name) for name in wanted}
    # Metrics of decisions would read NaN as the first class, or as class 0, and a diverged model would get the accuracy
    # of that class. A maximum passes NaN on. `raw` is overwritten below.
    broken = raw.amax(dim=(-2, -1)).isnan()
    if task == "multiclass":
        values = exclusive_metrics(raw, targets, output, reads_as)
    else:
        values = label_metrics(task, raw, targets, output, reads_as)
    names = metric_names(task, output=output, reads_as=reads_as, targets=raw.shape[-2])
    found = ((name, values[name] if name in values else plain(name)) for name in names)
    return {name: value.masked_fill(broken, torch.nan) for name, value in found}


def predictions(preactivations: Tensor, *, task: Task, output: Output, reads_as: ReadsAs) -> Tensor:
    """Return what the metrics score: probabilities if there are any, means in regression, otherwise the outputs.

    (..., N, K), as in `compute_metrics`; of scaled targets if the targets were scaled.
    """
    output = scored_output(task, output, reads_as)
    if task == "regression":
        return means(preactivations.mT, output, reads_as).mT
    return activated(preactivations, output)


def scored_output(task: Task, output: Output, reads_as: ReadsAs) -> Output:
    """Return the activation whose results are scored: that of the model, or the one that its loss implies."""
    if output == "none" and reads_as == "probabilities":
        return "softmax" if task == "multiclass" else "sigmoid"
    # Log-probabilities are scored as probabilities.
    return "softmax" if output == "log_softmax" else output


def _where_doubles_are(tensor: Tensor) -> Tensor:
    return tensor.cpu() if tensor.device.type == "mps" else tensor
