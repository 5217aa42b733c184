"""Labels whose samples do not count: which of them are classes, and how each is found as the data write it."""

import numpy as np
import pytest

from lossrun.data import Dataset, load
from lossrun.data.samples.targets import VOID, encode
from lossrun.data.sources.arrays import from_dataset
from lossrun.errors import DataError
from tests.data.conftest import filled


@pytest.mark.parametrize(
    ("labels", "ignored", "classes", "place"),
    [
        # One of consecutive whole numbers stays a class, as an index does in PyTorch.
        ([1, 2, 3], 1, "1 2 3", 0),
        ([1, 2, 3], 3, "1 2 3", 2),
        ([0, 1, 2], 0, "0 1 2", 0),
        ([1, 2, 3], "1", "1 2 3", 0),
        ([1.0, 2.0, 3.0], 2, "1 2 3", 1),
        ([1, 2, 3], 2.0, "1 2 3", 1),
        # Codes are not indices: none of them looks like a mark for "no class".
        ([10, 20, 30], 20, "10 20 30", 1),
        ([-2, -1, 0, 1, 2], -1, "-2 -1 0 1 2", 1),
        # What PyTorch's users write for "no class".
        ([*range(10), 255], 255, " ".join(map(str, range(10))), None),
        ([0, 1, 3, 255], 255, "0 1 3", None),
        ([-1, 0, 1, 2], -1, "0 1 2", None),
        ([-100, 0, 1], -100, "0 1", None),
        ([1, 2, 3, 255], 255, "1 2 3", None),
        # Words are classes; 1 is not a word.
        (["cat", "dog", "emu"], "dog", "cat dog emu", 1),
        (["cat", "dog", "emu"], 1, "cat dog emu", None),
    ],
)
def test_an_ignored_label_is_found_as_it_is_written(labels, ignored, classes, place, tmp_path):
    raw = np.array(labels * 4)
    encoded = encode(raw, "multiclass", "y", ignored=ignored)
    assert encoded.classes == tuple(classes.split())
    marked = raw[encoded.targets == VOID]
    assert set(marked.tolist()) == (set() if place is not None or isinstance(labels[0], str) else {ignored})
    np.savez(tmp_path / "a.npz", x=np.arange(len(raw)), y=raw)
    given = filled("npz", path="a.npz", target="y", task="multiclass")
    data = load("npz", given, config_dir=tmp_path, data_dir=tmp_path, ignored=ignored)
    assert data.facts.class_of(ignored) == place
    assert data.facts.void == len(marked)
    parts = [data.train, data.validation, data.test]
    assert (
        sorted(int(x) for part in parts for x in part.inputs[:, 0]) == np.flatnonzero(encoded.targets != VOID).tolist()
    )
    assert [note for note in data.notes if "is not a class" in note] == (
        [f"{len(marked)} samples left out: the label {ignored} is ignored and is not a class"] if len(marked) else []
    )


def test_a_label_beyond_the_named_classes_is_none_of_them():
    x, classes = np.zeros((6, 1)), ("cat", "dog")
    for labels, ignored in (([0, 1, 255, 1, 0, 255], 255), (["cat", "dog", "?", "dog", "cat", "?"], "?")):
        dataset = Dataset(train=(x, labels), task="multiclass", classes=classes)
        assert from_dataset(dataset, "own", ignored).train.targets.tolist() == [0, 1, VOID, 1, 0, VOID]
        with pytest.raises(DataError):
            from_dataset(dataset, "own")


@pytest.mark.parametrize(("label", "place"), [("dog", 1), (1, 1), (1.0, 1), ("1", 1), (2, None), ("emu", None)])
def test_indices_of_named_classes_may_be_called_either_way(label, place, tmp_path):
    (tmp_path / "own_pets.py").write_text(
        "import lossrun, numpy as np\n"
        "def pets():\n"
        "    x = np.arange(40.0)[:, None]\n"
        "    return lossrun.Dataset(train=(x, np.arange(40) % 2), task='multiclass', classes=('cat', 'dog'))\n"
    )
    data = load("own_pets:pets", filled("own_pets:pets", test=0.2), config_dir=tmp_path, data_dir=tmp_path)
    assert data.facts.class_of(label) == place


def test_nothing_but_the_ignored_label_is_refused():
    with pytest.raises(DataError, match="only the class 1"):
        encode(np.array([255, 255, 1]), "multiclass", "y", ignored=255)
