"""Data that have changed since a run was started are refused by the name of their part; equal data are not.

What is equal: the same numbers in the same order, however the file writes them and wherever it lies.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from lossrun.data.sources.images import IMAGE_SETS
from tests.crash.in_process import run

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

MODEL = """\
model: {name: mlp, hidden: [4]}
loss: mse
optimizer: adam
learning_rate: 0.01
epochs: 1
"""
CSV = "dataset: {name: csv, path: data.csv, target: y, weight: w, encode: one_hot, split: {column: part}}\n"
TABLE = "dataset: {name: csv, path: data.csv, target: y, drop: [b, part, w]}\n"
NPZ = "dataset: {name: npz, path: data.npz, weight: w_train}\n"
CLASSES = MODEL.replace("mse", "cross_entropy")
OWN = "dataset: {name: 'mine:data', validation: 0}\n"
FOLDS, SPLITS = (f"{TABLE}{key}: 2\n" for key in ("folds", "splits"))
SPLIT_BY_SEED = TABLE.replace("}", ", split_seed: seed}") + "seeds: 2\n"
IDX = "dataset: mnist\n"
TABLE_OF_SCIKIT_LEARN = "dataset: {name: diabetes, standardize: {targets: true}}\n"
PARTS = ("train", "train", "train", "validation", "test")

Rows = list[list[str]]


def csv(folder: Path, change: Callable[[Rows], object], end: str = "\n") -> None:
    """Write a table whose columns are a number, a word, a number, the weight, the target, and the part."""
    numbers = np.random.default_rng(0).random((60, 3)).round(4).astype(str)
    rows = [[a, "uvw"[row // 5 % 3], c, str(1 + row % 2), y, PARTS[row % 5]] for row, (a, c, y) in enumerate(numbers)]
    table = [["a", "b", "c", "w", "y", "part"], *rows]
    change(table)
    (folder / "data.csv").write_bytes(end.join([",".join(row) for row in table] + [""]).encode())


def of_the_part(column: int, value: str, part: str) -> Callable[[Rows], object]:
    """Change one cell of a row of a part."""

    def change(table: Rows) -> None:
        next(row for row in table if row[5] == part)[column] = value

    return change


def swapped_rows(table: Rows) -> None:
    table[1], table[2] = table[2], table[1]


def swapped_columns(table: Rows) -> None:
    for row in table:
        row[0], row[2] = row[2], row[0]


def with_more_digits(table: Rows) -> None:
    for row in table[1:]:
        row[0] += "00"


def npz(folder: Path, change: Callable[[dict[str, np.ndarray]], object], save: Callable[..., None] = np.savez) -> None:
    random = np.random.default_rng(0)
    arrays = {
        f"{name}_{part}": random.random((size, 3) if name == "x" else size).astype(np.float32)
        for part, size in (("train", 40), ("val", 10), ("test", 10))
        for name in "xyw"
    }
    change(arrays)
    save(folder / "data.npz", **arrays)


def added(name: str) -> Callable[[dict[str, np.ndarray]], object]:
    def change(arrays: dict[str, np.ndarray]) -> None:
        arrays[name][3] += 1

    return change


def reversed_(arrays: dict[str, np.ndarray]) -> None:
    arrays.update({name: array[::-1] for name, array in arrays.items() if name.endswith("_train")})


def as_type(kind: str) -> Callable[[dict[str, np.ndarray]], object]:
    def change(arrays: dict[str, np.ndarray]) -> None:
        arrays.update({name: array.astype(kind) for name, array in arrays.items()})

    return change


def own(folder: Path, line: str) -> None:
    (folder / "mine.py").write_text(f"""\
import numpy as np
from lossrun.data.samples.dataset import Dataset

def data():
    random = np.random.default_rng(0)
    train, test = (random.random((size, 4)) for size in (40, 10))
    parts = {{"train": (train[:, :3], train[:, 3]), "test": (test[:, :3], test[:, 3])}}
    {line}
    return Dataset(**parts, task="regression")
""")


def idx(folder: Path, name: str = "", place: int = 0) -> None:
    """Write MNIST of 40 and 10 images, not gzipped, and change one number of one file."""
    random = np.random.default_rng(0)
    for part, size in (("train", 40), ("t10k", 10)):
        for kind, shape in (("images-idx3", (size, 28, 28)), ("labels-idx1", (size,))):
            array = random.integers(0, 10, shape, np.uint8)
            if name == f"{part}-{kind[:6]}":
                array.flat[place] = (array.flat[place] + 1) % 10
            path = folder / "mnist" / f"{part}-{kind}-ubyte"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(bytes([0, 0, 8, len(shape), *np.array(shape, ">u4").tobytes()]) + array.tobytes())


def scikit_learn(folder: Path, place: str = "", row: int = 0) -> None:
    """Keep which number of scikit-learn's table another version of it has changed."""
    (folder / "changed.txt").write_text(f"{place} {row}")


@contextmanager
def as_in(folder: Path) -> Iterator[None]:
    """Let scikit-learn's tables be what `scikit_learn` has written, and MNIST be small."""
    with ExitStack() as patched:
        small = replace(IMAGE_SETS["mnist"], count=40, test_count=10)
        patched.enter_context(mock.patch.dict(IMAGE_SETS, {"mnist": small}))
        if (folder / "changed.txt").exists():
            datasets = pytest.importorskip("sklearn.datasets")
            place, row = (folder / "changed.txt").read_text().rsplit(" ", 1)
            table = datasets.load_diabetes()
            if place:
                table[place][int(row)] += 1
            patched.enter_context(mock.patch.object(datasets, "load_diabetes", return_value=table))
        yield


def same(_: object) -> None:
    """Change nothing."""


ALL = {"train", "validation", "test"}
# What happens to the data, and the parts that must be named; none if the run goes on.
CASES: dict[str, tuple[str, Callable[[Path], object], set[str]]] = {
    "csv, a value of train": (CSV, lambda at: csv(at, of_the_part(0, "9", "train")), {"train"}),
    "csv, a value of validation": (CSV, lambda at: csv(at, of_the_part(2, "9", "validation")), {"validation"}),
    "csv, a value of test": (CSV, lambda at: csv(at, of_the_part(0, "9", "test")), {"test"}),
    "csv, a target": (CSV, lambda at: csv(at, of_the_part(4, "9", "test")), {"test"}),
    "csv, a weight": (CSV, lambda at: csv(at, of_the_part(3, "9", "validation")), {"validation"}),
    "csv, a known category": (CSV, lambda at: csv(at, of_the_part(1, "v", "test")), {"test"}),
    "csv, a new category": (CSV, lambda at: csv(at, of_the_part(1, "x", "train")), {"train", "validation", "test"}),
    "csv, two rows": (CSV, lambda at: csv(at, swapped_rows), {"train"}),
    "csv, one row less": (CSV, lambda at: csv(at, lambda table: table.pop(1)), {"train"}),
    "csv, one row more": (CSV, lambda at: csv(at, lambda table: table.append(table[5])), {"test"}),
    "csv, two columns": (CSV, lambda at: csv(at, swapped_columns), {"train", "validation", "test"}),
    "csv, other line ends": (CSV, lambda at: csv(at, same, "\r\n"), set()),
    "csv, more digits": (CSV, lambda at: csv(at, with_more_digits), set()),
    "csv, an equal file": (CSV, lambda at: csv(at, same), set()),
    "npz, an input of train": (NPZ, lambda at: npz(at, added("x_train")), {"train"}),
    "npz, a target of train": (NPZ, lambda at: npz(at, added("y_train")), {"train"}),
    "npz, a weight of train": (NPZ, lambda at: npz(at, added("w_train")), {"train"}),
    "npz, an input of test": (NPZ, lambda at: npz(at, added("x_test")), {"test"}),
    "npz, a weight of test": (NPZ, lambda at: npz(at, added("w_test")), {"test"}),
    "npz, a weight of validation": (NPZ, lambda at: npz(at, added("w_val")), {"validation"}),
    "npz, the order": (NPZ, lambda at: npz(at, reversed_), {"train"}),
    "npz, fewer digits": (NPZ, lambda at: npz(at, as_type("float16")), {"train", "validation", "test"}),
    "npz, a larger type": (NPZ, lambda at: npz(at, as_type("float64")), set()),
    "npz, another byte order": (NPZ, lambda at: npz(at, as_type(">f4")), set()),
    "npz, compressed": (NPZ, lambda at: npz(at, same, np.savez_compressed), set()),
    "own, a value": (OWN, lambda at: own(at, "train[3, 0] += 1"), {"train"}),
    "own, a target of test": (OWN, lambda at: own(at, "test[3, 3] += 1"), {"test"}),
    "own, test data as training data": (OWN, lambda at: own(at, "parts['train'] = parts['test']"), {"train"}),
    "own, other code": (OWN, lambda at: own(at, "pass"), set()),
    "own, a target of train": (OWN, lambda at: own(at, "train[3, 3] += 1"), {"train"}),
    "own, the order": (OWN, lambda at: own(at, "parts['test'] = [one[::-1] for one in parts['test']]"), {"test"}),
    "own, a part that nobody asks for": (OWN, lambda at: own(at, "parts['validation'] = parts['test']"), set()),
    # Each row is for training in one of the folds, and for a test in the other.
    "folds, an input": (FOLDS, lambda at: csv(at, of_the_part(0, "9", "train")), {"train", "test"}),
    "folds, a target": (FOLDS, lambda at: csv(at, of_the_part(4, "9", "test")), {"train", "test"}),
    "folds, the order": (FOLDS, lambda at: csv(at, swapped_rows), {"train", "test"}),
    "folds, an equal file": (FOLDS, lambda at: csv(at, same), set()),
    "splits, an input": (SPLITS, lambda at: csv(at, of_the_part(0, "9", "train")), {"train", "test"}),
    "splits, one row less": (SPLITS, lambda at: csv(at, lambda table: table.pop(1)), ALL),
    "a split by seed, a target": (
        SPLIT_BY_SEED,
        lambda at: csv(at, of_the_part(4, "9", "test")),
        {"validation", "test"},
    ),
    "IDX, a pixel of train": (IDX, lambda at: idx(at, "train-images", 5), {"train"}),
    "IDX, a label of test": (IDX, lambda at: idx(at, "t10k-labels"), {"test"}),
    "IDX, equal files": (IDX, idx, set()),
    "scikit-learn, an input": (TABLE_OF_SCIKIT_LEARN, lambda at: scikit_learn(at, "data"), {"train"}),
    "scikit-learn, a target": (TABLE_OF_SCIKIT_LEARN, lambda at: scikit_learn(at, "target"), {"train"}),
    "scikit-learn, the same": (TABLE_OF_SCIKIT_LEARN, scikit_learn, set()),
}
WRITE: dict[str, Callable[[Path], object]] = {
    CSV: lambda at: csv(at, same),
    NPZ: lambda at: npz(at, same),
    OWN: lambda at: own(at, "# no change"),
    **dict.fromkeys((FOLDS, SPLITS, SPLIT_BY_SEED), lambda at: csv(at, same)),
    IDX: idx,
    TABLE_OF_SCIKIT_LEARN: scikit_learn,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder with a run of each config."""
    folders = {}
    for config, write in WRITE.items():
        folders[config] = tmp_path_factory.mktemp("trained")
        (folders[config] / "config.yaml").write_text(config + (CLASSES if config == IDX else MODEL))
        write(folders[config])
        with as_in(folders[config]):
            said = run(("train", "config.yaml", "--quiet", "--data-dir", "."), folders[config])
        assert said.code == 0, said
    return folders


def contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def named(text: str) -> set[str]:
    """Return the parts that a message names."""
    return set(re.findall(r"train\b|validation|test\b", text.partition(" data are not")[0]))


@pytest.mark.parametrize("case", CASES)
def test_changed_data_are_refused_by_part(trained: dict[str, Path], tmp_path: Path, case: str) -> None:
    config, change, parts = CASES[case]
    folder = trained[config]
    shutil.copytree(folder / "runs", tmp_path / "runs")
    change(folder)
    try:
        for command in ("verify last", "resume last --set epochs=2 --quiet"):
            # `verify` takes the copy of the code that made the data, which the run keeps.
            refused = set() if config == OWN and command.startswith("verify") else parts
            before = contents(tmp_path / "runs")
            with as_in(folder):
                said = run([*command.split(), "--runs-dir", str(tmp_path / "runs")], folder)
            assert (said.code, named(said.err.partition("error: ")[2])) == (3 if refused else 0, refused), said
            assert not refused or contents(tmp_path / "runs") == before
    finally:
        WRITE[config](folder)
