"""Try the user's own optimizer: which weights it holds, at which rate, and what one of its steps does."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lossrun.config import Choice
from lossrun.errors import UsageError
from lossrun.plugins.loading import loaded_plugin
from lossrun.training.preflight.trying import called


def check_groups(choice: Choice, optimizer: torch.optim.Optimizer, weights: Sequence[Tensor], rate: float) -> None:
    """Raise UsageError if the optimizer does not hold the model's weights, or has its own learning rates."""
    ours = {id(weight) for weight in weights}
    if not any(id(weight) in ours for group in optimizer.param_groups for weight in group["params"]):
        raise UsageError(
            f"optimizer: {choice.name} has none of the model's weights; pass its first argument, `params`, on"
        )
    for group in optimizer.param_groups:
        own = group.get("lr")
        # Schedules set the rate of every group before each step, so a group's own rate would be overwritten.
        if own is None or not math.isclose(float(own), rate, rel_tol=1e-6):
            what = "no lr" if own is None else f"the lr {float(own):g}"
            raise UsageError(
                f"optimizer: {choice.name} has a group of weights with {what}, but lossrun sets the lr of every group "
                f"to the learning_rate, {rate:g} here; expected `lr` to be passed on unchanged"
            )


def check_step(choice: Choice, weights: Sequence[Tensor], rate: float) -> None:
    """Try one step of a second optimizer of the same kind, on copies of the weights.

    The second one is used because an optimizer may keep state that cannot be restored. Raises UsageError for weights
    that are not finite afterwards, and for state that a checkpoint cannot hold.
    """
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
