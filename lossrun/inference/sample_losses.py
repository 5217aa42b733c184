"""Compute losses sample by sample; `metrics.compute_metrics` returns their means."""

from collections.abc import Iterable
from typing import Final

from torch import Tensor

from lossrun.catalog.losses import LOSSES
from lossrun.components.metrics import prepared_targets, scored_output
from lossrun.components.metrics.plain_losses import plain_losses
from lossrun.steps.evaluate import OutputSpec
from lossrun.steps.replica import Replica
from lossrun.steps.samples import Samples

_NAMES: Final = frozenset(loss.name for loss in LOSSES)


def objective_losses(replica: Replica, outputs: Tensor, samples: Samples) -> Tensor:
    """Return the configured loss of each sample before any reduction, (N,).

    It includes the weights of classes, but not those of samples.
    """
    objective = replica.objective
    named = (("class_weights", objective.class_weights), ("pos_weight", objective.pos_weight))
    weights = {name: value for name, value in named if value is not None}
    losses: Tensor = objective.loss(outputs, samples.targets, **weights)
    return losses.double()


def sample_losses(
    replica: Replica, preactivations: Tensor, samples: Samples, spec: OutputSpec, names: Iterable[str]
) -> dict[str, Tensor]:
    """Return the losses among `names` at their default parameters, each (N,); for a regression in original units.

    Args:
        preactivations: (N, K), of these samples.
    """
    parts, task = replica.parts, spec.task
    targets = prepared_targets(
        task, samples.targets, spec.outputs, target_mean=parts.target_mean, target_std=parts.target_std
    )
    output = scored_output(task, spec.output, spec.reads_as)
    raw = preactivations.to(targets.values.device).double()
    return {
        name: plain_losses(name, raw, targets, task=task, output=output, reads_as=spec.reads_as)
        for name in names
        if name in _NAMES
    }
