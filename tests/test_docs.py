"""The README cannot drift: its blocks run, and it names every command."""

import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lossrun.catalog.lookup import COMPONENTS
from lossrun.cli import app, main
from lossrun.config import read
from lossrun.lint.rules import RULES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Fences with a language are run or read; those without one show output.
BLOCKS = re.findall(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_readme_names_every_command() -> None:
    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert len(names) >= 10
    for name in names:
        assert re.search(rf"`lossrun {name}\b", README), name


@pytest.mark.parametrize(
    ("what", "count"),
    [
        ("rules", len(RULES)),
        ("losses", len(COMPONENTS["loss"])),
        ("optimizers", len(COMPONENTS["optimizer"])),
        ("schedules", len(COMPONENTS["schedule"])),
    ],
)
def test_the_readme_counts_right(what: str, count: int) -> None:
    assert set(re.findall(rf"\b(\d+) {what}\b", README)) == {str(count)}


def test_the_test_command_is_the_one_that_ci_runs() -> None:
    assert 'pip install -e ".[test]" && pytest\n' in README
    assert r"""grep -m1 -x 'pip install -e "\.\[test\]" && pytest' README.md""" in (ROOT / ".ci/run").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone, as far as the blocks need one, with the files that the README shows."""
    path = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "configs", path / "configs")
    for _, name, text in BLOCKS:
        if name:
            (path / name).write_text(text, encoding="utf-8")
    return path


LINES = [line for language, _, text in BLOCKS if language == "sh" for line in text.splitlines()]
COMMANDS = [part for line in LINES for part in line.split(" && ") if part.startswith("lossrun ")]
Go = Callable[[str], None]


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Go]:
    """Run a command there, in this process: torch is imported once for all of them."""
    monkeypatch.chdir(folder)

    def go(command: str) -> None:
        monkeypatch.setattr(sys, "argv", shlex.split(command, comments=True))
        with pytest.raises(SystemExit) as leaving:
            main()
        assert not leaving.value.code, (command, capsys.readouterr().err)

    yield go
    for _, name, _ in BLOCKS:
        sys.modules.pop(name.removesuffix(".py"), None)  # or other tests would find it


def test_the_shell_blocks_run_in_order(run: Go) -> None:
    commands = [command for command in COMMANDS if "configs/mnist" not in command]
    assert len(commands) >= 5
    for command in commands:
        run(command)


def test_the_commands_on_real_images_run(run: Go, mnist_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = [command for command in COMMANDS if "configs/mnist" in command]
    assert commands
    monkeypatch.setenv("LOSSRUN_DATA_DIR", str(mnist_dir))
    for command in commands:
        run(command)


def test_the_python_blocks_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [text for language, name, text in BLOCKS if language == "python" and not name]
    assert blocks
    monkeypatch.chdir(folder)
    for text in blocks:
        exec(text, {"__name__": "__main__"})


def test_the_yaml_blocks_are_configs_and_your_own_model_trains(run: Go, folder: Path) -> None:
    blocks = [(name, text) for language, name, text in BLOCKS if language == "yaml"]
    assert len(blocks) >= 3
    for number, (_, text) in enumerate(blocks):
        path = folder / f"block{number}.yaml"
        path.write_text(text, encoding="utf-8")
        read(path)
    named = [name for name, _ in blocks if name]
    for name in named:
        run(f"lossrun train {name}")
