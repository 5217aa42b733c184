from pathlib import Path
from typing import Any

import pytest

from lossrun.config import from_mapping
from lossrun.errors import ConfigError, DataError
from lossrun.experiment import load_experiment

RAW: dict[str, Any] = {
    "dataset": {"name": "inline", "inputs": [[1], [2], [3], [4]], "targets": [3, 5, 7, 9]},
    "model": "linear",
    "loss": "mse",
    "optimizer": "sgd",
    "learning_rate": 0.1,
}


def test_the_config_is_resolved_by_its_data(tmp_path: Path) -> None:
    examined = load_experiment(from_mapping({**RAW, "seeds": 2}, tmp_path), tmp_path)
    assert (examined.facts.task, examined.facts.train, examined.facts.validation) == ("regression", 4, 0)
    assert examined.config.best.metric == "train_loss"
    assert examined.warnings == ()
    assert examined.data[0] is examined.data[1]


def test_a_split_may_go_by_the_seed(tmp_path: Path) -> None:
    dataset = {"name": "synthetic_regression", "samples": 60, "split_seed": "seed"}
    examined = load_experiment(from_mapping({**RAW, "dataset": dataset, "seeds": [3, 5]}, tmp_path), tmp_path)
    assert set(examined.data) == {3, 5}
    assert examined.data[3] is not examined.data[5]


def test_lint_and_data_errors_come_through(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"needs validation data.*\[watched_validation\]"):
        load_experiment(from_mapping({**RAW, "best": "val_rmse"}, tmp_path), tmp_path)
    missing = {"name": "csv", "path": "nowhere.csv", "target": "y"}
    with pytest.raises(DataError):
        load_experiment(from_mapping({**RAW, "dataset": missing}, tmp_path), tmp_path)
