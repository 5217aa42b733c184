"""The metrics of many models at once: each model's own, and computed without reading a value back to Python."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lossrun.catalog.declaration import TASKS
from lossrun.components.metrics import compute_metrics, predictions, prepared_targets
from tests.components.metrics.test_metrics import SAMPLES, drawn, measured, outputs_of, targets_of

READINGS = [
    *product(TASKS, ("none", "sigmoid", "softmax", "log_softmax"), ("probabilities", "mean", None)),
    ("regression", "none", "log_mean"),
    ("regression", "none", "mean_and_log_variance"),
]


def preactivations_of(*leading: int, task: str, reads_as: str | None) -> Tensor:
    return drawn(*leading, SAMPLES, outputs_of(task) * (2 if reads_as == "mean_and_log_variance" else 1))


def floats(result: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in result.items()}


def test_predictions_of_many_models():
    preactivations = drawn(2, 5, 3)
    stacked = predictions(preactivations, task="multiclass", output="none", reads_as="probabilities")
    torch.testing.assert_close(stacked, preactivations.softmax(dim=2))


@pytest.mark.parametrize(("task", "output", "reads_as"), READINGS)
def test_many_models_at_once_are_each_by_itself(task, output, reads_as):
    preactivations, targets = preactivations_of(3, 2, task=task, reads_as=reads_as), targets_of(task, outputs_of(task))
    parameters = {"output": output, "reads_as": reads_as}
    if task == "regression":
        scaled = {"target_mean": torch.arange(4.0), "target_std": torch.tensor([2.0, 0.5, 10.0, 1.0])}
        parameters |= scaled if output == "none" else {}
    stacked = measured(task, preactivations, targets, **parameters)
    for place in product(range(3), range(2)):
        alone = floats(measured(task, preactivations[place], targets, **parameters))
        # Not to the bit: sums over another memory layout are added up in another order.
        assert {name: value[place].item() for name, value in stacked.items()} == pytest.approx(alone, rel=1e-12, abs=0)
        assert list(stacked) == list(alone)
    assert all(value.shape == (3, 2) and value.dtype == torch.float64 for value in stacked.values())


class Operations(TorchDispatchMode):
    """Takes down what is computed; refuses what reads a value, or makes a shape that depends on values."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch imports its compiler, which takes over a second

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        masks = [index for index in (args[1] if "index" in func.overloadpacket.__name__ else ()) if index is not None]
        assert not {torch.Tag.dynamic_output_shape, torch.Tag.data_dependent_output} & {*func.tags}, func
        assert not any(index.dtype in (torch.bool, torch.uint8) for index in masks), func
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "reads",
    [
        lambda values: float(values[0]),
        lambda values: bool((values > 0).all()),
        lambda values: values.max().item(),
        lambda values: values[values > 0],
        lambda values: values.nonzero(),
        lambda values: values.long().bincount(),
        lambda values: values.unique(),
        lambda values: values.masked_select(values > 0),
    ],
)
def test_a_value_that_is_read_would_be_noticed(reads):
    with pytest.raises(AssertionError, match="aten"), Operations():
        reads(torch.ones(3))


@pytest.mark.parametrize(("task", "output", "reads_as"), READINGS)
def test_nothing_is_read_and_the_operations_do_not_depend_on_values(task, output, reads_as):
    targets = targets_of(task, outputs_of(task))
    prepared = prepared_targets(task, targets, outputs_of(task), target_std=7.0 if output == "none" else 1.0)
    usual = preactivations_of(2, task=task, reads_as=reads_as)
    lists = []
    for preactivations in (usual, 100 * usual.sign(), torch.zeros_like(usual), torch.full_like(usual, float("nan"))):
        with Operations() as seen:
            compute_metrics(task, preactivations, prepared, output=output, reads_as=reads_as)
        lists.append(seen.names)
    assert lists[0]
    assert lists.count(lists[0]) == len(lists)
    if task != "regression":
        with Operations():
            measured(task, usual, targets, output=output, reads_as=reads_as)


@pytest.mark.parametrize(("task", "output", "reads_as"), READINGS)
def test_scores_are_computed_without_any_values(task, output, reads_as):
    # On "meta" tensors have shapes only: code that needs a value fails, and so does a tensor on another device.
    prepared = prepared_targets(task, targets_of(task, outputs_of(task)), outputs_of(task))
    tensors = {
        name: value.to("meta")
        for name in type(prepared).__slots__
        if isinstance(value := getattr(prepared, name), Tensor)
    }
    preactivations = preactivations_of(2, task=task, reads_as=reads_as).to("meta")
    result = compute_metrics(task, preactivations, replace(prepared, **tensors), output=output, reads_as=reads_as)
    assert {(value.shape, value.dtype, value.device.type) for value in result.values()} == {
        ((2,), torch.float64, "meta")
    }


def test_scored_models_are_left_alone():
    for task, output, reads_as in READINGS:
        # Of the type that is computed with: no conversion makes a copy.
        preactivations = preactivations_of(task=task, reads_as=reads_as).double().requires_grad_()
        targets = targets_of(task, outputs_of(task))
        targets = targets.double() if targets.is_floating_point() else targets
        before = preactivations.detach().clone(), targets.clone()
        result = measured(task, preactivations, targets, output=output, reads_as=reads_as)
        assert torch.equal(preactivations, before[0])
        assert torch.equal(targets, before[1])
        assert not any(value.requires_grad for value in result.values())
