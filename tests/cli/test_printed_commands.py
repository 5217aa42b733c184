"""Every command that lossrun prints is pasted into a shell, in the folder where it was printed."""

import html
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lossrun.records.files import config_file
from tests.cli.conftest import CONFIG, Result, Run

Paste = Callable[[str], Result]
NAME = "it's $HOME #1"


def commands(text: str) -> list[str]:
    """Those on a line of their own and those in backticks, without the ones that leave a word to fill in."""
    found = re.findall(r"^  (lossrun .+)$|`(lossrun [^`]+)`", text, re.MULTILINE)
    return [one for pair in found for one in pair if one and not re.search(r"\b(RUN|CONFIG|TAG)\b|\.\.\.", one)]


@pytest.fixture
def paste(tmp_path: Path, lossrun: Run) -> Paste:
    """A shell takes the text apart and starts `lossrun`, which stands here for one that runs in this process."""
    program = tmp_path / "bin" / "lossrun"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\n")
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}

    def run(text: str) -> Result:
        words = subprocess.run(["sh", "-c", text], env=environment, capture_output=True, text=True, check=True).stdout
        return lossrun(*words.split("\0")[:-1])

    return run


@pytest.fixture
def folder(tmp_path: Path, lossrun: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where blanks, quotes and dollars are in every name."""
    monkeypatch.delenv("LOSSRUN_RUNS_DIR", raising=False)
    path = tmp_path / "a folder"
    path.mkdir()
    monkeypatch.chdir(path)
    (path / "my config.yaml").write_text(CONFIG)
    return path


def test_a_run_from_check_to_compare(folder: Path, lossrun: Run, paste: Paste) -> None:
    checked = lossrun("check", "my config.yaml", "--set", f"name={NAME}", "--set", "loss={name: huber, delta: 2}")
    (train,) = commands(checked.err)
    trained = lossrun("train", "my config.yaml", "--runs-dir", "my runs", "--name", NAME, "--tag", "a b")
    shown, resumed = commands(trained.err)
    (run,) = (folder / "my runs").iterdir()
    listed = lossrun("show", str(run))
    nowhere = lossrun("show", "none", "--runs-dir", "my runs")
    finished = lossrun("resume", "last", "--runs-dir", "my runs")
    every = [train, shown, resumed, *commands(listed.out), *commands(nowhere.err), *commands(finished.err)]
    assert len(every) == 6
    for command in every:
        result = paste(command)
        assert result.code == 0, (command, result.err)
    options = ["--set", "learning_rate=0.02", "--set", "epochs=6"]
    (further,) = commands(lossrun("resume", "last", "--runs-dir", "my runs", *options).err)
    assert further.endswith("--set learning_rate=0.02 --set epochs=12")
    assert paste(further).code == 0
    made = paste(f"{train} --quiet").out.strip()
    recorded = config_file.read(Path(made) / "config.yaml")
    assert (recorded["name"], recorded["loss"]["name"], recorded["loss"]["delta"]) == (NAME, "huber", 2)


def test_after_a_divergence(folder: Path, lossrun: Run, paste: Paste) -> None:
    diverged = lossrun("train", "my config.yaml", "--runs-dir", "my runs", "--set", "optimizer=sgd", "--set",
                       "learning_rate=1e12")  # fmt: skip
    assert diverged.code == 6
    told = commands(diverged.err)
    assert [command.split()[1] for command in told] == ["explain", "resume", "explain"]
    for command in told:
        result = paste(command)
        assert result.code == 0, (command, result.err)


def test_before_there_is_a_run(folder: Path, lossrun: Run, paste: Paste) -> None:
    written = lossrun("new", "--output", "-new one.yaml")
    told = [
        *commands(written.err),
        *re.findall(r"(lossrun (?:train|check) .*?)(?:$|`)", Path("-new one.yaml").read_text(), re.M),
    ]
    told += commands(lossrun("plot").err) + commands(lossrun("rm", "--runs-dir", "$x").err)
    told += re.findall(r"lossrun (?:explain|list) \S.*", lossrun("list", "losses").out)
    scripted = lossrun("script", "my config.yaml", "--as", "pytorch", "--set", "name='a \"b\" \\c'")
    told += [line.strip() for line in _docstring(scripted.out).splitlines() if line.startswith("    lossrun")]
    assert len(told) == 8
    for command in told:
        result = paste(command)
        assert result.code == 0, (command, result.err)
    assert paste(told[-1]).out == scripted.out


def test_a_sweep_that_was_meant_for_train(folder: Path, lossrun: Run, paste: Paste) -> None:
    (folder / "my sweep.yaml").write_text(CONFIG + "sweep: {loss: [mse, mae], tune: false}\n")
    options = ["--set", "epochs=1", "--runs-dir", "my runs", "--name", NAME, "--tag", "a b"]
    refused = lossrun("train", "my sweep.yaml", *options)
    assert refused.code == 2
    sweep, alone = commands(refused.err)
    assert paste(f"{sweep} --dry-run").code == 0
    assert paste(alone).code == 0
    (run,) = (folder / "my runs").iterdir()
    recorded = config_file.read(run / "config.yaml")
    assert (recorded["name"], recorded["tags"], recorded["epochs"]) == (NAME, ["a b"], 1)


def test_the_page_says_how_to_make_it_again(folder: Path, lossrun: Run, paste: Paste) -> None:
    for loss in ("mse", "mae"):
        lossrun("train", "my config.yaml", "--runs-dir", "my runs", "--set", f"loss={loss}")
    assert lossrun("compare", "last~1", "last", "--runs-dir", "my runs", "--html", "a page.html").code == 0
    page = Path("a page.html").read_text()
    told = [html.unescape(one) for one in re.findall(r"<code>(lossrun [^<]*)</code>", page)]
    assert len(told) == 3
    for command in told:
        result = paste(command)
        assert result.code == 0, (command, result.err)
    assert Path("report.html").is_file()


def _docstring(source: str) -> str:
    import ast

    return ast.get_docstring(ast.parse(source), clean=False) or ""
