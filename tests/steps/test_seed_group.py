"""Several seeds as one batched computation: the same as seed by seed, to rounding, and its own exact resume."""

import math
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
import torch

from lossrun.config import from_mapping
from lossrun.errors import DivergedError
from lossrun.experiment import load_experiment
from lossrun.lint.stacking import MOST_WEIGHTS
from lossrun.records import ledger, recorded
from lossrun.records.run_directory import RunDirectory
from lossrun.steps import pooled_samples
from lossrun.steps.replica import Replica
from lossrun.training import grouping
from lossrun.training.loop import train
from lossrun.training.session import Session
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin
from tests.training.conftest import MOONS, SPIRALS, Laboratory, assert_same_bits, newest, rows
from tests.training.conftest import REGRESSION as LONE

pytestmark = pytest.mark.usefixtures("no_settings_are_tried")

REGRESSION = {**LONE, "seeds": 3}
OWN_SPLITS = {**LONE["dataset"], "split_seed": "seed", "standardize": {"inputs": True, "targets": True}}


def planned(laboratory: Laboratory, config: dict[str, Any]) -> tuple[tuple[int, ...], str]:
    found = prepare(load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)).grouping
    return found.sizes, found.why_one_by_one


def seeds_of(config: dict[str, Any]) -> list[int]:
    seeds = config["seeds"]
    return seeds if isinstance(seeds, list) else list(range(seeds))


def trained(laboratory: Laboratory, config: dict[str, Any], steps: int) -> list[Replica]:
    """The replicas after `steps` steps."""
    examined = load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)
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
        {"dataset": OWN_SPLITS, "optimizer": "adam"},
        {"dataset": {**SPIRALS, "split_seed": "seed"}, "loss": "cross_entropy"},
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
        {"dataset": OWN_SPLITS, "learning_rate": 0.2, "optimizer": "adam", "epochs": 30, "early_stopping": 2},
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
    assert len(set(stops.values())) > 1, "the test needs seeds that stop at different epochs"
    for seed, last in stops.items():
        assert [row["epoch"] for row in rows(run) if row["seed"] == seed] == list(range(1, last + 1))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"step": "eager"}, "step: eager"),
        (
            {"model": {"name": "mlp", "batch_norm": True}, "precision": "bf16"},
            "torch cannot batch batch norm in bfloat16",
        ),
        (
            {"schedule": "reduce_on_plateau", "optimizer": "adamax"},
            "each seed has its own learning rate, and adamax is not linear in it",
        ),
        ({"model": {"name": "mlp", "hidden": [200, 200]}}, "41,401 weights keep the cores busy"),
    ],
    ids=str,
)
def test_where_it_cannot_be_it_says_why(laboratory: Laboratory, changes: dict[str, Any], reason: str) -> None:
    assert planned(laboratory, {**REGRESSION, **changes}) == ((1, 1, 1), reason)
    assert MOST_WEIGHTS < 41_401


def test_splits_that_would_take_too_much_memory_together_are_trained_one_by_one(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooled_samples, "LARGEST_POOL", 0)
    why = "each seed has its own split, and these cannot be computed as one"
    assert planned(laboratory, {**REGRESSION, "dataset": OWN_SPLITS}) == ((1, 1, 1), why)
    assert planned(laboratory, {**REGRESSION, "splits": 2, "seeds": 4}) == ((2, 2), "")


def test_one_seed_is_not_stacked(laboratory: Laboratory) -> None:
    assert planned(laboratory, {**REGRESSION, "seeds": 1}) == ((1,), "")


@pytest.mark.parametrize("changes", [{}, {"dataset": OWN_SPLITS}], ids=["one_split", "own_splits"])
def test_the_history_agrees_with_the_lone_runs(laboratory: Laboratory, changes: dict[str, Any]) -> None:
    together = laboratory.start({**REGRESSION, **changes})
    for seed in range(3):
        alone = rows(laboratory.start({**REGRESSION, **changes, "seeds": [seed]}))
        for one, other in zip((row for row in rows(together) if row["seed"] == seed), alone, strict=True):
            for name in ("train_loss", "val_loss", "grad_norm", "val_mae"):
                assert one[name] == pytest.approx(other[name], rel=1e-4)


DROPOUT = {"name": "mlp", "hidden": [8], "dropout": 0.3, "batch_norm": True}


def room_for(monkeypatch: pytest.MonkeyPatch, seeds: int) -> None:
    """Memory for `seeds` seeds at a time."""
    monkeypatch.setattr(grouping.memory, "available", lambda device: seeds)
    monkeypatch.setattr(grouping.memory, "of_one_seed", lambda *_: 1)


def opened(laboratory: Laboratory, config: dict[str, Any]) -> AbstractContextManager[Session]:
    examined = load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)
    return begin(prepare(examined), laboratory.folder / "runs")


def of_seed(all_rows: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    return [row for row in all_rows if row["seed"] == seed]


def assert_close(some: list[dict[str, Any]], others: list[dict[str, Any]], tolerance: float) -> None:
    """Rows of the same epochs and seeds; the numbers within the tolerance, relative."""
    for one, other in zip(some, others, strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert value == pytest.approx(other[name], rel=tolerance), (one["epoch"], one["seed"], name)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": DROPOUT, "optimizer": "adam"},
        {"precision": "bf16", "model": {**DROPOUT, "batch_norm": False}},
        {"optimizer": {"name": "sgd", "momentum": 0.9}, "drop_last": True, "seeds": [3, 1]},
        {"optimizer": {"name": "rmsprop", "momentum": 0.5}, "batch_size": "full", "epochs": 6},
        {"dataset": SPIRALS, "loss": {"name": "cross_entropy", "label_smoothing": 0.1, "class_weights": "balanced"}},
    ],
    ids=str,
)
def test_resume_at_every_step_is_bit_equal(laboratory: Laboratory, changes: dict[str, Any]) -> None:
    config = {**REGRESSION, "epochs": 2, "batch_size": 32, "checkpoint": "2 steps", **changes}
    whole = laboratory.start(config)
    for first in range(3):
        stopped = laboratory.start(config, stop_at=first)
        for steps in range(first + 3, newest(whole).metadata["step"] + 1, 3):
            assert newest(stopped).metadata["step"] == steps - 3
            laboratory.resume(stopped, stop_at=steps)
        laboratory.resume(stopped)
        assert_same_bits(whole, stopped)


@pytest.mark.parametrize("later", [1, 100])
def test_resume_keeps_the_groups_that_the_run_was_started_with(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, later: int
) -> None:
    """With other groups, dropout would draw other masks."""
    config = {**REGRESSION, "seeds": 5, "model": DROPOUT, "optimizer": "adam", "batch_size": 32, "epochs": 3}
    room_for(monkeypatch, 2)
    whole = laboratory.start(config)
    assert recorded.load(whole.path).environment["chunks"] == [2, 2, 1]
    for steps in (0, 2, 4):
        room_for(monkeypatch, 2)
        stopped = laboratory.start(config, stop_at=steps)
        room_for(monkeypatch, later)
        told: list[str] = []
        laboratory.resume(stopped, note=told.append)
        assert told == []
        assert_same_bits(whole, stopped)


@pytest.mark.parametrize("room", [1, 2, 4])
def test_groups_are_the_numbers_of_one_stack(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Of 5 seeds 2 + 2 + 1, 3 + 2 or one after the other, with statistics of batch norm: the same products in batches
    of another size. Momentum and 4 epochs let the roundings grow no further than this."""
    config = {**REGRESSION, "seeds": 5, "model": {"name": "mlp", "hidden": [8], "batch_norm": True}}
    config |= {"optimizer": {"name": "sgd", "momentum": 0.5}}
    room_for(monkeypatch, 100)
    together = rows(laboratory.start(config))
    room_for(monkeypatch, room)
    assert_close(rows(laboratory.start(config)), together, 1e-5)
    config["precision"] = "float64"
    room_for(monkeypatch, 100)
    together = rows(laboratory.start(config))
    room_for(monkeypatch, room)
    assert_close(rows(laboratory.start(config)), together, 1e-12)


def test_eager_and_recorded_stacks_have_the_same_bits(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropout in groups, each with its own stream, batch norm and a smaller last batch. None of these products has a
    column or a row for which a recording takes another kernel."""
    config = {**REGRESSION, "dataset": SPIRALS, "loss": "cross_entropy", "seeds": 3}
    config |= {"model": DROPOUT, "optimizer": "adam"}
    room_for(monkeypatch, 2)
    recorded_steps = laboratory.start(config)
    monkeypatch.setattr(grouping, "LARGEST_RECORDED_STEP", 0)
    eager_steps = laboratory.start(config)
    environments = [recorded.load(run.path).environment for run in (recorded_steps, eager_steps)]
    assert [(e["step"], e["chunks"]) for e in environments] == [("recorded", [2, 1]), ("eager", [2, 1])]
    assert rows(recorded_steps) == rows(eager_steps)
    a, b = newest(recorded_steps).tensors, newest(eager_steps).tensors
    assert a.keys() == b.keys()
    for name, tensor in a.items():
        np.testing.assert_array_equal(tensor, b[name], err_msg=name)


@pytest.mark.parametrize("seeds", [[3, 1], [1, 3], [8, 2, 5]])
def test_rows_come_in_the_order_of_the_seeds(laboratory: Laboratory, seeds: list[int]) -> None:
    """And a seed's numbers are its own, wherever it stands."""
    found = rows(laboratory.start({**REGRESSION, "seeds": seeds, "epochs": 2}))
    assert [row["seed"] for row in found] == seeds * 2
    alone = rows(laboratory.start({**REGRESSION, "seeds": [seeds[0]], "epochs": 2}))
    assert_close(of_seed(found, seeds[0]), alone, 1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"drop_last": True},
        {"batch_size": "full", "epochs": 6},
        {"batch_size": 7},
        {"shuffle": False},
        {"dataset": SPIRALS, "loss": {"name": "cross_entropy", "label_smoothing": 0.1, "class_weights": [1, 3, 2]}},
        {"dataset": SPIRALS, "loss": {"name": "cross_entropy", "class_weights": [1, 3, 2], "reduction": "sum"}},
        {"dataset": MOONS, "loss": {"name": "bce", "label_smoothing": 0.2, "class_weights": "balanced"}},
        {"dataset": MOONS, "loss": "mae", "model": {"name": "linear", "output": "sigmoid"}},
    ],
    ids=str,
)
def test_whole_runs_are_those_of_the_lone_seeds(laboratory: Laboratory, changes: dict[str, Any]) -> None:
    """In double precision: nothing but rounding may differ."""
    config = {**REGRESSION, "seeds": [4, 0], "precision": "float64", **changes}
    assert planned(laboratory, config) == ((2,), "")
    together = rows(laboratory.start(config))
    for seed in (4, 0):
        assert_close(of_seed(together, seed), rows(laboratory.start({**config, "seeds": [seed]})), 1e-9)


def test_masks_differ_between_seeds(laboratory: Laboratory) -> None:
    """Two seeds with the same weights, batches and targets have the same gradient, unless dropout draws for each."""

    def first_two_gradients(dropout: float) -> list[torch.Tensor]:
        model = {"name": "mlp", "hidden": [8], "dropout": dropout}
        with opened(laboratory, {**REGRESSION, "model": model, "seeds": 2, "shuffle": False}) as session:
            session.replicas[1].network.load_state_dict(session.replicas[0].network.state_dict())
            session.begin_epoch()
            session.step(0, 16, session.rates(0))
            (group,) = (scorer.group for scorer in session.scorers)
            first, second = group.weights[0].grad
            return [first.clone(), second.clone()]

    one, same = first_two_gradients(0)
    assert torch.equal(one, same)
    one, other = first_two_gradients(0.5)
    assert not torch.equal(one, other)


def test_masks_differ_between_groups_and_between_steps(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two groups of one seed each, with the same weights and batches: each has the stream of its own first seed."""
    room_for(monkeypatch, 1)
    config = {**REGRESSION, "model": {"name": "mlp", "hidden": [8], "dropout": 0.5}, "seeds": 2, "shuffle": False}
    with opened(laboratory, {**config, "learning_rate": 1e-30}) as session:
        session.replicas[1].network.load_state_dict(session.replicas[0].network.state_dict())
        session.begin_epoch()
        losses = torch.stack([session.step(0, 16, session.rates(0)).clone() for _ in range(3)])
    # The weights stand still, so every difference is the masks'.
    assert len(set(losses.flatten().tolist())) == 6


def test_a_group_trains_as_if_there_were_no_other(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit, dropout included: seeds 2 and 3 together with 0 and 1, and by themselves."""
    room_for(monkeypatch, 2)
    config = {**REGRESSION, "model": DROPOUT, "optimizer": "adam"}
    four, two = laboratory.start({**config, "seeds": 4}), laboratory.start({**config, "seeds": [2, 3]})
    assert [row for row in rows(four) if row["seed"] in (2, 3)] == rows(two)


def test_one_by_one_each_seed_has_its_own_rate(laboratory: Laboratory) -> None:
    """`reduce_on_plateau` looks at each seed's validation; every one trains as it would alone, to the bit."""
    plateau = {"name": "reduce_on_plateau", "patience": 0, "factor": 0.5}
    config = {
        **REGRESSION,
        "model": DROPOUT,
        "optimizer": "adam",
        "learning_rate": 0.2,
        "schedule": plateau,
        "epochs": 6,
        "step": "eager",  # in a stack, the dropout of all seeds comes from one stream
    }
    together = rows(laboratory.start({**config, "seeds": 3}))
    rates = [[row["learning_rate"] for row in of_seed(together, seed)] for seed in range(3)]
    assert not rates[0] == rates[1] == rates[2], "the test needs seeds whose rates come apart"
    for seed in range(3):
        assert of_seed(together, seed) == rows(laboratory.start({**config, "seeds": [seed]}))


def test_a_seed_that_diverges_leaves_the_others_alone(laboratory: Laboratory) -> None:
    """An infinite weight makes the loss of seed 1 not a number in its first step, and nobody else's."""
    config = {**REGRESSION, "optimizer": "adam", "on_divergence": "continue"}
    whole = rows(laboratory.start(config))
    with opened(laboratory, config) as session:
        with torch.no_grad():
            session.replicas[1].weights[0].fill_(torch.inf)
        for _ in train(session, lambda: None):
            pass
    found = rows(session.run)
    assert [row["epoch"] for row in of_seed(found, 1)] == [1]
    assert not math.isfinite(float(of_seed(found, 1)[0]["train_loss"]))
    # While it is in the stack the others have the very same bits; afterwards the stack is smaller.
    assert [row for row in found if row["epoch"] == 1 and row["seed"] != 1] == [
        row for row in whole if row["epoch"] == 1 and row["seed"] != 1
    ]
    for seed in (0, 2):
        assert_close(of_seed(found, seed), of_seed(whole, seed), 1e-4)
    assert [event["seed"] for event in ledger.read(session.run.ledger_path) if event["event"] == "diverged"] == [1]


def test_where_all_seeds_diverge_the_run_does(laboratory: Laboratory) -> None:
    with pytest.raises(DivergedError, match=r"diverged in epoch .* \(seed 0, 1, 2\)"):
        laboratory.start({**REGRESSION, "learning_rate": 1e9, "on_divergence": "continue", "epochs": 9})


def test_a_group_whose_seeds_are_all_frozen(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeds 0 and 1 diverge at once; 2 and 3, the other group, go on to the end, the same after any resume."""
    config = {**REGRESSION, "seeds": 4, "model": DROPOUT, "optimizer": "adam", "on_divergence": "continue"}
    room_for(monkeypatch, 2)

    def run(stop_at: int | None) -> RunDirectory:
        with opened(laboratory, {**config, "checkpoint": "2 steps"}) as session:
            with torch.no_grad():
                for replica in session.replicas[:2]:
                    replica.weights[0].fill_(torch.nan)

            laboratory.drain(session, stop_at)
        return session.run

    whole = run(None)
    assert [(row["epoch"], row["seed"]) for row in rows(whole)] == [
        *((1, seed) for seed in range(4)),
        *((epoch, seed) for epoch in (2, 3, 4) for seed in (2, 3)),
    ]
    assert all(row["train_loss"] > 0 for row in rows(whole) if row["seed"] > 1)
    for steps in (3, 6, 7, 13):
        stopped = run(steps)
        laboratory.resume(stopped)
        assert_same_bits(whole, stopped)


def test_the_first_seed_may_stop_first(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything of a group that is taken from its first seed is still there: data, rates, factor, dropout stream."""
    config = {**REGRESSION, "model": DROPOUT, "optimizer": {"name": "sgd", "momentum": 0.9}, "epochs": 5}
    config |= {"early_stopping": {"patience": 3}, "loss": {"name": "mse", "reduction": "sum"}, "learning_rate": 0.002}

    def run(stop_at: int | None) -> RunDirectory:
        with opened(laboratory, config) as session:
            stopping = session.replicas[0].stopping
            assert stopping is not None
            # As if it had been better before: no epoch will be an improvement.
            stopping.value, stopping.epoch, stopping.bad_epochs = -1.0, 1, 1

            laboratory.drain(session, stop_at)
        return session.run

    whole = run(None)
    assert [row["epoch"] for row in of_seed(rows(whole), 0)] == [1, 2]
    assert [row["epoch"] for row in of_seed(rows(whole), 2)] == [1, 2, 3, 4, 5]
    momentum = newest(whole).tensors["optimizer.0.momentum_buffer"]
    for steps in (5, 12, 13, 14, 20):
        stopped = run(steps)
        laboratory.resume(stopped)
        assert_same_bits(whole, stopped)
    # A frozen seed keeps the momentum and the weights that it stopped with.
    at_stop = newest(run(12)).tensors
    np.testing.assert_array_equal(momentum[0], at_stop["optimizer.0.momentum_buffer"][0])
    np.testing.assert_array_equal(
        newest(whole).tensors["model.body.hidden1.weight"][0], at_stop["model.body.hidden1.weight"][0]
    )
    assert not np.array_equal(momentum[1], at_stop["optimizer.0.momentum_buffer"][1])


@pytest.mark.parametrize("optimizer", ["adam", {"name": "sgd", "momentum": 0.9}])
def test_how_often_it_is_saved_changes_nothing(laboratory: Laboratory, optimizer: Any) -> None:
    """Seeds that leave take along, and leave behind, what the optimizer knows at that moment."""
    config = {**REGRESSION, "optimizer": optimizer, "learning_rate": 0.2, "epochs": 20, "early_stopping": 2, "seeds": 4}
    often = laboratory.start({**config, "checkpoint": "1 step"})
    rarely = laboratory.start({**config, "checkpoint": "100 epochs"})
    assert rows(often) == rows(rarely)
    last = {row["seed"]: row["epoch"] for row in rows(often)}
    assert len(set(last.values())) > 1, "the test needs seeds that stop at different epochs"
    for name, tensor in newest(often).tensors.items():
        np.testing.assert_array_equal(tensor, newest(rarely).tensors[name], err_msg=name)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_a_rate_changed_on_resume_moves_the_weights_by_another_step(laboratory: Laboratory, optimizer: str) -> None:
    """From the same checkpoint one step at half the rate moves every weight by half as much."""
    config = {**REGRESSION, "optimizer": optimizer}

    def weights_after_7_steps(*overrides: str) -> np.ndarray:
        run = laboratory.start(config, stop_at=6)
        laboratory.resume(run, *overrides, stop_at=7)
        return newest(run).tensors["model.body.hidden1.weight"]

    start = newest(laboratory.start(config, stop_at=6)).tensors["model.body.hidden1.weight"]
    whole = weights_after_7_steps() - start
    half = weights_after_7_steps("learning_rate=0.01") - start
    np.testing.assert_allclose(half, whole / 2, rtol=1e-3, atol=1e-7)
    assert np.abs(whole).max() > 1e-5
    # To the end: the rate of every row after the change is the new one.
    run = laboratory.start(config, stop_at=14)
    laboratory.resume(run, "learning_rate=0.01")
    assert [row["learning_rate"] for row in of_seed(rows(run), 1)] == [0.02, 0.02, 0.01, 0.01]


@pytest.mark.parametrize("seeds", [1, 3])
def test_bf16_is_near_float32(laboratory: Laboratory, seeds: int) -> None:
    """8 bits of precision: 1 in 256 for each rounding, and losses that agree to a few percent."""
    config = {**REGRESSION, "dataset": SPIRALS, "loss": "cross_entropy", "seeds": seeds, "learning_rate": 0.1}
    mixed, single = laboratory.start({**config, "precision": "bf16"}), laboratory.start(config)
    for one, other in zip(rows(mixed), rows(single), strict=True):
        assert all(math.isfinite(value) for value in one.values())
        assert one["val_loss"] != other["val_loss"], "nothing was computed in bf16"
        assert one["val_loss"] == pytest.approx(other["val_loss"], rel=0.03)
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=0.03)
    # The weights are not rounded: the last 16 bits of bfloat16 numbers would all be 0.
    weights = newest(mixed).tensors["model.body.hidden1.weight"]
    assert weights.dtype == np.float32
    assert (weights.view(np.uint32) & 0xFFFF).any()


def test_seeds_that_had_stopped_go_on_one_by_one(laboratory: Laboratory) -> None:
    """A stack has one count of steps, but these seeds stopped after different ones, which adam corrects its averages
    by: the run must go on as the one that was seed by seed from the start."""
    config = {**REGRESSION, "optimizer": "adam", "learning_rate": 0.2, "epochs": 9, "early_stopping": 1, "seeds": 4}
    ends = []
    for changes in ({}, {"step": "eager"}):
        run = laboratory.start({**config, **changes})
        laboratory.resume(run, "early_stopping=null", "epochs=10")
        ends.append(newest(run).tensors)
    stacked, eager = ends
    counts = [stacked[name].tolist() for name in stacked if name.endswith(".step")]
    assert counts == [eager[name].tolist() for name in eager if name.endswith(".step")]
    assert len(set(counts[0])) > 1, "the test needs seeds that stop at different epochs"
