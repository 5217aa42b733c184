"""Check a first small batch, before anything is written.

`user_components.py` looks more closely at a user's own model, loss and optimizer.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lossrun.catalog import DataFacts
from lossrun.catalog.declaration import Layer
from lossrun.catalog.metric_names import bare
from lossrun.config import Config
from lossrun.config.resolve import output_size
from lossrun.errors import UsageError, ran_out_of_memory
from lossrun.steps.evaluate import evaluate, evaluating, metric_weights, output_spec_of
from lossrun.steps.randomness import undisturbed
from lossrun.steps.recorder import Recorder
from lossrun.steps.replica import Replica
from lossrun.steps.samples import Samples
from lossrun.steps.seed_group import SeedGroup, minimised
from lossrun.training.preflight.layers import layers_of
from lossrun.training.preflight.trying import called, undone
from lossrun.training.preflight.user_components import check_own_components


def check_first_batch(replica: Replica, config: Config, facts: DataFacts) -> None:
    """Pass one small batch through model, loss, gradient and metrics, and more samples through the user's own
    components.

    Raises UsageError if a user's own component gives the wrong shape, NaN or infinity, no gradient, or an exception,
    and where a column that the config watches would be missing from the history.
    """
    check_counted(replica, config)
    train, size = replica.parts.train, output_size(config, facts)
    if config.model.is_plugin or config.loss.is_plugin or config.optimizer.is_plugin:
        check_own_components(replica, config, size)
    few = Samples(train.inputs[:4], train.targets[:4], train.ids[:4], train.dtype, train.scale)
    with evaluating(replica.network, replica.objective):
        outputs = called("model", config.model, replica.network, few.scaled(few.inputs))
        loss = called("loss", config.loss, replica.objective, outputs, few.targets)
        called("loss", config.loss, loss.backward)
        for weight in replica.weights:
            weight.grad = None
    if not torch.isfinite(loss):
        raise UsageError(
            f"loss: {config.loss.name} is {loss.item():g} before the first step; expected a finite number. Check the "
            "range of the targets, and set standardize: true if inputs are large"
        )
    measured = evaluate(replica, few, output_spec_of(config, facts)).metrics
    for column in _watched_columns(config):
        name = bare(column)
        if name != "loss" and name not in measured:
            raise UsageError(
                f"{column} cannot be watched: with {config.loss.name} on outputs of this model there is no {name}; "
                f"choose one of {', '.join(f'val_{known}' for known in measured)}"
            )


def own_layers(replica: Replica, config: Config) -> list[Layer]:
    """Return the summary rows of the user's own model, from one small batch; no rows for lossrun's models.

    The catalogue describes those. Afterwards everything is as before.
    """
    if not config.model.is_plugin:
        return []
    train = replica.parts.train
    with undone(replica), evaluating(replica.network), replica.arithmetic():
        return layers_of(replica.network, train.scaled(train.inputs[:4]).clone())


def check_counted(replica: Replica, config: Config) -> None:
    """Raise UsageError if no sample of a part counts, so that there is nothing to learn or to choose by."""
    parts = {name: getattr(replica.parts, name) for name in ("train", "validation", "test")}
    for name, samples in parts.items():
        weights = None if samples is None else metric_weights(replica, samples)
        if weights is not None and not bool(weights.any()):
            raise UsageError(
                f"loss.ignore_index: every {name} sample that has a weight is of the ignored class "
                f"{config.loss['ignore_index']}, so none counts; use more samples, or remove ignore_index"
            )


def check_recording(group: SeedGroup, recorder: Recorder, config: Config) -> None:
    """Record a pass of the user's model or loss on one batch, and compare its replay on another batch with an eager
    pass.

    Raises UsageError if it cannot be recorded, or if the replay gives different numbers.
    """
    train = group.replicas[0].parts.train
    inputs, targets = train.inputs[:4].clone(), train.targets[:4].clone()
    device = group.weights[0].device

    def computed() -> tuple[Tensor, ...]:
        losses = group.losses(train.scaled(inputs), targets)
        gradients = torch.autograd.grad(minimised(group, losses, len(targets)), group.weights)
        with torch.no_grad(), evaluating(group.network):
            return losses, *gradients, *group.forward(train.scaled(inputs))

    own = " and ".join(choice.name for choice in (config.model, config.loss) if choice.is_plugin)
    try:
        with undisturbed(device, group.buffers):
            recording = recorder.any_number(computed)
        inputs.copy_(train.inputs[-4:])
        targets.copy_(train.targets[-4:])
        with undisturbed(device, group.buffers):
            recording.replay()
        with undisturbed(device, group.buffers):
            results = recording.outputs, computed()
    except Exception as error:
        # The user's code may raise anything while it is recorded.
        if any(map(ran_out_of_memory, filter(None, (error, error.__context__)))):
            raise
        # Ending a broken CUDA capture raises a second error, which does not say what broke it.
        cause = error.__context__ if isinstance(error.__context__, Exception) else error
        raise UsageError(
            f"step: recorded, but {own} cannot be recorded: {type(cause).__name__}: {cause}; leave step out"
        ) from error
    if not all(torch.allclose(a, b, rtol=1e-4, atol=1e-6, equal_nan=True) for a, b in zip(*results, strict=True)):
        raise UsageError(
            f"step: recorded, but a record of {own} repeats the decisions made for the first batch: replayed on "
            f"another batch, it gives different numbers from {own} itself; leave step out"
        )


def _watched_columns(config: Config) -> Sequence[str]:
    """Return the columns that best, early stopping and the schedule of a resolved config watch."""
    watched = [config.best.metric, *([config.early_stopping.metric] if config.early_stopping else [])]
    return [*watched, *([config.schedule["metric"]] if "metric" in config.schedule.parameters else [])]
