"""Keep the body of a model and the activation of its last layer apart, because metrics need the pre-activations."""

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

Output: TypeAlias = Literal["none", "sigmoid", "softmax", "log_softmax"]


class Network(nn.Module):
    """A body that gives pre-activations, and the activation of its last layer, kept apart so that a metric can be
    computed from the pre-activations, where it is stable.

    Inputs (N, *input_shape); pre-activations and outputs (N, output_size).
    """

    def __init__(self, body: nn.Module, output: Output) -> None:
        super().__init__()
        self.body = body
        self.output = output

    def preactivations(self, inputs: Tensor) -> Tensor:
        """What the last layer gives before its activation: logits, where the output is read as probabilities."""
        result: Tensor = self.body(inputs)
        return result

    def forward(self, inputs: Tensor) -> Tensor:
        return activated(self.preactivations(inputs), self.output)


def activated(preactivations: Tensor, output: Output) -> Tensor:
    """The output activation, applied along the last axis. Raises ValueError for an unknown one."""
    if output == "none":
        return preactivations
    if output == "sigmoid":
        return torch.sigmoid(preactivations)
    if output == "softmax":
        return torch.softmax(preactivations, dim=-1)
    if output == "log_softmax":
        return torch.log_softmax(preactivations, dim=-1)
    raise ValueError(f"unknown output activation {output!r}; expected none, sigmoid, softmax or log_softmax")
