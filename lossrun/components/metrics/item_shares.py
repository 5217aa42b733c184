"""Say what each item adds to a metric, so that the metric's chance over new items can be estimated.

The share of item i in a metric M of N items with weights w is

    share_i = N w_i dM/dw_i,

how much M changes if the item occurs a little more often. For a mean of values v it is w_i (v_i - M) / (mean of w), for
other metrics the first term of a series in the weights, so that the variance of the shares / N is the variance of M:
the infinitesimal jackknife (Jaeckel 1972; Efron 1982, "The Jackknife, the Bootstrap and Other Resampling Plans",
chapter 6). For rmse and F1 that is the delta method, for auc the variance of DeLong and others (1988).

The derivative is taken by autograd from the metric's own function, so no metric needs another formula for this.
"""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from lossrun.catalog import Task
from lossrun.catalog.declaration import Prediction
from lossrun.catalog.metrics import is_metric
from lossrun.components.metrics import PreparedTargets
from lossrun.components.metrics.plain_losses import plain_losses
from lossrun.components.metrics.plain_metrics import of_weights
from lossrun.components.metrics.sample_means import over_samples
from lossrun.components.network import Output


def item_shares(
    names: Iterable[str],
    preactivations: Tensor,
    targets: PreparedTargets,
    *,
    task: Task,
    output: Output,
    reads_as: Prediction | None,
) -> dict[str, Tensor]:
    """Return the share of each item in each metric, {name: (N,)}, with a mean of 0.

    A metric whose function does not depend on the weights has no shares and is left out.

    Args:
        names: Of losses and metrics that have a meaning for these outputs (`metrics.compute_metrics`).
        preactivations: (N, K), of one model, in double precision.
        output: The activation whose results are scored (`metrics.scored_output`).

    The other arguments are those of `metrics.compute_metrics`.
    """
    as_is = {"task": task, "output": output, "reads_as": reads_as}

    def value(name: str) -> Callable[[Tensor], Tensor]:
        if is_metric(name):
            return of_weights(name, preactivations, targets, **as_is)  # type: ignore[arg-type]
        losses = plain_losses(name, preactivations, targets, **as_is)  # type: ignore[arg-type]
        return lambda weights: over_samples(losses, weights)

    weights = preactivations.new_ones(len(preactivations)) if targets.weights is None else targets.weights
    return shares_of({name: value(name) for name in names}, weights)


def shares_of(values: Mapping[str, Callable[[Tensor], Tensor]], weights: Tensor) -> dict[str, Tensor]:
    """Return the shares of each item, {name: (N,)}, in functions of the items' weights, (N,), to a scalar.

    A function that does not depend on the weights is left out.
    """
    found = {}
    for name, value in values.items():
        with torch.enable_grad():
            each = weights.detach().clone().requires_grad_()
            result = value(each)
        if result.requires_grad:
            (slope,) = torch.autograd.grad(result, each)
            # The root of 0 has no slope, and no item moves it.
            shares = (len(weights) * weights * slope).nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
            # A mean that divides by N, whatever the weights, changes with their sum. The number of items stays N.
            found[name] = shares - shares.mean()
    return found
