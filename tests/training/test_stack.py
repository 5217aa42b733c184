"""Several seeds as one batched computation: the same as seed by seed, to rounding, and its own exact resume."""

from typing import Any

import pytest
import torch

from lossrun.config import from_mapping
from lossrun.lint import examine
from lossrun.records import recorded
from lossrun.training.plan import MOST_WEIGHTS
from lossrun.training.replica import Replica
from lossrun.training.start import begin, prepare
from tests.training.conftest import Laboratory, assert_same_bits, rows

REGRESSION: dict[str, Any] = {
    "dataset": {"name": "synthetic_regression", "samples": 120, "features": 4},
    "model": {"name": "mlp", "hidden": [8], "activation": "tanh"},
    "loss": "mse",
    "optimizer": "sgd",
    "learning_rate": 0.02,
    "epochs": 4,
    "batch_size": 16,
    "seeds": 3,
}
SPIRALS = {"name": "synthetic_classification", "kind": "spirals", "samples": 150}
MOONS = {"name": "synthetic_classification", "kind": "moons", "samples": 120}


def planned(laboratory: Laboratory, config: dict[str, Any]) -> tuple[tuple[int, ...], str]:
    plan = prepare(examine(from_mapping(config, laboratory.folder), laboratory.folder)).plan
    return plan.sizes, plan.one_by_one


def seeds_of(config: dict[str, Any]) -> list[int]:
    seeds = config["seeds"]
    return seeds if isinstance(seeds, list) else list(range(seeds))


def trained(laboratory: Laboratory, config: dict[str, Any], steps: int) -> list[Replica]:
    """The replicas after so many steps."""
    examined = examine(from_mapping(config, laboratory.folder), laboratory.folder)
    with begin(prepare(examined), laboratory.folder / "runs") as session:
        for _ in range(session.config.epochs):
            session.begin_epoch()
            for start, stop in session.remaining_batches():
                session.step(start, stop, session.rates(session.position.step))
                session.position.step += 1
                if session.position.step == steps:
                    session.step.publish()
                    return list(session.replicas)
            session.position.epoch += 1
    raise AssertionError("fewer steps than asked for")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}},
        {"optimizer": "adam", "loss": "huber", "schedule": {"name": "cosine", "warmup_epochs": 1}},
        {"optimizer": {"name": "adamw", "amsgrad": True}, "loss": "mae", "seeds": [7, 1]},
        {
            "optimizer": {"name": "rmsprop", "centered": True, "momentum": 0.5},
            "loss": {"name": "mse", "reduction": "sum"},
        },
        {"optimizer": {"name": "adagrad", "lr_decay": 0.1}},
        {"model": {"name": "mlp", "hidden": [8, 6], "batch_norm": True}},
        {"dataset": SPIRALS, "loss": {"name": "cross_entropy", "label_smoothing": 0.1, "class_weights": "balanced"}},
        {"dataset": SPIRALS, "loss": "mse", "model": {"name": "mlp", "output": "softmax"}},
        {"dataset": MOONS, "loss": {"name": "bce", "class_weights": [1, 3]}, "optimizer": "adam"},
        {"batch_size": "full", "epochs": 30, "precision": "float64"},
    ],
    ids=str,
)
def test_the_first_20_steps_are_those_of_the_lone_runs(laboratory: Laboratory, changes: dict[str, Any]) -> None:
    config = {**REGRESSION, **changes}
    assert planned(laboratory, config) == ((len(seeds_of(config)),), "")
    for replica in trained(laboratory, config, 20):
        (lone,) = trained(laboratory, {**config, "seeds": [replica.seed]}, 20)
        for (name, one), other in zip(
            replica.network.state_dict().items(), lone.network.state_dict().values(), strict=True
        ):
            scale = max(float(other.abs().max()), 1e-3)
            assert torch.allclose(one, other, rtol=1e-5, atol=1e-5 * scale), name


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adam"},
        {"model": {"name": "mlp", "batch_norm": True}, "optimizer": {"name": "sgd", "momentum": 0.9}},
        # Early stopping empties the stack seed by seed.
        {"optimizer": "adam", "learning_rate": 0.2, "epochs": 30, "early_stopping": 2, "seeds": 4},
    ],
    ids=str,
)
def test_resume_is_bit_equal(laboratory: Laboratory, changes: dict[str, Any]) -> None:
    config = {**REGRESSION, "checkpoint": "3 steps", **changes}
    assert planned(laboratory, config) == ((len(seeds_of(config)),), "")
    whole = laboratory.start(config)
    stopped = laboratory.start(config, stop_at=0)
    for steps in (1, 5, 6, 7, 13, 20):
        laboratory.resume(stopped, stop_at=steps)
    laboratory.resume(stopped)
    assert_same_bits(whole, stopped)


def test_a_frozen_seed_leaves_the_stack(laboratory: Laboratory) -> None:
    config = {**REGRESSION, "optimizer": "adam", "learning_rate": 0.2, "epochs": 30, "early_stopping": 2, "seeds": 4}
    run = laboratory.start(config)
    finished = recorded.load(run.path).finished
    assert finished is not None
    stops = {int(seed): facts["stopped_epoch"] or config["epochs"] for seed, facts in finished["seeds"].items()}
    assert len(set(stops.values())) > 1, "the test wants seeds that stop at different epochs"
    for seed, last in stops.items():
        assert [row["epoch"] for row in rows(run) if row["seed"] == seed] == list(range(1, last + 1))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"step": "eager"}, "step: eager"),
        ({"schedule": "reduce_on_plateau"}, "each seed has a learning rate of its own"),
        ({"dataset": {**REGRESSION["dataset"], "split_seed": "seed"}}, "each seed has a split of its own"),
        ({"model": {"name": "mlp", "hidden": [200, 200]}}, "41,401 weights keep the cores busy"),
    ],
    ids=str,
)
def test_where_it_cannot_be_it_says_why(laboratory: Laboratory, changes: dict[str, Any], reason: str) -> None:
    assert planned(laboratory, {**REGRESSION, **changes}) == ((1, 1, 1), reason)
    assert MOST_WEIGHTS < 41_401


def test_one_seed_is_not_stacked(laboratory: Laboratory) -> None:
    assert planned(laboratory, {**REGRESSION, "seeds": 1}) == ((1,), "")


def test_the_history_agrees_with_the_lone_runs(laboratory: Laboratory) -> None:
    together = laboratory.start(REGRESSION)
    for seed in range(3):
        alone = rows(laboratory.start({**REGRESSION, "seeds": [seed]}))
        for one, other in zip((row for row in rows(together) if row["seed"] == seed), alone, strict=True):
            for name in ("train_loss", "val_loss", "grad_norm", "val_mae"):
                assert one[name] == pytest.approx(other[name], rel=1e-4)
