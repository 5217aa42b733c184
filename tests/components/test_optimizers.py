"""The optimizers: torch's own defaults and bounds, and the very steps of torch's own classes, used plainly."""

import inspect
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, optim

from lossrun.catalog import find, get
from lossrun.catalog.declaration import Optimizer
from lossrun.catalog.optimizers import OPTIMIZERS
from lossrun.catalog.parameter import Parameter
from lossrun.catalog.unsupported import NO_OPTIMIZERS
from lossrun.components.lookup import function_of
from lossrun.components.optimizers import build_optimizer, fused_available
from lossrun.components.optimizers.muon import Muon
from lossrun.config.leaves import check
from tests.other_values import variants

# A hidden layer, its bias, a convolution, the output layer, its bias.
SHAPES = [(5, 4), (5,), (3, 2, 2, 2), (2, 6), (2,)]
STEPS = 10

# torch's classes, and its pairs under the names that the declarations take them apart into.
CLASSES: dict[str, Any] = {o.name: function_of("optimizer", o.name) for o in OPTIMIZERS if o.torch_class}
NAMES = [optimizer.name for optimizer in OPTIMIZERS]
# torch has the parts of muon.
TORCHS = [*CLASSES, "muon"]
PAIRS = {optimizer.name: optimizer.pairs for optimizer in OPTIMIZERS if optimizer.pairs}
# What is no hyperparameter: how torch computes, and maximize, which would turn the loss upside down.
NOT_OURS = {"params", "lr", "maximize", "foreach", "fused", "capturable", "differentiable"}

# By name, settings; each declared parameter is changed in at least one of them.
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "sgd": [
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        {"momentum": 0.9, "dampening": 0.3},
    ],
    "adam": [
        {"amsgrad": True, "weight_decay": 0.01, "betas": [0.8, 0.99], "eps": 1e-3},
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
    "adamw": [{"amsgrad": True, "eps": 1e-3, "weight_decay": 0.2, "betas": [0.5, 0.9]}],
    "rmsprop": [{"centered": True, "momentum": 0.5, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1}],
    "adagrad": [{"lr_decay": 0.01, "initial_accumulator_value": 0.1, "weight_decay": 0.01, "eps": 1e-3}],
    "adadelta": [{"rho": 0.5, "eps": 1e-3, "weight_decay": 0.1}],
    "adamax": [{"betas": [0.5, 0.9], "eps": 1e-3, "weight_decay": 0.1}],
    "nadam": [
        {"betas": [0.5, 0.9], "eps": 1e-3, "weight_decay": 0.1, "momentum_decay": 0.5},
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
    "radam": [
        # 0.9 rather than 0.999: dividing by the mean square begins within the ten steps.
        {"betas": [0.5, 0.9], "eps": 1e-3, "weight_decay": 0.1},
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
    # Averaging begins at step 4.
    "asgd": [{"lambd": 0.1, "alpha": 0.5, "t0": 3.0, "weight_decay": 0.1}],
    "rprop": [{"etaminus": 0.3, "etaplus": 1.5, "step_size_min": 0.01, "step_size_max": 0.1}],
    "adafactor": [{"beta2_decay": -0.5, "eps1": 1e-2, "eps2": 2.0, "d": 3.0, "weight_decay": 0.1}],
    "muon": [
        {
            "momentum": 0.5,
            "nesterov": False,
            "weight_decay": 0.3,
            "adjust_lr_fn": "original",
            "ns_steps": 3,
            "ns_coefficients": [3.0, -3.2, 1.2],
            "eps": 2.0,
            "adamw_betas": [0.5, 0.9],
            "adamw_eps": 1e-3,
            "adamw_weight_decay": 0.5,
            "adamw_rate_share": 0.1,
        }
    ],
}
# The sourced settings, or one for each declared parameter.
CASES = [(o.name, variant) for o in OPTIMIZERS for variant in ({}, *(VARIANTS.get(o.name) or variants(o)))]


def fresh(dtype: torch.dtype = torch.float32) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).to(dtype).requires_grad_() for shape in SHAPES]


def set_gradients(weights: Sequence[Tensor], step: int) -> None:
    """The same at the same step for every caller, of either sign and of sizes from 1e-4 to 1, some of them 0."""
    generator = torch.Generator().manual_seed(step + 1)
    for weight in weights:
        sizes = 10 ** -(4 * torch.rand(weight.shape, generator=generator))
        signs = torch.randint(-1, 2, weight.shape, generator=generator)
        weight.grad = (sizes * signs).to(weight.dtype)


def stepped(weights: list[Tensor], step: Callable[[], object], steps: int = STEPS) -> list[Tensor]:
    for number in range(steps):
        set_gradients(weights, number)
        step()
    return [weight.detach() for weight in weights]


def torchs(name: str, weights: list[Tensor], rate: float, parameters: dict[str, Any]) -> Callable[[], object]:
    """The step of torch's own class, or of the two that muon is made of, as their documentation has them used."""
    if name == "muon":
        return torchs_muon(weights, rate, {**defaults("muon"), **parameters})
    given = dict(parameters)
    for pair, (first, second) in PAIRS.get(name, {}).items():
        if first in given:
            given[pair] = (given.pop(first), given.pop(second))
    return CLASSES[name](weights, lr=rate, foreach=False, **given).step  # type: ignore[call-arg]


def torchs_muon(weights: list[Tensor], rate: float, p: dict[str, Any]) -> Callable[[], object]:
    """Muon on the hidden layer's matrix and the flattened kernels, AdamW on all others."""
    hidden, hidden_bias, kernels, output, output_bias = weights
    flat = kernels.detach().flatten(1).requires_grad_()
    muon = optim.Muon(
        [hidden, flat],
        lr=rate,
        **{key: p[key] for key in ("momentum", "nesterov", "weight_decay", "adjust_lr_fn", "ns_steps", "eps")},
        ns_coefficients=tuple(p["ns_coefficients"]),
    )
    adamw = optim.AdamW(
        [hidden_bias, output, output_bias],
        lr=rate * p["adamw_rate_share"],
        betas=tuple(p["adamw_betas"]),
        eps=p["adamw_eps"],
        weight_decay=p["adamw_weight_decay"],
        foreach=False,
    )

    def step() -> None:
        assert kernels.grad is not None
        flat.grad = kernels.grad.flatten(1)
        muon.step()
        adamw.step()
        kernels.data.copy_(flat.detach().view_as(kernels))

    return step


def declaration(name: str) -> Optimizer:
    declared = get("optimizer", name)
    assert isinstance(declared, Optimizer)
    return declared


def defaults(name: str) -> dict[str, Any]:
    return {p.name: p.default for p in get("optimizer", name).parameters}


def test_every_class_of_torch_is_here_or_explained() -> None:
    public = {name for name, value in vars(optim).items() if isinstance(value, type) and name != "Optimizer"}
    ours = {optimizer.torch_class for optimizer in OPTIMIZERS} - {""} | {"Muon"}
    assert public - ours == {"LBFGS", "SparseAdam"}
    assert {"LBFGS", "SparseAdam"} <= NO_OPTIMIZERS.keys()
    for name in ours:
        found = find("optimizer", name)
        assert found
        assert isinstance(found.component, Optimizer)
        assert (found.component.torch_class or found.component.name.capitalize()) == name


def test_what_is_not_here_is_not_found_and_says_what_is() -> None:
    for spelling, reason in NO_OPTIMIZERS.items():
        assert find("optimizer", spelling) is None, spelling
        assert any(name in reason for name in NAMES), spelling


@pytest.mark.parametrize("name", CLASSES)
def test_declared_parameters_and_their_defaults_are_torchs(name: str) -> None:
    signature = inspect.signature(CLASSES[name]).parameters
    theirs: dict[str, Any] = {}
    for parameter in set(signature) - NOT_OURS:
        default = signature[parameter].default
        names = PAIRS.get(name, {}).get(parameter, (parameter,))
        theirs |= zip(names, default if len(names) == 2 else (default,), strict=True)
    assert {key: list(value) if isinstance(value, tuple) else value for key, value in theirs.items()} == defaults(name)


def test_muons_defaults_are_those_of_the_two() -> None:
    ours = defaults("muon")
    muon, adamw = inspect.signature(optim.Muon).parameters, inspect.signature(optim.AdamW).parameters
    for key in ("betas", "eps", "weight_decay"):
        default = ours.pop(f"adamw_{key}")
        assert (tuple(default) if isinstance(default, list) else default) == adamw[key].default
    assert ours.pop("adamw_rate_share") == 1
    assert tuple(ours.pop("ns_coefficients")) == muon["ns_coefficients"].default
    # The one that is not torch's: there the rates of the two are set apart.
    assert ours.pop("adjust_lr_fn") == "match_rms_adamw"
    found = find("optimizer", "torch.Muon")
    assert found
    assert found.implies == {"adjust_lr_fn": "original"}
    assert ours == {key: muon[key].default for key in ours}
    assert set(ours) == set(muon) - NOT_OURS - {"ns_coefficients", "adjust_lr_fn"}
    built = inspect.signature(Muon).parameters
    assert {key: built[key].default for key in defaults("muon")} == {
        key: tuple(value) if isinstance(value, list) else value for key, value in defaults("muon").items()
    }


def test_every_parameter_is_varied() -> None:
    for name, settings in VARIANTS.items():
        changed = {key for variant in settings for key, value in variant.items() if value != defaults(name)[key]}
        assert changed == set(defaults(name)), name


@pytest.mark.parametrize(("name", "parameters"), [case for case in CASES if case[0] in TORCHS], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_the_steps_are_torchs(name: str, parameters: dict[str, Any], dtype: torch.dtype) -> None:
    ours, theirs = fresh(dtype), fresh(dtype)
    mine = stepped(ours, build_optimizer(name, ours, 0.05, **parameters).step)
    plain = stepped(theirs, torchs(name, theirs, 0.05, parameters))
    # Ten steps, each rounded once or twice more or less in the last digit by a fused kernel.
    tolerance = 1e-6 if dtype is torch.float32 else 1e-14
    for weight, same, start in zip(mine, plain, fresh(dtype), strict=True):
        assert not torch.equal(weight, start)
        torch.testing.assert_close(weight, same, rtol=tolerance, atol=tolerance * float(same.abs().max()))


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=str)
def test_every_parameter_matters(name: str, parameters: dict[str, Any]) -> None:
    """One at a time put back to its default: the steps are others. Ten are enough to see each."""
    weights = fresh()
    changed = stepped(weights, build_optimizer(name, weights, 0.05, **parameters).step)
    for parameter in parameters:
        if (name, parameter) in {("asgd", "t0"), ("sgd", "momentum")}:
            # t0 is about an average that is not used; Nesterov needs momentum, and dampening is of nothing else.
            continue
        weights = fresh()
        default = {**parameters, parameter: defaults(name)[parameter]}
        other = stepped(weights, build_optimizer(name, weights, 0.05, **default).step)
        assert any(not torch.equal(one, two) for one, two in zip(changed, other, strict=True)), parameter


@pytest.mark.parametrize("name", [declared.name for declared in OPTIMIZERS if declared.elementwise])
def test_elementwise_ones_step_stacked_weights_as_each_alone(name: str) -> None:
    """Three copies in one tensor, of other weights and gradients each: to the bit where nothing is fused."""
    one, other, third = fresh(), fresh(), fresh()
    for scale, weights in ((0.5, other), (2.0, third)):
        for weight in weights:
            weight.data.mul_(scale)
    stacked = [
        torch.stack([w.detach() for w in copies]).requires_grad_() for copies in zip(one, other, third, strict=True)
    ]
    optimizers = [build_optimizer(name, weights, 0.05) for weights in (one, other, third, stacked)]
    for number in range(STEPS):
        for shift, weights in enumerate((one, other, third)):
            set_gradients(weights, number + 100 * shift)
        for weight, *copies in zip(stacked, one, other, third, strict=True):
            weight.grad = torch.stack([copy.grad for copy in copies if copy.grad is not None])
        for optimizer in optimizers:
            optimizer.step()
    for weight, *copies in zip(stacked, one, other, third, strict=True):
        torch.testing.assert_close(weight.detach(), torch.stack(copies).detach(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", [declared.name for declared in OPTIMIZERS if not declared.elementwise])
def test_the_others_do_not(name: str) -> None:
    weights = fresh()
    stacked = [torch.stack([weight.detach(), 2 * weight.detach()]).requires_grad_() for weight in weights]
    alone, together = build_optimizer(name, weights, 0.05), build_optimizer(name, stacked, 0.05)
    set_gradients(weights, 0)
    for weight, both in zip(weights, stacked, strict=True):
        assert weight.grad is not None
        both.grad = torch.stack([weight.grad, -weight.grad])
    alone.step()
    together.step()
    assert not torch.allclose(stacked[0][0], weights[0], rtol=1e-3)


def refused_by_torch(name: str, parameters: dict[str, Any]) -> bool:
    try:
        torchs(name, fresh(), 0.1, parameters)
    except (ValueError, TypeError, IndexError):
        return True
    return False


def numbers(parameter: Parameter) -> list[float]:
    """Just outside of what torch may refuse."""
    return [-0.1, -1.0, 0.5, 1.0, 1.5, 2.0] if parameter.type is not int else [-1, 0, 100]


@pytest.mark.parametrize("name", TORCHS)
def test_what_torch_refuses_is_refused_before(name: str) -> None:
    tried = 0
    for parameter in get("optimizer", name).parameters:
        assert isinstance(parameter, Parameter)
        if parameter.type not in (float, int, list[float], float | None):
            continue
        for number in numbers(parameter):
            value = [number, *parameter.default[1:]] if parameter.type == list[float] else number
            refused = refused_by_torch(name, {**defaults(name), parameter.name: value})
            tried += refused
            if refused:
                assert check(parameter, value)[2], (parameter.name, value)
    # asgd's numbers go unchecked in torch, except for the decay.
    assert tried


CONTRADICTIONS = [
    ("sgd", {"nesterov": True}, "nesterov looks ahead along the momentum"),
    ("sgd", {"nesterov": True, "momentum": 0.0}, "nesterov looks ahead along the momentum"),
    ("sgd", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "nesterov looks ahead along the momentum"),
    ("adam", {"betas": [0.9]}, "betas has 1 number; expected 2"),
    ("adamax", {"betas": [0.9, 0.99, 0.999]}, "betas has 3 numbers; expected 2"),
    ("muon", {"ns_coefficients": [1.0, 2.0]}, "ns_coefficients has 2 numbers; expected 3"),
    ("muon", {"adamw_betas": []}, "adamw_betas has 0 numbers; expected 2"),
    ("rprop", {"step_size_min": 2.0, "step_size_max": 1.0}, "step_size_min 2 is above step_size_max 1"),
]


@pytest.mark.parametrize(("name", "parameters", "message"), CONTRADICTIONS, ids=str)
def test_parameters_that_contradict_each_other(name: str, parameters: dict[str, Any], message: str) -> None:
    declared = get("optimizer", name)
    assert isinstance(declared, Optimizer)
    assert message in declared.contradiction({**defaults(name), **parameters})
    with pytest.raises(ValueError, match=message):
        build_optimizer(name, fresh(), 0.1, **parameters)


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=str)
def test_nothing_else_contradicts(name: str, parameters: dict[str, Any]) -> None:
    declared = get("optimizer", name)
    assert isinstance(declared, Optimizer)
    assert declared.contradiction({**defaults(name), **parameters}) == ""


@pytest.mark.parametrize("name", NAMES)
def test_fused_is_taken_where_it_is_available(name: str) -> None:
    # torch 2.11 to 2.13 have a kernel on the CPU for these.
    fused = name in ("sgd", "adam", "adamw", "adagrad")
    assert fused_available(name, fresh()) == fused
    assert bool(build_optimizer(name, fresh(), 0.1).defaults.get("fused")) == fused
    assert not fused_available(name, [torch.zeros(2, dtype=torch.bfloat16)])
    assert not fused_available(name, [torch.zeros(2, device="meta")])


@pytest.mark.parametrize(("name", "parameters"), CASES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_a_saved_state_goes_on_to_the_same_bits(name: str, parameters: dict[str, Any], dtype: torch.dtype) -> None:
    whole = fresh(dtype)
    optimizer = build_optimizer(name, whole, 0.05, **parameters)
    stepped(whole, optimizer.step, 4)
    again = [weight.detach().clone().requires_grad_() for weight in whole]
    loaded = build_optimizer(name, again, 0.05, **parameters)
    state = optimizer.state_dict()["state"]
    # As a checkpoint does: tensors alone, by index and name.
    tensors = {
        index: {key: value.clone() for key, value in of_weight.items() if value is not None}
        for index, of_weight in state.items()
    }
    assert all(isinstance(value, Tensor) for of_weight in tensors.values() for value in of_weight.values())
    loaded.load_state_dict({"state": tensors, "param_groups": loaded.state_dict()["param_groups"]})
    for index, of_weight in loaded.state_dict()["state"].items():
        assert {key: value.dtype for key, value in of_weight.items() if value is not None} == {
            key: value.dtype for key, value in tensors.get(index, {}).items()
        }
    for one, other in zip(stepped(whole, optimizer.step), stepped(again, loaded.step), strict=True):
        assert torch.equal(one, other)


def test_muon_leaves_a_model_without_hidden_layers_to_adamw() -> None:
    weights = [torch.ones(2, 3, requires_grad=True), torch.ones(2, requires_grad=True)]
    same = [weight.detach().clone().requires_grad_() for weight in weights]
    one = stepped(weights, build_optimizer("muon", weights, 0.1).step)
    # The declared default of the decay is torch's for AdamW.
    other = stepped(same, optim.AdamW(same, lr=0.1, foreach=False).step)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_muons_update_is_nearly_orthogonal() -> None:
    """Its singular values lie between 0.68 and 1.13 times the scale (Jordan 2024), whatever those of the gradient."""
    weights = [torch.zeros(6, 9, requires_grad=True), torch.zeros(2, 6, requires_grad=True)]
    optimizer = build_optimizer("muon", weights, 1.0, adjust_lr_fn="match_rms_adamw", weight_decay=0.0)
    # Singular values from 1 to 0.03.
    left, _, right = torch.linalg.svd(
        torch.randn(6, 9, generator=torch.Generator().manual_seed(0)), full_matrices=False
    )
    weights[0].grad = left @ torch.logspace(0, -1.5, 6).diag() @ right
    weights[1].grad = torch.zeros(2, 6)
    optimizer.step()
    values = torch.linalg.svdvals(weights[0].detach()) / (0.2 * 9**0.5)
    assert 0.65 < float(values.min()) <= float(values.max()) < 1.2


def test_one_step_of_gradient_descent_by_hand() -> None:
    weight = torch.tensor([1.0], requires_grad=True)
    optimizer = build_optimizer("sgd", iter([weight]), 0.25)
    (weight**2).sum().backward()
    optimizer.step()
    # 1 - 0.25 * 2.
    assert weight.tolist() == [0.5]


def test_parameters_are_the_callers() -> None:
    betas = [0.8, 0.99]
    parameters = {"betas": betas}
    optimizer = build_optimizer("adam", fresh(), 0.1, **parameters)
    assert optimizer.defaults["betas"] == (0.8, 0.99)
    assert parameters == {"betas": betas}


def test_no_optimizer_imports_the_compiler() -> None:
    """torch's own `step` does at its first call, for over a second."""
    code = """
import sys, torch
from lossrun.catalog.optimizers import OPTIMIZERS
from lossrun.components.optimizers import build_optimizer
from lossrun.torch_internals import bare_step
for name in [optimizer.name for optimizer in OPTIMIZERS]:
    weights = [torch.ones(3, 2, requires_grad=True), torch.ones(2, 3, requires_grad=True)]
    optimizer = build_optimizer(name, weights, 0.1)
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    bare_step(optimizer)()
    optimizer.load_state_dict(optimizer.state_dict())
    assert "torch._dynamo" not in sys.modules, name
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_what_it_stores_for_each_weight_is_declared(name: str) -> None:
    declared = declaration(name)

    def stored(steps: int, **parameters: Any) -> int:
        weights = [torch.ones(shape, requires_grad=True) for shape in SHAPES]
        optimizer = build_optimizer(name, weights, 0.1, **parameters)
        for _ in range(steps):
            for weight in weights:
                weight.grad = torch.ones_like(weight)
            optimizer.step()
        state = optimizer.state[weights[0]].values()
        return sum(isinstance(value, Tensor) and value.shape == weights[0].shape for value in state)

    assert stored(1) == declared.keeps
    for parameter in declared.keeps_for:
        on = True if isinstance(defaults(name)[parameter], bool) else 0.5
        # sgd's first step has no momentum to keep yet.
        assert stored(2, **{parameter: on}) == declared.keeps + 1, parameter


@pytest.mark.parametrize("name", [name for name in NAMES if declaration(name).keeps_for])
def test_whether_it_can_begin_to_store_late_is_declared(name: str) -> None:
    for parameter in declaration(name).keeps_for:
        weight = torch.ones(3, 2, requires_grad=True)
        optimizer = build_optimizer(name, [weight], 0.1)
        weight.grad = torch.ones_like(weight)
        optimizer.step()
        optimizer.param_groups[0][parameter] = True if isinstance(defaults(name)[parameter], bool) else 0.5
        with nullcontext() if declaration(name).keeps_late else pytest.raises((KeyError, RuntimeError)):
            optimizer.step()
