"""One function for validation and test: the objective, every yardstick and the predictions, from one forward pass."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from lossrun.catalog import DataFacts, Task
from lossrun.components.metrics import predictions, yardsticks
from lossrun.components.models import Network, activated
from lossrun.config import Config
from lossrun.config.resolve import loss_declaration, output_size
from lossrun.errors import UsageError
from lossrun.training.replica import Replica, Samples

# Large enough to keep the cores busy, small enough that no activation counts beside the data.
EVALUATION_BATCH: Final = 1024


@dataclass(frozen=True, slots=True)
class Reading:
    """How a model's outputs are read: `output` is the activation that has been, or is to be, applied to its
    pre-activations; `reads_as` what the loss makes of them."""

    task: Task
    output: Any
    reads_as: Any


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`loss` is the configured objective; `yardsticks` go by their plain names; `predictions` are in original units."""

    loss: float
    yardsticks: dict[str, float]
    predictions: Tensor


def reading_of(config: Config, facts: DataFacts) -> Reading:
    """`config` is resolved."""
    output, declared = config.model["output"], loss_declaration(config.loss)
    sigmoids = config.loss.name == "binary_cross_entropy" and facts.task in ("multiclass", "regression")
    if output == "none" and sigmoids and config.loss["inputs"] == "logits":
        output = "sigmoid"
    plain = "mean" if facts.task == "regression" else "probabilities"
    return Reading(facts.task, output, declared.prediction if declared else plain)


@torch.inference_mode()
def evaluate(replica: Replica, samples: Samples, reading: Reading) -> Evaluation:
    """Score one seed's weights on a part of the data, dropout off, batch norm at its running statistics."""
    with _evaluating(replica.network):
        forwards = [
            _forward(replica.network, batch, reading) for batch in torch.split(samples.inputs, EVALUATION_BATCH)
        ]
        outputs, preactivations = (torch.cat(tensors) for tensors in zip(*forwards, strict=True))
        loss = float(replica.objective(outputs, samples.targets))
    mean, std = replica.parts.target_mean, replica.parts.target_std
    scores = yardsticks(
        reading.task,
        preactivations,
        samples.targets,
        output=reading.output,
        reads_as=reading.reads_as,
        target_std=std,
    )
    predicted = predictions(preactivations, task=reading.task, output=reading.output, reads_as=reading.reads_as)
    if reading.task == "regression":
        predicted = predicted.double() * std + mean
    return Evaluation(loss, scores, predicted)


def try_batch(replica: Replica, config: Config, facts: DataFacts, watched: Sequence[str]) -> None:
    """One small batch through model, loss, gradient and yardsticks before anything is written.

    Raises UsageError where a user's own model or loss gives the wrong shape, nothing finite, or an exception, and where
    a `watched` column would be missing from the history.
    """
    train = replica.parts.train
    few = Samples(train.inputs[:4], train.targets[:4], train.ids[:4])
    inputs, targets = few.inputs, few.targets
    expected = (len(targets), output_size(config, facts))
    with _evaluating(replica.network):
        outputs = _tried("model", config.model.name, replica.network, inputs)
        if not isinstance(outputs, Tensor) or tuple(outputs.shape) != expected:
            got = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
            raise UsageError(
                f"model: {config.model.name} gives {got} for {len(targets)} samples; expected outputs of shape "
                f"{expected}"
            )
        loss = _tried("loss", config.loss.name, replica.objective, outputs, targets)
        _tried("loss", config.loss.name, lambda: loss.backward())
        for weight in replica.weights:
            weight.grad = None
    if not torch.isfinite(loss):
        raise UsageError(
            f"loss: {config.loss.name} is {float(loss):g} before the first step; expected a finite number. Look at the "
            "targets' range, and at standardize: true for inputs of large numbers"
        )
    measured = evaluate(replica, few, reading_of(config, facts)).yardsticks
    for column in watched:
        name = column.partition("_")[2]
        if name != "loss" and name not in measured:
            raise UsageError(
                f"{column} cannot be watched: with {config.loss.name} on outputs of this model there is no {name}; "
                f"choose one of {', '.join(f'val_{known}' for known in measured)}"
            )


def watched_columns(config: Config) -> list[str]:
    """What best, early stopping and schedule of a resolved config look at."""
    watched = [config.best.metric, *([config.early_stopping.metric] if config.early_stopping else [])]
    return [*watched, *([config.schedule["metric"]] if "metric" in config.schedule.parameters else [])]


def _forward(network: nn.Module, inputs: Tensor, reading: Reading) -> tuple[Tensor, Tensor]:
    """Outputs and pre-activations. A user's model gives outputs only: probabilities are led back to pre-activations."""
    if isinstance(network, Network):
        preactivations = network.preactivations(inputs)
        return activated(preactivations, network.output), preactivations
    outputs: Tensor = network(inputs)
    if reading.output == "softmax":
        return outputs, outputs.log()
    return outputs, outputs.logit() if reading.output == "sigmoid" else outputs


def _tried(kind: str, name: str, function: Callable[..., Any], *arguments: Tensor) -> Any:
    try:
        return function(*arguments)
    except Exception as error:
        raise UsageError(f"{kind}: {name} failed on a first batch: {type(error).__name__}: {error}") from error


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    network.eval()
    try:
        yield
    finally:
        network.train()
