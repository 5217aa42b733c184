"""A loss of numbers on targets that are words is not a classification that anybody asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.config import from_mapping
from lossrun.errors import ConfigError
from lossrun.experiment import Experiment, load_experiment

OWN = """
import lossrun

def words():
    return lossrun.Dataset(train=([[float(i)] for i in range(20)], ["up", "down"] * 10))
"""


@pytest.fixture(autouse=True)
def _data(tmp_path: Path) -> None:
    words = ["up", "down", "level"] * 8
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i},{word}\n" for i, word in enumerate(words)))
    np.savez(tmp_path / "t.npz", a=np.arange(24.0), y=np.array(words))
    (tmp_path / "own_words.py").write_text(OWN)


def examined(folder: Path, loss: str, dataset: dict[str, Any]) -> Experiment:
    config = {"dataset": dataset, "model": "mlp", "loss": loss, "optimizer": "adam", "learning_rate": 1e-3}
    return load_experiment(from_mapping(config, folder), folder)


FILES = [{"name": "csv", "path": "t.csv", "target": "y"}, {"name": "npz", "path": "t.npz", "target": "y"}]


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "log_cosh", "quantile"])
@pytest.mark.parametrize("dataset", FILES)
def test_both_keys_are_named(tmp_path: Path, loss: str, dataset: dict[str, Any]) -> None:
    with pytest.raises(
        ConfigError, match=rf"loss: {loss} .* dataset\.target: y has words such as 'up'; .*task: multiclass"
    ):
        examined(tmp_path, loss, dataset)


def test_words_of_a_dataset_of_ones_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"loss: mse .* the dataset has words such as 'up'; .*task: binary"):
        examined(tmp_path, "mse", {"name": "own_words:words"})


@pytest.mark.parametrize("dataset", FILES)
def test_stated_classes_and_losses_of_classes_are_taken(tmp_path: Path, dataset: dict[str, Any]) -> None:
    assert examined(tmp_path, "mse", {**dataset, "task": "multiclass"}).facts.task == "multiclass"
    assert examined(tmp_path, "cross_entropy", dataset).facts.task == "multiclass"
