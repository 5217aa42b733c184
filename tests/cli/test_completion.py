"""Completion, asked as the shells ask: words in environment variables, an answer on stdout."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lossrun.packaged import packaged_configs
from tests.cli.conftest import Run
from tests.conftest import write_run

PROGRAM = "import sys; sys.argv[0] = 'lossrun'; from lossrun.cli import main; main()"


def rows(epoch, seed):
    return {"train_loss": 1.0, "val_loss": 1.0}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Runs here, one run elsewhere, a config here and one in a folder."""
    for name in ("mnist-adam", "mnist-adam", "moons"):
        write_run(tmp_path / "runs", name, rows=rows)
    write_run(tmp_path / "elsewhere", "houses", rows=rows)
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / "configs").mkdir()
    for name in ("mine.yaml", "notes.txt", ".hidden.yaml", "configs/other.yml"):
        (tmp_path / name).write_text("loss: mse\n")
    return tmp_path


@pytest.fixture
def asked(folder: Path, lossrun: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """The answer to a shell's Tab key at the end of a line."""
    monkeypatch.delenv("LOSSRUN_RUNS_DIR", raising=False)

    def ask(shell: str, line: str) -> str:
        questions = {
            "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)},
            "zsh": {"_TYPER_COMPLETE_ARGS": line},
            "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
        }
        with monkeypatch.context() as patch:
            for name, value in {**questions[shell], "_LOSSRUN_COMPLETE": f"complete_{shell}"}.items():
                patch.setenv(name, value)
            result = lossrun()
        assert (result.code, result.err) == (0, "")
        return result.out

    return ask


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("lossrun show ", ["last", "moons", "mnist-adam"]),
        ("lossrun show mn", ["mnist-adam"]),
        ("lossrun resume 20261121-014502", ["20261121-014502-moons"]),
        ("lossrun rm moons mni", ["mnist-adam"]),
        ("lossrun compare --runs-dir elsewhere ", ["last", "houses"]),
        ("lossrun show runs/", []),  # paths are the shell's own
        ("lossrun show --runs-dir nowhere m", []),
        ("lossrun train ", ["mine.yaml", "configs/other.yml", *packaged_configs()]),
        ("lossrun check qui", ["quickstart"]),
        ("lossrun new ta", ["table"]),
        ("lossrun check configs/", ["configs/other.yml"]),
        ("lossrun explain hub", ["huber"]),
        ("lossrun explain double_act", ["double_activation"]),  # a lint rule
        ("lossrun explain SmoothL", ["SmoothL1Loss"]),
        ("lossrun explain batch_s", ["batch_size"]),  # a key of the config
        ("lossrun explain early_stopping.p", ["early_stopping.patience"]),
        ("lossrun list lo", ["losses"]),
        ("lossrun list r", ["rules"]),
        ("lossrun show --format ", ["table", "json"]),
        ("lossrun ls --format ", ["table", "json", "csv"]),
    ],
)
def test_bash_completes_commands_options_and_names(asked, line, expected):
    assert asked("bash", line).split() == expected


def test_zsh_and_fish(asked):
    assert asked("zsh", "lossrun show mn") == """_arguments '*: :(("mnist-adam"))'\n"""
    assert asked("zsh", "lossrun show runs/") == "_files\n"
    assert asked("zsh", "lossrun train mi") == """_arguments '*: :(("mine.yaml"))'\n"""
    assert asked("fish", "lossrun show m").splitlines() == ["moons", "mnist-adam"]
    assert asked("fish", "lossrun explain hub") == "huber\n"


def test_in_a_bash_that_has_loaded_the_script(folder):
    bash = shutil.which("bash")
    assert bash
    program = folder / "lossrun"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(PROGRAM)} "$@"\n')
    program.chmod(0o755)
    script = """
eval "$(_LOSSRUN_COMPLETE=source_bash lossrun)"
COMP_WORDS=(lossrun show mn) COMP_CWORD=2
_lossrun_completion lossrun
printf '%s\\n' "${COMPREPLY[@]}"
complete -p lossrun
"""
    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(
        [bash, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines() == ["mnist-adam", "complete -o default -F _lossrun_completion lossrun"]


def test_the_tab_key_loads_nothing_heavy(folder):
    spy = f"""
import sys
try:
    exec({PROGRAM!r})
finally:
    heavy = "torch", "numpy", "lossrun.config", "lossrun.lint", "safetensors"
    print([name for name in heavy if name in sys.modules], file=sys.stderr)
"""
    for line in ("lossrun show m", "lossrun train ", "lossrun explain hub"):
        question = {"COMP_WORDS": line, "COMP_CWORD": "2", "_LOSSRUN_COMPLETE": "complete_bash"}
        result = subprocess.run(
            [sys.executable, "-c", spy],
            cwd=folder,
            env=os.environ | question,
            capture_output=True,
            text=True,
            check=True,
        )
        assert result.stdout
        assert result.stderr == "[]\n", line


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("lossrun compare moons mnist-adam --label ", ["A=", "B=", "moons=", "mnist-adam="]),
        ("lossrun compare moons mnist-adam --label m", ["moons=", "mnist-adam="]),
        ("lossrun compare moons mnist-adam last --label C", ["C="]),
        ("lossrun compare moons mnist-adam --label A=", ["A="]),
        ("lossrun compare moons mnist-adam --label A=x", []),
        ("lossrun compare --label ", []),
    ],
)
def test_labels_of_the_runs_on_the_line(asked, line, expected):
    assert asked("bash", line).split() == expected
