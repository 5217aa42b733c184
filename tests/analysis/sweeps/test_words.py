from typing import Any

import pytest

from lossrun.analysis.sweeps.words import apart, words

MSE, MAE = {"loss": "mse"}, {"loss": "mae"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([MSE, MAE], ["loss=mse", "loss=mae"]),
        ([{**MSE, "optimizer": "sgd"}, {**MAE, "optimizer": "sgd"}], ["loss=mse", "loss=mae"]),
        ([{**MSE, "model.hidden": [4]}, {**MSE, "model.hidden": [8]}], ["model.hidden=[4]", "model.hidden=[8]"]),
        ([{**MSE, "epochs": 1}, {**MSE, "epochs": True}], ["epochs=1", "epochs=true"]),
        ([MSE, {}], ["loss=mse", ""]),
        ([MSE], ["loss=mse"]),
        ([MSE, MSE], ["loss=mse", "loss=mse"]),
        ([{}], [""]),
        ([], []),
    ],
)
def test_cells_are_told_apart_by_what_differs(changes: list[dict[str, Any]], told: list[str]) -> None:
    assert [words(one) for one in apart(changes)] == told
