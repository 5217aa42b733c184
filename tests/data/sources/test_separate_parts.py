import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.data import Data
from lossrun.errors import DataError

Load = Callable[..., Data]
ROWS = "a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(20))
OTHER = "a,y\n" + "".join(f"{i + 100},{i % 2}\n" for i in range(20))
X, Y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2


def write(path: Path, kind: str, *, other: bool = False) -> None:
    if kind == "csv":
        path.write_text(OTHER if other else ROWS)
    else:
        np.savez(path, x=X + 100 * other, y=Y)


def linked(path: Path, kind: str, way: str) -> None:
    """Another name for the file train.`kind` at `path`."""
    original = path.parent / f"train.{kind}"
    if way == "hard link":
        os.link(original, path)
    elif way == "symbolic link":
        path.symlink_to(original)
    else:
        shutil.copyfile(original, path)


@pytest.mark.parametrize("kind", ["csv", "npz"])
@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize(
    ("way", "complaint"),
    [
        ("same name", "is the same file as"),
        ("long name", "is the same file as"),
        ("hard link", "is the same file as"),
        ("symbolic link", "is the same file as"),
        ("copy", "has the same content as"),
    ],
)
def test_no_part_is_the_training_file(
    loaded: Load, tmp_path: Path, kind: str, part: str, way: str, complaint: str
) -> None:
    write(tmp_path / f"train.{kind}", kind)
    (tmp_path / "sub").mkdir()
    name = {"same name": f"train.{kind}", "long name": f"sub/../train.{kind}"}.get(way, f"other.{kind}")
    if "name" not in way:
        linked(tmp_path / name, kind, way)
    split = {**dict.fromkeys(("column", "groups", "order", "validation", "test")), part: name}
    with pytest.raises(DataError, match=rf"^dataset\.split\.{part}: .* {complaint} the training file"):
        loaded(kind, path=f"train.{kind}", target="y", task="binary", split=split)


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_one_file_for_validation_and_test_is_noted(loaded: Load, tmp_path: Path, kind: str) -> None:
    write(tmp_path / f"train.{kind}", kind)
    write(tmp_path / f"other.{kind}", kind, other=True)
    both = {"validation": f"other.{kind}", "test": f"other.{kind}"}
    split = {**dict.fromkeys(("column", "groups", "order")), **both}
    data = loaded(kind, path=f"train.{kind}", target="y", task="binary", split=split)
    assert any("test part holds exactly the samples of the validation part" in note for note in data.notes)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"x_test": X, "y_test": Y}, ["the test part holds exactly the samples of the train part"]),
        ({"x_val": X, "y_val": Y}, ["the validation part holds exactly the samples of the train part"]),
        (
            {"x_val": X + 1, "y_val": Y, "x_test": X + 1, "y_test": Y},
            ["the test part holds exactly the samples of the validation part"],
        ),
        ({"x_test": X + 1, "y_test": Y}, []),
        ({"x_test": X, "y_test": 1 - Y}, []),
        ({"x_test": X[:8], "y_test": Y[:8]}, []),
    ],
)
def test_a_part_that_repeats_another_one_is_named(
    loaded: Load, tmp_path: Path, given: dict[str, Any], told: list[str]
) -> None:
    np.savez(tmp_path / "t.npz", x_train=X, y_train=Y, **given)

    def repeated(**keys: Any) -> list[str]:
        notes = loaded("npz", path="t.npz", task="binary", **keys).notes
        return [note.partition(":")[0] for note in notes if "exactly the samples" in note]

    assert repeated() == told
    assert repeated(test=0, validation=0) == []
