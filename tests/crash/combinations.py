"""Every optimizer with every schedule, model and precision: resumed from a step within an epoch, the same bits.

What the run had on the disk at that step is copied, and the copy is resumed: what is before it need not be repeated.
"""

import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import numpy as np

from lossrun.catalog.models import MODELS
from lossrun.catalog.schedules import SCHEDULES
from lossrun.errors import LossrunError
from lossrun.records.run_directory import RunDirectory, all_runs
from lossrun.training.trial import SettingsTrial
from tests.crash.outcomes import Outcome, share_of
from tests.training.conftest import Laboratory, assert_same_bits, newest
from tests.training.test_all_optimizers import CASES as OPTIMIZERS

STEPS = 8  # two epochs of four
CONFIG: dict[str, Any] = {
    "learning_rate": 0.02,
    "epochs": 2,
    "batch_size": 12,
    "checkpoint": "1 step",
    "lint": "warn",
    "dataset": {"name": "npz", "path": "images.npz", "target": "targets", "task": "multiclass", "test": 0},
    "loss": "cross_entropy",
    "on_divergence": "continue",
}
VALIDATION = 8
# What a model or a schedule cannot do without.
MODEL_SETTINGS: dict[str, dict[str, Any]] = {
    "mlp": {"hidden": [8], "dropout": 0.3, "batch_norm": True},
    "cnn": {
        "layers": [{"name": "conv", "filters": 3}, {"name": "max_pool"}, {"name": "dense", "units": 8}],
        "batch_norm": True,
    },
}
SCHEDULE_SETTINGS: dict[str, dict[str, Any]] = {
    "multi_step": {"milestones": [1]},
    "piecewise_constant": {"boundaries": [1], "fractions": [0.5]},
    "step": {"every": 1},
    "reduced_start": {"for_epochs": 1},
    "cyclic": {"up_epochs": 1},
    "cosine_restarts": {"first_epochs": 1},
    "reduce_on_plateau": {"patience": 0},
}
PRECISIONS = ("float32", "float64", "bf16")


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    laboratory = Laboratory(folder)
    draw = np.random.default_rng(0)
    images, labels = draw.integers(0, 256, (48 + VALIDATION, 8, 8), dtype=np.uint8), np.arange(48 + VALIDATION) % 3
    np.savez(folder / "images.npz", images=images, targets=labels)
    for combination in share_of(combinations(), share, seed):
        optimizer, schedule, model, precision = combination
        draw_more = Random(f"{seed} {combination}")
        config = {
            **CONFIG,
            "dataset": {**CONFIG["dataset"], "validation": VALIDATION},
            "optimizer": optimizer,
            "schedule": {"name": schedule, **SCHEDULE_SETTINGS.get(schedule, {})},
            "model": {"name": model, **MODEL_SETTINGS.get(model, {})},
            "precision": precision,
            "seeds": draw_more.choice((1, 2)),
        }
        step = draw_more.randrange(1, STEPS)
        problem = resumed_differently(laboratory, config, step)
        yield Outcome(f"{optimizer}, {schedule}, {model}, {precision}, step {step}", problem)


def combinations() -> Iterator[tuple[dict[str, Any], str, str, str]]:
    """Yield optimizer, schedule, model and precision; those of the catalogue, so that none is forgotten."""
    return product(OPTIMIZERS, [one.name for one in SCHEDULES], [one.name for one in MODELS], PRECISIONS)


def resumed_differently(laboratory: Laboratory, config: dict[str, Any], step: int) -> str:
    copy = laboratory.folder / "copy"

    def reached(done: int) -> None:
        if done == step and not copy.exists():  # asked again where an epoch ends
            (run,) = all_runs(laboratory.folder / "runs")
            shutil.copytree(run, copy / run.name)

    # What is said about a run that learns nothing takes longer than these runs, and their state does not hold it.
    with mock.patch.object(SettingsTrial, "__call__", return_value={}):
        try:
            whole = laboratory.start(config, reached=reached)
            resumed = RunDirectory(copy / whole.name)
            assert newest(resumed).metadata["step"] == step
            laboratory.resume(resumed)
            assert_same_bits(whole, resumed)
        except (AssertionError, LossrunError) as error:
            return " ".join(str(error).split())[:300]
        finally:
            for folder in (laboratory.folder / "runs", copy):
                shutil.rmtree(folder, ignore_errors=True)
    return ""
