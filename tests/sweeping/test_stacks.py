"""Which cells are planned to be trained as one computation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossrun.catalog.optimizers import OPTIMIZERS
from lossrun.config import SourcedConfig
from lossrun.records.sweep_directory import PlannedCell
from lossrun.sweeping.plan import plan_sweep
from lossrun.sweeping.reading import read_sweep
from lossrun.sweeping.stacks import MOST_SEEDS, by_stack

RATES = [0.001, 0.01, 0.1]
Plan = Callable[..., list[list[PlannedCell]]]


@pytest.fixture
def stacks(with_block: Callable[..., SourcedConfig], tmp_path: Path) -> Plan:
    def planned(block: dict[str, Any], **changes: Any) -> list[list[PlannedCell]]:
        reading = with_block({**block, "tune": False}, lint="warn", **changes)
        cells = plan_sweep(read_sweep(reading), tmp_path, tmp_path).cells
        found = by_stack(cells)
        for name, stack in found.items():
            assert name == stack[0].directory
        assert sorted(cell.directory for stack in found.values() for cell in stack) == [c.directory for c in cells]
        return list(found.values())

    return planned


def test_cells_that_differ_in_rate_and_decay_are_one_stack(stacks: Plan) -> None:
    block = {"loss": ["mse", "mae"], "learning_rate": RATES, "optimizer.weight_decay": [0, 0.1]}
    found = stacks(block, seeds=2)
    assert [len(stack) for stack in found] == [6, 6]
    assert [{cell.changes["loss"] for cell in stack} for stack in found] == [{"mse"}, {"mae"}]


@pytest.mark.parametrize("optimizer", [one.name for one in OPTIMIZERS])
def test_rates_are_stacked_where_the_optimizer_is_declared_linear(stacks: Plan, optimizer: str) -> None:
    declared = next(one for one in OPTIMIZERS if one.name == optimizer)
    assert [len(stack) for stack in stacks({"learning_rate": RATES}, optimizer=optimizer)] == (
        [3] if declared.linear_in_rate else [1, 1, 1]
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"step": "eager"},
        {"model": {"name": "mlp", "hidden": [200, 200]}},
    ],
    ids=str,
)
def test_what_may_not_be_stacked_stays_alone(stacks: Plan, changes: dict[str, Any]) -> None:
    assert [len(stack) for stack in stacks({"learning_rate": RATES}, **changes, device="cpu")] == [1, 1, 1]


@pytest.mark.parametrize("key", ["batch_size", "epochs", "model.hidden", "optimizer.momentum"])
def test_anything_else_parts_cells(stacks: Plan, key: str) -> None:
    values: dict[str, Any] = {"batch_size": [16, 32], "epochs": [2, 3], "model.hidden": [[4], [8]]}
    block = {"learning_rate": RATES, key: values.get(key, [0.0, 0.9])}
    found = stacks(block)
    assert sorted(map(len, found)) == [3, 3]
    assert all(len({str(cell.changes[key]) for cell in stack}) == 1 for stack in found)


def test_cells_of_larger_models_leave_work_for_other_cores(stacks: Plan) -> None:
    """3 * 5,000 + 5,000 + 5,000 + 1 weights and biases: 2 ** 17 of them are five seeds, so two cells of two."""
    model = {"name": "mlp", "hidden": [5_000]}
    assert [len(stack) for stack in stacks({"learning_rate": RATES}, model=model, seeds=2, device="cpu")] == [2, 1]
    assert [len(stack) for stack in stacks({"learning_rate": RATES}, model=model, seeds=6, device="cpu")] == [1, 1, 1]


def test_a_stack_is_not_too_large(stacks: Plan) -> None:
    rates = [0.001 * number for number in range(1, 24)]
    found = stacks({"learning_rate": rates}, seeds=3)
    seeds = [3 * len(stack) for stack in found]
    assert sum(seeds) == 69
    assert max(seeds) <= MOST_SEEDS
    assert len(seeds) == 3


@pytest.mark.parametrize(
    "changes",
    [{"splits": 3}, {"folds": 3}, {"dataset": {"name": "synthetic_regression", "split_seed": "seed"}}],
    ids=str,
)
def test_cells_with_the_same_splits_are_one_stack(stacks: Plan, changes: dict[str, Any]) -> None:
    assert [len(stack) for stack in stacks({"learning_rate": RATES}, **changes, seeds=3)] == [3]
