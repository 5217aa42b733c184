"""The user's own components, with state in every place that a checkpoint may miss: equal, or refused at the start."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lossrun.errors import UsageError
from tests.crash.outcomes import Outcome, share_of
from tests.training.conftest import REGRESSION, Laboratory, assert_same_bits

# Each class says in its name where its state is.
MODULE = '''
import itertools
import random

import numpy as np
import torch
from torch import nn

CALLS = [0]


def squares(outputs, targets):
    return (outputs - targets).square().mean(dim=1)


class Own(torch.optim.Optimizer):
    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})
    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    weight -= group["lr"] * self.share(weight, group) * weight.grad
    def share(self, weight, group): return 1.0
class WholeNumberInState(Own):
    def share(self, weight, group):
        state = self.state[weight]
        state["count"] = state.get("count", 0) + 1
        assert isinstance(state["count"], int)
        return 1.0 / state["count"]
class FloatInState(Own):
    def share(self, weight, group):
        state = self.state[weight]
        state["decay"] = state.get("decay", 1.0) * 0.9
        return state["decay"] if isinstance(state["decay"], float) else 1 / 0
class DoubleTensorInState(Own):
    def share(self, weight, group):
        state = self.state[weight]
        state["share"] = state.get("share", torch.ones((), dtype=torch.float64)) / 1.1
        return float(state["share"])
class BoolTensorInState(Own):
    def share(self, weight, group):
        state = self.state[weight]
        state["odd"] = ~state.get("odd", torch.zeros((), dtype=torch.bool))
        return 0.5 if state["odd"] else 1.0
class ListInState(Own):
    def share(self, weight, group):
        self.state[weight].setdefault("seen", []).append(1.0)
        return 1.0 / len(self.state[weight]["seen"])
class NumberInAGroup(Own):
    def share(self, weight, group):
        group["count"] = group.get("count", 0) + 1
        return 1.0 / group["count"]
class LastGradient(Own):
    """An attribute that every step overwrites, which is not state."""
    def share(self, weight, group):
        self.last = weight.grad.clone()
        return 1.0
class Counting(Own):
    def __init__(self, params, lr):
        super().__init__(params, lr)
        self.steps = 0
    def step(self):
        self.steps += 1
        super().step()
class Attribute(Counting):
    def share(self, weight, group): return 1.0 / self.steps
# As after a warm-up: nothing is to be seen in the first steps.
class LateAttribute(Counting):
    def share(self, weight, group): return 0.1 if self.steps > 5 else 1.0
class LateInAGroup(Own):
    def share(self, weight, group):
        group["count"] = group.get("count", 0) + 1
        return 0.1 if group["count"] > 9 else 1.0
class Counter:
    __slots__ = ("value",)
    def __init__(self): self.value = 0
class LateInAnObject(Own):
    def __init__(self, params, lr):
        super().__init__(params, lr)
        self.parts = {"counters": [Counter()]}
    def share(self, weight, group):
        counter = self.parts["counters"][0]
        counter.value += 1
        return 0.1 if counter.value > 9 else 1.0
class LateOfTheClass(Own):
    seen = []
    def share(self, weight, group):
        self.seen.append(1)
        return 0.1 if len(self.seen) > 99 else 1.0
class LateIterator(Own):
    def __init__(self, params, lr):
        super().__init__(params, lr)
        self.shares = itertools.chain([1.0] * 9, itertools.repeat(0.1))
    def share(self, weight, group): return next(self.shares)
class LateGeneratorFunction(Own):
    def __init__(self, params, lr):
        super().__init__(params, lr)
        self.shares = (1.0 if number < 9 else 0.1 for number in range(10_000))
    def share(self, weight, group): return next(self.shares)
class LateInner(Own):
    """With an optimizer inside, whose state is not its own."""
    def __init__(self, params, lr):
        super().__init__(params, lr)
        self.inner = torch.optim.Adam(self.param_groups[0]["params"], lr=1e-30)
    def step(self):
        self.inner.step()
        super().step()
    def share(self, weight, group):
        return 0.1 if self.inner.state[weight]["step"] > 5 else 1.0
class StateOfAGlobalName(Own):
    state_of_all = {}
    def share(self, weight, group):
        self.state_of_all[id(weight)] = self.state_of_all.get(id(weight), 0) + 1
        return 1.0 / self.state_of_all[id(weight)]
class OwnGenerator(Own):
    def __init__(self, params, lr):
        super().__init__(params, lr)
        self.generator = torch.Generator().manual_seed(7)
    def share(self, weight, group): return float(torch.rand((), generator=self.generator))

class Model(nn.Module):
    def __init__(self, input_shape, output_size):
        super().__init__()
        self.last = nn.Linear(input_shape[0], output_size)
    def forward(self, inputs): return self.last(inputs) * self.share()
    def share(self): return 1.0
class ModelCounting(Model):
    def __init__(self, input_shape, output_size):
        super().__init__(input_shape, output_size)
        self.calls = 0
    def forward(self, inputs):
        self.calls += self.training
        return super().forward(inputs)
class ModelAttribute(ModelCounting):
    def share(self): return 1.0 + 0.1 * self.calls
class ModelLateAttribute(ModelCounting):
    def share(self): return 1.0 if self.calls < 9 else 1.1
class ModelLateInEvaluation(Model):
    """It counts the times that it was evaluated."""
    def __init__(self, input_shape, output_size):
        super().__init__(input_shape, output_size)
        self.evaluated = 0
    def forward(self, inputs):
        self.evaluated += not self.training
        return super().forward(inputs)
    def share(self): return 1.0 if self.evaluated < 2 or not self.training else 1.1
class ModelLastOutputs(Model):
    """An attribute that every step overwrites, which is not state."""
    def forward(self, inputs):
        self.outputs = super().forward(inputs)
        return self.outputs
class ModelLateClosure(Model):
    def __init__(self, input_shape, output_size):
        super().__init__(input_shape, output_size)
        self.share = late()
class ModelBufferNotKept(Model):
    def __init__(self, input_shape, output_size):
        super().__init__(input_shape, output_size)
        self.register_buffer("seen", torch.zeros(()), persistent=False)
    def share(self):
        self.seen += self.training
        return 1.0 + 0.1 * self.seen
class ModelGenerator(Model):
    def __init__(self, input_shape, output_size):
        super().__init__(input_shape, output_size)
        self.draw = random.Random(3)
    def share(self): return 1.0 + self.draw.random() if self.training else 1.0
class ModelNumpy(Model):
    def share(self): return 1.0 + float(np.random.rand()) if self.training else 1.0
class ModelPython(Model):
    def share(self): return 1.0 + random.random() if self.training else 1.0
class ModelExtraState(ModelCounting):
    """With the two functions by which torch saves what is not a tensor."""
    def share(self): return 1.0 + 0.1 * self.calls
    def get_extra_state(self): return torch.tensor(self.calls)
    def set_extra_state(self, state): self.calls = int(state)
class ModelBuffer(Model):
    def __init__(self, input_shape, output_size):
        super().__init__(input_shape, output_size)
        self.register_buffer("seen", torch.zeros((), dtype=torch.float64))
    def share(self):
        self.seen += self.training
        return 1.0 + 0.1 * float(self.seen)

def late():
    calls = [0]
    def share():
        calls[0] += 1
        return 1.0 if calls[0] < 9 else 1.1
    return share

def late_of_the_module(outputs, targets):
    CALLS[0] += 1
    return squares(outputs, targets) / (1 if CALLS[0] < 10**3 else 2)
class LateLoss:
    """No module of torch: an object that can be called."""
    def __init__(self): self.calls = 0
    def __call__(self, outputs, targets):
        self.calls += 1
        return squares(outputs, targets) / (1 if self.calls < 9 else 2)

def default_argument(outputs, targets, calls=[0]):
    calls[0] += 1
    return squares(outputs, targets) / calls[0]
def of_the_module(outputs, targets):
    CALLS[0] += 1
    return squares(outputs, targets) / CALLS[0]
class LossAttribute(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = None
    def forward(self, outputs, targets):
        losses = squares(outputs, targets)
        self.mean = losses.mean().item() if self.mean is None else 0.9 * self.mean + 0.1 * losses.mean().item()
        return losses / self.mean
class LossBuffer(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.ones(()))
    def forward(self, outputs, targets):
        losses = squares(outputs, targets)
        self.mean = 0.9 * self.mean + 0.1 * losses.mean().detach()
        return losses / self.mean
'''
OPTIMIZERS = (
    *("WholeNumberInState", "FloatInState", "DoubleTensorInState", "BoolTensorInState", "ListInState"),
    *("NumberInAGroup", "Attribute", "StateOfAGlobalName", "OwnGenerator", "LastGradient"),
    *("LateAttribute", "LateInAGroup", "LateInAnObject", "LateOfTheClass", "LateIterator", "LateGeneratorFunction"),
    "LateInner",
)
MODELS = (
    *("ModelAttribute", "ModelBufferNotKept", "ModelGenerator", "ModelNumpy", "ModelPython", "ModelExtraState"),
    *("ModelBuffer", "ModelLateAttribute", "ModelLateInEvaluation", "ModelLateClosure", "ModelLastOutputs"),
)
LOSSES = ("default_argument", "of_the_module", "LossAttribute", "LossBuffer", "late_of_the_module", "LateLoss")
# They keep nothing that a checkpoint does not hold, so they must not be refused.
SOUND = (
    *("WholeNumberInState", "FloatInState", "DoubleTensorInState", "BoolTensorInState", "LastGradient"),
    *("ModelExtraState", "ModelBuffer", "ModelLastOutputs", "LossBuffer"),
)


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    laboratory = Laboratory(folder)
    (folder / "hidden_state.py").write_text(MODULE)
    config = {**REGRESSION, "checkpoint": "3 steps", "lint": "warn"}
    cases = [("optimizer", name) for name in OPTIMIZERS] + [("model", name) for name in MODELS]
    cases += [("loss", name) for name in LOSSES]
    for kind, name in share_of(cases, share, seed):
        changes = {kind: f"hidden_state:{name}"}
        for more in ({}, {"seeds": 2, "precision": "float64"}):
            problem = differently(laboratory, {**config, **changes, **more}, sound=name in SOUND)
            yield Outcome(f"{kind} {name} {more}", problem)


def differently(laboratory: Laboratory, config: dict[str, Any], *, sound: bool) -> str:
    """Return how a resumed run differs; "" if it is equal, or the component refused before anything is trained.

    `sound`: whether it must not be refused.
    """
    try:
        whole = laboratory.start(config)
    except UsageError as error:
        return f"refused: {error}" if sound else ""
    try:
        stopped = laboratory.start(config, stop_at=3)
        for steps in (5, 7, 8):
            laboratory.resume(stopped, stop_at=steps)
        laboratory.resume(stopped)
        assert_same_bits(whole, stopped)
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    return ""
