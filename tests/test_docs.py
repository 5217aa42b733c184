"""The README cannot drift: its blocks run, and it names every command."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lossrun.catalog.lookup import COMPONENTS
from lossrun.cli import app
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


def run(command: str, folder: Path, **environment: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "lossrun", *shlex.split(command, comments=True)[1:]],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, (command, result.stderr)


def test_the_shell_blocks_run_in_order(folder: Path) -> None:
    commands = [command for command in COMMANDS if "configs/mnist" not in command]
    assert len(commands) >= 5
    for command in commands:
        run(command, folder)


def test_the_commands_on_real_images_run(folder: Path, mnist_dir: Path) -> None:
    commands = [command for command in COMMANDS if "configs/mnist" in command]
    assert commands
    for command in commands:
        run(command, folder, LOSSRUN_DATA_DIR=str(mnist_dir))


def test_the_python_blocks_run(folder: Path) -> None:
    blocks = [text for language, name, text in BLOCKS if language == "python" and not name]
    assert blocks
    for text in blocks:
        result = subprocess.run([sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr


def test_the_yaml_blocks_are_configs_and_your_own_model_trains(folder: Path) -> None:
    blocks = [(name, text) for language, name, text in BLOCKS if language == "yaml"]
    assert len(blocks) >= 3
    for number, (_, text) in enumerate(blocks):
        path = folder / f"block{number}.yaml"
        path.write_text(text, encoding="utf-8")
        read(path)
    named = [name for name, _ in blocks if name]
    for name in named:
        run(f"lossrun train {name}", folder)
