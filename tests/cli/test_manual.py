"""`lossrun manual` as a person types it."""

import re
import sys
import webbrowser
from pathlib import Path

import pytest

from lossrun.cli import app
from tests.cli.conftest import Run


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that a browser was asked to open."""
    asked: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: bool(asked.append(address)) or True)
    return asked


def test_a_file_holds_every_command_with_its_options(lossrun: Run, tmp_path: Path, opened: list[str]) -> None:
    result = lossrun("manual", "--output", "manual.html")
    assert (result.code, result.out, opened) == (0, "", [])
    assert "manual.html written" in result.err
    page = (tmp_path / "manual.html").read_text(encoding="utf-8")
    names = [one.name or one.callback.__name__ for one in app.registered_commands if one.callback]
    assert re.findall(r'<article id="command-([^"]+)"', page) == names
    for said in ("--set KEY=VALUE", "Change a key of the config; may be repeated", "LOSSRUN_RUNS_DIR", "--output"):
        assert said in page


def test_a_dash_is_standard_output(lossrun: Run, cache: Path) -> None:
    result = lossrun("manual", "-o", "-")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("<!doctype html>")
    assert result.out.endswith("</html>\n")
    assert not cache.exists()


def test_in_a_pipe_the_path_is_printed_and_no_browser_opened(lossrun: Run, cache: Path, opened: list[str]) -> None:
    result = lossrun("manual")
    (path,) = (Path(line) for line in result.out.splitlines())
    assert path.is_relative_to(cache)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert f"open it in a browser: {path.as_uri()}" in result.err
    assert opened == []


@pytest.mark.parametrize("there_is_one", [True, False])
def test_in_a_terminal_the_browser_opens_it(
    lossrun: Run, cache: Path, monkeypatch: pytest.MonkeyPatch, there_is_one: bool
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: bool(asked.append(address)) or there_is_one)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    result = lossrun("manual")
    path = Path(result.out.strip())
    assert asked == [path.as_uri()]
    assert ("opened in the browser" in result.err) == there_is_one
    assert ("open it in a browser" in result.err) != there_is_one


def test_where_the_cache_cannot_be_written_a_temporary_folder_serves(lossrun: Run, cache: Path) -> None:
    cache.write_text("a file, where a folder should be")
    result = lossrun("manual")
    assert result.code == 0
    assert Path(result.out.strip()).is_file()


def test_a_file_that_cannot_be_written_ends_with_4(lossrun: Run) -> None:
    result = lossrun("manual", "--output", "nowhere/manual.html")
    assert result.code == 4
    assert "cannot write nowhere/manual.html" in result.err
