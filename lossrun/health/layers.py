"""Measure each layer of a network: units that are dead or saturated, and the gradient that reaches its weights."""

from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn

from lossrun.steps.evaluate import evaluating
from lossrun.steps.randomness import undisturbed
from lossrun.steps.replica import Replica

LOOKED_AT: Final = 512  # samples
# Beyond these a sigmoid or a tanh has a slope of less than a twentieth of its greatest one.
SIGMOID_ENDS: Final = (0.0125, 0.9875)
TANH_END: Final = 0.975
RECTIFIERS: Final = (nn.ReLU, nn.ReLU6)


@dataclass(frozen=True, slots=True)
class Layers:
    """The state of a network's layers on some training samples, from the inputs to the output.

    Attributes:
        dead: {layer: the share of its relu units that are 0 for every sample}.
        saturated: {layer: the share of its sigmoid or tanh units' values that lie where the slope is nearly 0}.
        gradients: {weights: the root mean square of their gradient}, biases left out.
        at_outputs: The largest gradient with respect to an output.
    """

    dead: dict[str, float]
    saturated: dict[str, float]
    gradients: dict[str, float]
    at_outputs: float


def look_at_layers(replica: Replica) -> Layers:
    """Pass some training samples forward and backward through the network. The replica does not change."""
    few = replica.parts.train.thinned(LOOKED_AT)
    inputs = few.scaled(few.inputs)
    dead: dict[str, float] = {}
    saturated: dict[str, float] = {}

    def keep(name: str, module: nn.Module, _: Any, output: Tensor) -> None:
        # The units of a convolution are its channels.
        units = output.detach().movedim(1, 0).flatten(1) if output.ndim > 1 else output.detach()[None]
        if isinstance(module, RECTIFIERS):
            dead[name] = float((units <= 0).all(dim=1).double().mean())
        elif isinstance(module, nn.Sigmoid):
            saturated[name] = float(((units < SIGMOID_ENDS[0]) | (units > SIGMOID_ENDS[1])).double().mean())
        elif isinstance(module, nn.Tanh):
            saturated[name] = float((units.abs() > TANH_END).double().mean())

    network = replica.network
    named = [(name.rpartition(".")[2], module) for name, module in network.named_modules()]
    hooks = [
        module.register_forward_hook(partial(keep, name))
        for name, module in named
        if isinstance(module, (*RECTIFIERS, nn.Sigmoid, nn.Tanh))
    ]
    matrices = {
        name.removeprefix("body.").removesuffix(".weight"): weight
        for name, weight in network.named_parameters()
        if weight.requires_grad and weight.ndim > 1
    }
    try:
        with torch.enable_grad(), undisturbed(inputs.device), evaluating(network):
            outputs, _ = replace(replica, mixed=False).forward(inputs)
            loss = deepcopy(replica.objective)(outputs, few.targets, few.weights)
            found = torch.autograd.grad(loss, [outputs, *matrices.values()], allow_unused=True)
    finally:
        for hook in hooks:
            hook.remove()
    sizes = [0.0 if gradient is None else float(gradient.double().square().mean().sqrt()) for gradient in found]
    at_outputs = 0.0 if found[0] is None else float(found[0].abs().max())
    return Layers(dead, saturated, dict(zip(matrices, sizes[1:], strict=True)), at_outputs)
