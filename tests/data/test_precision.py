"""What distinguishes numbers is not lost before they are standardized, whatever they lie around and wherever they come
from: x and x + b train alike."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.config import from_mapping
from lossrun.data import Data, Dataset
from lossrun.data.samples.scaling import lost_notes
from lossrun.data.sources.arrays import from_dataset
from lossrun.data.tables.inputs import as_array, as_inputs
from lossrun.errors import DataError
from lossrun.experiment import load_experiment

N = 60
# Quarters and eighths, so that adding a whole number up to 2**49 rounds nothing.
X = np.random.default_rng(0).integers(-400, 400, (N, 2)) / 4
Y = np.random.default_rng(1).integers(-800, 800, N) / 8
SHIFTS = [1_700_000_000, -(10**12), 2**49]
BOTH = {"inputs": True, "targets": True}
OWN = """
import numpy as np
import torch
import lossrun

def arrays(file, kind):
    both = np.load(file)
    x, y = both["x"], both["y"]
    make = {"numpy": np.asarray, "torch": torch.tensor, "list": np.ndarray.tolist, "object": lambda a: a.astype(object)}
    return lossrun.Dataset(train=(make[kind](x), make[kind](y)), task="regression")
"""


def dataset(source: str, folder: Path, x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """The same numbers by one of the ways in."""
    np.savez(folder / "t.npz", x=x, y=y)
    if source.startswith("csv"):
        decimal = "," if source == "csv with commas" else "."
        rows = [
            ";".join(repr(v).replace(".", decimal) for v in (*row, t))
            for row, t in zip(x.tolist(), y.tolist(), strict=True)
        ]
        (folder / "t.csv").write_text("a;b;y\n" + "\n".join(rows))
        return {
            "name": "csv",
            "path": "t.csv",
            "target": "y",
            "delimiter": ";",
            "decimal": decimal,
            "task": "regression",
        }
    if source.startswith("npz"):
        kind = source.removeprefix("npz ")
        np.savez(folder / "t.npz", x=x.astype(kind), y=y.astype(kind))
        return {"name": "npz", "path": "t.npz", "target": "y", "task": "regression"}
    if source == "inline":
        return {"name": "inline", "inputs": x.tolist(), "targets": y.tolist(), "task": "regression"}
    (folder / "own_arrays.py").write_text(OWN)
    return {"name": "own_arrays:arrays", "file": str(folder / "t.npz"), "kind": source.removeprefix("own ")}


WAYS = ["csv", "csv with commas", "npz float64", "npz >f8", "npz longdouble", "inline"]
WAYS += [f"own {kind}" for kind in ("numpy", "torch", "list", "object")]


@pytest.mark.parametrize("factor", [2.0**-100, 2.0**-600, 2.0**-1000, 2.0**100])
def test_a_factor_changes_nothing(loaded: Callable[..., Data], tmp_path: Path, factor: float) -> None:
    scaled = []
    for times in (1.0, factor):
        given = dataset("npz float64", tmp_path, X * times, Y * times)
        data = loaded(given.pop("name"), standardize=BOTH, **given)
        assert not [note for note in data.notes if "differences" in note]
        scaled.append([data.input_scaling.apply(data.train.inputs), data.target_scaling.apply(data.train.targets)])
    for one, other in zip(*scaled, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shift", SHIFTS)
def test_a_shift_changes_nothing(loaded: Callable[..., Data], tmp_path: Path, way: str, shift: int) -> None:
    scaled = []
    for offset in (0, shift):
        given = dataset(way, tmp_path, X + offset, Y + offset)
        data = loaded(given.pop("name"), standardize=BOTH, **given)
        assert not [note for note in data.notes if "differences" in note]
        scaled.append([data.input_scaling.apply(data.train.inputs), data.target_scaling.apply(data.train.targets)])
        assert data.train.inputs.dtype == (np.float64 if offset else np.float32)
    for plain, shifted in zip(*scaled, strict=True):
        assert shifted.dtype == np.float32
        # Two units in the last place of float32 at the largest number, about 2; and half of one that the mean itself is
        # rounded by, in standard deviations of at least 50.
        np.testing.assert_allclose(shifted, plain, rtol=0, atol=5e-7 + np.spacing(abs(shift)) / 2 / 50)


@pytest.mark.parametrize("kind", ["int64", "uint64", "int32", ">i8"])
def test_whole_numbers_too(loaded: Callable[..., Data], tmp_path: Path, kind: str) -> None:
    stamps = 1_700_000_000 + 10 * np.arange(N) if kind != "int32" else 2_000_000_000 + np.arange(N)
    np.savez(tmp_path / "t.npz", x=stamps.astype(kind), y=Y)
    data = loaded("npz", path="t.npz", target="y", task="regression", standardize=BOTH)
    scaled = data.input_scaling.apply(data.train.inputs)
    assert len(np.unique(scaled)) == len(data.train)


@pytest.mark.parametrize("kind", ["float16", "float32", "int8", "uint16", "int16", "bool"])
def test_what_float32_holds_stays_float32(loaded: Callable[..., Data], tmp_path: Path, kind: str) -> None:
    np.savez(tmp_path / "t.npz", x=np.abs(X).astype(kind), y=Y)
    data = loaded("npz", path="t.npz", target="y", task="regression")
    assert data.train.inputs.dtype == np.float32


def test_a_column_that_loses_its_differences_is_named(loaded: Callable[..., Data], tmp_path: Path) -> None:
    given = dataset("csv", tmp_path, X + np.array([0, 1_700_000_000]), Y + 1e12)
    name = given.pop("name")
    plain = loaded(name, **given).notes
    found = [note for note in plain if "loses differences" in note]
    assert [note.partition(",")[0] for note in found] == ["input column b", "target column y"]
    assert "standardize: {inputs: true}" in found[0]
    assert not [n for n in loaded(name, standardize=BOTH, **given).notes if "loses" in n]
    assert not [n for n in loaded(name, precision="float64", **given).notes if "loses" in n]


def test_an_outlier_can_take_the_differences_even_of_standardized_numbers(
    loaded: Callable[..., Data],
) -> None:
    x = [[i / 7] for i in range(40)] + [[1e12]]
    notes = loaded("inline", inputs=x, targets=[i / 3 for i in range(41)], standardize=BOTH).notes
    assert [note for note in notes if "input column 0" in note and "logarithm" in note]


# Numbers that differ, and whether float64, with 53 bits, has enough of them to distinguish all.
LARGE: dict[str, tuple[list[Any], bool]] = {
    "neighbours of 2**53": ([2**53 + i for i in range(6)], False),
    "even neighbours of 2**53": ([2**53 + 2 * i for i in range(6)], True),
    "among fractions": ([2**53, 2**53 + 1, 0.5, 1.5, 2.5, 3.5], False),
    "below 0": ([-(2**60) - i for i in range(6)], False),
    "beyond int64": ([2**64 + i for i in range(6)], False),
    "alone": ([2**53 + 1, 1, 2, 3, 4, 5], True),
}


@pytest.mark.parametrize("what", ["inputs", "targets"])
@pytest.mark.parametrize(
    ("case", "way"),
    [
        (case, way)
        for case in LARGE
        for way in ("csv", "npz", "inline", "own", "predict")
        if way != "npz" or case not in ("among fractions", "beyond int64")  # numpy has no such type
    ],
)
def test_different_numbers_that_float64_makes_equal_are_refused(tmp_path: Path, case: str, way: str, what: str) -> None:
    numbers, distinct = LARGE[case]
    y = [i / 7 for i in range(len(numbers))]
    pair = (numbers, y) if what == "inputs" else (y, numbers)
    config_: dict[str, Any] = {"name": way, "task": "regression", "validation": 0}
    if way == "csv":
        (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{a},{b}\n" for a, b in zip(*pair, strict=True)))
        config_ |= {"path": "t.csv", "target": "y", "test": 0}
    elif way == "npz":
        np.savez(tmp_path / "t.npz", x=np.array(pair[0]), y=np.array(pair[1]))
        config_ |= {"path": "t.npz", "target": "y", "test": 0}
    elif way == "inline":
        config_ |= {"inputs": pair[0], "targets": pair[1]}

    def read() -> object:
        if way == "predict":
            return as_inputs(as_array(numbers, "inputs"), "inputs")
        if way == "own":
            return from_dataset(Dataset(train=pair, task="regression"), "own")
        rest = {"model": "linear", "loss": "mse", "optimizer": "adam", "learning_rate": 1e-3}
        return load_experiment(from_mapping({"dataset": config_, **rest}, tmp_path), tmp_path)

    with nullcontext() if distinct else pytest.raises(DataError, match=r"are the same\s+number to 53 bits"):
        read()


def test_digits_beyond_float64_are_lost_quietly_unless_they_are_all_that_differs(
    loaded: Callable[..., Data], tmp_path: Path
) -> None:
    wide = [f"{i}.{'3' * 20}" for i in range(40)] + [f"7.{'3' * 19}4"]
    stamps = [f"1700000000.{i:09d}" for i in range(40)]
    for cells, lost in ((wide, False), (stamps, True)):
        (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{cell},{i / 7}\n" for i, cell in enumerate(cells)))
        with pytest.raises(DataError, match="to 53 bits") if lost else nullcontext():
            loaded("csv", path="t.csv", target="y")


def test_labels_that_float64_makes_equal_stay_different_classes(loaded: Callable[..., Data], tmp_path: Path) -> None:
    ids = [2**53 + i % 3 for i in range(30)]
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{i},{label}\n" for i, label in enumerate(ids)))
    data = loaded("csv", path="t.csv", target="y", task="multiclass")
    assert data.classes == tuple(str(2**53 + i) for i in range(3))
    assert not data.notes


def test_a_mean_fills_in_double_precision(loaded: Callable[..., Data], tmp_path: Path) -> None:
    cells = ["" if i % 5 == 0 else str(1_700_000_000 + 10 * i) for i in range(N)]
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{cell},{i / 7}\n" for i, cell in enumerate(cells)))
    data = loaded("csv", path="t.csv", target="y", missing="mean", test=0, validation=0)
    mean = np.mean([int(cell) for cell in cells if cell])
    assert data.train.inputs[0, 0] == pytest.approx(mean, rel=1e-15)


def test_hashes_of_ordinary_numbers_are_those_of_float32(loaded: Callable[..., Data]) -> None:
    """So runs of earlier versions know their data again; where float32 makes numbers equal, all digits count."""
    x = [0.1 * i for i in range(20)]
    near = [value * (1 + 1e-12) for value in x]
    y = [i / 3 for i in range(20)]
    assert loaded("inline", inputs=x, targets=y).hashes == loaded("inline", inputs=near, targets=y).hashes
    far = [1e9 + i for i in range(20)]
    assert (
        loaded("inline", inputs=far, targets=y).hashes
        != loaded("inline", inputs=[v + 1 for v in far], targets=y).hashes
    )


DRAW = np.random.default_rng(2)
MANY = np.arange(400)
LOST = {
    "seconds since 1970": (1_700_000_000 + 10 * MANY, "float32"),
    "the same in any order": (DRAW.permutation(1_700_000_000 + 10 * MANY), "float32"),
    "nothing but the offset": (1_700_000_000 + MANY % 50, "float32"),
    "below 0": (-3e8 - MANY / 4, "float32"),
    "with a fraction": (1e6 + MANY / 500, "float32"),
    "half precision": (4000 + MANY / 8, "float16"),
    "bfloat16": (3000 + MANY / 2, "bfloat16"),
}
KEPT = {
    "nothing lost yet": (1_700_000_000.0 + 10 * MANY, "float64"),
    "wide steps": (1_700_000_000 + 1000 * MANY, "float32"),
    "whole and exact": (2000 + MANY % 24, "float32"),
    "exact in half precision": (2000 + MANY % 40, "float16"),
    "around 0": (DRAW.normal(size=400), "float32"),
    "around 0 in half precision": (DRAW.normal(size=400), "float16"),
    "few prices": (np.array([9.99, 19.99, 1499.99])[MANY % 3], "float32"),
    "grey levels": ((MANY % 256) / 255, "float32"),
    "a constant": (np.full(400, 0.1), "float32"),
    "degrees": (52.5 + DRAW.uniform(0, 0.02, 400), "float32"),
}
OWN_TYPES = """
import numpy as np
import torch
import lossrun

def arrays(kind, x):
    values = np.load(x)
    column = torch.tensor(values).to(getattr(torch, kind)) if kind == "bfloat16" else values.astype(kind)
    return lossrun.Dataset(train=(column, np.arange(len(values)) / 7), task="regression")

def targets(kind, x):
    dataset = arrays(kind, x)
    return lossrun.Dataset(train=dataset.train[::-1], task="regression")
"""


@pytest.mark.parametrize(
    ("values", "kind", "lost"),
    [(*case, True) for case in LOST.values()] + [(*case, False) for case in KEPT.values()],
    ids=[*LOST, *KEPT],
)
@pytest.mark.parametrize("way", ["own inputs", "own targets", "npz"])
def test_what_an_array_has_lost_before_is_named(
    loaded: Callable[..., Data], tmp_path: Path, values: np.ndarray, kind: str, lost: bool, way: str
) -> None:
    if way == "npz":
        if kind == "bfloat16":
            pytest.skip("numpy has no such type")
        np.savez(tmp_path / "t.npz", x=values.astype(kind), y=MANY / 7)
        notes = loaded("npz", path="t.npz", target="y", task="regression").notes
    else:
        np.save(tmp_path / "x.npy", values)
        (tmp_path / "own_types.py").write_text(OWN_TYPES)
        name = f"own_types:{'arrays' if way == 'own inputs' else 'targets'}"
        notes = loaded(name, kind=kind, x=str(tmp_path / "x.npy")).notes
    told = [note for note in notes if "smaller differences are already lost" in note]
    assert len(told) == lost
    if told:
        bits = {"float32": 24, "float16": 11, "bfloat16": 8}[kind]
        assert f"came with {bits} significant bits" in told[0]


def test_the_step_that_is_named_is_that_of_the_type() -> None:
    """From numpy: what lies between 1.7e9 and the next float32."""
    (note,) = lost_notes(np.float32(1_700_000_000 + 10 * MANY)[:, np.newaxis], 24, what="inputs")
    assert f"are {np.spacing(np.float32(1.7e9)):g} apart" in note
