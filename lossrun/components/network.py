"""Separate the body of a model from the activation of its last layer, because metrics need the pre-activations."""

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

Output: TypeAlias = Literal["none", "sigmoid", "softmax", "log_softmax"]


class Network(nn.Module):
    """A model: a body that computes pre-activations, and the activation of its last layer.

    Metrics are computed from the pre-activations, because that is numerically stable. Inputs have shape
    (N, *input_shape), pre-activations and outputs (N, output_size).
    """

    def __init__(self, body: nn.Module, output: Output) -> None:
        super().__init__()
        self.body = body
        self.output = output

    def preactivations(self, inputs: Tensor) -> Tensor:
        """Return what the last layer gives before its activation: logits, if the outputs are probabilities."""
        result: Tensor = self.body(inputs)
        return result

    def forward(self, inputs: Tensor) -> Tensor:
        return activated(self.preactivations(inputs), self.output)


def activated(preactivations: Tensor, output: Output) -> Tensor:
    """Apply the output activation along the last axis. Raises ValueError for an unknown activation."""
    if output == "none":
        return preactivations
    if output == "sigmoid":
        return torch.sigmoid(preactivations)
    if output == "softmax":
        return torch.softmax(preactivations, dim=-1)
    if output == "log_softmax":
        return torch.log_softmax(preactivations, dim=-1)
    raise ValueError(f"unknown output activation {output!r}; expected none, sigmoid, softmax or log_softmax")


def before_activation(outputs: Tensor, output: Output) -> Tensor:
    """Return pre-activations that give these outputs; for a softmax, logits up to a constant."""
    if output == "softmax":
        return outputs.log()
    return outputs.logit() if output == "sigmoid" else outputs
