"""Every loss, activation and metric of lossrun can be replayed."""

import itertools
from functools import partial
from typing import Any

import pytest
import torch

from lossrun.catalog import get
from lossrun.catalog.declaration import Loss
from lossrun.catalog.losses import LOSSES
from lossrun.components.lookup import loss_function
from lossrun.components.metrics import compute_metrics, prepared_targets
from lossrun.components.models import ACTIVATIONS
from tests.replay.replaying import check, gradients, normal


@pytest.mark.parametrize("name", sorted(loss.name for loss in LOSSES))
def test_every_loss_of_ours_can_be_replayed(name: str) -> None:
    declared = get("loss", name)
    assert isinstance(declared, Loss)
    defaults = {"delta": 0.7} if name == "huber" else {}
    loss = partial(loss_function(name), **defaults)
    for task in declared.tasks:
        if task == "regression":
            check(gradients(loss), normal((6, 3 * declared.outputs_per_target), (6, 3)))
        elif task == "multiclass":
            check(gradients(lambda x, t: loss(x, t.detach().argmax(1))), normal((6, 3), (6, 3)))
        else:
            outputs = 1 if task == "binary" else 3
            check(gradients(lambda x, t: loss(x, (t > 0).float())), normal((6, outputs), (6, outputs)))


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_activation_of_ours_can_be_replayed(name: str) -> None:
    check(gradients(ACTIVATIONS[name]()), normal((6, 3)))


@pytest.mark.parametrize("seeds", [(), (2,)])
@pytest.mark.parametrize("task", ["regression", "binary", "multiclass", "multilabel"])
def test_the_metrics_can_be_replayed(task: Any, seeds: tuple[int, ...]) -> None:
    """Guesses right and wrong, and classes that nobody is of, differ from replay to replay."""
    outputs = 1 if task == "binary" else 3
    targets = {
        "regression": torch.randn(7, 3),
        "binary": (torch.randn(7, 1) > 0).float(),
        "multiclass": torch.tensor([0, 0, 2, 2, 0, 2, 2]),
        "multilabel": (torch.randn(7, 3) > 0).float(),
    }[task]
    for output, reads_as in itertools.product(("none", "sigmoid", "softmax"), ("probabilities", "mean", None)):
        prepared = prepared_targets(task, targets, outputs)
        measure = partial(compute_metrics, task, targets=prepared, output=output, reads_as=reads_as)
        check(lambda x, measure=measure: measure(x), normal((*seeds, 7, outputs)), replays=2)
