import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lossrun.errors import RunError, UsageError
from lossrun.report.layout.files import save, save_new


def test_a_link_stays_and_its_file_is_written(tmp_path: Path) -> None:
    published = tmp_path / "published"
    published.mkdir()
    (published / "report.html").write_text("old")
    link = tmp_path / "report.html"
    link.symlink_to("published/report.html")
    save(b"new", link, "--html")
    assert link.is_symlink()
    assert (published / "report.html").read_text() == "new"


@pytest.mark.parametrize("name", ["a" * 251 + ".csv", "\u00e9" * 125 + ".csv"])
def test_a_name_as_long_as_file_systems_allow(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    save(b"old", path, "--output")
    save(b"new", path, "--output")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [(name, b"new")]


def refusing(number: int) -> Callable[..., None]:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


# As on a disk, and as on a file system without hard links.
@pytest.mark.parametrize("links", [os.link, refusing(errno.EPERM), refusing(errno.EOPNOTSUPP)])
def test_a_new_file_is_whole_and_alone_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: Callable[..., None]
) -> None:
    monkeypatch.setattr(os, "link", links)
    path = tmp_path / "script.py"
    save_new("whole", path)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("script.py", "whole")]
    with pytest.raises(UsageError, match="already exists and was not changed"):
        save_new("other", path)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("script.py", "whole")]


def test_a_file_made_meanwhile_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, sync = tmp_path / "script.py", os.fsync

    def made_meanwhile(descriptor: int) -> None:
        path.write_text("mine")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", made_meanwhile)
    with pytest.raises(UsageError, match="already exists"):
        save_new("other", path)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("script.py", "mine")]


@pytest.mark.parametrize("function", ["fsync", "link"])
def test_a_full_disk_leaves_nothing_of_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    monkeypatch.setattr(os, function, refusing(errno.ENOSPC))
    with pytest.raises(RunError, match=f"cannot write .*: {os.strerror(errno.ENOSPC)}; choose another --output"):
        save_new("whole", tmp_path / "c.yaml")
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").symlink_to("elsewhere.yaml")
    with pytest.raises(UsageError, match="already exists"):
        save_new("whole", tmp_path / "c.yaml")
    assert not (tmp_path / "elsewhere.yaml").exists()
