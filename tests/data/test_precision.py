"""What distinguishes numbers is not lost before they are standardized, whatever they lie around and wherever they come
from: x and x + b train alike."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.data import Data
from lossrun.data.samples.scaling import lost_notes

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


def test_numbers_that_no_float_tells_apart_are_refused(loaded: Callable[..., Data], tmp_path: Path) -> None:
    large = 2**53 + np.arange(6)
    np.savez(tmp_path / "t.npz", x=large, y=np.arange(6) / 4)
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{a},{a % 7 / 2}\n" for a in large.tolist()))
    for name, path in (("npz", "t.npz"), ("csv", "t.csv")):
        with pytest.raises(Exception, match=r"9007199254740993 .* are the same\s+number to 53 bits"):
            loaded(name, path=path, target="y", validation=0, test=0)
    with pytest.raises(Exception, match="to 53 bits"):
        loaded("inline", inputs=large.tolist(), targets=[i / 4 for i in range(6)])


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
