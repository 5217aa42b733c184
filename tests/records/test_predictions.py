import numpy as np
import pytest

from lossrun.errors import RunError
from lossrun.records import predictions


def save(path, rows=10, **options):
    predictions.save(
        path,
        ids=np.arange(rows),
        targets=np.arange(rows, dtype=np.float32)[:, None],
        outputs={0: np.zeros((rows, 3), np.float32), 7: np.ones((rows, 3), np.float32)},
        part="validation",
        **options,
    )


def test_what_is_saved_is_read(tmp_path):
    save(tmp_path / "predictions.npz")
    read = predictions.read(tmp_path / "predictions.npz")
    assert read.ids.tolist() == list(range(10))
    assert read.targets.shape == (10, 1)
    assert sorted(read.outputs) == [0, 7]
    assert read.outputs[7].dtype == np.float32
    assert (read.part, read.total) == ("validation", 10)


def test_too_many_rows_are_cut_and_the_file_says_how_many_there_were(tmp_path):
    # A row takes 8 (id) + 4 (target) + 2 * 12 (outputs) = 36 bytes; four fit into 150.
    save(tmp_path / "predictions.npz", limit_bytes=150)
    read = predictions.read(tmp_path / "predictions.npz")
    assert [len(read.ids), len(read.targets), len(read.outputs[0])] == [4, 4, 4]
    assert read.total == 10


def test_no_rows_at_all(tmp_path):
    save(tmp_path / "predictions.npz", rows=0)
    assert predictions.read(tmp_path / "predictions.npz").outputs[0].shape == (0, 3)


def test_lengths_must_agree(tmp_path):
    with pytest.raises(ValueError, match="same length"):
        predictions.save(tmp_path / "p.npz", ids=np.arange(2), targets=np.arange(3), outputs={}, part="test")


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "predictions.npz").write_bytes(b"PK no archive")
    with pytest.raises(RunError, match=r"predictions\.npz"):
        predictions.read(tmp_path / "predictions.npz")
