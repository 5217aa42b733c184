"""What the rules say of weights and ignored labels, by the labels that the data have."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.config import from_mapping
from lossrun.errors import ConfigError
from lossrun.experiment import load_experiment

X = [[float(i)] for i in range(12)]
REST = {"model": "mlp", "optimizer": "adam", "learning_rate": 1e-3}


def told(folder: Path, labels: list[Any], loss: dict[str, Any], **more: Any) -> str:
    """All problems and warnings of a run on these labels."""
    name = loss.pop("name", "cross_entropy")
    np.savez(folder / "d.npz", x=np.array(X), y=np.array(labels))
    task = more.pop("task", "multiclass")
    dataset = {"name": "npz", "path": "d.npz", "target": "y", "task": task, "validation": 0, "test": 0}
    try:
        reading = from_mapping({**REST, "dataset": dataset, "loss": {"name": name, **loss}, **more}, folder)
        return "\n".join(load_experiment(reading, folder).warnings)
    except ConfigError as error:
        return "\n".join(error.problems)


@pytest.mark.parametrize("weights", [[1, 2, 3], {"cat": 2}, {"emu": 0.5, "dog": 3}, "balanced"])
def test_weights_that_fit_are_left_alone(tmp_path, weights):
    assert told(tmp_path, ["cat", "dog", "emu"] * 4, {"class_weights": weights}) == ""


@pytest.mark.parametrize(
    ("labels", "weights", "message"),
    [
        (["cat", "dog", "emu"], {"cow": 2}, "no class has the label cow; expected one of"),
        (["cat", "dog", "emu"], {0: 2}, "no class has the label 0; expected one of cat, dog, emu"),
        ([1, 2, 3], {0: 2}, "no class has the label 0; expected one of 1, 2, 3"),
        ([1, 2, 3], {"1": 2, "1.0": 3}, "1 and 1.0 are the same class"),
        ([1, 2, 3], [], "0 weights for 3 classes"),
        ([1, 2, 3], [1, 2], r"2 weights for 3 classes; give 3 weights, in the order of the classes (1, 2, 3)"),
        ([1, 2, 3], {1: 0, 2: 0, 3: 0}, "all weights are 0"),
        ([1, 2, 3], {1: -1}, "-1 is not allowed"),
        ([1, 2, 3], {"1": "heavy"}, "loss.class_weights.1: 'heavy'"),
    ],
)
def test_weights_belong_to_labels(tmp_path, labels, weights, message):
    found = told(tmp_path, labels * 4, {"class_weights": weights})
    assert message in found
    assert bool(message) == bool(found)


@pytest.mark.parametrize(
    ("labels", "ignored", "warned"),
    [
        ([1, 2, 3], 1, False),
        ([1, 2, 3], 0, True),
        ([1, 2, 3], 4, True),
        ([1, 2, 255], 255, False),
        ([1, 2, 3], 255, True),
        # The default of torch's own loss.
        ([1, 2, 3], -100, False),
        (["cat", "dog", "emu"], "dog", False),
        (["cat", "dog", "emu"], "dgo", True),
        (["cat", "dog", "emu"], 1, True),
    ],
)
def test_a_label_that_nothing_has_is_told(tmp_path, labels, ignored, warned):
    found = told(tmp_path, labels * 4, {"ignore_index": ignored})
    assert ("[ignored_class]" in found) == warned


def test_names_of_columns_are_labels(tmp_path):
    header, rows = "x,rain,wind\n", "".join(f"{i},{i % 2},{i // 3 % 2}\n" for i in range(12))
    (tmp_path / "d.csv").write_text(header + rows)
    dataset = {"name": "csv", "path": "d.csv", "target": ["rain", "wind"], "task": "multilabel"}
    loss = {"name": "binary_cross_entropy", "class_weights": {"rain": 3}}
    reading = from_mapping({**REST, "dataset": dataset, "loss": loss}, tmp_path)
    assert load_experiment(reading, tmp_path).facts.class_of("wind") == 1


@pytest.mark.parametrize(
    ("loss", "size", "fires"),
    [
        ({"class_weights": [1, 50, 1]}, 1, True),
        ({"class_weights": "balanced"}, 1, True),
        ({"class_weights": {1: 50}}, 1, True),
        ({"class_weights": [1, 50, 1]}, 2, False),
        ({"class_weights": [1, 50, 1], "weight_convention": "keras"}, 1, False),
        ({"class_weights": [1, 50, 1], "reduction": "sum"}, 1, False),
        ({"class_weights": [1, 50, 1], "label_smoothing": 0.1}, 1, False),
        ({"name": "focal", "class_weights": [1, 50, 1], "label_smoothing": 0.1}, 1, True),
        ({}, 1, False),
    ],
)
def test_weights_cancel_in_batches_of_one(tmp_path, loss, size, fires):
    found = told(tmp_path, [1, 2, 3, 1] * 3, dict(loss), batch_size=size)
    assert ("[weights_cancel]" in found) == fires


@pytest.mark.parametrize(("weights", "fires"), [([1.0, 2.0] * 6, True), ([3.0] * 12, False), (None, False)])
def test_so_do_weights_of_samples(tmp_path, weights, fires):
    targets = [0.5 * i for i in range(12)]
    dataset = {"name": "inline", "inputs": X, "targets": targets, "weights": weights, "task": "regression"}
    reading = from_mapping({**REST, "dataset": dataset, "loss": "mse", "batch_size": 1}, tmp_path)
    assert any("[weights_cancel]" in text for text in load_experiment(reading, tmp_path).warnings) == fires
