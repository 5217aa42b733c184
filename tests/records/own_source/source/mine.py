"""The components of a user, of which a run keeps a copy."""

from collections.abc import Iterable

import torch
from scale import SCALE
from torch import Tensor, nn

from lossrun import Dataset


def line(samples: int) -> Dataset:
    inputs = torch.linspace(-1, 1, samples).reshape(-1, 1)
    return Dataset(train=(inputs, SCALE * inputs.ravel()), task="regression")


class Model(nn.Module):
    def __init__(self, input_shape: tuple[int, ...], output_size: int) -> None:
        super().__init__()
        self.layer = nn.Linear(input_shape[0], output_size)

    def forward(self, inputs: Tensor) -> Tensor:
        found: Tensor = self.layer(inputs)
        return found


def squared(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().sum(dim=1)


def descent(params: Iterable[nn.Parameter], lr: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(params, lr, momentum=0.5)
