"""Seeds trained in several threads at a time: the very bits of one after the other."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.lint import stacking
from lossrun.records import checkpoints, recorded
from lossrun.records.run_directory import RunDirectory
from lossrun.steps import step
from lossrun.steps.side_by_side import SideBySide
from lossrun.steps.step import InTurn
from lossrun.training.process import threads
from lossrun.training.starting.prepare import Prepared, prepare
from tests.training.conftest import REGRESSION, Laboratory, assert_same_bits, rows

pytestmark = pytest.mark.slow

# 120 samples, 84 to train on: batches of 16 and one of 4.
CONFIG: dict[str, Any] = {**REGRESSION, "seeds": 4, "optimizer": {"name": "sgd", "momentum": 0.9}}


@pytest.fixture(autouse=True)
def _too_large_for_a_stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(stacking, "MOST_WEIGHTS", 0)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def prepared(laboratory: Laboratory, **changes: Any) -> Prepared:
    return prepare(load_experiment(from_mapping({**CONFIG, **changes}, laboratory.folder), laboratory.folder))


@pytest.mark.parametrize(
    ("changes", "kind", "count"),
    [
        ({}, SideBySide, 1),
        ({"seeds": 6}, SideBySide, 1),
        ({"seeds": 7}, SideBySide, 1),
        # Draws from torch's one generator.
        ({"model": {"name": "mlp", "hidden": [8], "dropout": 0.1}}, InTurn, 1),
        ({"step": "eager"}, InTurn, 1),
    ],
    ids=str,
)
def test_who_is_trained_side_by_side(
    laboratory: Laboratory, changes: dict[str, Any], kind: type[InTurn], count: int
) -> None:
    found = prepared(laboratory, **changes)
    assert (type(found.step), found.threads) == (kind, count)


@pytest.mark.parametrize(("seeds", "count"), [(2, 1), (3, 2), (4, 1), (5, 2), (6, 1), (7, 1)])
def test_large_seeds_that_would_leave_cores_idle_share_them(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, seeds: int, count: int
) -> None:
    monkeypatch.setattr(threads, "MOST_ON_ONE_THREAD", 0)
    found = prepared(laboratory, seeds=seeds)
    assert (type(found.step), found.threads) == (SideBySide if count == 1 else InTurn, count)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "sgd", "model": {"name": "mlp", "hidden": [8], "batch_norm": True}},
        # Seeds freeze one after the other.
        {"optimizer": "adam", "learning_rate": 0.2, "epochs": 20, "early_stopping": 2},
        {"optimizer": "muon", "learning_rate": 0.01},
    ],
    ids=str,
)
def test_the_bits_are_those_of_one_after_the_other(laboratory: Laboratory, changes: dict[str, Any]) -> None:
    together = laboratory.start({**CONFIG, **changes})
    torch.set_num_threads(1)
    assert type(prepared(laboratory, **changes).step) is InTurn
    in_turn = laboratory.start({**CONFIG, **changes})
    assert_same_bits(together, in_turn)
    alone = rows(laboratory.start({**CONFIG, **changes, "seeds": [2]}))
    assert [row for row in rows(together) if row["seed"] == 2] == list(alone)


def _saved_at(run: RunDirectory) -> set[int]:
    return {checkpoints.step_of(path) for path in checkpoints.candidates(run.checkpoints)}


@pytest.mark.parametrize(
    "changes",
    [{}, {"model": {"name": "mlp", "hidden": [8], "dropout": 0.1}}, {"learning_rate": 0.1, "schedule": "cosine"}],
    ids=str,
)
def test_the_bits_do_not_depend_on_how_many_steps_are_taken_at_a_time(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    config = {**CONFIG, **changes, "checkpoint": {"every": "4 steps", "keep": 100}}
    monkeypatch.setattr(step, "LONGEST_CALL", 100.0)
    at: set[int] = set()
    several = laboratory.start(config, reached=at.add)
    # 6 steps an epoch, 24 in all: the first of each epoch is taken alone, and none goes past a checkpoint.
    assert at == {0, 1, 4, 6, 7, 8, 12, 13, 16, 18, 19, 20, 24}
    monkeypatch.setattr(step, "LONGEST_CALL", 0.0)
    single = laboratory.start(config, reached=at.add)
    assert at == {*range(25)}
    assert _saved_at(several) == _saved_at(single) == {*range(0, 25, 4)}
    assert_same_bits(several, single)


def test_it_may_be_stopped_anywhere_and_go_on_on_any_machine(laboratory: Laboratory) -> None:
    whole = laboratory.start(CONFIG)
    assert recorded.load(whole.path).environment["threads"] == 1
    stopped = laboratory.start(CONFIG, stop_at=0)
    told: list[str] = []
    for number, steps in enumerate((1, 2, 3, 8, 15)):
        torch.set_num_threads(1 + number % 2)
        laboratory.resume(stopped, stop_at=steps, note=told.append)
    laboratory.resume(stopped, note=told.append)
    assert told == []
    assert_same_bits(whole, stopped)
