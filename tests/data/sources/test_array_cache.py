from pathlib import Path

import numpy as np
import pytest

from lossrun.data.sources.array_cache import cached

ARRAY = np.arange(12, dtype=np.uint8).reshape(3, 4)


def refuse() -> np.ndarray:
    raise AssertionError("made again although it was kept")


def test_the_second_call_maps_the_kept_file(tmp_path: Path) -> None:
    cached("key", tmp_path / "new", lambda: ARRAY)
    kept = cached("key", tmp_path / "new", refuse)
    assert isinstance(kept, np.memmap)
    assert np.array_equal(kept, ARRAY)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: str) -> None:
    cached("key", tmp_path, lambda: ARRAY)
    (path,) = tmp_path.glob("*.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes({"flip": content, "cut": content[:-3], "empty": b""}[damage])
    assert np.array_equal(cached("key", tmp_path, lambda: ARRAY), ARRAY)
    assert np.array_equal(cached("key", tmp_path, refuse), ARRAY)


def test_no_place_to_keep_it_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert np.array_equal(cached("key", tmp_path / "file", lambda: ARRAY), ARRAY)


def test_nothing_temporary_stays_behind(tmp_path: Path) -> None:
    cached("key", tmp_path, lambda: ARRAY)
    assert [path.suffix for path in tmp_path.iterdir()] == [".npy"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    cached("key", tmp_path, lambda: ARRAY)
    (kept,) = tmp_path.iterdir()
    kept.rename(tmp_path / f".{kept.name}.0123abcd.part")  # as before it got its name
    cached("key", tmp_path, lambda: ARRAY)
    assert list(tmp_path.iterdir()) == [kept]
