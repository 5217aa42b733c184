"""Which seeds are stacked together, in which groups, and by which kind of step."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.lint import stacking
from lossrun.lint.stacking import even_sizes
from lossrun.records.provenance.belonging import Belonging
from lossrun.records.run_directory import RunDirectory
from lossrun.steps.seed_group import LoneSeed
from lossrun.steps.seed_stack import SeedStack
from lossrun.steps.step import EagerStep, InTurn
from lossrun.training import grouping
from lossrun.training.process import memory
from lossrun.training.starting.prepare import Prepared, prepare
from lossrun.training.starting.resumable import Resumable
from tests.training.conftest import Laboratory, newest, rows

THREE: dict[str, Any] = {
    "dataset": {"name": "synthetic_regression", "samples": 120, "features": 4},
    "model": {"name": "mlp", "hidden": [8]},
    "loss": "mse",
    "optimizer": "sgd",
    "learning_rate": 0.02,
    "epochs": 2,
    "seeds": 3,
}
IMAGES = {"name": "npz", "path": "images.npz", "target": "targets", "task": "multiclass", "validation": 20, "test": 20}
CNN = {"name": "cnn", "layers": [{"name": "conv", "filters": 2}]}
OWN = """
import torch
from torch import nn


def net(input_shape, output_size):
    return nn.Sequential(nn.Linear(input_shape[0], 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, output_size))


def squared(outputs, targets):
    return (outputs - targets).square().mean(dim=1)


class Learned(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_variance = nn.Parameter(torch.tensor(0.5))

    def forward(self, outputs, targets):
        return ((outputs - targets).square() / self.log_variance.exp() + self.log_variance).mean(dim=1) / 2


def sgd(params, lr):
    return torch.optim.SGD(params, lr=lr, momentum=0.9, fused=True)
"""


@pytest.fixture(autouse=True)
def _files(laboratory: Laboratory) -> None:
    draw = np.random.default_rng(0)
    images, labels = draw.integers(0, 256, (120, 8, 8), dtype=np.uint8), draw.integers(0, 3, 120)
    np.savez(laboratory.folder / "images.npz", images=images, targets=labels)
    (laboratory.folder / "own.py").write_text(OWN)


def prepared(laboratory: Laboratory, changes: dict[str, Any], sizes: list[int] | None = None) -> Prepared:
    """`sizes`: of the groups of a run that is to go on."""
    examined = load_experiment(from_mapping({**THREE, **changes}, laboratory.folder), laboratory.folder)
    if sizes is None:
        return prepare(examined)
    reading = examined.reading
    run, belonging = RunDirectory(Path()), Belonging(Path(), None, None)
    unread: Any = None
    resumable = Resumable(run, reading.config, reading, {}, {"chunks": sizes}, False, unread, belonging, ())
    return prepare(examined, resumable)


def room_for(monkeypatch: pytest.MonkeyPatch, seeds: int) -> None:
    """Memory for `seeds` seeds at a time."""
    monkeypatch.setattr(memory, "available", lambda device: seeds)
    monkeypatch.setattr(memory, "of_one_seed", lambda *_: 1)


@given(st.integers(1, 500), st.integers(1, 600))
def test_parts_are_even_and_as_few_as_possible(count: int, most: int) -> None:
    parts = even_sizes(count, most)
    assert sum(parts) == count
    assert max(parts) <= most
    assert max(parts) - min(parts) <= 1
    assert len(parts) == -(-count // most), "no more parts than are needed"
    assert list(parts) == sorted(parts, reverse=True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": "own:net"}, "model of your own"),
        ({"loss": "own:squared"}, "loss of your own"),
        ({"optimizer": "own:sgd"}, "optimizer of your own"),
        ({"dataset": IMAGES, "loss": "cross_entropy", "model": CNN}, "convolutions keep the cores busy"),
        ({"schedule": "reduce_on_plateau", "optimizer": "adamax"}, "adamax is not linear in it"),
        ({"step": "eager"}, "step: eager"),
    ],
    ids=str,
)
def test_who_is_trained_one_by_one(laboratory: Laboratory, changes: dict[str, Any], reason: str) -> None:
    found = prepared(laboratory, changes).grouping
    assert found.sizes == (1, 1, 1)
    assert found.why_one_by_one.endswith(reason)
    alone = prepared(laboratory, {**changes, "seeds": 1}).grouping
    assert (alone.sizes, alone.why_one_by_one) == ((1,), "")


def test_the_limit_of_weights_counts_one_seed(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    """4 inputs, 8 hidden units and 1 output have 4 * 8 + 8 + 8 + 1 = 49 weights and biases."""
    monkeypatch.setattr(stacking, "MOST_WEIGHTS", 49)
    assert prepared(laboratory, {}).grouping.sizes == (3,)
    monkeypatch.setattr(stacking, "MOST_WEIGHTS", 48)
    found = prepared(laboratory, {}).grouping
    assert (found.sizes, found.why_one_by_one) == ((1, 1, 1), "49 weights keep the cores busy")


@pytest.mark.parametrize(
    ("seeds", "room", "sizes"),
    [
        (5, 2, (2, 2, 1)),
        (5, 4, (3, 2)),
        (5, 5, (5,)),
        (5, 100, (5,)),
        (3, 1, (1, 1, 1)),
        # Less than nothing is free where a limit is overrun; there is no less than one seed.
        (3, 0, (1, 1, 1)),
        (3, -7, (1, 1, 1)),
        (1, 0, (1,)),
    ],
)
def test_groups_are_as_large_as_memory_allows(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, seeds: int, room: int, sizes: tuple[int, ...]
) -> None:
    room_for(monkeypatch, room)
    found = prepared(laboratory, {"seeds": seeds}).grouping
    # A stack of one would be a detour; and how a run of such stacks goes on, its sizes alone could not say.
    reason = "memory for one at a time" if seeds > 1 and max(sizes) == 1 else ""
    assert (found.sizes, found.why_one_by_one) == (sizes, reason)


def test_the_groups_of_a_started_run_are_kept(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    room_for(monkeypatch, 3)
    assert prepared(laboratory, {}, [2, 1]).grouping.sizes == (2, 1)
    assert prepared(laboratory, {}, [1, 2]).grouping.sizes == (1, 2)
    # Groups of other seeds than these are none of theirs.
    assert prepared(laboratory, {}, [2, 2]).grouping.sizes == (3,)
    assert prepared(laboratory, {}, []).grouping.sizes == (3,)
    # The rules go before what was recorded: stacked, these would share one learning rate.
    assert prepared(laboratory, {"schedule": "reduce_on_plateau", "optimizer": "nadam"}, [3]).grouping.sizes == (
        1,
        1,
        1,
    )


def test_the_groups_hold_the_seeds_in_their_order(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    room_for(monkeypatch, 2)
    ready = prepared(laboratory, {"seeds": [9, 2, 5]})
    assert [[replica.seed for replica in group.replicas] for group in ready.groups] == [[9, 2], [5]]
    assert all(isinstance(group, SeedStack) for group in ready.groups), "the third is one of a stack that did not fit"
    assert isinstance(ready.step, InTurn)
    room_for(monkeypatch, 3)
    (group,) = prepared(laboratory, {}).groups
    assert isinstance(group, SeedStack)
    (group,) = prepared(laboratory, {"seeds": 1}).groups
    assert isinstance(group, LoneSeed)
    assert all(isinstance(group, LoneSeed) for group in prepared(laboratory, {"step": "eager"}).groups)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "recorded"),
        ({"step": "recorded"}, "recorded"),
        ({"step": "eager"}, "eager"),
        ({"optimizer": "own:sgd"}, "recorded"),
        ({"model": "own:net"}, "eager"),
        ({"loss": "own:squared"}, "eager"),
        ({"model": "own:net", "step": "recorded"}, "recorded"),
        ({"loss": "own:squared", "step": "recorded"}, "recorded"),
        ({"model": "own:net", "step": "eager"}, "eager"),
    ],
    ids=str,
)
def test_the_kind_of_the_step(laboratory: Laboratory, changes: dict[str, Any], kind: str) -> None:
    for seeds in (1, 3):
        ready = prepared(laboratory, {**changes, "seeds": seeds})
        assert ready.step.kind == kind
        assert (ready.grouping.recorder is None) == (kind == "eager")


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("optimizer", ["own:sgd", "adam", "rmsprop"])
def test_what_is_the_users_own_gives_the_same_bits_recorded(laboratory: Laboratory, seeds: int, optimizer: str) -> None:
    """Batch norm, dropout, a loss with a weight of its own, and an optimizer that is torch's."""
    config = {**THREE, "model": "own:net", "loss": "own:Learned", "optimizer": optimizer, "seeds": seeds, "epochs": 3}
    config["schedule"] = {"name": "cosine", "warmup_epochs": 1}
    recorded = laboratory.start({**config, "step": "recorded"})
    eager = laboratory.start({**config, "step": "eager"})
    assert rows(recorded) == rows(eager)
    for name, tensor in newest(recorded).tensors.items():
        np.testing.assert_array_equal(tensor, newest(eager).tensors[name], err_msg=name)


def test_a_large_step_is_not_recorded(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of 16 takes 16 * (4 inputs + 4 copies of 8 + 1 outputs) = 640 numbers of 4 bytes."""
    monkeypatch.setattr(grouping, "LARGEST_RECORDED_STEP", 2560)
    assert prepared(laboratory, {"batch_size": 16}).step.kind == "recorded"
    assert prepared(laboratory, {"batch_size": 17}).step.kind == "eager"
    assert prepared(laboratory, {"batch_size": 16, "precision": "float64"}).step.kind == "eager"
    assert prepared(laboratory, {"batch_size": "full"}).step.kind == "eager"
    # A batch is never larger than the data: 120 samples, of which a fifth and a tenth are put aside.
    monkeypatch.setattr(grouping, "LARGEST_RECORDED_STEP", 2560 * 120 // 16)
    assert prepared(laboratory, {"batch_size": 100_000}).step.kind == "recorded"
    # What the user's own model takes nobody knows.
    monkeypatch.setattr(grouping, "LARGEST_RECORDED_STEP", 0)
    assert prepared(laboratory, {"model": "own:net", "step": "recorded"}).step.kind == "recorded"


def test_seeds_are_stacked_in_a_step_too_large_to_record(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouping, "LARGEST_RECORDED_STEP", 0)
    ready = prepared(laboratory, {})
    assert ready.grouping.sizes == (3,)
    assert isinstance(ready.step, EagerStep)
