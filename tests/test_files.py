"""A file that a user names may be a pipe without a writer, or a device without an end."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossrun.config import read
from lossrun.data import load
from lossrun.errors import ConfigError, DataError
from lossrun.files import open_regular, read_at_most

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_a_file_is_read_and_no_more_than_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_at_most(tmp_path / "file", 5) == b"12345"
    assert read_at_most(tmp_path / "file", 3) == b"1234"
    with open_regular(tmp_path / "file") as file:
        assert file.read() == b"12345"


def test_a_device_without_an_end() -> None:
    assert read_at_most(Path("/dev/zero"), 1000) == bytes(1001)
    with pytest.raises(OSError, match="a device; expected a file"):
        open_regular(Path("/dev/zero"))
    with pytest.raises(ConfigError, match="larger than 256 KiB"):
        read(Path("/dev/zero"))


def test_a_pipe_without_a_writer_does_not_hang(pipe: Path) -> None:
    assert read_at_most(pipe, 10) == b""
    with pytest.raises(OSError, match="a pipe; expected a file"):
        open_regular(pipe)
    with pytest.raises(ConfigError, match="empty"):
        read(pipe)


def test_a_pipe_with_a_writer_is_read_to_its_end(pipe: Path) -> None:
    """As a shell's `<(...)`."""
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # lets the writer begin
    done = threading.Event()

    def write() -> None:
        with pipe.open("wb") as file:
            file.write(b"a: 1\n" * 1000)
            done.wait(10)

    writer = threading.Thread(target=write)
    writer.start()
    threading.Timer(0.2, done.set).start()
    assert read_at_most(pipe, 10_000) == b"a: 1\n" * 1000
    writer.join()
    os.close(reader)


@pytest.mark.parametrize("name", ["csv", "npz"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_data_come_from_regular_files(
    filled_parameters: Callable[..., dict[str, Any]], pipe: Path, tmp_path: Path, name: str, kind: str
) -> None:
    path = {"pipe": pipe, "device": Path("/dev/zero"), "folder": tmp_path}[kind]
    with pytest.raises(DataError, match=r"dataset\.path: .* cannot be read: (a pipe|a device|Is a directory)"):
        load(name, filled_parameters(name, path=str(path), target="y"), config_dir=tmp_path, data_dir=tmp_path)


@pytest.fixture
def filled_parameters() -> Callable[..., dict[str, Any]]:
    from tests.data.conftest import filled

    return filled
