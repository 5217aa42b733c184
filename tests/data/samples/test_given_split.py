"""Splits that the data give: by a column, by groups, by time, by files and by Keras' names of arrays."""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.data import Data
from lossrun.data.samples.given_split import choose_groups
from lossrun.errors import DataError

Load = Callable[..., Data]
DATES = [f"2024-{month:02d}-{day:02d}" for month in (1, 2) for day in range(1, 21)]


REST = dict.fromkeys(("column", "groups", "order", "validation", "test"))


def split(**given: Any) -> dict[str, Any]:
    """As validation hands it over: what is left out is None."""
    return REST | given


def table(folder: Path, column: list[Any], name: str = "part", header: bool = True) -> None:
    """Inputs 0, 1, ... and targets half of them, next to the column."""
    rows = [f"{i},{value},{i / 2 + 0.25}" for i, value in enumerate(column)]
    (folder / "t.csv").write_text("\n".join([*([f"a,{name},y"] if header else []), *rows]))


@pytest.fixture
def csv(loaded: Load) -> Load:
    return lambda **given: loaded("csv", path="t.csv", **{"target": "y", **given})


def ids(data: Data) -> dict[str, list[int]]:
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    return {name: part.ids.tolist() for name, part in parts.items() if part is not None}


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [("train", "validation", "test"), ("Training", "val", "TEST"), ("train", "dev", "testing"), (" tr", "valid", "te")],
)
def test_a_column_of_parts(csv: Load, tmp_path: Path, train: str, validation: str, test: str) -> None:
    table(tmp_path, [train, test, validation, train, train, test] * 3)
    data = csv(split=split(column="part"))
    found = ids(data)
    assert found["test"] == [1, 5, 7, 11, 13, 17]
    assert found["validation"] == [2, 8, 14]
    assert data.input_shape == (1,), "the column is not an input"
    for part in (data.train, data.validation, data.test):
        assert part is not None
        assert part.inputs.ravel().tolist() == part.ids.tolist()
        assert part.targets.ravel().tolist() == (part.ids / 2 + 0.25).tolist()


def test_a_part_that_the_column_does_not_name_is_drawn(csv: Load, tmp_path: Path) -> None:
    table(tmp_path, ["train"] * 20 + ["test"] * 5)
    data = csv(split=split(column="part"))
    assert ids(data)["test"] == list(range(20, 25))
    assert len(ids(data)["validation"]) == 2
    assert set(ids(data)["validation"]) < set(range(20))
    assert data.notes[0].startswith("validation: 2 samples drawn at random from the training part")
    assert set(ids(csv(split=split(column="part"), validation=0))) == {"train", "test"}


def test_words_that_are_no_part_are_named(csv: Load, tmp_path: Path) -> None:
    table(tmp_path, ["train", "train", "tset", "train"])
    with pytest.raises(
        DataError, match=r"t\.csv:4: column part: 'tset' is not the name of a part; expected train, validation or test"
    ):
        csv(split=split(column="part"))
    table(tmp_path, ["test", "val", "test"])
    with pytest.raises(DataError, match="no row of column part says train"):
        csv(split=split(column="part"))
    table(tmp_path, ["train", "", "test"])
    with pytest.raises(
        DataError, match=r"t\.csv:3: column part: the cell is empty; the split needs a value in every row"
    ):
        csv(split=split(column="part"))


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_in_two_parts(csv: Load, tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    patients = [f"p{i}" for i in rng.integers(0, 25, 200)]
    table(tmp_path, patients, "patient")
    data = csv(split=split(groups="patient"), split_seed=seed)
    parts = {name: {patients[row] for row in rows} for name, rows in ids(data).items()}
    for one, other in combinations(parts.values(), 2):
        assert not one & other
    assert sum(map(len, ids(data).values())) == 200
    # Sums of some of 25 groups of about 8 reach every number.
    assert (len(ids(data)["test"]), len(ids(data)["validation"])) == (40, 16)
    assert ids(csv(split=split(groups="patient"), split_seed=seed)) == ids(data)
    assert ids(csv(split=split(groups="patient"), split_seed=seed + 1)) != ids(data)
    assert ids(csv(split=split(groups="patient"), split_seed="seed", seed=seed)) == ids(data)


@pytest.mark.parametrize("seed", range(20))
def test_groups_come_as_near_to_the_size_as_any_choice(seed: int) -> None:
    """Compared with every choice there is."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 40, rng.integers(2, 9))
    size = int(rng.integers(1, counts.sum()))
    chosen = choose_groups(counts, size, rng)
    every = [sum(c) for k in range(1, len(counts)) for c in combinations(counts.tolist(), k)]
    assert len(set(chosen.tolist())) == len(chosen) < len(counts)
    assert abs(counts[chosen].sum() - size) == min(abs(total - size) for total in every)


def test_a_single_group_cannot_be_split(csv: Load, tmp_path: Path) -> None:
    table(tmp_path, ["one"] * 9, "patient")
    with pytest.raises(DataError, match=r"^dataset\.split\.groups: 1 group is left in column patient"):
        csv(split=split(groups="patient"))


WRITTEN: dict[str, Callable[[str], str]] = {
    "iso": str,
    "iso with time": lambda d: f"{d}T12:00:00",
    "time zone": lambda d: f"{d}T12:00:00+02:00",
    "german": lambda d: f"{d[8:]}.{d[5:7]}.{d[:4]}",
    "american": lambda d: f"{int(d[5:7])}/{int(d[8:])}/{d[:4]}",
    "slashes": lambda d: d.replace("-", "/"),
    "number": lambda d: d.replace("-", ""),
    "english": lambda d: f"{int(d[8:])} {('Jan', 'Feb')[int(d[5:7]) - 1]} {d[:4]}",
}


@pytest.mark.parametrize("written", WRITTEN)
def test_the_last_rows_are_the_test(csv: Load, tmp_path: Path, written: str) -> None:
    order = np.random.default_rng(0).permutation(len(DATES))
    table(tmp_path, [WRITTEN[written](DATES[i]) for i in order], "date")
    found = ids(csv(split=split(order="date"), test=0.25, validation=5))
    when = {name: sorted(int(order[row]) for row in rows) for name, rows in found.items()}
    assert when == {"train": list(range(25)), "validation": list(range(25, 30)), "test": list(range(30, 40))}


def test_rows_of_one_time_stay_together(csv: Load, tmp_path: Path) -> None:
    table(tmp_path, [2000 + i // 4 for i in range(40)], "year")
    found = ids(csv(split=split(order="year"), test=9, validation=0))
    assert found["test"] == list(range(32, 40)), "8 is nearer to 9 than 12"
    table(tmp_path, [2000] * 9, "year")
    with pytest.raises(DataError, match="holds only one value"):
        csv(split=split(order="year"))


@pytest.mark.parametrize("name", ["csv", "npz"])
def test_nanoseconds_are_told_apart(loaded: Load, csv: Load, tmp_path: Path, name: str) -> None:
    """Steps of 1 at 1.7e18, where float64 has steps of 256."""
    nanoseconds = [1_700_000_000_000_000_000 - i for i in range(20)]
    table(tmp_path, nanoseconds, "time")
    np.savez(tmp_path / "t.npz", a=np.arange(20.0), time=np.array(nanoseconds), y=np.arange(20) / 2 + 0.25)
    order, sizes = split(order="time"), {"test": 4, "validation": 0}
    data = csv(split=order, **sizes) if name == "csv" else loaded("npz", path="t.npz", target="y", split=order, **sizes)
    assert ids(data)["test"] == [0, 1, 2, 3]


def test_dates_that_could_be_read_in_two_ways_or_none(csv: Load, tmp_path: Path) -> None:
    table(tmp_path, ["1/2/2024", "2/1/2024", "3/4/2024"], "date")
    with pytest.raises(
        DataError, match=r"t\.csv:2: column date: '1/2/2024': the first number could be the day or the month"
    ):
        csv(split=split(order="date"), validation=0)
    table(tmp_path, ["2024-01-01", "2024-01-02", "spring"], "date")
    with pytest.raises(DataError, match=r"t\.csv:4: column date: 'spring' is not a date"):
        csv(split=split(order="date"), validation=0)


STANDARDIZE = {"inputs": True, "targets": False}
CITIES = ["Rome", "Bern", "Oslo"]


def files(folder: Path) -> None:
    for name, start, count in (("t", 0, 12), ("v", 100, 4), ("u", 200, 5)):
        rows = [f"{start + i},{CITIES[i % 3]},{'yes' if i % 2 else 'no'}" for i in range(count)]
        (folder / f"{name}.csv").write_text("\n".join(["a,city,y", *rows]))


def test_parts_in_files_of_their_own(csv: Load, tmp_path: Path) -> None:
    files(tmp_path)
    data = csv(split=split(validation="v.csv", test="u.csv"), encode="one_hot", standardize=STANDARDIZE)
    assert ids(data) == {"train": list(range(12)), "validation": list(range(4)), "test": list(range(5))}
    assert data.validation is not None
    assert data.validation.inputs.tolist() == [[100, 0, 0, 1], [101, 1, 0, 0], [102, 0, 1, 0], [103, 0, 0, 1]]
    assert data.classes == ("no", "yes")
    assert data.input_scaling.mean[0] == np.mean(range(12)), "fitted on the training part"
    drawn = csv(split=split(test="u.csv"), encode="one_hot")
    assert [len(rows) for rows in ids(drawn).values()] == [11, 1, 5]


def test_a_word_that_the_training_file_does_not_have(csv: Load, tmp_path: Path) -> None:
    files(tmp_path)
    (tmp_path / "v.csv").write_text("a,city,y\n1,Rome,no\n2,Paris,yes\n")
    with pytest.raises(
        DataError, match=r"v\.csv:3: column city: 'Paris' did not occur in training; expected one of Bern"
    ):
        csv(split=split(validation="v.csv"), encode="one_hot")
    (tmp_path / "v.csv").write_text("a,y\n1,no\n")
    with pytest.raises(DataError, match=r"v\.csv: no column city; expected the columns of .*t\.csv"):
        csv(split=split(validation="v.csv"), encode="one_hot")
    with pytest.raises(DataError, match=r"^dataset\.split\.test: .*nowhere\.csv cannot be read"):
        csv(split=split(test="nowhere.csv"), encode="one_hot")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (
            {"split": split(column="part"), "test": 0.3},
            r"^dataset\.test: 0\.3, but the test part is given by the column part",
        ),
        ({"split": split(column="part"), "validation": 0}, r"^dataset\.validation: 0, but the validation part"),
        (
            {"split": split(column="part"), "split_seed": "seed"},
            r"^dataset\.split_seed: seed, but nothing is drawn at random",
        ),
        (
            {"split": split(order="a"), "inputs": "a", "drop": [], "split_seed": 3},
            r"^dataset\.split_seed: 3, but nothing is drawn at random",
        ),
        ({"split": split(validation="v.csv"), "validation": 0.2}, "given by the file v.csv"),
        ({"split": split(column="prat")}, r"^dataset\.split\.column: .* no 'prat'; did you mean part\?"),
        ({"split": split(column="y")}, r"^dataset\.split: y is also the target"),
    ],
)
def test_keys_that_contradict_a_given_split_are_refused(csv: Load, tmp_path: Path, given: Any, complaint: str) -> None:
    table(tmp_path, ["train", "test", "val", "train"] * 5)
    (tmp_path / "v.csv").write_text((tmp_path / "t.csv").read_text().replace("val", "test"))
    with pytest.raises(DataError, match=complaint):
        csv(**{"drop": ["part"] if given["split"]["column"] is None else [], **given})


@pytest.mark.parametrize("target", [3, -1, "x3"])
def test_a_table_without_a_header(csv: Load, tmp_path: Path, target: Any) -> None:
    table(tmp_path, ["train"] * 6 + ["test"] * 2, header=False)
    data = csv(header=False, target=target, split=split(column=2), validation=0)
    assert data.layout.input_names == ("x1",)
    assert data.layout.targets == ("x3",)
    assert ids(data)["test"] == [6, 7]
    with pytest.raises(
        DataError, match=r"^dataset\.target: 4; the 3 columns of .* are counted from 1, and from the end by -1"
    ):
        csv(header=False, target=4)


X, Y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2


@pytest.mark.parametrize(
    "names",
    [
        {"train": ("x_train", "y_train"), "test": ("x_test", "y_test")},
        {"train": ("x_train", "y_train"), "validation": ("x_val", "y_val"), "test": ("x_test", "y_test")},
        {"train": ("X_train", "Y_train"), "validation": ("X_valid", "Y_valid")},
        {"train": ("train_images", "train_labels"), "validation": ("val_images", "val_labels")},
    ],
)
def test_arrays_of_each_part_by_their_names(loaded: Load, tmp_path: Path, names: dict[str, tuple[str, str]]) -> None:
    arrays = {}
    for number, (x, y) in enumerate(names.values()):
        arrays |= {x: X + number, y: Y}
    np.savez(tmp_path / "t.npz", **arrays)
    data = loaded("npz", path="t.npz", task="binary")
    for number, name in enumerate(names):
        part = getattr(data, name)
        if name == "train" and len(part) < 20:
            continue  # what is left after drawing the parts that are not there
        assert part.inputs.tolist() == (X + number).tolist()
    assert set(data.brought) == set(names) - {"train"}
    assert loaded("npz", path="t.npz", task="binary", target=names["train"][1]).hashes == data.hashes
    with pytest.raises(DataError, match=r"^dataset\.split: .* already holds "):
        loaded("npz", path="t.npz", task="binary", split=split(column=names["train"][1]))


def test_arrays_that_split(loaded: Load, tmp_path: Path) -> None:
    parts = np.array(["train"] * 12 + ["val"] * 3 + ["test"] * 5)
    when = np.datetime64("2024-01-01") + np.arange(20)[::-1]
    np.savez(tmp_path / "t.npz", x=X, y=Y, part=parts, group=np.arange(20) // 4, when=when)
    given: dict[str, Any] = {"path": "t.npz", "target": "y", "inputs": "x", "task": "binary"}
    assert ids(loaded("npz", split=split(column="part"), **given))["validation"] == [12, 13, 14]
    assert ids(loaded("npz", split=split(order="when"), **given))["test"] == [0, 1, 2, 3]
    groups = ids(loaded("npz", split=split(groups="group"), **given))
    assert all(len({row // 4 for row in rows}) * 4 == len(rows) for rows in groups.values())
    np.savez(tmp_path / "v.npz", x=X + 7, y=Y)
    data = loaded("npz", split=split(test="v.npz"), **given)
    assert data.test is not None
    assert data.test.inputs.tolist() == (X + 7).tolist()
    np.savez(tmp_path / "v.npz", x=X[:, :1], y=Y)
    with pytest.raises(DataError, match=r"v\.npz: x: .* expected the parts to be alike"):
        loaded("npz", split=split(test="v.npz"), **given)


@pytest.mark.parametrize(
    ("way", "values"),
    [
        ("order", np.array([*range(19), np.nan])),
        ("order", np.array([*range(19), np.inf])),
        ("groups", np.array([0.0] * 9 + [1.0] * 10 + [np.nan])),
        ("order", np.array(["2024-01-01"] * 19 + ["NaT"], "datetime64[D]")),
        ("groups", np.array(["a"] * 10 + ["b"] * 9 + [" "])),
        ("column", np.array(["train"] * 19 + [""])),
    ],
)
def test_an_array_that_splits_has_a_value_for_each_sample(
    loaded: Load, tmp_path: Path, way: str, values: np.ndarray
) -> None:
    np.savez(tmp_path / "t.npz", x=X, y=Y, by=values)
    with pytest.raises(DataError, match=r"t\.npz: by\[19\]: .*; the split needs a value for each sample"):
        loaded("npz", path="t.npz", target="y", inputs="x", task="binary", split=split(**{way: "by"}))


def test_times_that_differ_by_nanoseconds_have_an_order(loaded: Load, tmp_path: Path) -> None:
    when = np.datetime64("2024-01-01", "ns") + np.arange(20)[::-1]
    np.savez(tmp_path / "t.npz", x=X, y=Y, when=when)
    data = loaded("npz", path="t.npz", target="y", inputs="x", task="binary", split=split(order="when"))
    assert ids(data)["test"] == [0, 1, 2, 3]


def test_an_archive_without_such_names_wants_a_target(loaded: Load, tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x=X, z=Y)
    with pytest.raises(DataError, match=r"^dataset\.target: names no array of .*; name one of x, z"):
        loaded("npz", path="t.npz")


@pytest.mark.parametrize(
    ("weights", "noted"),
    [
        ({"w_train": 20, "w_test": 8}, "w_train"),
        ({"weights_train": 20}, "weights_train"),
        ({"train_sample_weight": 20, "test_sample_weight": 8}, "train_sample_weight"),
        ({"W_train": 20}, "W_train"),
        ({"extra": 3}, ""),
        ({"w_test": 8}, ""),  # nothing that the key could name
    ],
)
def test_arrays_that_nobody_reads_are_named(loaded: Load, tmp_path: Path, weights: dict[str, int], noted: str) -> None:
    parts = {"x_train": X, "y_train": Y, "x_test": X[:8], "y_test": Y[:8]}
    np.savez(tmp_path / "t.npz", **parts, **{name: np.ones(size) for name, size in weights.items()})
    data = loaded("npz", path="t.npz", task="binary")
    assert data.train.weights is None
    told = next(note for note in data.notes if "not used" in note)
    assert told.startswith(", ".join(weights) + " of t.npz")
    assert ("add weight: " in told) == bool(noted)
    assert told.endswith(f"add weight: {noted}" if noted else "not used")


def test_nothing_is_said_where_every_array_is_read(loaded: Load, tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x_train=X, y_train=Y, x_test=X[:8], y_test=Y[:8])
    assert not [note for note in loaded("npz", path="t.npz", task="binary").notes if "not used" in note]


@pytest.mark.parametrize("style", ["{}_{}", "{1}_{0}"])
@pytest.mark.parametrize("word", ["w", "sample_weight", "importance"])
def test_weights_of_each_part_by_the_name_of_the_training_parts(
    loaded: Load, tmp_path: Path, style: str, word: str
) -> None:
    sizes = {"train": 20, "val": 6, "test": 8}
    arrays: dict[str, np.ndarray] = {}
    for part, size in sizes.items():
        arrays |= {f"x_{part}": X[:size], f"y_{part}": Y[:size], style.format(word, part): np.arange(1.0, size + 1)}
    np.savez(tmp_path / "t.npz", **arrays)
    data = loaded("npz", path="t.npz", task="binary", weight=style.format(word, "train"))
    for part, size in zip((data.train, data.validation, data.test), sizes.values(), strict=True):
        assert part is not None
        assert part.weights is not None
        assert part.weights.tolist() == list(range(1, size + 1))
    assert not [note for note in data.notes if "not used" in note]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"weight": "w_train"}, r"^dataset\.weight: w_train holds the weights of the training part, .* for x_test"),
        ({"weight": "w"}, r"^dataset\.weight: w does not name the weights of one part"),
        ({"weight": "w_val"}, r"^dataset\.weight: w_val does not name the weights of one part"),
        ({"weight": "x_train"}, r"^dataset\.weight: x_train is also in inputs"),
        ({"weight": "w_trian"}, r"^dataset\.weight: .* no 'w_trian'; did you mean w_train\?"),
    ],
)
def test_weights_that_do_not_name_each_part(
    loaded: Load, tmp_path: Path, given: dict[str, Any], complaint: str
) -> None:
    parts = {"x_train": X, "y_train": Y, "x_test": X[:8], "y_test": Y[:8]}
    np.savez(tmp_path / "t.npz", **parts, w_train=np.ones(20), w=np.ones(20), w_val=np.ones(3))
    with pytest.raises(DataError, match=complaint):
        loaded("npz", path="t.npz", task="binary", **given)


def test_a_part_that_is_not_used_needs_no_weights(loaded: Load, tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x_train=X, y_train=Y, x_test=X[:8], y_test=Y[:8], w_train=np.ones(20))
    data = loaded("npz", path="t.npz", task="binary", weight="w_train", test=0)
    assert data.test is None
    assert data.train.weights is not None


def test_weights_that_are_read_as_inputs_are_named(loaded: Load, tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x=X, y=Y, w=np.ones(20))
    given = {"path": "t.npz", "target": "y", "task": "binary"}
    told = "w of t.npz is one of the inputs; if it holds a weight for each sample, add weight: w"
    assert told in loaded("npz", **given).notes
    assert told not in loaded("npz", inputs=["x", "w"], **given).notes  # as it was asked for
    assert told not in loaded("npz", weight="w", **given).notes
