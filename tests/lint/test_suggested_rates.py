"""The learning rate that reduction_rate suggests, really trained with."""

import re
from pathlib import Path
from typing import Any

import pytest

from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.records import history
from lossrun.training.loop import train
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin


def trained(raw: dict[str, Any], directory: Path) -> list[float]:
    """The validation losses of the epochs, of a config that draws no warning."""
    directory.mkdir()
    examined = load_experiment(from_mapping(raw, directory), directory)
    assert examined.warnings == ()
    with begin(prepare(examined), directory) as session:
        for _ in train(session, lambda: None):
            pass
    return [row["val_loss"] for row in history.read(session.run.history_path).rows]


@pytest.mark.parametrize(
    ("loss", "reduction"),
    [("mse", "sum"), ("mse", "half_sum"), ("cross_entropy", "sum"), ("cross_entropy", "half_sum")],
)
def test_it_takes_the_steps_of_the_mean(loss: str, reduction: str, tmp_path: Path) -> None:
    # 80 samples in batches of 40: every batch is full, so one rate fits all of them.
    raw = {
        "dataset": {"name": "synthetic_classification", "classes": 4, "samples": 100, "validation": 20, "test": 0},
        "model": {"name": "mlp", "hidden": [8]},
        "loss": {"name": loss, "reduction": reduction},
        "optimizer": "sgd",
        "learning_rate": 0.5,
        "batch_size": 40,
        "epochs": 3,
    }
    (warning,) = load_experiment(from_mapping(raw, tmp_path), tmp_path).warnings
    suggested = re.search(r"set learning_rate: (\S+), which acts like 0.5", warning)
    assert suggested
    losses = trained({**raw, "learning_rate": float(suggested[1])}, tmp_path / "suggested")
    of_the_mean = trained({**raw, "loss": loss}, tmp_path / "mean")
    # The suggestion is rounded to three digits.
    assert losses == pytest.approx(of_the_mean, rel=1e-3)
    assert losses[-1] < losses[0]
