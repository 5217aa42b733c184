"""The metrics that are losses, sample by sample: what `metrics.compute_metrics` gives the mean of."""

from collections.abc import Iterable
from typing import Final

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lossrun.catalog import get
from lossrun.catalog.declaration import Loss
from lossrun.catalog.losses import LOSSES
from lossrun.components.lookup import loss_function
from lossrun.components.metrics import predictions, prepared_targets
from lossrun.components.metrics.regression import LEAST_VALUE, RegressionTargets
from lossrun.steps.evaluate import OutputSpec
from lossrun.steps.replica import Replica, Samples

_NAMES: Final = frozenset(loss.name for loss in LOSSES)


def objective_losses(replica: Replica, outputs: Tensor, samples: Samples) -> Tensor:
    """The configured loss of each sample, (N,), weights of classes included and its own left out, before any
    reduction."""
    objective = replica.objective
    named = (("class_weights", objective.class_weights), ("pos_weight", objective.pos_weight))
    weights = {name: value for name, value in named if value is not None}
    losses: Tensor = objective.loss(outputs, samples.targets, **weights)
    return losses.double()


def sample_losses(
    replica: Replica, preactivations: Tensor, samples: Samples, reading: OutputSpec, names: Iterable[str]
) -> dict[str, Tensor]:
    """Those of `names` that are losses, each (N,), at their plain parameters; regression in original units.

    preactivations: (N, K), of these samples.
    """
    wanted = [name for name in names if name in _NAMES]
    raw = preactivations.double()
    if reading.task == "regression":
        return _of_numbers(replica, raw, samples, reading, wanted)
    return {name: _of_classes(name, raw, samples.targets, reading) for name in wanted}


def _of_classes(name: str, raw: Tensor, targets: Tensor, reading: OutputSpec) -> Tensor:
    probabilities = predictions(raw, task=reading.task, output=reading.output, reads_as=reading.reads_as)
    function, declared = loss_function(name), get("loss", name)
    assert isinstance(declared, Loss)
    if declared.prediction is None:
        return function(raw, targets)
    if declared.prediction == "mean":
        return function(probabilities, targets)
    each_for_itself = reading.output == "sigmoid"
    if reading.task != "multiclass":
        # A softmax over labels: the odds that its probabilities stand for.
        return function(raw if reading.output != "softmax" else probabilities.logit(), targets, inputs="logits")
    if name != "binary_cross_entropy":
        # What is to sum to 1 is made to.
        return function(F.logsigmoid(raw) if each_for_itself else raw, targets, inputs="logits")
    return function(raw if each_for_itself else _odds(raw), targets, inputs="logits")


def _odds(logits: Tensor) -> Tensor:
    """ln(p / (1 - p)) of a softmax's probabilities (N, K). Of the likeliest class 1 - p may have no digits left: there
    it is the logit less the log-sum of all others."""
    logarithms = logits.log_softmax(dim=1)
    odds = logarithms - torch.log1p(-logarithms.exp())
    top, likeliest = logits.max(dim=1, keepdim=True)
    others = logits.scatter(1, likeliest, -torch.inf).logsumexp(dim=1, keepdim=True)
    return odds.scatter(1, likeliest, top - others)


def _of_numbers(
    replica: Replica, raw: Tensor, samples: Samples, reading: OutputSpec, names: Iterable[str]
) -> dict[str, Tensor]:
    mean, std = replica.parts.target_mean, replica.parts.target_std
    prepared = prepared_targets(
        "regression", samples.targets, reading.outputs, target_mean=mean, target_std=std, deciding=[samples.targets]
    )
    assert isinstance(prepared, RegressionTargets)
    targets = prepared.originals.mT
    predicted = predictions(raw, task="regression", output=reading.output, reads_as=reading.reads_as) * std + mean
    values = {}
    for name in names:
        outputs, own = predicted, targets
        if name == "binary_cross_entropy":
            outputs, own = raw, samples.targets.double()
        elif name == "gaussian_nll":
            outputs = torch.cat([predicted, raw[:, raw.shape[1] // 2 :] + 2 * std.log()], dim=1)
        elif name == "poisson_nll":
            unscaled = reading.reads_as == "log_mean" and prepared.scale is None
            outputs = raw if unscaled else predicted.clamp(min=LEAST_VALUE).log()
        values[name] = loss_function(name)(outputs, own)
    return values
