"""Every declared optimizer in a whole run: exact resume, stacked seeds, recorded steps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lossrun.catalog.declaration import Optimizer
from lossrun.catalog.optimizers import OPTIMIZERS
from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.records import recorded
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin
from tests.training.conftest import Laboratory, assert_same_bits, newest, rows

pytestmark = pytest.mark.usefixtures("no_settings_are_tried")

# A 10-8-1 network on 64 training samples: 2 epochs of 4 steps.
SMALL: dict[str, Any] = {
    "dataset": {"name": "synthetic_regression", "samples": 64, "features": 10, "validation": 0, "test": 0},
    "model": {"name": "mlp", "hidden": [8], "activation": "tanh"},
    "loss": "mse",
    "learning_rate": 0.02,
    "epochs": 2,
    "batch_size": 16,
    "checkpoint": "3 steps",
    "lint": "warn",
}
STEPS = 8
CONVOLUTIONS = {
    "name": "cnn",
    "layers": [{"name": "conv", "filters": 3}, {"name": "max_pool"}, {"name": "dense", "units": 8}],
}

# Settings that need a state of their own; elsewhere the defaults keep all there is.
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "sgd": [{}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}],
    "adam": [{}, {"amsgrad": True, "weight_decay": 0.1, "decoupled_weight_decay": True}],
    "adamw": [{"amsgrad": True}],
    "rmsprop": [{}, {"centered": True, "momentum": 0.5}],
    "adagrad": [{"lr_decay": 0.1, "initial_accumulator_value": 0.1}],
    "nadam": [{}, {"momentum_decay": 1.0, "weight_decay": 0.1, "decoupled_weight_decay": True}],
    # Averaging begins in the middle of the run.
    "asgd": [{"lambd": 0.1, "t0": 3}],
    # The mean square counts from the sixth step on with the default, from the third with this.
    "radam": [{}, {"betas": [0.9, 0.9]}],
    "muon": [{}, {"nesterov": False, "adjust_lr_fn": "original", "adamw_rate_share": 0.1}],
}
CASES = [{"name": o.name, **settings} for o in OPTIMIZERS for settings in SETTINGS.get(o.name, [{}])]
ELEMENTWISE = [o.name for o in OPTIMIZERS if o.elementwise]


def steps_of(laboratory: Laboratory, config: dict[str, Any]) -> list[list[torch.Tensor]]:
    """All weights of all seeds after each step."""
    seen: list[list[torch.Tensor]] = []
    examined = load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)
    with begin(prepare(examined), laboratory.folder / "runs") as session:
        for _ in range(session.config.epochs):
            session.begin_epoch()
            for start, stop in session.remaining_batches():
                session.step(start, stop, session.rates(session.position.step))
                session.position.step += 1
                seen.append([weight.detach().clone() for replica in session.replicas for weight in replica.weights])
            session.position.epoch += 1
    return seen


def of_kind(laboratory: Laboratory, config: dict[str, Any], kind: str) -> list[list[torch.Tensor]]:
    examined = load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)
    with begin(prepare(examined), laboratory.folder / "looked at") as session:
        assert session.step.kind == kind
    return steps_of(laboratory, config)


@pytest.mark.parametrize("optimizer", CASES, ids=str)
@pytest.mark.parametrize("seeds", [1, 2])
def test_a_stopped_and_resumed_run_has_the_bits_of_the_whole(
    laboratory: Laboratory, optimizer: dict[str, Any], seeds: int
) -> None:
    """Stopped before the first step, within an epoch and between two; with two seeds stacked or in turn."""
    config = {**SMALL, "optimizer": optimizer, "seeds": seeds, "schedule": {"name": "one_cycle"}}
    whole = laboratory.start(config)
    stopped = laboratory.start(config, stop_at=0)
    for steps in (3, 4, 6):
        laboratory.resume(stopped, stop_at=steps)
    laboratory.resume(stopped)
    assert newest(whole).metadata["step"] == STEPS
    assert_same_bits(whole, stopped)


@pytest.mark.parametrize("optimizer", CASES, ids=str)
def test_so_it_is_in_double_precision(laboratory: Laboratory, optimizer: dict[str, Any]) -> None:
    """Where torch keeps some numbers of an optimizer in single precision all the same."""
    config = {**SMALL, "optimizer": optimizer, "precision": "float64"}
    whole = laboratory.start(config)
    stopped = laboratory.start(config, stop_at=3)
    laboratory.resume(stopped)
    assert_same_bits(whole, stopped)


@pytest.mark.parametrize("optimizer", [case for case in CASES if case["name"] in ELEMENTWISE], ids=str)
def test_stacked_seeds_take_the_steps_of_the_lone_ones(laboratory: Laboratory, optimizer: dict[str, Any]) -> None:
    """To 1e-5 of the network's largest weight, below which the roundings of a sum are not a single bias' own."""
    config = {**SMALL, "optimizer": optimizer, "seeds": 3, "epochs": 5}
    together = steps_of(laboratory, config)
    assert prepare(load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)).grouping.sizes == (3,)
    assert len(together) == 20
    for seed in range(3):
        alone = steps_of(laboratory, {**config, "seeds": [seed]})
        of_seed = slice(4 * seed, 4 * seed + 4)
        for number, (all_weights, weights) in enumerate(zip(together, alone, strict=True), 1):
            largest = max(float(weight.abs().max()) for weight in weights)
            for one, other in zip(all_weights[of_seed], weights, strict=True):
                assert torch.allclose(one, other, rtol=0, atol=1e-5 * largest), number


@pytest.mark.parametrize("optimizer", [case for case in CASES if case["name"] not in ELEMENTWISE], ids=str)
def test_the_others_go_seed_by_seed_and_say_why(laboratory: Laboratory, optimizer: dict[str, Any]) -> None:
    config = {**SMALL, "optimizer": optimizer, "seeds": 3}
    found = prepare(load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)).grouping
    assert (found.sizes, found.why_one_by_one) == ((1, 1, 1), f"{optimizer['name']} looks at whole weight matrices")
    together = rows(laboratory.start(config))
    for seed in range(3):
        assert [row for row in together if row["seed"] == seed] == rows(laboratory.start({**config, "seeds": [seed]}))


@pytest.mark.parametrize("optimizer", CASES, ids=str)
def test_recorded_steps_have_the_bits_of_eager_ones(laboratory: Laboratory, optimizer: dict[str, Any]) -> None:
    config = {**SMALL, "optimizer": optimizer, "schedule": "cosine"}
    replayed = of_kind(laboratory, {**config, "step": "recorded"}, "recorded")
    eager = of_kind(laboratory, {**config, "step": "eager"}, "eager")
    assert len(replayed) == len(eager) == STEPS
    for number, (one, other) in enumerate(zip(replayed, eager, strict=True), 1):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True)), f"step {number}"


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.name)
def test_convolutions_and_norms_are_trained_and_resumed(laboratory: Laboratory, optimizer: Optimizer) -> None:
    draw = np.random.default_rng(0)
    images, labels = draw.integers(0, 256, (48, 8, 8), dtype=np.uint8), draw.integers(0, 3, 48)
    np.savez(laboratory.folder / "images.npz", images=images, targets=labels)
    config = {
        **SMALL,
        "dataset": {
            "name": "npz",
            "path": "images.npz",
            "target": "targets",
            "task": "multiclass",
            "validation": 0,
            "test": 0,
        },
        "model": {**CONVOLUTIONS, "batch_norm": True},
        "loss": "cross_entropy",
        "optimizer": optimizer.name,
    }
    whole = laboratory.start(config)
    stopped = laboratory.start(config, stop_at=4)
    before = newest(stopped).tensors
    laboratory.resume(stopped)
    assert_same_bits(whole, stopped)
    trained = [name for name in before if name.startswith("model.") and name.endswith(("weight", "bias"))]
    # Two convolutions' and norms' worth of weights and biases, and two dense layers'. A bias before a norm has no
    # gradient but rounding, which a step by sign or root takes for one all the same.
    assert len(trained) >= 6
    after = newest(whole).tensors
    assert [name for name in trained if name.endswith("weight") and np.array_equal(before[name], after[name])] == []


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.name)
def test_every_optimizer_learns(laboratory: Laboratory, optimizer: Optimizer) -> None:
    """A noiseless line, at the geometric mean of the usual rates: the loss falls by a fifth
    at least (radam, which starts slowly), or by far more."""
    low, high = optimizer.usual_rates
    config = {
        **SMALL,
        "dataset": {"name": "synthetic_regression", "samples": 64, "features": 3, "validation": 0, "test": 0},
        "optimizer": optimizer.name,
        "learning_rate": (low * high) ** 0.5,
        "epochs": 60,
        "batch_size": "full" if optimizer.name == "rprop" else 8,
    }
    losses = [row["train_loss"] for row in rows(laboratory.start({**config, "checkpoint": "60 epochs"}))]
    assert losses[-1] < 0.8 * losses[0]


def test_the_resolved_config_holds_all_parameters(laboratory: Laboratory, tmp_path: Path) -> None:
    run = laboratory.start({**SMALL, "optimizer": "keras.Nadam"})
    assert recorded.load(run.path).config["optimizer"] == {
        "name": "nadam",
        "betas": [0.9, 0.999],
        "eps": 1e-7,
        "weight_decay": 0.0,
        "momentum_decay": 1.0,
        "decoupled_weight_decay": True,
    }
