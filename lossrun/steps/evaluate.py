"""Validate and test: compute the objective, every metric and the predictions from one forward pass."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor, nn

from lossrun.catalog import DataFacts, Task
from lossrun.catalog.metrics import PRIMARY_METRICS, unsuitable_metrics
from lossrun.components.metrics import PreparedTargets, compute_metrics, predictions, prepared_targets, scored_output
from lossrun.components.metrics.classes import ClassTargets
from lossrun.components.metrics.item_shares import item_shares, shares_of
from lossrun.components.metrics.per_class import class_scores
from lossrun.config import Config
from lossrun.config.resolve import output_size, outputs_read_as, watched_names
from lossrun.steps.recorder import Recorder, RepeatedComputation
from lossrun.steps.replica import Replica
from lossrun.steps.samples import Samples
from lossrun.steps.seed_group import LoneSeed, SeedGroup

# Samples in one forward pass, of all seeds together: large enough to keep the cores busy, small enough that activations
# take little memory compared with the data.
EVALUATION_BATCH: Final = 1024
# More on a GPU, where starting a pass takes longer than computing it. Not measured on a GPU yet.
GPU_EVALUATION_BATCH: Final = 16_384
# With more outputs than this, of all seeds together, scoring is not recorded. It would save a few milliseconds of an
# epoch that takes a hundred times as long, and a recording holds every intermediate result at once.
MOST_RECORDED: Final = 65_536
GPU_MOST_RECORDED: Final = 2**21


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """How the outputs of a model are read.

    Attributes:
        outputs: How many there are for each sample.
        output: The activation of the last layer.
        reads_as: What the outputs mean to the loss, such as probabilities or a mean.
        left_out: Losses that are not metrics of these targets.
        watched: The metrics that the config names.
    """

    task: Task
    outputs: int
    output: Any
    reads_as: Any
    left_out: frozenset[str] = frozenset()
    watched: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The scores of one seed on a part of the data.

    Attributes:
        loss: The configured objective.
        metrics: Every metric by its plain name.
        predictions: In original units.
        classes: The result of `class_scores` for several classes or labels; {} otherwise.
        shares: The share of each sample in the metrics, {name: (N,)}, float32; only those that were asked for.
    """

    loss: float
    metrics: dict[str, float]
    predictions: Tensor
    classes: dict[str, list[float]] = field(default_factory=dict)
    shares: dict[str, Tensor] = field(default_factory=dict)


def evaluation_batch(device: torch.device) -> int:
    """Return how many samples go through one forward pass, of all seeds together."""
    return GPU_EVALUATION_BATCH if device.type == "cuda" else EVALUATION_BATCH


def output_spec_of(config: Config, facts: DataFacts) -> OutputSpec:
    """Return how the outputs of the configured model are read. `config` is resolved."""
    watched = watched_names(config)
    left_out = unsuitable_metrics(facts.target_scale, watched)
    return OutputSpec(facts.task, output_size(config, facts), *outputs_read_as(config, facts), left_out, watched)


@torch.no_grad()
def evaluate(
    replica: Replica, samples: Samples, spec: OutputSpec, *, by_class: bool = False, most_shares: int = 0
) -> Evaluation:
    """Score one seed's weights on a part of the data, dropout off, batch norm at its running statistics.

    Args:
        by_class: Whether to return the metrics of each class.
        most_shares: The most metrics for which to return the shares of the samples. The task's primary metrics come
            first, then those that the config watches, the others, and the objective.
    """
    targets = _prepared(samples, spec, replica)
    outputs, preactivations, scores = _score(LoneSeed(replica), samples, targets, spec)
    loss, *values = torch.stack(list(scores.values())).tolist()
    predicted = predictions(preactivations, task=spec.task, output=spec.output, reads_as=spec.reads_as)
    if spec.task == "regression":
        predicted = replica.parts.in_original_units(predicted)
    return Evaluation(
        loss,
        dict(zip(list(scores)[1:], values, strict=True)),
        predicted,
        _by_class(preactivations, targets, spec) if by_class else {},
        _shares(replica, outputs, preactivations, samples, targets, spec, list(scores), most_shares),
    )


def _by_class(preactivations: Tensor, targets: PreparedTargets, spec: OutputSpec) -> dict[str, list[float]]:
    if not isinstance(targets, ClassTargets) or spec.task == "binary":
        return {}
    found = class_scores(spec.task, preactivations, targets, output=spec.output, reads_as=spec.reads_as)
    return {name: values.tolist() for name, values in found.items()}


def _shares(
    replica: Replica,
    outputs: Tensor,
    preactivations: Tensor,
    samples: Samples,
    targets: PreparedTargets,
    spec: OutputSpec,
    names: Sequence[str],
    most: int,
) -> dict[str, Tensor]:
    """Return the share of each sample in the first `most` metrics and in the objective, `loss`."""
    if not most:
        return {}
    primary = PRIMARY_METRICS[spec.task]
    ordered = sorted(names, key=lambda name: (name not in primary, name not in spec.watched, name == "loss"))[:most]
    task, reads_as = spec.task, spec.reads_as
    raw = preactivations.to(targets.values.device).double()
    found = item_shares(
        [name for name in ordered if name != "loss"],
        raw,
        targets,
        task=task,
        output=scored_output(task, spec.output, reads_as),
        reads_as=reads_as,
    )
    if "loss" in ordered:
        counts = torch.ones_like(outputs[:, 0]) if samples.weights is None else samples.weights.to(outputs.dtype)
        with evaluating(replica.objective):
            found |= shares_of({"loss": lambda each: replica.objective(outputs, samples.targets, each)}, counts)
    return {name: shares.float() for name, shares in found.items()}


class Scorer:
    """Scores the seeds of a group on the same part of the data, epoch by epoch; recorded if there is a `recorder`."""

    def __init__(self, group: SeedGroup, samples: Samples, spec: OutputSpec, recorder: Recorder | None) -> None:
        self.group = group
        self.samples = samples
        self.spec = spec
        self.targets = _prepared(samples, spec, group.replicas[0])
        outputs = len(samples.ids) * spec.outputs * len(group.replicas)
        most = GPU_MOST_RECORDED if samples.inputs.device.type == "cuda" else MOST_RECORDED
        record = None
        if recorder is not None and outputs <= most:
            # A lone seed is recorded with the kernels of an ordinary evaluation, so its numbers are the same bit for
            # bit; a stack rounds differently anyway.
            record = recorder.any_number if group.axis else recorder.exact
        self.table = RepeatedComputation(group, self._table, record)

    def __call__(self) -> list[dict[str, float]]:
        """Return for each active seed its `loss`, the configured objective, and the metrics by their names."""
        columns = self.table().reshape(len(self.names), -1).t().tolist()
        return [
            dict(zip(self.names, column, strict=True))
            for replica, column in zip(self.group.computed, columns, strict=True)
            if not replica.frozen
        ]

    @torch.no_grad()
    def _table(self) -> Tensor:
        """Return loss and metrics of the computed seeds, (columns, *axis), in double precision."""
        _, _, scores = _score(self.group, self.samples, self.targets, self.spec)
        self.names = list(scores)
        return torch.stack(list(scores.values()))


def _prepared(samples: Samples, spec: OutputSpec, replica: Replica) -> PreparedTargets:
    """Prepare the targets of a part for the metrics.

    All held-out targets together decide which metrics are defined, so that validation and test have the same ones.
    """
    parts = replica.parts
    if spec.task != "regression":
        return prepared_targets(spec.task, samples.targets, spec.outputs, weights=metric_weights(replica, samples))
    held_out = [part.targets for part in (parts.validation, parts.test) if part is not None]
    return prepared_targets(
        spec.task,
        samples.targets,
        spec.outputs,
        target_mean=parts.target_mean,
        target_std=parts.target_std,
        deciding=held_out,
        weights=samples.weights,
    )


def metric_weights(replica: Replica, samples: Samples) -> Tensor | None:
    """Return how much each sample counts in the metrics, (N,): its weight, or 0 if its class is ignored.

    None if all samples count the same.
    """
    ignored = replica.objective.ignore_index
    if ignored is None:
        return samples.weights
    kept = samples.targets != ignored
    return kept.double() if samples.weights is None else samples.weights * kept


def _score(
    group: SeedGroup, samples: Samples, targets: PreparedTargets, spec: OutputSpec
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Return outputs and pre-activations, (*axis, N, K), and the scores by name, shape `axis`: `loss`, then metrics."""
    size = max(evaluation_batch(samples.inputs.device) // max((1, *group.axis)), 32)
    with evaluating(group.network, *(replica.objective for replica in group.replicas)):
        forwards = [group.forward(samples.scaled(batch)) for batch in torch.split(samples.inputs, size)]
        outputs, preactivations = (torch.cat(tensors, dim=-2) for tensors in zip(*forwards, strict=True))
        loss = group.mean_losses(outputs, samples.targets, samples.weights).double()
    scores = compute_metrics(
        spec.task,
        preactivations,
        targets,
        output=spec.output,
        reads_as=spec.reads_as,
        left_out=spec.left_out,
    )
    return outputs, preactivations, {"loss": loss, **scores}


@contextmanager
def evaluating(*modules: nn.Module) -> Iterator[None]:
    """Evaluate inside the block: dropout off, batch norm at its running statistics, a user's loss without learning."""
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for module in modules:
            module.train()
