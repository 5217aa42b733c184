"""A stack in which each replica has its own learning rate and weight decay, against each replica trained alone."""

from typing import Any

import pytest
import torch

from lossrun.catalog.optimizers import OPTIMIZERS
from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.replay.recorded_step import RecordedStep
from lossrun.steps.seed_stack import SeedStack, still_computed
from lossrun.steps.step import EagerStep, Step
from lossrun.training import build
from lossrun.training.starting.prepare import Prepared, prepare
from tests.training.conftest import REGRESSION, Laboratory

pytestmark = pytest.mark.slow

RATES = (1e-4, 3e-3, 3e-2)
DECAYS = (0.0, 1e-2, 0.3)
# Every optimizer that is declared linear in its rate, with each parameter that changes how it updates.
TABLE: list[dict[str, Any]] = [
    {"name": "sgd"},
    {"name": "sgd", "momentum": 0.9},
    {"name": "sgd", "momentum": 0.9, "nesterov": True},
    {"name": "sgd", "momentum": 0.5, "dampening": 0.3},
    {"name": "adam"},
    {"name": "adam", "amsgrad": True, "betas": [0.8, 0.9]},
    {"name": "adam", "decoupled_weight_decay": True},
    {"name": "adamw"},
    {"name": "adamw", "amsgrad": True},
    {"name": "rmsprop"},
    {"name": "rmsprop", "momentum": 0.5, "centered": True},
    {"name": "adagrad"},
    {"name": "adagrad", "lr_decay": 0.1, "initial_accumulator_value": 0.1},
    {"name": "adadelta"},
]
STEPS = 20


def alone(laboratory: Laboratory, config: dict[str, Any]) -> Prepared:
    return prepare(load_experiment(from_mapping(config, laboratory.folder), laboratory.folder))


def take_steps(step: Step, prepared: Prepared, rates: list[float]) -> None:
    size = prepared.config.samples_per_step(prepared.experiment.facts.train)
    step.begin_epoch()
    for number in range(STEPS):
        start = number % 4 * size
        step(start, start + size, [rate * (1 - number / 50) for rate in rates])
    step.publish()


def members(laboratory: Laboratory, optimizer: dict[str, Any], **changes: Any) -> list[Prepared]:
    """One run for each rate and weight decay, with orders set as for a first epoch."""
    found = []
    for rate, decay in zip(RATES, DECAYS, strict=True):
        own = {**REGRESSION, **changes, "optimizer": {**optimizer, "weight_decay": decay}, "learning_rate": rate}
        prepared = alone(laboratory, {**own, "lint": "warn"})
        prepared.replicas[0].order = torch.arange(prepared.experiment.facts.train)
        found.append(prepared)
    return found


def stacked(runs: list[Prepared]) -> SeedStack:
    first = runs[0]
    return SeedStack(
        [run.replicas[0] for run in runs],
        lambda weights: build.optimizer(first.config, weights, first.place),
        own_rates=True,
    )


@pytest.mark.parametrize("kind", ["eager", "recorded"])
@pytest.mark.parametrize("optimizer", TABLE, ids=str)
def test_20_steps_are_those_of_each_replica_alone(laboratory: Laboratory, optimizer: dict[str, Any], kind: str) -> None:
    together, apart = members(laboratory, optimizer), members(laboratory, optimizer)
    group = stacked(together)
    recorder = together[0].grouping.recorder
    assert recorder is not None
    step = EagerStep(group) if kind == "eager" else RecordedStep(group, recorder)
    take_steps(step, together[0], list(RATES))
    if isinstance(step, RecordedStep):
        assert all(record.update is not None for record in step.records.values()), "the update was not recorded"
    for run, rate, one in zip(apart, RATES, together, strict=True):
        take_steps(run.step, run, [rate])
        (expected,), (found,) = run.replicas, one.replicas
        for weight, other in zip(found.weights, expected.weights, strict=True):
            torch.testing.assert_close(weight, other, rtol=1e-5, atol=1e-5 * float(other.detach().abs().max()))
        for weight, other in zip(found.weights, expected.weights, strict=True):
            state, like = found.optimizer.state[weight], expected.optimizer.state[other]
            assert {name for name, value in state.items() if value is not None} == {
                name for name, value in like.items() if value is not None
            }
            for name, value in like.items():
                if value is not None:
                    torch.testing.assert_close(
                        state[name], value, rtol=1e-4, atol=1e-5 * float(value.detach().abs().max())
                    )


def test_the_table_has_every_optimizer_that_is_declared_linear() -> None:
    declared = {optimizer.name for optimizer in OPTIMIZERS if optimizer.linear_in_rate}
    assert declared == {optimizer["name"] for optimizer in TABLE}
    assert declared == {"sgd", "adam", "adamw", "rmsprop", "adagrad", "adadelta"}
    assert all(optimizer.elementwise for optimizer in OPTIMIZERS if optimizer.linear_in_rate)


def test_frozen_replicas_leave_once_they_are_half(laboratory: Laboratory) -> None:
    replicas = [run.replicas[0] for run in members(laboratory, {"name": "sgd"})]
    first, second, third = replicas
    assert still_computed(replicas) == replicas
    second.diverged_epoch = 2
    assert still_computed(replicas) == replicas
    first.stopped_epoch = 5
    assert still_computed(replicas) == [third]


def test_a_replica_that_is_no_number_touches_no_other(laboratory: Laboratory) -> None:
    """Masked by index: what a frozen replica has become never enters a sum, and it keeps what it was frozen with."""
    together, apart = members(laboratory, {"name": "adam"}), members(laboratory, {"name": "adam"})
    group = stacked(together)
    recorder = together[0].grouping.recorder
    assert recorder is not None
    step = RecordedStep(group, recorder)
    take_steps(step, together[0], list(RATES))
    broken = together[1].replicas[0]
    with torch.no_grad():
        broken.weights[0].fill_(torch.nan)
    broken.diverged_epoch = 1
    take_steps(step, together[0], list(RATES))
    losses = step(0, 16, list(RATES))
    assert losses[1] == 0
    assert losses.isfinite().all()
    assert step.gradient_norm()[1] == 0
    assert step.gradient_norm().isfinite().all()
    assert broken.weights[0].isnan().all()
    assert not broken.weights[1].isnan().any()
    for place in (0, 2):
        run = apart[place]
        for _ in range(2):
            take_steps(run.step, run, [RATES[place]])
        run.step(0, 16, [RATES[place]])
        for weight, other in zip(together[place].replicas[0].weights, run.replicas[0].weights, strict=True):
            torch.testing.assert_close(weight, other, rtol=1e-4, atol=1e-5)
