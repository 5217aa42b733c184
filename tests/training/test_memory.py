"""The memory that Linux says is available, and the estimate for a seed next to what it really takes."""

import os
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.lint import machine
from lossrun.replay.trees import leaves
from lossrun.steps.evaluate import Scorer, output_spec_of
from lossrun.steps.seed_group import LoneSeed, gather, minimised
from lossrun.training.build import optimizer
from lossrun.training.process import memory
from lossrun.training.starting.prepare import prepare
from tests.training.conftest import Laboratory

CPU = torch.device("cpu")
UNLIMITED = 2**63 - 1
REGRESSION: dict[str, Any] = {
    "dataset": {"name": "synthetic_regression", "samples": 300, "features": 6},
    "model": {"name": "mlp", "hidden": [8]},
    "loss": "mse",
    "optimizer": "adam",
    "learning_rate": 0.02,
    "epochs": 1,
    "batch_size": 32,
}
SPIRALS = {"name": "synthetic_classification", "kind": "spirals", "samples": 1500, "validation": 500}
IMAGES = {"name": "npz", "path": "images.npz", "target": "targets", "task": "multiclass", "validation": 40, "test": 20}
CONVOLUTIONS = [{"name": "conv", "filters": 8}, {"name": "max_pool"}, {"name": "conv", "filters": 4}]


def peak(function: Callable[[], object]) -> int:
    """The most bytes beyond those before that torch has held at a time, by its own profiler."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        function()
    results = profiled.profiler.kineto_results.events()
    changes = [event for event in results if event.name() == "[memory]"]
    return max(accumulate(event.nbytes() for event in sorted(changes, key=lambda event: event.start_ns())))


def estimated_and_taken(laboratory: Laboratory, changes: dict[str, Any]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Of a step with its gradients, and of a whole seed: estimated, and taken by torch (in training or in evaluation,
    whichever takes more)."""
    draw = np.random.default_rng(0)
    images, labels = draw.integers(0, 256, (200, 16, 16), dtype=np.uint8), draw.integers(0, 3, 200)
    np.savez(laboratory.folder / "images.npz", images=images, targets=labels)
    examined = load_experiment(from_mapping({**REGRESSION, **changes}, laboratory.folder), laboratory.folder)
    config, facts = examined.config, examined.facts
    ready = prepare(examined)
    (replica,) = ready.replicas
    train, validation = replica.parts.train, replica.parts.validation
    assert validation is not None
    group = LoneSeed(replica)
    group.begin_epoch()
    size = facts.train if config.batch_size == "full" else min(config.batch_size, facts.train)

    def step() -> None:
        inputs, targets, _ = gather(group, train, torch.arange(size))
        losses = group.losses(train.scaled(inputs), targets)
        minimised(group, losses, size).backward()

    scorer = Scorer(group, validation, output_spec_of(config, facts), None)
    weights = list(replica.weights)
    of_step = peak(step)
    of_weights = sum(weight.untyped_storage().nbytes() for weight in weights)
    updated = optimizer(config, weights, ready.place)
    updated.step()
    state = [leaf for leaf in leaves(dict(updated.state)) if torch.is_tensor(leaf)]
    of_state = sum(tensor.untyped_storage().nbytes() for tensor in state)
    # The gradients lie there during the evaluation as well; while they are computed, they are part of the step.
    of_seed = of_weights + of_state + max(of_step, of_weights + peak(scorer))
    return (
        # The estimate of a seed counts the gradients among the copies of its weights.
        (memory.of_a_step(config, facts, size, weights[0].element_size()) + of_weights, of_step),
        (memory.of_one_seed(replica, config, facts, size), of_seed),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"batch_size": "full", "precision": "float64"},
        {"model": "linear", "dataset": {"name": "synthetic_regression", "samples": 500, "features": 200}},
        {"dataset": {"name": "synthetic_regression", "samples": 50, "features": 400}, "batch_size": 1},
        {"model": {"name": "mlp", "hidden": [40, 40, 40], "batch_norm": True, "dropout": 0.2}, "batch_size": 128},
        {"dataset": SPIRALS, "loss": "cross_entropy", "batch_size": 256},
        {"dataset": SPIRALS, "loss": "mse", "model": {"name": "mlp", "hidden": [60], "activation": "gelu"}},
        {"dataset": SPIRALS, "loss": "cross_entropy", "batch_size": 256, "precision": "bf16"},
        {"dataset": IMAGES, "loss": "cross_entropy", "model": {"name": "mlp", "hidden": [50]}, "batch_size": 64},
        {"dataset": IMAGES, "loss": "cross_entropy", "model": {"name": "cnn", "layers": CONVOLUTIONS}},
        {
            "dataset": IMAGES,
            "loss": "cross_entropy",
            "model": {"name": "cnn", "layers": CONVOLUTIONS, "batch_norm": True},
            "optimizer": {"name": "adamw", "amsgrad": True},
        },
    ],
    ids=str,
)
def test_estimates_are_right_within_a_factor_of_3(laboratory: Laboratory, changes: dict[str, Any]) -> None:
    for estimated, taken in estimated_and_taken(laboratory, changes):
        assert taken / 3 < estimated < taken * 3


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """`linux(path, text)` writes a file that is read instead of the machine's own; at first there are none."""
    root = tmp_path / "root"

    def place(path: str) -> Path:
        return root / path.lstrip("/")

    def write(path: str, text: str) -> None:
        place(path).parent.mkdir(parents=True, exist_ok=True)
        place(path).write_text(text)

    monkeypatch.setattr(machine, "Path", place)
    return write


Linux = Callable[[str, str], None]
MACHINE = "MemTotal:        8000 kB\nMemFree:          100 kB\nMemAvailable:    4000 kB\nBuffers: 1 kB\n"


def test_half_of_what_the_machine_has_left(linux: Linux) -> None:
    linux("/proc/meminfo", MACHINE)
    assert memory.available(CPU) == 4000 * 1024 // 2


def test_the_limit_of_a_container_counts_if_it_is_lower(linux: Linux) -> None:
    linux("/proc/meminfo", MACHINE)
    linux("/sys/fs/cgroup/memory.max", "1000000\n")
    linux("/sys/fs/cgroup/memory.current", "400000\n")
    assert memory.available(CPU) == 300_000
    linux("/sys/fs/cgroup/memory.max", "1000000000\n")
    assert memory.available(CPU) == 4000 * 1024 // 2


@pytest.mark.parametrize("limit", ["max\n", "", "a lot", "1e9"])
def test_a_limit_that_is_none_is_none(linux: Linux, limit: str) -> None:
    linux("/proc/meminfo", MACHINE)
    linux("/sys/fs/cgroup/memory.max", limit)
    linux("/sys/fs/cgroup/memory.current", "400000\n")
    assert memory.available(CPU) == 4000 * 1024 // 2


def test_a_limit_without_its_use_is_none(linux: Linux) -> None:
    linux("/proc/meminfo", MACHINE)
    linux("/sys/fs/cgroup/memory.max", "1000\n")
    assert memory.available(CPU) == 4000 * 1024 // 2


def test_a_machine_that_says_nothing_has_what_the_platform_says(linux: Linux, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert memory.available(CPU) == whole // 2
    linux("/proc/meminfo", "MemTotal: 8000 kB\n")  # as before Linux 3.14
    assert memory.available(CPU) == whole // 2
    monkeypatch.delattr(os, "sysconf_names")
    assert memory.available(CPU) == 2 * 2**30


def test_this_machine_has_some() -> None:
    assert 2**20 < memory.available(CPU) < UNLIMITED
