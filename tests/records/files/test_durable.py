import errno
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lossrun.errors import RunError
from lossrun.records import names
from lossrun.records.files import durable


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


@pytest.mark.parametrize(
    ("write", "content"),
    [(lambda path: durable.append(path, b"de"), b"abcde"), (lambda path: durable.truncate(path, 1), b"a")],
    ids=["append", "truncate"],
)
def test_a_copy_of_hard_links_keeps_what_it_has(
    tmp_path: Path, write: Callable[[Path], object], content: bytes
) -> None:
    path, copy = tmp_path / "file", tmp_path / "copy"
    path.write_bytes(b"abc")
    os.link(path, copy)
    write(path)
    assert (path.read_bytes(), copy.read_bytes()) == (content, b"abc")
    assert {one.name for one in tmp_path.iterdir()} == {"file", "copy"}


def test_a_folder_that_is_gone_is_not_called_full(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="No such file or directory; its folder was renamed or removed meanwhile"):
        durable.append(tmp_path / "gone" / "file", b"abc")


def test_many_files_are_replaced_with_one_sync_of_each_directory(tmp_path, monkeypatch):
    directories = [tmp_path / "a", tmp_path / "b"]
    for directory in directories:
        directory.mkdir()
    synced = []
    monkeypatch.setattr(durable, "sync_directory", synced.append)
    # More than are held open at a time.
    files = {directory / str(number): b"%d" % number for directory in directories for number in range(100)}
    durable.replace_all(files.items())
    durable.replace_all((path, b"new " + data) for path, data in files.items())
    assert {path: path.read_bytes() for path in files} == {path: b"new " + data for path, data in files.items()}
    assert synced == directories * 2
    assert sorted(path for directory in directories for path in directory.iterdir()) == sorted(files)
    durable.replace_all([])


@pytest.mark.parametrize("call", [1, 64, 100])
def test_where_one_of_many_cannot_be_written_all_stay_as_they_were(tmp_path, monkeypatch, call):
    files = {tmp_path / str(number): b"old" for number in range(100)}
    durable.replace_all(files.items())
    real, calls = os.fsync, 0

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=rf"cannot write .*{call - 1}: No space left on device"):
        durable.replace_all((path, b"new") for path in files)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_nothing_is_renamed_before_all_is_on_the_disk(tmp_path, monkeypatch):
    order = []
    real_fsync, real_replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (order.append("fsync"), real_fsync(descriptor)))
    monkeypatch.setattr(Path, "replace", lambda path, to: (order.append("rename"), real_replace(path, to)))
    durable.replace_all((tmp_path / str(number), b"data") for number in range(3))
    assert order == ["fsync"] * 3 + ["rename"] * 3 + ["fsync"]  # the last one of the directory


def test_contents_that_cannot_be_made_leave_nothing_behind(tmp_path):
    def files() -> Iterator[tuple[Path, bytes]]:
        yield tmp_path / "a", b"data"
        raise TypeError

    with pytest.raises(TypeError):
        durable.replace_all(files())
    assert list(tmp_path.iterdir()) == []


def refusing(monkeypatch, function: str, number: int, *, directories: bool) -> None:
    """Have `os.<function>` answer `number` for directories, or for files."""
    real = getattr(os, function)

    def answer(what: int | str, *arguments: int) -> object:
        found = Path(f"/proc/self/fd/{what}") if isinstance(what, int) else Path(what)
        if found.is_dir() == directories:
            raise OSError(number, os.strerror(number))
        return real(what, *arguments)

    monkeypatch.setattr(os, function, answer)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", sorted(durable.NO_DIRECTORY_SYNC), ids=errno.errorcode.get)
@pytest.mark.parametrize("function", ["fsync", "open"])
def test_a_directory_that_cannot_be_synced_is_no_error(tmp_path, monkeypatch, function, number):
    refusing(monkeypatch, function, number, directories=True)
    durable.replace(tmp_path / "file", b"new")
    assert durable.append(tmp_path / "other", b"abc") == 3
    assert (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS], ids=errno.errorcode.get)
@pytest.mark.parametrize("directories", [True, False])
def test_a_failing_disk_is_an_error_wherever_it_fails(tmp_path, monkeypatch, number, directories):
    refusing(monkeypatch, "fsync", number, directories=directories)
    for write in (durable.replace, durable.append):
        with pytest.raises(RunError, match=os.strerror(number)):
            write(tmp_path / write.__name__, b"new")
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_hint_to_the_disk_may_be_refused(tmp_path, monkeypatch):
    def refuse(*_: int) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "posix_fadvise", refuse, raising=False)
    durable.replace_all((tmp_path / name, b"data") for name in "ab")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_directory_is_made_durable_with_those_above_it(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(durable, "sync_directory", synced.append)
    durable.make_directory(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()
    assert sorted(synced) == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    durable.make_directory(tmp_path / "a" / "b" / "c")
    assert len(synced) == 3


@pytest.mark.parametrize(
    "name", ["a", "config.yaml", "x" * 143, "y" * 255, "\u00e9" * 127, "\u4e2d" * 85, "\U0001f600" * 63]
)
def test_a_temporary_name_fits_where_the_name_itself_fits(tmp_path: Path, name: str) -> None:
    """Encrypted home folders (eCryptfs) take 143 bytes."""
    path = durable.hidden(tmp_path / name)
    assert len(os.fsencode(path.name)) <= max(143, len(os.fsencode(name)))
    assert path.parent == tmp_path
    assert path.name.startswith(".")
    assert path.name.endswith(durable.TEMPORARY_SUFFIX)
    path.touch()


def test_the_longest_name_of_a_run_fits_into_an_encrypted_home_folder(tmp_path: Path) -> None:
    name = names.stamped("n" * 300, datetime.now(UTC))
    assert len(durable.hidden(tmp_path / f"{name}-99").name) <= 143
    assert name in durable.hidden(tmp_path / name).name  # nothing of it is cut
