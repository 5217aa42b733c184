"""The models agree with their torch-free summary, layer by layer."""

import inspect
from math import erf, exp, log, sqrt, tanh
from typing import Any, get_args

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lossrun.catalog import get
from lossrun.catalog.activations import ACTIVATIONS as DECLARED
from lossrun.catalog.models import ACTIVATION, LENET5, MODELS, OUTPUT, TWO_CONV
from lossrun.components.lookup import function_of
from lossrun.components.models import ACTIVATIONS, cnn, linear, mlp
from lossrun.components.network import Network, Output, activated

TORCH = {"name": "torch"}
PLAIN: dict[str, Any] = {
    "activation": "relu",
    "output": "none",
    "init": TORCH,
    "dropout": 0.0,
    "batch_norm": False,
}
IMAGE = (1, 28, 28)


def with_defaults(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{p.name: p.default for p in get("layer", layer["name"]).parameters} | layer for layer in layers]


def assert_matches_summary(network: Network, name: str, parameters: dict, input_shape: tuple, output_size: int) -> None:
    rows = get("model", name).layers(parameters, input_shape, output_size)
    seen: dict[str, tuple[int, ...]] = {}
    body = dict(network.body.named_children())
    for label, module in body.items():
        module.register_forward_hook(lambda _m, _i, out, label=label: seen.update({label: tuple(out.shape[1:])}))
    outputs = network.eval()(torch.zeros(2, *input_shape))
    assert outputs.shape == (2, output_size)
    assert [row.name for row in rows] == [label for label in seen if label in {row.name for row in rows}]
    for row in rows:
        assert seen[row.name] == row.output_shape
        assert sum(p.numel() for p in body[row.name].parameters()) == row.parameters
    assert sum(p.numel() for p in network.parameters()) == sum(row.parameters for row in rows)


@pytest.mark.parametrize("declared", MODELS, ids=lambda d: d.name)
def test_declaration_and_signature_agree(declared):
    signature = inspect.signature(function_of("model", declared.name)).parameters.values()
    assert {p.name for p in signature if p.kind is p.KEYWORD_ONLY} == {p.name for p in declared.parameters}


# By the formulas of the papers that the declarations name, at x = -2 and x = 1.
CLOSED_FORMS = {
    "relu": (0.0, 1.0),
    "tanh": (tanh(-2), tanh(1)),
    "sigmoid": (1 / (1 + exp(2)), 1 / (1 + exp(-1))),
    "leaky_relu": (-0.02, 1.0),
    "elu": (exp(-2) - 1, 1.0),
    "selu": (1.0507009873554805 * 1.6732632423543772 * (exp(-2) - 1), 1.0507009873554805),
    "gelu": (-(1 + erf(-2 / sqrt(2))), (1 + erf(1 / sqrt(2))) / 2),
    "silu": (-2 / (1 + exp(2)), 1 / (1 + exp(-1))),
    "softplus": (log(1 + exp(-2)), log(1 + exp(1))),
    "none": (-2.0, 1.0),
}


@pytest.mark.parametrize("name", get_args(ACTIVATION.type))
def test_every_activation_is_its_formula(name):
    found = ACTIVATIONS[name]()(torch.tensor([-2.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(found, torch.tensor(CLOSED_FORMS[name], dtype=torch.float64))


@pytest.mark.parametrize(
    ("network", "count"),
    [
        # 784 * 10 + 10.
        (lambda: linear(IMAGE, 10, output="none", init=TORCH), 7_850),
        # 784 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10: LeCun et al. 1998, "784-300-100-10".
        (lambda: mlp((784,), 10, hidden=[300, 100], **PLAIN), 266_610),
        # LeNet-5 with full connections: 156 + 2,416 + 48,120 + 10,164 + 850.
        (lambda: cnn(IMAGE, 10, layers=with_defaults(LENET5), **PLAIN), 61_706),
        # DeepOBS 2c2d: 832 + 51,264 + 3,212,288 + 10,250.
        (lambda: cnn(IMAGE, 10, layers=with_defaults(TWO_CONV), **PLAIN), 3_274_634),
    ],
)
def test_known_parameter_counts(network, count):
    assert sum(p.numel() for p in network().parameters()) == count


@given(
    input_shape=st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple),
    output_size=st.integers(1, 4),
    hidden=st.lists(st.integers(1, 6), max_size=3),
    batch_norm=st.booleans(),
    dropout=st.sampled_from([0.0, 0.5]),
)
@settings(max_examples=30)
def test_mlp_matches_its_summary(input_shape, output_size, hidden, batch_norm, dropout):
    parameters = PLAIN | {"hidden": hidden, "batch_norm": batch_norm, "dropout": dropout}
    network = mlp(input_shape, output_size, **parameters)
    assert_matches_summary(network, "mlp", parameters, input_shape, output_size)


CONVS = st.fixed_dictionaries(
    {
        "name": st.just("conv"),
        "filters": st.integers(1, 4),
        "kernel": st.integers(1, 5),
        "stride": st.integers(1, 3),
        "padding": st.one_of(st.sampled_from(["same", "valid"]), st.integers(0, 2)),
    }
)
POOLS = st.fixed_dictionaries({"name": st.sampled_from(["max_pool", "avg_pool"]), "size": st.integers(1, 3)})
DENSE = st.fixed_dictionaries({"name": st.just("dense"), "units": st.integers(1, 6)})


@given(
    input_shape=st.tuples(st.integers(1, 3), st.integers(3, 14), st.integers(3, 14)),
    image_layers=st.lists(st.one_of(CONVS, POOLS), max_size=4),
    dense_layers=st.lists(DENSE, max_size=2),
    batch_norm=st.booleans(),
    dropout=st.sampled_from([0.0, 0.5]),
)
@settings(max_examples=80)
def test_cnn_matches_its_summary(input_shape, image_layers, dense_layers, batch_norm, dropout):
    parameters = PLAIN | {"layers": image_layers + dense_layers, "batch_norm": batch_norm, "dropout": dropout}
    try:
        get("model", "cnn").layers(parameters, input_shape, 3)
    except ValueError:
        with pytest.raises(ValueError, match="leaves nothing of the image"):
            cnn(input_shape, 3, **parameters)
        return
    assert_matches_summary(cnn(input_shape, 3, **parameters), "cnn", parameters, input_shape, 3)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
def test_same_padding_without_strides_is_torchs_own(kernel):
    layers = [{"name": "conv", "filters": 2, "kernel": kernel, "stride": 1, "padding": "same"}]
    network = cnn((1, 7, 9), 1, layers=layers, **PLAIN)
    images = torch.randn(3, 1, 7, 9)
    weight, bias = network.body.conv1.weight, network.body.conv1.bias
    expected = F.conv2d(F.pad(images, ((kernel - 1) // 2, kernel // 2) * 2), weight, bias)
    through = network.body[: list(dict(network.body.named_children())).index("conv1") + 1](images)
    torch.testing.assert_close(through, expected)


def test_same_padding_with_strides_is_keras():
    # Keras on 4 pixels, window 3, stride 2: one zero missing, at the end. Windows (a, b, c) and (c, d, 0).
    layers = [{"name": "conv", "filters": 1, "kernel": 3, "stride": 2, "padding": "same"}]
    network = cnn((1, 4, 4), 1, layers=layers, **PLAIN | {"init": {"name": "constant", "value": 1.0, "bias": 0.0}})
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    through = network.body[:2](ramp)
    # Columns 0, 1, 2 sum to 3 and columns 2, 3 to 5, over 3 rows and over the 2 rows that are left.
    assert through[0, 0].tolist() == [[9.0, 15.0], [6.0, 10.0]]


def kinds(network: Network) -> list[type[nn.Module]]:
    return [type(module) for module in network.body]


def test_order_of_the_layers():
    busy = PLAIN | {"dropout": 0.5, "batch_norm": True, "activation": "tanh"}
    dense = [nn.Flatten, nn.Linear, nn.BatchNorm1d, nn.Tanh, nn.Dropout, nn.Linear]
    assert kinds(mlp((4,), 2, hidden=[3], **busy)) == dense
    layers = [*with_defaults([{"name": "conv"}, {"name": "max_pool"}]), {"name": "dense", "units": 3}]
    convolutional = cnn((1, 8, 8), 2, layers=layers, **busy)
    assert kinds(convolutional) == [nn.Conv2d, nn.BatchNorm2d, nn.Tanh, nn.MaxPool2d, *dense]


def test_every_declared_output_activation_has_code_and_no_other():
    # `auto` is settled before a model is built, and `logits` is another word for none.
    assert [word for word in get_args(OUTPUT.type) if word not in ("auto", "logits")] == list(get_args(Output))


@pytest.mark.parametrize("output", get_args(Output))
def test_forward_is_the_output_activation_of_the_preactivations(output):
    network = linear((3,), 4, output=output, init=TORCH)
    inputs = torch.randn(5, 3)
    before = network.preactivations(inputs)
    share = before.exp() / before.exp().sum(dim=1, keepdim=True)
    by_name = {"none": before, "sigmoid": 1 / (1 + (-before).exp()), "softmax": share, "log_softmax": share.log()}
    torch.testing.assert_close(network(inputs), by_name[output])


def test_a_model_that_cannot_be_built_is_refused():
    with pytest.raises(ValueError, match="unknown output activation 'tanh'"):
        activated(torch.zeros(1, 1), "tanh")
    with pytest.raises(ValueError, match="needs images"):
        cnn((784,), 10, layers=with_defaults(LENET5), **PLAIN)
    with pytest.raises(ValueError, match="comes after a dense layer"):
        cnn(IMAGE, 10, layers=with_defaults([{"name": "dense"}, {"name": "conv"}]), **PLAIN)


@pytest.mark.parametrize("declared", DECLARED, ids=lambda d: d.name)
def test_the_declared_slope_of_an_activation_is_its_largest_or_that_of_half_the_units(declared):
    inputs = torch.linspace(-8, 8, 1601, requires_grad=True)
    getattr(nn, declared.torch_class)()(inputs).sum().backward()
    switched_off = inputs.grad[inputs < -4].abs().max() < 0.1 * inputs.grad[inputs > 4].abs().max()
    expected = 0.5 if switched_off else inputs.grad.max().item()
    assert declared.slope == pytest.approx(expected, abs=1e-6)
