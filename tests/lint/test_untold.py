"""What check must try on a batch, and that train accepts whatever else the rules let pass."""

from pathlib import Path
from typing import Any

import pytest

from lossrun.config import from_mapping
from lossrun.experiment import Experiment, load_experiment
from lossrun.lint.untold import parts_to_try
from lossrun.training.starting.prepare import prepare

LINE: dict[str, Any] = {"name": "inline", "inputs": [[1], [2], [3], [4], [5], [6]], "targets": [3, 5.5, 7, 9, 11, 13]}
PLAIN: dict[str, Any] = {
    "dataset": LINE,
    "model": {"name": "mlp", "hidden": [4]},
    "loss": "mse",
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "epochs": 1,
    "lint": "warn",
}
LARGE = ["numbers of this size"]
THOUSANDS = {**LINE, "inputs": [[1000 * n] for n in range(6)]}


def examined(changes: dict[str, Any]) -> Experiment:
    return load_experiment(from_mapping({**PLAIN, **changes}, Path()), Path())


def initialised(**init: Any) -> dict[str, Any]:
    return {"model": {"name": "mlp", "hidden": [4], "init": init}}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, []),
        ({"device": "cpu", "precision": "bf16"}, []),
        ({"precision": "bf16"}, ["precision bf16"]),
        ({"device": "cuda"}, ["device cuda"]),
        ({"device": "mps", "precision": "float64"}, ["device mps"]),
        # Thousands are no danger to a square, and all of one to an exponential.
        ({"dataset": THOUSANDS}, []),
        ({"dataset": THOUSANDS, "loss": "poisson_nll"}, LARGE),
        ({"loss": "keras.Poisson"}, ["the logarithm of outputs that may be negative"]),
        ({"loss": "keras.Poisson", "model": {"name": "mlp", "hidden": [4], "output": "sigmoid"}}, []),
        ({"dataset": {**THOUSANDS, "standardize": True}, "loss": "gaussian_nll"}, []),
        ({"dataset": {**LINE, "targets": [1, 2, 3, 4, 5.5, 1e20]}}, LARGE),
        (initialised(name="normal", std=1.0), []),
        (initialised(name="normal", std=1e30), LARGE),
        (initialised(name="constant", value=1e5), LARGE),
        (initialised(name="he_normal", bias=1e9), LARGE),
        ({**initialised(name="he_normal", bias=90.0), "loss": "poisson_nll"}, LARGE),
        ({"loss": {"name": "huber", "delta": 1e30}}, LARGE),
        ({"loss": {"name": "mape", "eps": 1e-30}}, LARGE),
    ],
    ids=str,
)
def test_what_has_to_be_tried(changes: dict[str, Any], told: list[str]) -> None:
    found = examined(changes)
    assert parts_to_try(found.config, found.facts, found.data.values()) == told
    if not told:
        assert prepare(found).layers == ()


def test_each_component_of_the_users_own_is_named(tmp_path: Path) -> None:
    (tmp_path / "own_untold.py").write_text(
        "import numpy as np\nimport lossrun\n"
        "def data():\n    return lossrun.Dataset(train=(np.ones((9, 2)), np.arange(9.0)), task='regression')\n"
    )
    own = {kind: f"own_untold:{kind}" for kind in ("model", "loss", "optimizer")}
    config = {**PLAIN, **own, "dataset": "own_untold:data"}
    found = load_experiment(from_mapping(config, tmp_path), tmp_path)
    # The dataset's function has been called; the others are only known by name.
    assert parts_to_try(found.config, found.facts, found.data.values()) == [
        "dataset own_untold:data",
        "model own_untold:model",
        "loss own_untold:loss",
        "optimizer own_untold:optimizer",
    ]
