"""`load_data` of the scripts, executed, gives the numbers that lossrun trains on, to their order: from every kind of
source, in both frameworks' layouts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.script.conftest import MULTICLASS, MULTILABEL, REGRESSION, Make, assert_same_data
from tests.script.own import OWN, TABLE

BOTH = pytest.mark.parametrize("framework", ["pytorch", pytest.param("keras", marks=pytest.mark.keras)])
WHOLE = {"validation": 2, "test": 2}


def check(pair: Make, framework: str, dataset: dict[str, Any], loss: str, **keys: Any) -> None:
    made = pair(framework, dataset=dataset, loss=loss, **keys)
    assert_same_data(made, framework)
    # The model takes what the function gives.
    targets = made.data["train"][1]
    assert len(targets) == made.examined.facts.train


@BOTH
@pytest.mark.parametrize(
    ("keys", "loss"),
    [
        ({"target": "price", "drop": ["id", "city", "colour"], "missing": "drop", "inputs": ["size", "shares"]}, "mse"),
        ({"target": "price", "drop": ["id", "sold"], "encode": "one_hot", "missing": "mean"}, "mse"),
        ({"target": ["shares", "size"], "inputs": ["id"], "missing": "drop"}, "mse"),
        ({"target": "sold", "inputs": ["size", "id"], "missing": "mean", "standardize": True}, "binary_cross_entropy"),
        ({"target": "city", "inputs": ["id"]}, "cross_entropy"),
        ({"target": "shares", "inputs": ["id"], "task": "binary"}, "binary_cross_entropy"),
    ],
)
def test_a_script_reads_a_csv_file_as_lossrun_does(
    pair: Make, tmp_path: Path, framework: str, keys: dict[str, Any], loss: str
) -> None:
    """The blank after `size` and the mark at the beginning belong to no name."""
    (tmp_path / "table.csv").write_text("\ufeff" + TABLE, encoding="utf-8")
    check(pair, framework, {"name": "csv", "path": "table.csv", **WHOLE, **keys}, loss)


@BOTH
@pytest.mark.parametrize(("delimiter", "between"), [(";", ";"), ("\\t", "\t"), ("\t", "\t")])
def test_csv_with_other_delimiters(pair: Make, tmp_path: Path, framework: str, delimiter: str, between: str) -> None:
    (tmp_path / "table.csv").write_text(TABLE.replace(",", between), encoding="utf-8")
    keys = {"delimiter": delimiter, "target": "shares", "inputs": ["id"], "task": "regression"}
    check(pair, framework, {"name": "csv", "path": "table.csv", **WHOLE, **keys}, "mse")


SPLITTING = """\
id,size,part,patient,day,colour,price
1,1.5,train,a,2024-01-05,red,10.5
2,2.5,train,a,2024-01-02,blue,11.25
3,,val,b,2024-01-03,red,12.0
4,4.5,train,b,2024-01-04,,13.5
5,5.25,test,c,2024-01-01,red,14.5
6,6.5,train,c,2024-01-09,blue,15.75
7,7.5,Train,d,2024-01-07,red,16.25
8,8.5,val,d,2024-01-08,blue,17.5
9,1700000009.5,test,e,2024-01-06,green,1000000018.0
10,1700000010.5,train,e,2024-01-10,blue,1000000019.75
"""


@BOTH
@pytest.mark.parametrize(
    ("keys", "sizes"),
    [
        ({"split": {"column": "part"}}, {}),
        ({"split": {"groups": "patient"}, "split_seed": 3}, WHOLE),
        ({"split": {"groups": "patient"}, "split_seed": "seed"}, WHOLE),
        ({"split": {"order": "day"}}, WHOLE),
        ({"split": {"order": "id"}}, {"test": 3, "validation": 0}),
        ({"split": {"validation": "v.csv", "test": "v.csv"}}, {}),
        ({"split": {"test": "v.csv"}}, {"validation": 2}),
        ({"split": {"column": "part"}, "standardize": {"inputs": True, "targets": True}}, {}),
    ],
)
def test_a_script_splits_as_the_data_say(
    pair: Make, tmp_path: Path, framework: str, keys: dict[str, Any], sizes: dict[str, Any]
) -> None:
    (tmp_path / "t.csv").write_text(SPLITTING)
    rows = SPLITTING.splitlines(keepends=True)
    (tmp_path / "v.csv").write_text("".join([rows[0], *rows[3:8]]))
    dataset = {"name": "csv", "path": "t.csv", "target": "price", "inputs": ["size", "colour"], "encode": "one_hot"}
    check(pair, framework, {**dataset, "missing": "mean", **sizes, **keys}, "mse")


@BOTH
@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_a_script_leaves_out_what_other_splits_lack(pair: Make, tmp_path: Path, framework: str, task: str) -> None:
    """Whole groups leave 63, 63 and 62 samples to train on."""
    groups = np.repeat(np.arange(8), [10, 16, 17, 2, 11, 8, 18, 5])
    rows = [f"{x},g{group},{x % 3 if task == 'multiclass' else x / 7}" for x, group in enumerate(groups.tolist())]
    (tmp_path / "t.csv").write_text("\n".join(["x,group,y", *rows]))
    dataset = {"name": "csv", "path": "t.csv", "target": "y", "split": {"groups": "group"}, "split_seed": "seed"}
    loss = "mse" if task == "regression" else "cross_entropy"
    made = pair(framework, dataset={**dataset, "task": task}, loss=loss, seeds=[0, 1, 2], lint="warn")
    assert made.examined.data[0].surplus == 1
    assert_same_data(made, framework)


@BOTH
@pytest.mark.parametrize(
    ("task", "loss", "folds"),
    [("regression", "mse", 5), ("multiclass", "cross_entropy", ["3/3", "1/3"]), ("binary", "hinge", ["2/5"])],
)
def test_a_script_has_the_fold_of_the_first_seed(pair: Make, framework: str, task: str, loss: str, folds: Any) -> None:
    """Of 23 samples: the folds differ in size."""
    kind = "linear" if task == "regression" else "blobs"
    name = "synthetic_regression" if task == "regression" else "synthetic_classification"
    classes = {} if task == "regression" else {"classes": 3 if task == "multiclass" else 2}
    check(pair, framework, {"name": name, "kind": kind, "samples": 23, "validation": 4, **classes}, loss, folds=folds)


@BOTH
def test_a_script_reads_another_dialect_as_lossrun_does(pair: Make, tmp_path: Path, framework: str) -> None:
    rows = [f"{i},5;{1 + i}.000,25;{'?' if i % 4 == 0 else i};{'NA' if i % 3 else 'up'}" for i in range(12)]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    keys = {"header": False, "decimal": ",", "delimiter": ";", "missing_values": ["?"], "missing": "mean"}
    dataset = {"name": "csv", "path": "t.csv", "target": 4, **keys, **WHOLE}
    check(pair, framework, dataset, "binary_cross_entropy")


@BOTH
@pytest.mark.parametrize("task", ["binary", "regression", "multiclass"])
@pytest.mark.parametrize("weighted", [False, True])
def test_arrays_of_each_part(pair: Make, tmp_path: Path, framework: str, task: str, weighted: bool) -> None:
    draw = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    for part, count in (("train", 12), ("val", 4), ("test", 5)):
        arrays[f"x_{part}"] = draw.normal(size=(count, 3)) + 1.7e9
        arrays[f"y_{part}"] = np.arange(count) % 2 + (0 if task == "binary" else np.arange(count) % 3)
        arrays[f"w_{part}"] = draw.uniform(0.5, 2, count)
    np.savez(tmp_path / "t.npz", **arrays)
    loss = {"binary": "binary_cross_entropy", "regression": "mse", "multiclass": "cross_entropy"}[task]
    dataset = {"name": "npz", "path": "t.npz", "task": task, "standardize": True}
    check(pair, framework, {**dataset, "weight": "w_train"} if weighted else dataset, loss)


@BOTH
@pytest.mark.parametrize("labels", ["column", "words"])
def test_classes_that_only_an_unused_part_has(pair: Make, tmp_path: Path, framework: str, labels: str) -> None:
    """Labels in a column (N, 1), as Keras has those of CIFAR-10, and a class that only the test part has."""
    names = np.array(["ant", "bee", "cat", "dog"]) if labels == "words" else np.array([[2], [4], [5], [9]])
    y_train, y_test = names[np.array([0, 2, 3] * 4)], names[[1, 0]]
    inputs = np.random.default_rng(0).normal(size=(14, 3))
    np.savez(tmp_path / "t.npz", x_train=inputs[:12], y_train=y_train, x_test=inputs[12:], y_test=y_test)
    dataset = {"name": "npz", "path": "t.npz", "task": "multiclass", "test": 0, "validation": 3}
    check(pair, framework, dataset, "cross_entropy")


@BOTH
@pytest.mark.parametrize("way", ["column", "groups", "order"])
def test_arrays_that_split(pair: Make, tmp_path: Path, framework: str, way: str) -> None:
    by = {
        "column": np.array(["train", "val", "test", "train"] * 5),
        "groups": np.arange(20) // 3,
        "order": -np.arange(20),
    }
    np.savez(tmp_path / "t.npz", x=images(20, 4, 4), y=np.arange(20) % 2, by=by[way])
    sizes = {} if way == "column" else WHOLE
    dataset = {"name": "npz", "path": "t.npz", "target": "y", "inputs": "x", "task": "binary", "split": {way: "by"}}
    check(pair, framework, {**dataset, **sizes}, "binary_cross_entropy")


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


@BOTH
@pytest.mark.parametrize(
    ("arrays", "keys", "loss"),
    [
        ({"x": np.arange(24.0).reshape(12, 2), "y": np.arange(12) / 7}, {"task": "regression"}, "mse"),
        ({"a": np.arange(12.0), "b": np.arange(24.0).reshape(12, 2), "y": np.arange(12) / 7}, {}, "mse"),
        ({"x": images(12, 6, 6), "y": np.arange(12) % 3 + 5}, {"task": "multiclass"}, "cross_entropy"),
        ({"x": images(12, 5), "y": np.arange(12)[:, np.newaxis] % 3}, {"task": "multiclass"}, "cross_entropy"),
        ({"x": images(12, 6, 6, 3), "y": np.array(["up", "down"] * 6)}, {}, "binary_cross_entropy"),
        ({"x": images(12, 3, 6, 6), "y": np.arange(24) % 2}, {"task": "multilabel"}, "binary_cross_entropy"),
        ({"x": images(12, 3, 6, 6), "y": np.arange(12) % 2}, {"task": "binary", "standardize": True}, "hinge"),
        ({"x": images(12, 6, 6, 1) / 3.0, "y": np.eye(3)[np.arange(12) % 3]}, {"task": "multiclass"}, "cross_entropy"),
        ({"x": images(12, 5), "p": np.arange(12) / 3, "q": np.arange(12) / 5, "y": 0}, {"target": ["p", "q"]}, "mse"),
    ],
)
def test_a_script_reads_an_archive_as_lossrun_does(
    pair: Make, tmp_path: Path, framework: str, arrays: dict[str, Any], keys: dict[str, Any], loss: str
) -> None:
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    if keys.get("task") == "multilabel":
        arrays["y"] = arrays["y"].reshape(12, 2)
    inputs = {"inputs": "x"} if "p" in arrays else {}
    np.savez(tmp_path / "data.npz", **arrays)
    dataset = {"name": "npz", "path": "data.npz", "target": "y", **inputs, **WHOLE, **keys}
    model = (
        {"name": "cnn", "layers": [{"name": "conv", "filters": 2}]} if arrays.get("x", arrays["y"]).ndim > 2 else "mlp"
    )
    check(pair, framework, dataset, loss, model=model)


@BOTH
@pytest.mark.parametrize(
    ("dataset", "loss"),
    [
        *(
            ({**REGRESSION, "kind": kind, "features": 6, "noise": noise}, "mse")
            for kind, noise in (
                ("polynomial", {"name": "laplace"}),
                ("sinusoid", {"name": "student_t"}),
                ("friedman1", "none"),
            )
        ),
        ({**REGRESSION, "standardize": {"inputs": True, "targets": True}, "corrupt": {"outliers": 0.1}}, "mse"),
        ({**REGRESSION, "split_seed": "seed", "seed": 3, "test": 0, "validation": 0.3}, "mse"),
        ({**MULTICLASS, "corrupt": {"label_noise": 0.3, "seed": 5}, "features": 3}, "cross_entropy"),
        ({**MULTICLASS, "kind": "spirals"}, "cross_entropy"),
        ({**MULTICLASS, "kind": "xor", "classes": 2, "task": "multiclass"}, "cross_entropy"),
        ({**MULTICLASS, "kind": "circles", "classes": 2, "corrupt": {"label_noise": 0.3}}, "hinge"),
        ({**MULTILABEL, "corrupt": {"label_noise": 0.3}}, "dice"),
        ({"name": "inline", "inputs": [1, 2, 3, 4], "targets": [[1, 2], [3, 4], [5, 6], [7, 8.5]]}, "mse"),
        (
            {"name": "inline", "inputs": [[1, 2]] * 60, "targets": [5, 6, 8] * 20, "task": "multiclass", "test": 9},
            "cross_entropy",
        ),
        ({"name": "wine", "standardize": True}, "cross_entropy"),
        ({"name": "digits"}, "cross_entropy"),
        ({"name": "diabetes", "validation": 0}, "mse"),
        ({"name": "breast_cancer", "standardize": True}, "binary_cross_entropy"),
    ],
)
def test_made_written_and_scikit_learns(pair: Make, framework: str, dataset: dict[str, Any], loss: str) -> None:
    check(pair, framework, dataset, loss, seed=7)


@BOTH
def test_official_images_standardized(pair: Make, few_mnist: Path, framework: str) -> None:
    dataset = {"name": "mnist", "validation": 5000, "test": 400, "standardize": True}
    check(pair, framework, dataset, "cross_entropy", data_dir=few_mnist)


@BOTH
def test_a_dataset_of_ones_own(pair: Make, tmp_path: Path, framework: str) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    check(pair, framework, {"name": "mine:points", "count": 40}, "binary_cross_entropy")
    check(pair, framework, {"name": "mine:points", "count": 40, "test": 0, "validation": 5}, "binary_cross_entropy")
