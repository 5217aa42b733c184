"""Weights of samples as datasets give them, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch

from lossrun.data import Dataset, Part, load
from lossrun.data.samples.hashing import part_digest
from lossrun.data.samples.sample_weights import as_weights
from lossrun.data.sources.arrays import from_dataset
from lossrun.errors import DataError
from tests.data.conftest import filled

X = [[float(i), 1.0] for i in range(12)]
Y = [0.5 * i for i in range(12)]
W = [float(i) for i in range(12)]


def inline(tmp_path, **changes: Any):
    given = filled("inline", **({"inputs": X, "targets": Y, "weights": W, "task": "regression"} | changes))
    return load("inline", given, config_dir=tmp_path, data_dir=tmp_path)


def test_a_weight_stays_with_its_sample(tmp_path):
    data = inline(tmp_path, validation=3, test=2)
    for part in (data.train, data.validation, data.test):
        assert part.weights.tolist() == part.inputs[:, 0].tolist()
        assert part.weights.dtype == np.float64
    assert data.facts.weights == (data.train.weights.min(), data.train.weights.max(), data.train.weights.sum())
    assert data.done[0] == "weights: dataset.weights, 0 to 11, sum 66"


def test_standardizing_says_that_it_does_not_look_at_them(tmp_path):
    data = inline(tmp_path, standardize={"inputs": True, "targets": False})
    assert data.done[0].endswith("standardize ignores them")
    assert data.input_scaling.mean.tolist() == [5.5, 1.0]


def test_data_that_weigh_otherwise_are_other_data(tmp_path):
    plain = inline(tmp_path, weights=None)
    assert plain.train.weights is None
    assert plain.hashes["train"] == part_digest(Part(plain.train.inputs, plain.train.targets, plain.train.ids))
    hashes = {inline(tmp_path, weights=weights).hashes["train"] for weights in (None, W, [1.0] * 12, [2.0] * 12)}
    assert len(hashes) == 4


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0] * 11, r"dataset.weights: has the shape \(11,\) for 12 samples"),
        ([*[1.0] * 11, -1.0], r"dataset.weights\[11\]: the weight is -1; expected 0, or a number from 1e-20 to 1e\+20"),
        ([*[1.0] * 3, float("nan"), *[1.0] * 8], r"dataset.weights\[3\]: the weight is nan"),
        ([float("inf"), *[1.0] * 11], r"dataset.weights\[0\]: the weight is inf"),
        ([1e300, *[1.0] * 11], r"dataset.weights\[0\]: the weight is 1e\+300"),
        # Each is a float32, but the sum of a batch is infinite, or its product with a loss is 0.
        ([1e38] * 12, r"dataset.weights\[0\]: the weight is 1e\+38"),
        ([1e-42] * 12, r"dataset.weights\[0\]: the weight is 1e-42"),
        ([0.0] * 12, "all weights are 0"),
    ],
)
def test_what_is_no_weight_is_refused_with_its_place(tmp_path, weights, message):
    with pytest.raises(DataError, match=message):
        inline(tmp_path, weights=weights)


def test_a_part_in_which_nothing_counts_is_refused(tmp_path):
    with pytest.raises(DataError, match="all weights of the test part are 0"):
        inline(tmp_path, weights=[0.0] + [1.0] * 11, test=1, split_seed=2)


def test_one_column_is_as_good_as_none(tmp_path):
    weights = as_weights([[1], [2]], "w", 2, str)
    assert weights.tolist() == [1.0, 2.0]
    assert as_weights([True, False], "w", 2, str).tolist() == [1.0, 0.0]
    with pytest.raises(DataError, match="w: holds"):
        as_weights(["a", "b"], "w", 2, str)


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_a_third_array_of_a_dataset_is_its_weights(kind):
    part = (np.array(X), np.array(Y), kind(W))
    source = from_dataset(Dataset(train=part, validation=part, task="regression"), "own:data")
    assert source.train.weights.tolist() == W
    assert source.validation.weights.tolist() == W
    assert source.weighted_by == "of own:data"


def test_parts_of_a_dataset_are_weighted_alike():
    plain, weighted = (np.array(X), np.array(Y)), (np.array(X), np.array(Y), W)
    with pytest.raises(DataError, match="own, test: no weights, although other parts have some"):
        from_dataset(Dataset(train=weighted, test=plain, task="regression"), "own")
    assert from_dataset(Dataset(train=(*plain, None), task="regression"), "own").train.weights is None
    with pytest.raises(DataError, match=r"own, train weights\[2\]: the weight is -3"):
        from_dataset(Dataset(train=(*plain, [1, 1, -3, *[1] * 9]), task="regression"), "own")


def csv(tmp_path, lines: str, **given: Any):
    (tmp_path / "w.csv").write_text(lines)
    given = filled("csv", **({"path": "w.csv", "target": "y", "weight": "w", "task": "regression", "test": 0} | given))
    return load("csv", given, config_dir=tmp_path, data_dir=tmp_path)


ROWS = "x,w,y\n" + "".join(f"{i},{i + 1},{i / 2}\n" for i in range(12))


@pytest.mark.parametrize("weight", ["w", 2, -2])
def test_a_column_of_a_table_is_no_input(tmp_path, weight):
    data = csv(tmp_path, ROWS, weight=weight)
    assert data.input_shape == (1,)
    for part in (data.train, data.validation):
        assert part.weights.tolist() == (part.inputs[:, 0] + 1).tolist()
    assert data.done[0] == "weights: column w, 1 to 12, sum 78"


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("-1", r"w.csv:4: column w: the weight is -1"),
        ("", r"w.csv:4: column w: '' is not a weight"),
        ("NA", r"w.csv:4: column w: 'NA' is not a weight"),
        ("two", r"w.csv:4: column w: 'two' is not a weight"),
        ("inf", r"w.csv:4: column w: the weight is inf"),
    ],
)
def test_a_cell_that_is_no_weight_is_named(tmp_path, cell, message):
    with pytest.raises(DataError, match=message):
        csv(tmp_path, ROWS.replace("2,3,1.0", f"2,{cell},1.0"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weight": "count"}, "dataset.weight: .* has no 'count'"),
        ({"weight": "y"}, "dataset.weight: y is also in target"),
        ({"inputs": ["x", "w"]}, "dataset.weight: w is also in inputs"),
    ],
)
def test_a_column_of_weights_is_nothing_else(tmp_path, given, message):
    with pytest.raises(DataError, match=message):
        csv(tmp_path, ROWS, **given)


def test_an_array_of_an_archive(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(12), y=np.arange(12) / 2, w=np.arange(12) + 1)
    given = filled("npz", path="a.npz", target="y", weight="w", task="regression")
    data = load("npz", given, config_dir=tmp_path, data_dir=tmp_path)
    assert data.input_shape == (1,)
    for part in (data.train, data.validation, data.test):
        assert part.weights.tolist() == (part.inputs[:, 0] + 1).tolist()
    np.savez(tmp_path / "a.npz", x=np.arange(12), y=np.arange(12) / 2, w=np.arange(12) - 1.0)
    with pytest.raises(DataError, match=r"a.npz: w\[0\]: the weight is -1"):
        load("npz", given, config_dir=tmp_path, data_dir=tmp_path)


def test_files_of_a_split_have_weights_of_their_own(tmp_path):
    (tmp_path / "v.csv").write_text("y,w,x\n1.5,20,3\n2.5,40,5\n")
    data = csv(
        tmp_path, ROWS, split={"column": None, "groups": None, "order": None, "validation": "v.csv", "test": None}
    )
    assert data.validation.weights.tolist() == [20.0, 40.0]
    assert len(data.train.weights) == 12
