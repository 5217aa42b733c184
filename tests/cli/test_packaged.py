"""Every command that takes CONFIG takes the name of a config that comes with lossrun."""

import re
from inspect import signature
from pathlib import Path

import pytest

from lossrun.arguments import ConfigFile
from lossrun.cli import app
from lossrun.packaged import packaged_configs
from tests.cli.conftest import Run

SAID = "note: quickstart is a config that comes with lossrun, not a file here; `lossrun new quickstart` writes a copy"
# What each such command needs besides.
OPTIONS = {
    "train": ("--set", "epochs=1"),
    "sweep": ("--over", "loss=mse,mae", "--dry-run"),
    "find_lr": ("--set", "epochs=1", "--set", "dataset.samples=60"),
    "check": (),
    "script": ("--as", "pytorch"),
}


def test_these_are_the_commands_that_take_a_config() -> None:
    functions = [command.callback for command in app.registered_commands if command.callback]
    taking = [one for one in functions if any(p.annotation == ConfigFile for p in signature(one).parameters.values())]
    assert sorted(one.__name__ for one in taking) == sorted(OPTIONS)


@pytest.mark.parametrize("command", OPTIONS)
def test_it_says_so_and_a_file_wins(lossrun: Run, tmp_path: Path, command: str) -> None:
    packaged = lossrun(command.replace("_", "-"), "quickstart", *OPTIONS[command])
    assert packaged.code == 0, packaged.err
    assert packaged.err.startswith(SAID)
    (tmp_path / "quickstart").write_text("epoch: 3\n")
    own = lossrun(command.replace("_", "-"), "quickstart", *OPTIONS[command])
    assert own.code == 2
    assert SAID not in own.err
    assert "quickstart:1:1: epoch: there is no such key" in own.err


def test_the_commands_that_it_prints_work(lossrun: Run, tmp_path: Path) -> None:
    checked = lossrun("check", "quickstart", "--set", "epochs=1")
    (train,) = re.findall(r"^  lossrun (train .+)$", checked.err, re.MULTILINE)
    trained = lossrun(*train.split())
    assert trained.code == 0, trained.err
    (resume,) = re.findall(r"^  lossrun (resume .+)$", trained.err, re.MULTILINE)
    assert lossrun(*resume.split()).code == 0
    (new,) = re.findall(r"`lossrun (new .+)`", trained.err)
    written = lossrun(*new.split())
    assert written.code == 0
    (mine,) = re.findall(r"^  lossrun (train .+)$", written.err, re.MULTILINE)
    assert mine == "train config.yaml"
    assert lossrun(*mine.split(), "--set", "epochs=1").code == 0


def test_own_code_and_data_are_found_in_the_current_folder(lossrun: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def my_loss(outputs, targets):\n    return (outputs - targets).square().mean(1)\n"
    )
    assert lossrun("train", "quickstart", "--set", "epochs=1", "--set", "loss=mine:my_loss", "--quiet").code == 0
    rows = "\n".join(f"{n},{n % 7},{n % 5},{2 * n}" for n in range(60))
    (tmp_path / "data.csv").write_text(f"id,a,b,price\n{rows}\n")
    trained = lossrun("train", "table", "--set", "epochs=1", "--set", "lint=warn", "--quiet")
    assert trained.code == 0, trained.err
    assert lossrun("resume", "last", "--set", "epochs=2", "--quiet").code == 0


def test_standard_input_is_no_name(lossrun: Run, tmp_path: Path) -> None:
    assert "-" not in packaged_configs()
    assert not any(name.startswith("-") or name.endswith((".yaml", ".yml")) for name in packaged_configs())
