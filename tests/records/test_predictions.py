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


# A digest reveals damage, but not who wrote a file: no array may be of a kind that nobody expects further on.
@pytest.mark.parametrize(
    ("name", "array", "told"),
    [
        ("ids", np.full(3, np.nan), "ids is float64"),
        ("ids", np.arange(6).reshape(3, 2), "ids is int64"),
        ("ids", np.arange(2), "expected numbers for 2 samples"),
        ("ids", np.full(3, -5), "not rows"),
        ("ids", np.full(3, 2**64 - 1, np.uint64), "not rows"),
        ("targets", np.full(3, "a"), "targets is <U1"),
        ("outputs_seed0", np.zeros((3, 1), complex), "outputs_seed0 is complex128"),
        ("outputs_seed0", np.zeros((3, 9)), "the outputs have the shapes"),
        ("outputs_seed0", np.zeros((3, 0)), "the outputs have the shapes"),
        ("outputs_seed0", np.array(1.0), "outputs_seed0"),
        ("outputs_seed0", np.zeros((3, 1), "V0"), "outputs_seed0"),
        ("outputs_seed-1", np.zeros((3, 1)), "expected a seed"),
        ("outputs_seed٠", np.zeros((3, 1)), "expected a seed"),
        ("outputs_seed" + "9" * 25, np.zeros((3, 1)), "expected a seed"),
        ("weights", np.full(3, "a"), "weights"),
        ("shares_mae", np.full((3, 2), "a"), "shares_mae"),
        ("shares_mae", np.zeros((3, 7)), "cannot read"),
        ("part", np.array("evil"), "part is 'evil'"),
        ("total", np.array(1), "total is 1"),
        ("total", np.zeros(4), "cannot read"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, name, array, told):
    whole = {
        "ids": np.arange(3),
        "targets": np.zeros((3, 1)),
        "outputs_seed0": np.zeros((3, 1)),
        "outputs_seed1": np.zeros((3, 1)),
        "shares_mae": np.zeros((3, 2)),
        "part": np.array("test"),
        "total": np.array(3),
    }
    np.savez(tmp_path / "predictions.npz", **whole)
    predictions.read(tmp_path / "predictions.npz")
    np.savez(tmp_path / "predictions.npz", **{**whole, name: array})
    with pytest.raises(RunError, match=told):
        predictions.read(tmp_path / "predictions.npz")
