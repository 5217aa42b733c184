"""First values: bounds and moments from the formulas in the declarations."""

from math import sqrt

import pytest
import torch
from torch import nn

from lossrun.catalog.initializers import INITIALIZERS
from lossrun.components.initial_weights import initialise

FAN_IN, FAN_OUT = 300, 200


def filled(**init) -> nn.Linear:
    torch.manual_seed(0)
    layer = nn.Linear(FAN_IN, FAN_OUT)
    initialise(layer, init)
    return layer


@pytest.mark.parametrize("declared", INITIALIZERS, ids=lambda d: d.name)
def test_every_declared_initializer_takes_its_declared_parameters(declared):
    initialise(nn.Linear(2, 3), {"name": declared.name} | {p.name: p.default for p in declared.parameters})


@pytest.mark.parametrize(
    ("name", "bound"),
    [("glorot_uniform", sqrt(6 / (FAN_IN + FAN_OUT))), ("he_uniform", sqrt(6 / FAN_IN))],
)
def test_uniform_weights_stay_within_their_bound(name, bound):
    weights = filled(name=name, bias=0.0).weight
    assert weights.abs().max() <= bound
    # Standard deviation of a uniform: bound / sqrt(3). 60,000 draws: within 1%.
    assert weights.std().item() == pytest.approx(bound / sqrt(3), rel=0.01)


@pytest.mark.parametrize(
    ("init", "std"),
    [
        ({"name": "glorot_normal"}, sqrt(2 / (FAN_IN + FAN_OUT))),
        ({"name": "he_normal"}, sqrt(2 / FAN_IN)),
        ({"name": "normal", "std": 0.3, "bias_std": 0.0}, 0.3),
        # Of a normal cut at two deviations: 0.8796 of the deviation.
        ({"name": "truncated_normal", "std": 0.3, "bias_std": 0.0}, 0.8796 * 0.3),
    ],
)
def test_normal_weights_have_their_declared_deviation(init, std):
    weights = filled(**init, bias=0.0).weight
    assert weights.std().item() == pytest.approx(std, rel=0.02)
    assert weights.mean().item() == pytest.approx(0.0, abs=0.02 * std)


def test_truncated_normal_is_cut_at_two_deviations():
    assert filled(name="truncated_normal", std=0.3, bias=0.0, bias_std=0.0).weight.abs().max() <= 0.6


def test_biases_are_filled_with_their_mean_and_deviation():
    assert set(filled(name="glorot_uniform", bias=0.5).bias.tolist()) == {0.5}
    noisy = filled(name="normal", std=1.0, bias=2.0, bias_std=1.0).bias
    # 200 draws around 2: a mean 5 of its deviations (1 / sqrt(200)) away would be a fault.
    assert noisy.mean().item() == pytest.approx(2.0, abs=5 / sqrt(FAN_OUT))
    assert noisy.std().item() == pytest.approx(1.0, rel=0.25)


def test_constant_weights_are_all_the_same():
    layer = filled(name="constant", value=0.25, bias=-1.0)
    assert set(layer.weight.flatten().tolist()) == {0.25}
    assert set(layer.bias.tolist()) == {-1.0}


def test_fan_of_a_convolution_counts_its_window():
    torch.manual_seed(0)
    layer = nn.Conv2d(16, 64, 5)
    initialise(layer, {"name": "he_normal", "bias": 0.0})
    # fan_in = 16 * 5 * 5.
    assert layer.weight.std().item() == pytest.approx(sqrt(2 / 400), rel=0.02)


def test_torch_and_batch_norm_are_left_alone():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    initialise(model, {"name": "torch"})
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)
    initialise(model, {"name": "constant", "value": 7.0, "bias": 7.0})
    assert model[1].weight.tolist() == [1.0] * 3
    assert model[1].bias.tolist() == [0.0] * 3


@pytest.mark.parametrize("declared", INITIALIZERS, ids=lambda d: d.name)
def test_what_the_size_of_a_layer_changes_is_declared(declared):
    init = {"name": declared.name} | {p.name: p.default for p in declared.parameters}
    torch.manual_seed(0)
    narrow, wide = nn.Linear(10, 1000), nn.Linear(1000, 1000)
    for layer in (narrow, wide):
        initialise(layer, init)
    # Of 10,000 draws or more the deviation is right to 3 %; by the number of inputs it falls to 0.7 at least.
    narrower, wider = (layer.weight.std().item() for layer in (narrow, wide))
    assert (wider < 0.8 * narrower) == declared.by_size
    assert bool(wide.weight.std() > 0) == declared.varies
