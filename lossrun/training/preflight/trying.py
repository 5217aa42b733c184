"""Try a component without changing anything, and report what went wrong."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from lossrun.config import Choice
from lossrun.errors import UsageError
from lossrun.plugins.calling import users_code
from lossrun.steps.randomness import undisturbed
from lossrun.steps.replica import Replica
from lossrun.steps.samples import Samples


def called(
    kind: str, choice: Choice, function: Callable[..., Any], *arguments: Tensor, on: str = "a first batch"
) -> Any:
    """Return the result of `function`, which is a component or calls one.

    Raises UsageError for any error of the user's component, with the line of the user's file, and for a ValueError of
    lossrun's components, which refuse targets outside their range. Any other error of lossrun's components is a bug.
    """
    if choice.is_plugin:
        with users_code(f"{kind}: {choice.name}", f"failed on {on}:", f" on {on}"):
            return function(*arguments)
    try:
        return function(*arguments)
    except ValueError as error:
        raise UsageError(f"{kind}: {choice.name} failed on {on}: {error}") from error


def spread(train: Samples, count: int, unlike: int = 0) -> Samples:
    """Return copies of `count` samples, taken evenly from all of them because data may be sorted.

    It takes one sample fewer if `count` equals `unlike`, the size of another axis, so that the axes cannot be confused.
    """
    count = min(count, len(train))
    count -= count == unlike and count > 1
    rows = torch.arange(count, device=train.inputs.device) * len(train) // count
    return Samples(train.inputs[rows], train.targets[rows], train.ids[rows.cpu()], train.dtype, train.scale)


@contextmanager
def undone(replica: Replica) -> Iterator[None]:
    """Restore weights, buffers and torch's generator afterwards; leave no gradients, and the model in training mode."""
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


def first_not_finite(values: Tensor, batch: Samples) -> str:
    """Name the first value that is NaN or infinite, as in `nan for row 7 of the data`; "" if all are finite."""
    wrong = ~torch.isfinite(values)
    if not wrong.any():
        return ""
    row, *rest = wrong.nonzero()[0].tolist()
    return f"{values.detach()[row, *rest].item():g} for row {int(batch.ids[row])} of the data"
