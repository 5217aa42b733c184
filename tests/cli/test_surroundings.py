"""Commands in surroundings that nobody tries at home: a folder whose name is not text, an ASCII terminal, no home."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import lossrun as package
from lossrun.records import recorded
from tests.cli.conftest import CONFIG, Done, in_another_process

# Bytes that are not UTF-8: "caf\xe9" as Latin-1 has it.
CAFE = os.fsdecode(b"caf\xe9")
TABLE = "a,b,y\n" + "".join(f"{i},{i * i % 7}.5,{i * 0.5 + 0.1}\n" for i in range(40))

COMMANDS = [
    ["check", "config.yaml"],
    ["train", "config.yaml", "--name", "x"],
    ["train", f"../{CAFE}/config.yaml", "--runs-dir", f"r{CAFE}", "--data-dir", f"../{CAFE}", "--name", "y"],
    ["ls", "--runs-dir", f"r{CAFE}"],
    ["ls", "--format", "json"],
    ["show", "x"],
    ["evaluate", "x"],
    ["predict", "x", "--input", "table.csv", "-o", f"{CAFE}.csv"],
    ["export", "x", "-o", f"exported-{CAFE}"],
    ["resume", "x", "--set", "epochs=4"],
    ["compare", "x", f"r{CAFE}/*-y", "--html", f"{CAFE}.html"],
    ["script", "config.yaml", "--as", "pytorch"],
    ["new", "-o", f"new-{CAFE}.yaml"],
    ["gc", "--yes"],
    ["rm", "x", "--yes"],
]
PRINTS_ITS_PATH = ["train", "config.yaml", "--quiet", "--runs-dir", f"r{CAFE}"]
ENCODINGS = {
    "utf-8": {"PYTHONIOENCODING": "utf-8"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "c locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
NO_HOME = "import pwd\ndef none(uid): raise KeyError(uid)\npwd.getpwuid = none\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / CAFE
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes no such name")
    (folder / "config.yaml").write_text(
        CONFIG.replace(
            "{name: synthetic_regression, samples: 100, features: 3}", "{name: csv, path: table.csv, target: y}"
        )
    )
    (folder / "table.csv").write_text(TABLE)
    return folder


def ran(folder: Path, commands: Sequence[Sequence[str]], **variables: str) -> list[Done]:
    root = str(Path(package.__file__).parents[1])
    path = os.pathsep.join([*variables.pop("first", "").split(), root])
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "OMP_NUM_THREADS", "SYSTEMROOT")}
    return in_another_process(commands, folder, {**kept, "PYTHONPATH": path, **variables})


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_folder_whose_name_is_no_text(folder: Path, encoding: str) -> None:
    for done in ran(folder, [*COMMANDS, PRINTS_ITS_PATH], HOME=str(folder), **ENCODINGS[encoding]):
        assert (done.arguments, done.code, done.err if done.code else b"") == (done.arguments, 0, b"")
        assert b"Traceback" not in done.err
    # What the last one has printed can be used as a path.
    loaded = recorded.load(folder / os.fsdecode(done.out.rstrip(b"\n")))
    assert loaded.environment["directory"] == str(folder)
    assert loaded.status == "finished"


def test_what_cannot_be_text_is_refused_in_one_message(folder: Path) -> None:
    """A config is text, and TensorBoard encodes the name of its folder."""
    commands = [
        ["train", "config.yaml", "--tensorboard", CAFE],
        ["train", "config.yaml", "--name", CAFE],
        ["train", "config.yaml", "--set", f"dataset.path={CAFE}.csv"],
        ["train", "config.yaml", "--set", f"{CAFE}=3"],
        ["train", "config.yaml", "--tag", CAFE],
    ]
    for done in ran(folder, commands, HOME=str(folder)):
        assert (done.arguments, done.code, b"Traceback" in done.err) == (done.arguments, 2, False)
    assert not (folder / "runs").exists()


@pytest.mark.parametrize("home", [{"HOME": "/proc/nowhere"}, {"first": "no_home"}], ids=["gone", "unknown user"])
def test_without_a_home_directory(tmp_path: Path, home: dict[str, str]) -> None:
    (tmp_path / "no_home").mkdir()
    (tmp_path / "no_home" / "sitecustomize.py").write_text(NO_HOME)
    (tmp_path / "config.yaml").write_text(CONFIG)
    home = {name: str(tmp_path / value) if name == "first" else value for name, value in home.items()}
    commands = [
        ["check", "config.yaml"],
        ["train", "config.yaml", "--name", "x"],
        ["ls"],
        ["evaluate", "x"],
        ["resume", "x", "--set", "epochs=4"],
        ["script", "config.yaml", "--as", "keras"],
        ["train", "config.yaml", "--set", "dataset=mnist", "--set", "loss=cross_entropy"],
    ]
    *well, refused = ran(tmp_path, commands, **home)
    for done in well:
        assert (done.arguments, done.code, done.err if done.code else b"") == (done.arguments, 0, b"")
    assert (refused.code, b"Traceback" in refused.err) == (3, False)
    assert b"--data-dir" in refused.err
    assert not (tmp_path / "~").exists()


GONE = "import os, sys; os.rmdir(os.getcwd()); from lossrun.cli import main; main()"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a folder that is in use")
@pytest.mark.parametrize(
    "arguments",
    [["train", "{}/config.yaml"], ["sweep", "{}/config.yaml", "--over", "learning_rate=0.1,0.2"], ["explain", "mse"]],
)
def test_a_current_folder_that_is_gone_is_told_before_torch_is_imported(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    gone = tmp_path / "gone"
    gone.mkdir()
    words = [word.format(tmp_path) for word in arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", GONE, *words], cwd=gone, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 4
    assert b"the current folder no longer exists" in done.stderr
    assert b"Traceback" not in done.stderr
