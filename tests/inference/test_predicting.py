"""New samples through a trained model: the run's own test samples, given as files, get the run's own predictions."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.errors import DataError, UsageError
from lossrun.inference.predicting import predict
from lossrun.records import predictions
from lossrun.records.run_directory import RunDirectory
from tests.training.conftest import REGRESSION, Laboratory

CITIES = ("Oslo", "Rome", "Bern")
HEADER = "id,rooms,city,area,price"


def houses(count: int = 60) -> list[str]:
    """Lines of a table with words, an empty cell now and then, and columns of very different widths."""
    draw = np.random.default_rng(5)
    lines = []
    for number in range(count):
        rooms, city, area = draw.integers(1, 7), CITIES[draw.integers(3)], 1000 * draw.random()
        price = 50 * rooms + 0.3 * area + 20 * len(city) + draw.random()
        lines.append(f"{number},{'' if number % 9 == 0 else rooms},{city},{area:.3f},{price:.4f}")
    return lines


def write(path: Path, lines: list[str], header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


HOUSES: dict[str, Any] = {
    "name": "csv",
    "path": "houses.csv",
    "target": "price",
    "drop": ["id"],
    "encode": "one_hot",
    "missing": "mean",
    "standardize": {"inputs": True, "targets": True},
}


@pytest.fixture
def priced(laboratory: Laboratory) -> RunDirectory:
    write(laboratory.folder / "houses.csv", houses())
    return laboratory.start(REGRESSION | {"dataset": HOUSES, "seeds": 2})


def test_a_table_as_in_training(laboratory: Laboratory, priced: RunDirectory) -> None:
    own = predictions.read(priced.predictions_path)
    lines = houses()
    # Just the test rows, the columns in another order, without id and price, and with one that nobody asked for.
    rows = [lines[i].split(",") for i in own.ids]
    new = write(
        laboratory.folder / "new.csv",
        [f"{city},x,{area},{rooms}" for _, rooms, city, area, _ in rows],
        "city,?,area,rooms",
    )
    for seed in (0, 1):
        found = predict(priced.path, new, seed=seed)
        np.testing.assert_array_equal(found.arrays["prediction"], own.outputs[seed])
        assert found.columns == {"prediction": own.outputs[seed][:, 0].tolist()}
        assert found.notes == ()
    assert any("seed 0, the first of 2" in text for text in predict(priced.path, new).notes)
    # In the prices' own units: they reach from about 100 to 700.
    assert 100 < found.arrays["prediction"].mean() < 700


def test_a_table_that_does_not_fit_is_told_by_its_place(laboratory: Laboratory, priced: RunDirectory) -> None:
    folder = laboratory.folder

    def refused(lines: list[str], header: str = "rooms,city,area") -> str:
        with pytest.raises(DataError) as error:
            predict(priced.path, write(folder / "new.csv", lines, header))
        told = str(error.value)
        assert not [key for key in ("missing_values", "dataset.", "drop:", "decimal:") if key in told], told
        return told

    assert "new.csv: no column area; the model needs rooms, city, area; did you mean its aera?" in refused(
        ["3,Oslo,5"], "rooms,city,aera"
    )
    assert "new.csv:3: column city: 'Paris' did not occur in training; expected one of Bern, Oslo, Rome" in refused(
        ["3,Oslo,5", "3,Paris,5"]
    )
    assert "new.csv:2: column city: '' did not occur" in refused(["3,,5", "3,Oslo,5"])
    assert "new.csv:2: column area: 'big' is not a number" in refused(["3,Oslo,big"])
    assert "new.csv:2: column area: '5%' is not a number; write only the number" in refused(["3,Oslo,5%"])
    assert "new.csv:2: column area: '1,500.5' is not a number; write" in refused(['3,Oslo,"1,500.5"'])
    assert "new.csv:2: column area: '?' is not a number; write a number" in refused(["3,Oslo,?"])
    large = ["3,Oslo,9007199254740992", "3,Oslo,9007199254740993"]
    assert "subtract what the column has in common" in refused(large)
    assert "expected ',' between cells, as in the training table" in refused(["3;Oslo;5"], "rooms;city;area")
    assert "new.csv:2: column area: 1e99; expected a finite number" in refused(["3,Oslo,1e99"])
    with pytest.raises(DataError, match="there is no such file"):
        predict(priced.path, folder / "nothing.csv")
    with pytest.raises(UsageError, match="expected a table"):
        predict(priced.path, priced.config_path)
    with pytest.raises(UsageError, match=r"--seed 7: .* was not trained with it; it has 0, 1"):
        predict(priced.path, folder / "new.csv", seed=7)


def test_a_missing_number_without_a_mean_is_refused(laboratory: Laboratory) -> None:
    write(laboratory.folder / "houses.csv", houses())
    run = laboratory.start(REGRESSION | {"dataset": HOUSES | {"missing": "drop"}})
    new = write(laboratory.folder / "new.csv", ["3,Oslo,4", "nan,Rome,5"], "rooms,city,area")
    with pytest.raises(DataError, match=r"new.csv:3: column rooms: nan; expected a number, as in training"):
        predict(run.path, new)


def test_a_model_of_one_input(laboratory: Laboratory) -> None:
    write(laboratory.folder / "line.csv", [f"{i},{2 * i + 1.5}" for i in range(20)], "x,y")
    run = laboratory.start(REGRESSION | {"dataset": {"name": "csv", "path": "line.csv", "target": "y"}})
    alone = predict(run.path, write(laboratory.folder / "new.csv", ["1.5", "2.5"], "x"))
    in_both = predict(run.path, write(laboratory.folder / "new.csv", ["0,1.5", "0,2.5"], "z,x"))
    assert alone.columns == in_both.columns
    with pytest.raises(DataError, match=r"no column x"):
        predict(run.path, write(laboratory.folder / "new.csv", ["1.5", "2.5"], "y"))
    with pytest.raises(DataError, match=r"new.csv:4: column x: 'two' is not a number"):
        predict(run.path, write(laboratory.folder / "new.csv", ["1.5", "", "two"], "x"))


def test_classes_by_name_and_their_probabilities(laboratory: Laboratory) -> None:
    lines = [f"{i},{i % 10},{('low', 'middle', 'top')[i % 10 // 4]}" for i in range(60)]
    write(laboratory.folder / "levels.csv", lines, "a,b,level")
    dataset = {"name": "csv", "path": "levels.csv", "target": "level", "standardize": True}
    run = laboratory.start(REGRESSION | {"dataset": dataset, "loss": "cross_entropy"})
    own = predictions.read(run.predictions_path)
    found = predict(run.path, write(laboratory.folder / "new.csv", [lines[i] for i in own.ids], "a,b,level"))
    assert list(found.columns) == ["prediction", "p_low", "p_middle", "p_top"]
    np.testing.assert_array_equal(found.arrays["probabilities"], own.outputs[0])
    names = found.arrays["classes"][found.arrays["prediction"]]
    assert found.columns["prediction"] == names.tolist()
    np.testing.assert_array_equal(found.arrays["prediction"], own.outputs[0].argmax(axis=1))
    first = found.rows()[0]
    assert first == {"row": 0, **{name: values[0] for name, values in found.columns.items()}}


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def test_pixels_from_an_archive_and_from_idx(laboratory: Laboratory) -> None:
    folder, draw = laboratory.folder, np.random.default_rng(2)
    images, labels = draw.integers(0, 256, (50, 6, 5), np.uint8), draw.integers(0, 2, 50)
    np.savez(folder / "images.npz", pictures=images, label=labels)
    dataset = {"name": "npz", "path": "images.npz", "target": "label", "task": "binary", "standardize": True}
    run = laboratory.start(REGRESSION | {"dataset": dataset, "loss": "binary_cross_entropy"})
    own = predictions.read(run.predictions_path)
    new = images[own.ids]
    np.savez(folder / "named.npz", pictures=new, other=labels)
    np.savez(folder / "single.npz", anything=new[:, np.newaxis])
    (folder / "new-idx3-ubyte").write_bytes(idx(new))
    (folder / "new.gz").write_bytes(gzip.compress(idx(new)))
    for source in ("named.npz", "single.npz", "new-idx3-ubyte", "new.gz"):
        found = predict(run.path, folder / source)
        np.testing.assert_array_equal(found.arrays["probabilities"], own.outputs[0])
    assert list(found.columns) == ["prediction", "p_1"]
    np.testing.assert_array_equal(predict(run.path, new).arrays["probabilities"], own.outputs[0])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            np.zeros((3, 5, 5), np.uint8),
            r"samples of shape \(1, 5, 5\); the model was trained on samples of shape \(1, 6, 5\)",
        ),
        (np.zeros((3, 6, 5), np.float32), "float32 numbers; the model was trained on pixels"),
        (np.full((3, 6, 5), np.nan), r"inputs\[0, 0, 0\]: nan; expected a finite number"),
    ],
)
def test_arrays_of_another_kind(laboratory: Laboratory, array: np.ndarray, message: str) -> None:
    draw = np.random.default_rng(2)
    np.savez(
        laboratory.folder / "images.npz", inputs=draw.integers(0, 256, (50, 6, 5), np.uint8), label=np.arange(50) % 2
    )
    dataset = {"name": "npz", "path": "images.npz", "target": "label", "task": "binary"}
    run = laboratory.start(REGRESSION | {"dataset": dataset, "loss": "binary_cross_entropy", "epochs": 1})
    np.savez(laboratory.folder / "new.npz", inputs=array, more=array)
    with pytest.raises(DataError, match=message):
        predict(run.path, array)
    with pytest.raises(DataError):
        predict(run.path, laboratory.folder / "new.npz")


def test_archives_that_do_not_say_which_array(laboratory: Laboratory) -> None:
    run = laboratory.start(REGRESSION | {"epochs": 1})
    np.savez(laboratory.folder / "new.npz", a=np.zeros((2, 4)), b=np.zeros((2, 4)))
    with pytest.raises(DataError, match=r"new.npz: expected an array inputs; there is a, b"):
        predict(run.path, laboratory.folder / "new.npz")
    (laboratory.folder / "new.npz").write_bytes(b"nonsense")
    with pytest.raises(DataError, match=r"new.npz: not a numpy archive"):
        predict(run.path, laboratory.folder / "new.npz")


def test_a_table_for_a_dataset_whose_inputs_have_no_names(laboratory: Laboratory) -> None:
    run = laboratory.start(REGRESSION)
    points = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    lines = [",".join(map(repr, row)) for row in points.tolist()]
    found = predict(run.path, write(laboratory.folder / "new.csv", lines, "a,b,c,d"))
    assert found.columns == predict(run.path, points).columns
    with pytest.raises(DataError, match="5 columns; expected only the 4 inputs"):
        predict(run.path, write(laboratory.folder / "new.csv", [f"{line},1" for line in lines], "a,b,c,d,e"))


@pytest.mark.parametrize(
    "given", [((1.0, 2.0, 3.0, 4.0), (5.0, 6.0, 7.0, 8.0)), [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]]
)
def test_rows_are_rows_whatever_holds_them(laboratory: Laboratory, given: Any) -> None:
    run = laboratory.start({**REGRESSION, "epochs": 1})
    expected = predict(run.path, np.arange(1, 9).reshape(2, 4)).arrays["prediction"]
    np.testing.assert_array_equal(predict(run.path, given).arrays["prediction"], expected)


ROWS = [[float(i), float(i % 7), float(i * i % 11), 0.5 * i + i % 7] for i in range(40)]


def lines_of(places: list[int], rows: list[list[float]] = ROWS) -> str:
    return "".join(",".join(str(row[place]) for place in places) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("target", "keys", "given"),
    [
        (-1, {}, [[0, 1, 2, 3], [0, 1, 2]]),
        (1, {}, [[3, 0, 1, 2], [0, 1, 2]]),
        (2, {}, [[0, 3, 1, 2], [0, 1, 2]]),
        (-1, {"drop": [1]}, [[0, 1, 2, 3], [0, 1, 2], [1, 2]]),
        (2, {"inputs": [4, 1]}, [[0, 3, 1, 2], [0, 2]]),
    ],
)
def test_a_table_without_a_header_as_in_training(
    laboratory: Laboratory, target: int, keys: dict[str, Any], given: list[list[int]]
) -> None:
    """The whole table, the table without its last columns, or the inputs alone: by their places."""
    (laboratory.folder / "t.csv").write_text(lines_of(given[0]))
    dataset = {"name": "csv", "path": "t.csv", "target": target, "header": False, "task": "regression", **keys}
    run = laboratory.start(REGRESSION | {"dataset": dataset})
    found = []
    for places in given:
        (laboratory.folder / "new.csv").write_text(lines_of(places))
        found.append(predict(run.path, laboratory.folder / "new.csv").columns["prediction"])
    assert all(one == found[0] for one in found)
    assert len(set(found[0])) > 20
    # With names, whatever they are: still by their places.
    (laboratory.folder / "new.csv").write_text("p,q,r,s\n" + lines_of(given[0]))
    named = predict(run.path, laboratory.folder / "new.csv", header=True)
    assert named.columns["prediction"] == found[0]
    with pytest.raises(DataError, match=r"looks like names of columns .* add --header"):
        predict(run.path, laboratory.folder / "new.csv")


def test_places_that_could_mean_two_things_are_refused(laboratory: Laboratory) -> None:
    """Of 5 columns, the first the target and the last left out, 4 could be any."""
    (laboratory.folder / "t.csv").write_text(lines_of([3, 0, 1, 2, 0]))
    dataset = {"name": "csv", "path": "t.csv", "target": 1, "drop": [5], "header": False, "task": "regression"}
    run = laboratory.start(REGRESSION | {"dataset": dataset})
    for places in ([0, 1, 2, 0], [0, 1], [3, 0, 1, 2, 0, 0]):
        (laboratory.folder / "new.csv").write_text(lines_of(places))
        with pytest.raises(
            DataError, match=r"expected the 5 columns of the training table, or the inputs alone: x2, x3, x4$"
        ):
            predict(run.path, laboratory.folder / "new.csv")


def test_a_run_with_names_takes_its_inputs_without(laboratory: Laboratory) -> None:
    (laboratory.folder / "t.csv").write_text("a,b,c,y\n" + lines_of([0, 1, 2, 3]))
    dataset = {"name": "csv", "path": "t.csv", "target": "y", "inputs": ["c", "a"]}
    run = laboratory.start(REGRESSION | {"dataset": dataset})
    expected = predict(run.path, laboratory.folder / "t.csv").columns
    (laboratory.folder / "new.csv").write_text(lines_of([2, 0]))
    assert predict(run.path, laboratory.folder / "new.csv", header=False).columns == expected
    with pytest.raises(DataError, match="say that there is no such line: --no-header"):
        predict(run.path, laboratory.folder / "new.csv")
    (laboratory.folder / "new.csv").write_text(lines_of([0, 1, 2]))
    with pytest.raises(DataError, match=r"3 columns, .* expected the 2 inputs alone, in this order: c, a"):
        predict(run.path, laboratory.folder / "new.csv", header=False)


def test_a_run_whose_inputs_have_no_names_takes_a_table_without_a_header(laboratory: Laboratory) -> None:
    run = laboratory.start(REGRESSION)
    (laboratory.folder / "named.csv").write_text("a,b,c,d\n" + lines_of([0, 1, 2, 3]))
    (laboratory.folder / "new.csv").write_text(lines_of([0, 1, 2, 3]))
    assert (
        predict(run.path, laboratory.folder / "new.csv", header=False).columns
        == predict(run.path, laboratory.folder / "named.csv").columns
    )
