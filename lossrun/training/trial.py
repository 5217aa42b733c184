"""A first small batch, before anything is written."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from lossrun.catalog import DataFacts
from lossrun.config import Config
from lossrun.config.resolve import output_size
from lossrun.errors import UsageError
from lossrun.training.evaluate import evaluate, evaluating, reading_of
from lossrun.training.replica import Replica, Samples


def try_batch(replica: Replica, config: Config, facts: DataFacts) -> None:
    """One small batch through model, loss, gradient and yardsticks.

    Raises UsageError where a user's own model or loss gives the wrong shape, nothing finite, or an exception, and where
    a column that the config watches would be missing from the history.
    """
    train = replica.parts.train
    few = Samples(train.inputs[:4], train.targets[:4], train.ids[:4], train.dtype, train.scale)
    inputs, targets = few.scaled(few.inputs), few.targets
    expected = (len(targets), output_size(config, facts))
    with evaluating(replica.network):
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
    for column in _watched_columns(config):
        name = column.partition("_")[2]
        if name != "loss" and name not in measured:
            raise UsageError(
                f"{column} cannot be watched: with {config.loss.name} on outputs of this model there is no {name}; "
                f"choose one of {', '.join(f'val_{known}' for known in measured)}"
            )


def _watched_columns(config: Config) -> Sequence[str]:
    """What best, early stopping and schedule of a resolved config look at."""
    watched = [config.best.metric, *([config.early_stopping.metric] if config.early_stopping else [])]
    return [*watched, *([config.schedule["metric"]] if "metric" in config.schedule.parameters else [])]


def _tried(kind: str, name: str, function: Callable[..., Any], *arguments: Tensor) -> Any:
    try:
        return function(*arguments)
    except Exception as error:
        raise UsageError(f"{kind}: {name} failed on a first batch: {type(error).__name__}: {error}") from error
