"""The optimizers: torch's own defaults, and fused kernels that take the same steps."""

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor

from lossrun.catalog.optimizers import OPTIMIZERS as DECLARED
from lossrun.components.optimizers import OPTIMIZERS, build_optimizer, fused_available


def defaults(declared: Any) -> dict[str, Any]:
    return {p.name: p.default for p in declared.parameters}


def trained(optimizer: torch.optim.Optimizer, weights: list[Tensor], steps: int = 20) -> list[Tensor]:
    """The weights after some steps on a quartic bowl, whose gradients differ in size and sign."""
    for _ in range(steps):
        optimizer.zero_grad()
        sum(((w - 0.5) ** 4).sum() + (w * 0.1).sum() for w in weights).backward()
        optimizer.step()
    return weights


def fresh(dtype: torch.dtype = torch.float32) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).to(dtype).requires_grad_() for shape in [(5, 4), (4,), (3, 2, 2)]]


def test_every_declared_optimizer_has_a_class_and_no_other():
    assert list(OPTIMIZERS) == [declared.name for declared in DECLARED]


@pytest.mark.parametrize("declared", DECLARED, ids=lambda d: d.name)
def test_declared_defaults_are_torchs(declared):
    signature = inspect.signature(OPTIMIZERS[declared.name]).parameters
    for name, default in defaults(declared).items():
        assert signature[name].default == (tuple(default) if isinstance(default, list) else default), name


@pytest.mark.parametrize("declared", DECLARED, ids=lambda d: d.name)
def test_all_hyperparameters_of_torch_are_declared(declared):
    # What is no hyperparameter: how torch computes, and maximize, which would turn the loss upside down.
    not_ours = {"params", "lr", "maximize", "foreach", "fused", "capturable", "differentiable"}
    # Adam with decoupled_weight_decay is AdamW.
    not_ours |= {"decoupled_weight_decay"}
    assert set(inspect.signature(OPTIMIZERS[declared.name]).parameters) - not_ours == set(defaults(declared))


VARIANTS = [
    ("sgd", {}),
    ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("sgd", {"momentum": 0.9, "dampening": 0.3}),
    ("adam", {}),
    ("adam", {"amsgrad": True, "weight_decay": 0.01, "betas": [0.8, 0.99]}),
    ("adamw", {"amsgrad": True, "eps": 1e-7}),
    ("rmsprop", {"centered": True, "momentum": 0.5}),
    ("adagrad", {"lr_decay": 0.01, "initial_accumulator_value": 0.1, "weight_decay": 0.01}),
]


@pytest.mark.parametrize(("name", "parameters"), VARIANTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_fused_steps_are_the_plain_ones(name, parameters, dtype):
    built = fresh(dtype)
    ours = trained(build_optimizer(name, built, 0.05, **parameters), built)
    plain_weights = fresh(dtype)
    plain = trained(OPTIMIZERS[name](plain_weights, lr=0.05, foreach=False, **parameters), plain_weights)
    # Twenty steps, each rounded once or twice more or less in the last digit.
    epsilon = torch.finfo(dtype).eps
    for ours_one, plain_one in zip(ours, plain, strict=True):
        torch.testing.assert_close(ours_one, plain_one, rtol=100 * epsilon, atol=100 * epsilon)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fused_is_taken_where_it_is_available(name):
    fused = name != "rmsprop"
    assert fused_available(name, fresh()) == fused
    assert bool(build_optimizer(name, fresh(), 0.1).defaults.get("fused")) == fused
    assert not fused_available(name, [torch.zeros(2, dtype=torch.bfloat16)])
    assert not fused_available(name, [torch.zeros(2, device="meta")])


def test_one_step_of_gradient_descent_by_hand():
    weight = torch.tensor([1.0], requires_grad=True)
    optimizer = build_optimizer("sgd", iter([weight]), 0.25)
    (weight**2).sum().backward()
    optimizer.step()
    # 1 - 0.25 * 2.
    assert weight.tolist() == [0.5]


@pytest.mark.parametrize("parameters", [{}, {"momentum": 0.0}, {"momentum": 0.9, "dampening": 0.1}])
def test_nesterov_wants_momentum(parameters):
    with pytest.raises(ValueError, match="nesterov looks ahead along the momentum"):
        build_optimizer("sgd", fresh(), 0.1, nesterov=True, **parameters)


def test_parameters_are_the_callers():
    betas = [0.8, 0.99]
    parameters = {"betas": betas}
    optimizer = build_optimizer("adam", fresh(), 0.1, **parameters)
    assert optimizer.defaults["betas"] == (0.8, 0.99)
    assert parameters == {"betas": betas}
