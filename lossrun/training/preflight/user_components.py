"""A user's own model, loss and optimizer, tried on a batch: what would fail, or silently mean something else, later.

Each check isolates one component, so that the message names the one that is to be mended.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lossrun.config import Choice, Config
from lossrun.errors import UsageError
from lossrun.plugins.calling import users_code
from lossrun.plugins.loading import loaded_plugin
from lossrun.steps.evaluate import evaluating, evaluation_batch
from lossrun.steps.randomness import undisturbed
from lossrun.steps.replica import Replica, Samples
from lossrun.training.preflight.broadcast_guard import NoPairs

# Samples of the batch, if a training batch has as many: enough that all of them lying flat is no chance.
SAMPLES: Final = 256
FEWEST: Final = 4


def check_own_components(replica: Replica, config: Config, outputs: int) -> None:
    """Try what of model, loss and optimizer is the user's own on samples from all over the training part.

    `outputs`: how many the model must give for each sample. Weights, buffers and random state are as before
    afterwards. Raises UsageError, naming the component and what is wrong with it.
    """
    model, loss, optimizer = config.model, config.loss, config.optimizer
    for kind, choice, module in (("model", model, replica.network), ("loss", loss, replica.objective)):
        _check_sizes_known(kind, choice, module)
    parts = replica.parts
    train, held_out = parts.train, [part for part in (parts.validation, parts.test) if part is not None]
    size = config.samples_per_step(len(train))
    last = size if config.drop_last else len(train) % size or size
    batch = _spread(train, max(min(size, SAMPLES), FEWEST), unlike=outputs)
    with undone(replica):
        if model.is_plugin:
            replica.network.train()
            _outputs(model, replica, _spread(train, last), outputs, "the last batch of an epoch")
        replica.network.eval()
        computed = _outputs(model, replica, batch, outputs, "a first batch")
        if loss.is_plugin:
            _check_loss(loss, replica.objective.loss, computed.detach(), batch)
            for count in sorted({size, last}):
                leaf = computed.detach().requires_grad_()
                _check_size(loss, replica, leaf, batch.targets, count, f"a batch of {count} samples")
        # A squeeze() takes the axis of samples away as well where there is but one.
        if last == 1 or any(len(part) == 1 for part in held_out):
            one = _spread(train, 1)
            alone = _outputs(model, replica, one, outputs, "a single sample").detach()
            if loss.is_plugin:
                _losses(loss, replica.objective.loss, alone, one.targets)
        for part in (*held_out, train):
            _check_scored(model, loss, replica, part)
        if model.is_plugin or optimizer.is_plugin:
            called("loss", loss, lambda: replica.objective(computed, batch.targets).backward())
        if model.is_plugin:
            _check_gradients(model, replica.weights)
        if optimizer.is_plugin:
            _check_groups(optimizer, replica.optimizer, replica.weights, config.learning_rate)
            _check_step(optimizer, replica.weights, config.learning_rate)


def called(
    kind: str, choice: Choice, function: Callable[..., Any], *arguments: Tensor, on: str = "a first batch"
) -> Any:
    """What `function` gives; whatever it raises is told as the component's, with the line of the user's file."""
    with users_code(f"{kind}: {choice.name}", f"failed on {on}:", f" on {on}"):
        return function(*arguments)


def _spread(train: Samples, count: int, unlike: int = 0) -> Samples:
    """Copies of `count` samples, at even distances: data may be sorted. Not `unlike` many, so that no axis passes for
    another."""
    count = min(count, len(train))
    count -= count == unlike and count > 1
    rows = torch.arange(count, device=train.inputs.device) * len(train) // count
    return Samples(train.inputs[rows], train.targets[rows], train.ids[rows.cpu()], train.dtype, train.scale)


@contextmanager
def undone(replica: Replica) -> Iterator[None]:
    """Weights, buffers and torch's generator put back, gradients removed, the model in training mode."""
    tensors = [
        (module, name, tensor.detach().clone())
        for module in (replica.network, replica.objective)
        for name, tensor in (*module.named_parameters(), *module.named_buffers())
    ]
    try:
        with undisturbed(replica.weights[0].device):
            yield
    finally:
        with torch.no_grad():
            for module, name, before in tensors:
                owner, _, attribute = name.rpartition(".")
                getattr(module.get_submodule(owner), attribute).copy_(before)
        for weight in replica.weights:
            weight.grad = None
        replica.network.train()


def _check_sizes_known(kind: str, choice: Choice, module: nn.Module) -> None:
    lazy = [key for key, weight in module.named_parameters() if is_lazy(weight)]
    if lazy:
        raise UsageError(
            f"{kind}: {choice.name} leaves the size of {lazy[0]} to its first batch, after the weights were drawn from "
            "the seed; expected layers with sizes, such as nn.Linear(input_shape[0], 32)"
        )


def _outputs(choice: Choice, replica: Replica, batch: Samples, size: int, on: str) -> Tensor:
    inputs = batch.scaled(batch.inputs).clone()
    given = inputs.clone()
    expected = (len(batch), size)
    with replica.arithmetic():
        outputs = called("model", choice, replica.network, given, on=f"{on}, of {len(batch)} samples")
    if not isinstance(outputs, Tensor) or tuple(outputs.shape) != expected:
        got = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise UsageError(
            f"model: {choice.name} gives {got} for {len(batch)} samples; expected outputs of shape {expected}"
        )
    if not choice.is_plugin:
        return outputs.to(inputs.dtype)
    if not outputs.is_floating_point():
        raise UsageError(f"model: {choice.name} gives outputs of type {outputs.dtype}; expected real numbers")
    if not outputs.requires_grad:
        raise UsageError(
            f"model: {choice.name} gives outputs that no gradient leads through; expected none of .detach(), .data, "
            ".item(), torch.no_grad() and numpy between weights and outputs"
        )
    if not torch.equal(given, inputs) and torch.isfinite(inputs).all():
        raise UsageError(
            f"model: {choice.name} changes its inputs in place, and with them the data; expected it to work on a copy "
            "(x / 255 instead of x /= 255, a first ReLU without inplace=True)"
        )
    if row := _not_finite(outputs, batch):
        raise UsageError(
            f"model: {choice.name} gives {row}, before the first step; expected finite outputs. Look at its first "
            "weights, and at standardize: true for inputs of large numbers"
        )
    return outputs.to(inputs.dtype)


@torch.no_grad()
def _check_scored(model: Choice, loss: Choice, replica: Replica, part: Samples) -> None:
    """Score a part as an epoch's end does: no gradient, evaluation mode, other sizes than a training batch. The model
    gets its samples in large batches, the loss all of them at once."""
    batch = _spread(part, evaluation_batch(part.inputs.device))
    scored = "samples, which are scored without a gradient (torch.no_grad())"
    with evaluating(replica.network, replica.objective), replica.arithmetic():
        inputs = batch.scaled(batch.inputs)
        outputs = called("model", model, replica.network, inputs.clone(), on=f"{len(batch)} {scored}")
        if loss.is_plugin:
            computed = outputs.to(inputs.dtype)
            _check_size(loss, replica, computed, batch.targets, len(part), f"{len(part)} {scored}")


def _check_size(choice: Choice, replica: Replica, outputs: Tensor, targets: Tensor, count: int, on: str) -> None:
    """Try the loss on `count` samples: rows repeated, since their number alone matters."""
    rows = torch.arange(count, device=outputs.device) % len(targets)
    _losses(choice, replica.objective.loss, outputs[rows], targets[rows], on)


def _losses(
    choice: Choice, loss: Callable[..., Any], outputs: Tensor, targets: Tensor, on: str = "a first batch"
) -> Tensor:
    """What the loss gives, one real number for each sample."""
    size = len(targets)
    with NoPairs(size):
        losses = called("loss", choice, loss, outputs, targets, on=on)
    wanted = f"one value per sample, shape ({size},)"
    if not isinstance(losses, Tensor):
        raise UsageError(f"loss: {choice.name} gives {type(losses).__name__}, no tensor; expected {wanted}")
    if losses.shape != (size,):
        raise UsageError(
            f"loss: {choice.name} gives shape {tuple(losses.shape)} for outputs of shape {tuple(outputs.shape)}; "
            f"expected {wanted}: average over the outputs (dim=1), but not over the samples"
        )
    if not losses.is_floating_point():
        raise UsageError(f"loss: {choice.name} gives values of type {losses.dtype}; expected real numbers")
    return losses


def _check_loss(choice: Choice, loss: Callable[..., Any], outputs: Tensor, batch: Samples) -> None:
    leaf, targets = outputs.clone().requires_grad_(), batch.targets.clone()
    given = leaf.clone()
    losses = _losses(choice, loss, given, targets)
    for what, now, before in (("outputs", given, leaf), ("targets", targets, batch.targets)):
        if not torch.equal(now, before):
            raise UsageError(
                f"loss: {choice.name} changes the {what} in place, from which metrics are computed; expected it to "
                "work on a copy"
            )
    if row := _not_finite(losses, batch):
        raise UsageError(
            f"loss: {choice.name} is {row}, before the first step; expected finite numbers. Look at logarithms, roots "
            "and divisions, and at the range of the targets"
        )
    gradient = None
    if losses.requires_grad:
        (gradient,) = called("loss", choice, lambda: torch.autograd.grad(losses.sum(), leaf, allow_unused=True))
    if gradient is None:
        raise UsageError(
            f"loss: {choice.name} cannot be differentiated by the outputs; expected none of .detach(), .data, .item(), "
            "comparisons and numpy between outputs and loss"
        )
    if row := _not_finite(gradient, batch):
        raise UsageError(
            f"loss: {choice.name} has a gradient of {row}, before the first step; expected finite ones. A root has "
            "none at 0: add a small number below it"
        )
    if not gradient.any():
        raise UsageError(
            f"loss: {choice.name} has a gradient of 0 for all of {len(batch)} samples, so nothing would be learned; "
            "expected values that change with the outputs (rounding, comparing and argmax do not)"
        )


def _check_gradients(choice: Choice, weights: Sequence[Tensor]) -> None:
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    if not all(torch.isfinite(gradient).all() for gradient in gradients):
        raise UsageError(
            f"model: {choice.name} has weights with a gradient that is not finite, before the first step; expected "
            "finite ones. Look at roots, logarithms and divisions within the model"
        )
    if not any(gradient.any() for gradient in gradients):
        raise UsageError(
            f"model: {choice.name} has a gradient of 0 for every weight, so nothing would be learned; expected outputs "
            "that change with the weights"
        )


def _check_groups(choice: Choice, optimizer: torch.optim.Optimizer, weights: Sequence[Tensor], rate: float) -> None:
    ours = {id(weight) for weight in weights}
    if not any(id(weight) in ours for group in optimizer.param_groups for weight in group["params"]):
        raise UsageError(
            f"optimizer: {choice.name} holds none of the model's weights; expected it to be given `params`"
        )
    for group in optimizer.param_groups:
        own = group.get("lr")
        # Schedules set the rate of every group before each step, so a group's own would not be used.
        if own is None or not math.isclose(float(own), rate, rel_tol=1e-6):
            what = "no lr" if own is None else f"the lr {float(own):g}"
            raise UsageError(
                f"optimizer: {choice.name} has a group of weights with {what}, but lossrun sets the lr of every group "
                f"to the learning_rate, {rate:g} here; expected `lr` to be handed on as it is"
            )


def _check_step(choice: Choice, weights: Sequence[Tensor], rate: float) -> None:
    """One step of another optimizer like it, on copies of the weights: it may keep more than can be put back."""
    copies = [nn.Parameter(weight.detach().clone()) for weight in weights]
    for copied, weight in zip(copies, weights, strict=True):
        copied.grad = None if weight.grad is None else weight.grad.clone()

    def stepped() -> dict[str, Any]:
        optimizer = loaded_plugin(choice.name)(copies, rate, **choice.parameters)
        optimizer.step()
        state: dict[str, Any] = optimizer.state_dict()["state"]
        return state

    states = called("optimizer", choice, stepped, on="a first step, called as step()")
    finite = all(torch.isfinite(copied.grad).all() for copied in copies if copied.grad is not None)
    if finite and not all(torch.isfinite(copied).all() for copied in copies):
        raise UsageError(
            f"optimizer: {choice.name} makes weights that are not finite in its first step, at learning_rate {rate:g} "
            "and with finite gradients"
        )
    for state in states.values():
        for key, value in state.items():
            if value is not None and not isinstance(value, (Tensor, int, float)):
                raise UsageError(
                    f"optimizer: {choice.name} keeps a {type(value).__name__} as {key} in its state; expected tensors "
                    "and numbers, which a checkpoint can hold"
                )


def _not_finite(values: Tensor, batch: Samples) -> str:
    """`nan at row 7 of the training data` for the first value that is not finite; empty where all are."""
    wrong = ~torch.isfinite(values)
    if not wrong.any():
        return ""
    row, *rest = wrong.nonzero()[0].tolist()
    return f"{values.detach()[row, *rest].item():g} for row {int(batch.ids[row])} of the data"
