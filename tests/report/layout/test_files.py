from pathlib import Path

import pytest

from lossrun.report.layout.files import save


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
