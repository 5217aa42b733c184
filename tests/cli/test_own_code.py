"""Which commands run code that a config or a run names: those that SECURITY.md says, and no other."""

import re
import sys
from pathlib import Path

import pytest

from lossrun.cli import app
from tests.cli.conftest import Run

SECURITY = (Path(__file__).parents[2] / "SECURITY.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (`lossrun .*?) \| (.*) \|$", SECURITY, re.MULTILINE)
TOLD = {name: said for commands, said in ROWS for name in re.findall(r"`lossrun ([\w-]+)`", commands)}
# Two runs are there before each command on runs.
ARGUMENTS = {
    "train": ("mine.yaml",),
    "check": ("mine.yaml",),
    "script": ("mine.yaml", "--as", "pytorch"),
    "sweep": ("mine.yaml", "--over", "learning_rate=0.1,0.2"),
    "find-lr": ("mine.yaml", "--steps", "20", "--set", "epochs=20"),
    "resume": ("last", "--set", "epochs=2"),
    "verify": ("last",),
    "evaluate": ("last",),
    "predict": ("last", "--input", "new.csv"),
    "export": ("last", "--output", "exported"),
    "compare": ("last~1", "last", "--html", "page.html"),
    "plot": ("last", "--output", "curves.svg"),
    "ls": (),
    "show": ("last",),
    "rm": ("last", "--yes"),
    "gc": ("--yes",),
}
# Leaves a mark whenever it is imported, and prints whenever it is used.
CODE = """\
import pathlib

import torch

import lossrun

pathlib.Path("mark").touch()
print("own code imported")


def points():
    print("own code makes points")
    inputs = torch.linspace(-1, 1, 40)[:, None]
    return lossrun.Dataset(train=(inputs, 2 * inputs), task="regression")


def line(input_shape, output_size):
    print("own code makes a model")
    return torch.nn.Linear(input_shape[0], output_size)


def squares(outputs, targets):
    print("own code computes a loss")
    return (outputs - targets).square().mean(1)


def descent(params, lr):
    print("own code makes an optimizer")
    return torch.optim.SGD(params, lr)
"""
CONFIG = """\
dataset: {name: "own_code:points"}
model: {name: "own_code:line"}
loss: {name: "own_code:squares"}
optimizer: {name: "own_code:descent"}
learning_rate: 0.1
epochs: 1
"""


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    (tmp_path / "own_code.py").write_text(CODE)
    (tmp_path / "mine.yaml").write_text(CONFIG)
    (tmp_path / "new.csv").write_text("x\n0.5\n")
    return tmp_path / "mark"


def test_every_command_is_told_of_and_tried() -> None:
    names = {one.name or one.callback.__name__.rstrip("_") for one in app.registered_commands if one.callback}
    assert set(TOLD) == names
    assert set(ARGUMENTS) == {name for name in names if not TOLD[name].startswith("take neither")}


@pytest.mark.parametrize("command", ARGUMENTS)
def test_own_code_runs_where_the_policy_says_so_and_nowhere_else(command: str, mark: Path, lossrun: Run) -> None:
    if command not in ("train", "sweep", "find-lr", "check", "script"):
        for _ in range(2):
            assert lossrun("train", "mine.yaml", "--quiet").code == 0
        mark.unlink()
    sys.modules.pop("own_code", None)  # imported by another test, it would not be imported again
    result = lossrun(command, *ARGUMENTS[command])
    assert result.code == 0, result.err
    assert mark.exists() == TOLD[command].startswith("run the code")
    assert ("own code" in result.err, "own code" in result.out) == (mark.exists(), False)


@pytest.mark.parametrize("command", ["resume", "evaluate", "predict", "export", "verify"])
def test_other_code_than_the_run_was_trained_with_is_not_imported(
    command: str, mark: Path, lossrun: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a run directory from another machine that keeps no copy of its code."""
    for _ in range(2):
        assert lossrun("train", "mine.yaml", "--quiet").code == 0
    mark.unlink()
    (tmp_path / "own_code.py").write_text(CODE + "\nharm = True\n")
    for copy in (tmp_path / "runs").glob("*/source/own_code.py"):
        copy.unlink()
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    result = lossrun(command, *ARGUMENTS[command])
    assert (result.code, "own_code.py is not the code that" in result.err) == (4, True)
    assert not mark.exists()


@pytest.mark.parametrize("command", ["evaluate", "predict", "export", "verify"])
def test_the_copy_is_imported_where_the_code_has_changed(command: str, mark: Path, lossrun: Run) -> None:
    for _ in range(2):
        assert lossrun("train", "mine.yaml", "--quiet").code == 0
    (mark.parent / "own_code.py").write_text(CODE + '\npathlib.Path("changed").touch()\n')
    result = lossrun(command, *ARGUMENTS[command])
    assert (result.code, (mark.parent / "changed").exists()) == (0, False), result.err


def test_a_config_can_call_what_is_installed_without_a_file_beside_it(lossrun: Run, tmp_path: Path) -> None:
    assert 'dataset: {name: "os:system", command: ...}' in SECURITY
    config = CONFIG.replace('{name: "own_code:points"}', '{name: "os:system", command: touch called}')
    (tmp_path / "other.yaml").write_text(config)
    assert lossrun("check", "other.yaml").code == 3  # what it gives is not a dataset, but it was called
    assert (tmp_path / "called").exists()


READING = """
from pathlib import Path
import numpy as np
import torch
import lossrun

HERE = Path(__file__).parent

def scale():
    return float((HERE / "scale.txt").read_text())

def data(table="none"):
    x = np.loadtxt(table)[:, None] if table != "none" else np.arange(20.0)[:, None]
    return lossrun.Dataset(train=(x, scale() * x), task="regression")

def loss(outputs, targets):
    return (outputs - targets).square().mean(1)
"""


@pytest.mark.parametrize(
    ("dataset", "left"),
    [
        ("reading:data", ["scale.txt"]),
        ("{name: 'reading:data', table: numbers.txt}", ["numbers.txt", "scale.txt"]),
        ("synthetic_regression", ["scale.txt"]),  # the loss is in the same file
    ],
)
def test_files_that_own_code_reads_are_named_as_no_copy_is_kept(
    lossrun: Run, tmp_path: Path, dataset: str, left: list[str]
) -> None:
    (tmp_path / "reading.py").write_text(READING)
    (tmp_path / "scale.txt").write_text("2")
    (tmp_path / "numbers.txt").write_text("\n".join(map(str, range(20))))
    (tmp_path / "unread.txt").write_text("3")
    config = (
        f"dataset: {dataset}\nmodel: linear\nloss: 'reading:loss'\noptimizer: sgd\nlearning_rate: 1e-4\nepochs: 1\n"
    )
    (tmp_path / "c.yaml").write_text(config)
    trained = lossrun("train", "c.yaml", "--set", "lint=warn")
    assert trained.code == 0, trained.err
    (told,) = [line for line in trained.err.splitlines() if "your own code names" in line] or [""]
    assert told.partition("names ")[2].partition(";")[0] == ", ".join(left)
