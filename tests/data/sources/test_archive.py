import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest

from lossrun.data.samples.dataset import UnsplitData
from lossrun.data.sources.archive import read_npz
from lossrun.errors import DataError

Y = np.array([0.5, 1.5, 2.0, 2.0])


@pytest.fixture
def read(tmp_path: Path, filled: Callable[..., dict[str, Any]]) -> Callable[..., UnsplitData]:
    def call(arrays: dict[str, Any], **given: Any) -> UnsplitData:
        np.savez(tmp_path / "arrays.npz", **arrays)
        return read_npz(filled("npz", path="arrays.npz", **({"target": "y"} | given)), tmp_path)

    return call


def test_the_other_arrays_are_joined_as_columns(read: Callable[..., UnsplitData]) -> None:
    source = read({"a": np.arange(4), "b": np.ones((4, 2)), "y": Y})
    assert source.task == "regression"
    assert source.train.inputs.tolist() == [[i, 1, 1] for i in range(4)]
    assert read({"a": np.arange(4), "b": np.ones((4, 2)), "y": Y}, inputs="b").train.inputs.shape == (4, 2)


def test_uint8_inputs_are_pixels(read: Callable[..., UnsplitData]) -> None:
    source = read({"x": np.full((4, 8, 9), 255, np.uint8), "y": Y})
    assert source.train.inputs.shape == (4, 1, 8, 9)
    assert source.train.inputs.dtype == np.uint8
    assert source.input_scaling is not None
    assert source.input_scaling.apply(source.train.inputs).max() == 1


def test_several_targets_are_stacked(read: Callable[..., UnsplitData]) -> None:
    source = read({"x": np.ones((4, 2)), "u": Y, "v": 2 * Y}, target=["u", "v"])
    assert source.train.targets.tolist() == [[y, 2 * y] for y in Y]


def test_an_autoencoder_has_its_inputs_as_targets(read: Callable[..., UnsplitData]) -> None:
    values = np.array([[0.5, 1.5], [2.5, 3.5], [4.5, 5.5], [6.5, 7.5]])
    source = read({"x": values}, inputs="x", target="x")
    assert source.task == "regression"
    assert source.train.inputs.tolist() == source.train.targets.tolist() == values.tolist()


def test_words_are_classes(read: Callable[..., UnsplitData]) -> None:
    assert read({"x": np.ones((4, 2)), "y": np.array(["a", "b", "a", "c"])}).classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("arrays", "given", "complaint"),
    [
        ({"x": np.ones(4), "y": np.array([{}] * 4, object)}, {}, "npz: y is not an array, holds Python objects"),
        ({"x": np.ones(3), "y": Y}, {}, r"different lengths, or without rows: x \(3,\), y \(4,\)"),
        ({"x": np.float64(3), "y": Y}, {}, "different lengths"),
        ({"x": np.ones(4), "y": Y}, {"target": "z"}, "^dataset.target: .* no 'z'"),
        ({"y": Y}, {}, "^dataset.inputs: target uses every array"),
        ({"x": np.ones(4), "y": Y}, {"inputs": ["x", "y"]}, "^dataset.inputs: y is also the target"),
        ({"x": np.ones((4, 8, 8)), "z": np.ones(4), "y": Y}, {}, "^dataset.inputs: x of .* holds images"),
        (
            {"x": np.ones(4), "y": Y, "z": np.ones((4, 2))},
            {"target": ["y", "z"]},
            r"^dataset.target: z of .* has the shape \(4, 2\)",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    read: Callable[..., UnsplitData], arrays: Any, given: Any, complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        read(arrays, **given)


def test_only_the_named_arrays_are_read(read: Callable[..., UnsplitData]) -> None:
    arrays = {"x": np.ones((4, 2)), "names": np.array([None] * 4, object), "y": Y}
    assert read(arrays, inputs="x").train.inputs.shape == (4, 2)
    with pytest.raises(DataError, match=r"npz: names is not an array, holds Python objects .* inputs: \[") as caught:
        read(arrays)
    assert "pickle" not in str(caught.value)


def test_a_damaged_array_is_named(tmp_path: Path, filled: Callable[..., dict[str, Any]]) -> None:
    np.savez_compressed(tmp_path / "arrays.npz", x=np.random.default_rng(0).normal(size=1000), y=np.ones(1000))
    content = bytearray((tmp_path / "arrays.npz").read_bytes())
    content[1000] ^= 0xFF  # among the bytes of x, which take up the first 7 kB
    (tmp_path / "arrays.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"npz: x is .* damaged"):
        read_npz(filled("npz", path="arrays.npz", target="y"), tmp_path)


def test_a_member_that_is_no_array_is_named(tmp_path: Path, filled: Callable[..., dict[str, Any]]) -> None:
    np.savez(tmp_path / "arrays.npz", y=Y)
    with ZipFile(tmp_path / "arrays.npz", "a") as archive:
        archive.writestr("notes.txt", "not in numpy's format")
    with pytest.raises(DataError, match=r"npz: notes\.txt is not an array"):
        read_npz(filled("npz", path="arrays.npz", target="y"), tmp_path)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut short"])
def test_other_files_are_refused(tmp_path: Path, filled: Callable[..., dict[str, Any]], content: bytes) -> None:
    (tmp_path / "arrays.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"arrays\.npz: not a numpy archive") as caught:
        read_npz(filled("npz", path="arrays.npz", target="y"), tmp_path)
    assert "pickle" not in str(caught.value)


def test_a_single_array_and_a_missing_file_are_refused(tmp_path: Path, filled: Callable[..., dict[str, Any]]) -> None:
    np.save(tmp_path / "x.npy", Y)
    with pytest.raises(DataError, match="a single array"):
        read_npz(filled("npz", path="x.npy", target="y"), tmp_path)
    with pytest.raises(DataError, match=rf"^dataset.path: .*none\.npz cannot be read: {os.strerror(errno.ENOENT)}"):
        read_npz(filled("npz", path="none.npz", target="y"), tmp_path)
