"""The keys `splits` and `folds`: how seeds are dealt to them, and what they refuse."""

from pathlib import Path
from typing import Any

import pytest

from lossrun.config import Config, from_mapping
from lossrun.errors import ConfigError

BASE: dict[str, Any] = {
    "dataset": {"name": "synthetic_regression", "samples": 60},
    "model": "linear",
    "loss": "mse",
    "optimizer": "sgd",
    "learning_rate": 0.1,
}


def config(**keys: Any) -> Config:
    return from_mapping({**BASE, **keys}, Path()).config


@pytest.mark.parametrize("way", ["splits", "folds"])
def test_each_split_has_new_seeds(way: str) -> None:
    one = config(**{way: 5})
    assert one.seeds == (0, 1, 2, 3, 4)
    assert [one.split_of(seed) for seed in one.seeds] == [0, 1, 2, 3, 4]
    two = config(**{way: 3, "seeds": 6, "seed": 10})
    assert [(seed, two.split_of(seed)) for seed in two.seeds] == [(10, 0), (11, 0), (12, 1), (13, 1), (14, 2), (15, 2)]


@pytest.mark.parametrize("keys", [{"splits": 4}, {"folds": 3, "seeds": 6}, {"splits": 2, "seeds": [5, 9]}])
def test_the_written_config_gives_the_same_seeds(keys: dict[str, Any]) -> None:
    read = config(**keys)
    assert from_mapping(read.to_mapping(), Path()).config == read


def test_folds_need_no_test_key_whatever_its_default() -> None:
    """The default of points written in the YAML is not test data."""
    points = {"name": "inline", "inputs": [[0.0], [1.0], [2.0], [3.0]], "targets": [0.0, 1.0, 2.0, 3.0]}
    assert config(folds=4, dataset=points).seeds == (0, 1, 2, 3)


def in_data(**keys: Any) -> dict[str, Any]:
    return {"dataset": {**BASE["dataset"], **keys}}


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"splits": 1}, "expected an integer of at least 2"),
        ({"folds": 1}, "expected an integer of at least 2"),
        ({"splits": 10, "folds": 5}, "keep one of the two"),
        ({"splits": 10, "seeds": 15}, "expected a multiple, so that each has as many seeds: 10, 20, 30"),
        ({"folds": 3, "seeds": [1, 2]}, "expected a multiple"),
        ({"splits": 5, **in_data(split_seed=3)}, "splits already draws the splits"),
        ({"folds": 5, **in_data(split_seed="seed")}, "folds divide the data by a number"),
        ({"folds": 5, **in_data(test=0.5)}, "each fold is the test data"),
    ],
)
def test_what_contradicts_itself_is_refused(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        config(**keys)
