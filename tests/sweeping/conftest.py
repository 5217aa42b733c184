from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossrun.config import SourcedConfig, from_mapping, read

BASE: dict[str, Any] = {
    "dataset": {"name": "synthetic_regression", "samples": 60, "features": 3},
    "model": {"name": "mlp", "hidden": [4]},
    "loss": "mse",
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "epochs": 3,
    "checkpoint": "100 epochs",
}


@pytest.fixture
def with_block(tmp_path: Path) -> Callable[..., SourcedConfig]:
    def make(block: Any, **changes: Any) -> SourcedConfig:
        return from_mapping({**BASE, **changes, "sweep": block}, tmp_path)

    return make


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], SourcedConfig]:
    """The base config with these lines of YAML at its end."""

    def make(block: str) -> SourcedConfig:
        lines = [
            "dataset: {name: synthetic_regression, samples: 60, features: 3}",
            "model: {name: mlp, hidden: [4]}",
            "loss: mse",
            "optimizer: sgd",
            "learning_rate: 0.01",
            "epochs: 3",
        ]
        path = tmp_path / "c.yaml"
        path.write_text("\n".join([*lines, block, ""]))
        return read(path)

    return make
