import os

import pytest

from lossrun.errors import RunError
from lossrun.records import durable


def test_replace_gives_the_new_content_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "file"
    durable.replace(path, b"old")
    durable.replace(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_replace_keeps_the_old_file_and_removes_the_temporary_one(tmp_path, monkeypatch):
    path = tmp_path / "file"
    durable.replace(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"cannot write .*file: No space left on device"):
        durable.replace(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_append_tells_the_length(tmp_path):
    assert durable.append(tmp_path / "file", b"abc") == 3
    assert durable.append(tmp_path / "file", b"de") == 5
