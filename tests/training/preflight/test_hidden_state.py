"""Own components that keep state: what a checkpoint holds comes back with its own type, all else is refused at once."""

from typing import Any

import pytest

from lossrun.errors import UsageError
from tests.training.conftest import Laboratory, assert_same_bits, newest

OPTIMIZER = '''
import torch
from torch import nn

class Kept(torch.optim.Optimizer):
    """Steps that depend on how many there were, counted in `kind`."""
    def __init__(self, params, lr, kind):
        super().__init__(params, {"lr": lr, "calls": 0})
        self.kind, self.t, self.last = kind, 0, None
    @torch.no_grad()
    def step(self, closure=None):
        self.t += "attribute" in self.kind
        for group in self.param_groups:
            group["calls"] += self.kind == "a value of the group"
            for weight in group["params"]:
                state = self.state[weight]
                if not state and self.kind in FIRST:
                    state["t"] = FIRST[self.kind]()
                if self.kind == "an attribute": t = self.t
                elif self.kind == "an attribute that matters later": t = 1 if self.t < 100 else 2
                elif self.kind == "a value of the group": t = group["calls"]
                elif self.kind == "a list": t = len(state.setdefault("t", [])) + 1; state["t"].append(t)
                elif self.kind == "a number of the module": COUNTED.append(1); t = len(COUNTED)
                elif self.kind == "a bool tensor": state["t"] = ~state["t"]; t = 1 + state["t"].sum().item()
                elif self.kind == "a bool": state["t"] = not state["t"]; t = 1 + state["t"]
                else: state["t"] += 1; t = state["t"]
                if self.kind == "a float64 tensor":
                    t = 1 + (state["t"] % 1) * 1e7 % 1
                self.last = weight.grad.clone()
                weight.add_(weight.grad, alpha=-group["lr"] * float(t))

COUNTED = []
FIRST = {
    "a Python int": lambda: 0,
    "a Python float": lambda: 0.1,
    "a bool": lambda: False,
    "a bool tensor": lambda: torch.zeros(3, dtype=torch.bool),
    "a float64 tensor": lambda: torch.tensor(1 / 3, dtype=torch.float64),
    "an integer tensor": lambda: torch.zeros((), dtype=torch.int64),
}

class Model(nn.Linear):
    """Its outputs depend on how often it was called in training."""
    def __init__(self, input_shape, output_size, kind):
        super().__init__(input_shape[0], output_size)
        self.kind, self.calls = kind, 0
        self.register_buffer("hidden", torch.zeros(()), persistent=kind == "a buffer")
    def forward(self, inputs):
        if self.training:
            self.calls += "attribute" in self.kind
            self.hidden += "buffer" in self.kind
        if self.kind == "a count of evaluations" and not self.training:
            self.calls += 1
        self.last_inputs = inputs
        factor = self.calls if self.kind == "an attribute" else self.hidden
        return super().forward(inputs) * (1 + 0.01 * factor)
'''
CONFIG: dict[str, Any] = {
    "dataset": {"name": "synthetic_regression", "samples": 60, "features": 3},
    "model": "linear",
    "loss": "mse",
    "optimizer": "sgd",
    "learning_rate": 1e-3,
    "epochs": 2,
    "batch_size": 16,
}


def with_own(laboratory: Laboratory, kind: str, component: str) -> dict[str, Any]:
    (laboratory.folder / "keeping.py").write_text(OPTIMIZER)
    name = {"optimizer": "keeping:Kept", "model": "keeping:Model"}[component]
    return {**CONFIG, component: {"name": name, "kind": kind}}


@pytest.mark.parametrize(
    ("component", "kind"),
    [
        ("optimizer", "a Python int"),
        ("optimizer", "a Python float"),
        ("optimizer", "a bool"),
        ("optimizer", "a bool tensor"),
        ("optimizer", "a float64 tensor"),
        ("optimizer", "an integer tensor"),
        ("model", "a buffer"),
    ],
)
def test_state_in_its_place_comes_back_with_its_own_type(laboratory: Laboratory, component: str, kind: str) -> None:
    config = with_own(laboratory, kind, component)
    whole, stopped = laboratory.start(config), laboratory.start(config, stop_at=2)
    laboratory.resume(stopped)
    assert newest(whole).metadata["step"] == 6
    assert_same_bits(whole, stopped)


@pytest.mark.parametrize(
    ("component", "kind", "told"),
    [
        ("optimizer", "an attribute", r"after a stop, optimizer\.t,"),
        ("optimizer", "an attribute that matters later", r"after a stop, optimizer\.t would"),
        ("optimizer", "a value of the group", r"after a stop, optimizer\.param_groups\[0\]\['calls'\]"),
        ("optimizer", "a list", "a list as t in its state"),
        ("optimizer", "a number of the module", r"after a stop, keeping\.COUNTED"),
        ("model", "an attribute", r"after a stop, model\.calls"),
        ("model", "a count of evaluations", r"after a stop, model\.calls would"),
        ("model", "a buffer that is not saved", r"after a stop, model\.hidden"),
    ],
)
def test_state_elsewhere_is_refused_by_name(laboratory: Laboratory, component: str, kind: str, told: str) -> None:
    with pytest.raises(UsageError, match=f"{component}:? keeping:.*{told}"):
        laboratory.start(with_own(laboratory, kind, component))
    assert not (laboratory.folder / "runs").exists()


HARMLESS = """
import torch
from torch import nn

SHAPES = {}
not_state = ("SHAPES",)

class Sgd(torch.optim.SGD):
    not_state = "steps"
    def __init__(self, params, lr):
        super().__init__(params, lr)
        self.steps = 0
    def step(self, closure=None):
        self.steps += 1
        return super().step(closure)

class Model(nn.Linear):
    not_state = ("calls", "seen")
    def __init__(self, input_shape, output_size):
        super().__init__(input_shape[0], output_size)
        self.calls, self.seen = 0, []
    def forward(self, inputs):
        self.calls += 1
        self.seen.append(inputs.shape)
        SHAPES[len(SHAPES)] = inputs.shape
        return super().forward(inputs)
"""


def test_what_a_class_or_a_file_names_as_no_state_is_not_refused(laboratory: Laboratory) -> None:
    (laboratory.folder / "harmless.py").write_text(HARMLESS)
    config = {**CONFIG, "model": "harmless:Model", "optimizer": "harmless:Sgd"}
    whole, stopped = laboratory.start(config), laboratory.start(config, stop_at=2)
    laboratory.resume(stopped)
    assert_same_bits(whole, stopped)


@pytest.mark.parametrize("named", ["SHAPES", "steps", "calls", "seen"])
def test_each_of_them_is_refused_unless_it_is_named(laboratory: Laboratory, named: str) -> None:
    forgotten = f"forgotten_{named.lower()}"
    (laboratory.folder / f"{forgotten}.py").write_text(HARMLESS.replace(f'"{named}"', '"another"'))
    config = {**CONFIG, "model": f"{forgotten}:Model", "optimizer": f"{forgotten}:Sgd"}
    with pytest.raises(UsageError, match=rf"\.{named}\b.*name it in the class or file that has it: not_state = "):
        laboratory.start(config)
