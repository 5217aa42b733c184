"""The rows of the summary of a user's own network; the counts are worked out by hand."""

import torch
from torch import nn

from lossrun.catalog.declaration import Layer
from lossrun.training.preflight.layers import layers_of


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.BatchNorm1d(8))
        self.again = nn.Linear(8, 8)
        self.tied = nn.Linear(8, 8, bias=False)
        self.tied.weight = self.again.weight
        self.gain = nn.Parameter(torch.ones(8))
        self.unused = nn.Linear(5, 5)
        self.head = nn.Linear(8, 2)
        self.body[0].requires_grad_(False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        # One module twice, with the same shape.
        outputs: torch.Tensor = self.head(self.tied(self.again(self.again(self.body(inputs)))) * self.gain)
        return outputs


def test_shared_unused_frozen_and_direct_parameters() -> None:
    assert layers_of(Tied().eval(), torch.zeros(4, 3)) == [
        Layer("model", "Tied", (2,), 8),
        Layer("body.0", "Linear", (8,), 32, frozen=32),
        Layer("body.1", "ReLU", (8,), 0),
        Layer("body.2", "BatchNorm1d", (8,), 16),
        Layer("again", "Linear", (8,), 72),
        Layer("tied", "Linear, shared", (8,), 0),
        Layer("unused", "Linear", (), 30),
        Layer("head", "Linear", (2,), 18),
    ]


def test_the_total_is_torchs_own_count() -> None:
    for network in (Tied(), nn.Linear(3, 2), nn.TransformerEncoderLayer(4, 2, batch_first=True)):
        inputs = torch.zeros(2, 5, 4) if isinstance(network, nn.TransformerEncoderLayer) else torch.zeros(4, 3)
        rows = layers_of(network.eval(), inputs)
        assert sum(row.parameters for row in rows) == sum(weight.numel() for weight in network.parameters())


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool1d(2)
        self.act = nn.ReLU()
        self.cell = nn.LSTM(2, 3, batch_first=True)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self.cell(self.pool(self.act(inputs)))[0]
        return self.act(states).flatten(1)


def test_shapes_of_images_states_and_a_module_used_twice() -> None:
    rows = {row.name: row for row in layers_of(Twice(), torch.zeros(4, 5, 7))}
    assert rows["pool"].output_shape == (5, 2)
    # A relu of two shapes has none of its own; a recurrent layer gives its outputs and its states.
    assert rows["act"].output_shape == ()
    assert rows["cell"].output_shape == (5, 3)
    # torch.nn.LSTM: 4 gates of 3 x 2 and 3 x 3 weights and two biases of 3.
    assert rows["cell"].parameters == 4 * (6 + 9 + 3 + 3)


def test_a_lone_layer() -> None:
    assert layers_of(nn.Linear(3, 2), torch.zeros(4, 3)) == [Layer("model", "Linear", (2,), 8)]


def test_a_network_that_fails_still_has_its_parameters() -> None:
    (row,) = layers_of(nn.Linear(3, 2), torch.zeros(4, 7))
    assert row == Layer("model", "Linear", (), 8)
