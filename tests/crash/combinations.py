"""Every optimizer with every schedule, model and precision: stopped within an epoch and resumed, the same bits."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from lossrun.catalog.models import MODELS
from lossrun.catalog.schedules import SCHEDULES
from lossrun.errors import LossrunError
from tests.crash.outcomes import Outcome, share_of
from tests.training.conftest import Laboratory, assert_same_bits
from tests.training.test_all_optimizers import CASES as OPTIMIZERS

# Two epochs of four steps, of which the third is saved, and the sixth.
CONFIG: dict[str, Any] = {
    "learning_rate": 0.02,
    "epochs": 2,
    "batch_size": 12,
    "checkpoint": "3 steps",
    "lint": "warn",
    "dataset": {"name": "npz", "path": "images.npz", "target": "targets", "task": "multiclass", "test": 0},
    "loss": "cross_entropy",
    "on_divergence": "continue",
}
STOPPED_AT = (3, 5)
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
    draw_seeds = Random(seed)
    for optimizer, schedule, model, precision in share_of(combinations(), share, seed):
        config = {
            **CONFIG,
            "dataset": {**CONFIG["dataset"], "validation": VALIDATION},
            "optimizer": optimizer,
            "schedule": {"name": schedule, **SCHEDULE_SETTINGS.get(schedule, {})},
            "model": {"name": model, **MODEL_SETTINGS.get(model, {})},
            "precision": precision,
            "seeds": draw_seeds.choice((1, 2)),
        }
        yield Outcome(f"{optimizer}, {schedule}, {model}, {precision}", resumed_differently(laboratory, config))


def combinations() -> Iterator[tuple[dict[str, Any], str, str, str]]:
    """Yield optimizer, schedule, model and precision; those of the catalogue, so that none is forgotten."""
    return product(OPTIMIZERS, [one.name for one in SCHEDULES], [one.name for one in MODELS], PRECISIONS)


def resumed_differently(laboratory: Laboratory, config: dict[str, Any]) -> str:
    try:
        whole = laboratory.start(config)
        stopped = laboratory.start(config, stop_at=STOPPED_AT[0])
        laboratory.resume(stopped, stop_at=STOPPED_AT[1])
        laboratory.resume(stopped)
        assert_same_bits(whole, stopped)
    except (AssertionError, LossrunError) as error:
        return " ".join(str(error).split())[:300]
    return ""
