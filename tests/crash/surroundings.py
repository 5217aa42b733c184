"""Streams that are closed, full or not read, terminals of few letters, and no colours: no command ends in a traceback.

`tests/cli/test_surroundings.py` has what belongs to the start of a process: locales, folders in Latin-1, no home.
"""

import io
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from lossrun.cli import app
from tests.crash import inline_pool
from tests.crash.forks import Done, Forks, forks
from tests.crash.outcomes import Outcome, share_of

CONFIG = """\
name: größe
dataset: {name: synthetic_regression, samples: 60}
model: {name: mlp, hidden: [4]}
loss: mse
optimizer: adam
learning_rate: 0.01
epochs: 2
"""
COMMANDS = (
    ("train", "config.yaml"),
    ("resume", "one", "--set", "epochs=3"),
    ("compare", "one", "other"),
    ("compare", "one", "other", "--html", "page.html"),
    ("ls",),
    ("ls", "--format", "json"),
    ("show", "one"),
    ("evaluate", "one"),
    ("plot", "one"),
    ("check", "config.yaml"),
    ("list", "losses"),
    ("explain", "huber"),
    ("gc", "--yes"),
    ("rm", "other", "--yes"),
    ("verify", "one"),
    ("predict", "one", "--input", "new.csv"),
    ("export", "one", "-o", "exported"),
    ("sweep", "config.yaml", "--over", "learning_rate=0.01,0.02", "--jobs", "1"),
    ("script", "config.yaml", "--as", "pytorch"),
    ("manual",),
    ("manual", "-o", "-"),
    ("schema",),
    ("new", "-o", "new.yaml"),
    ("--help",),
    ("--version",),
)
# Nothing is downloaded here, and `find-lr` starts processes that import torch.
assert {command[0] for command in COMMANDS} | {"fetch", "find-lr"} >= {
    command.name for command in app.registered_commands
}
STREAMS = ("none", "closed", "full", "unread", "ascii", "latin-1", "cp1252")
VARIABLES: tuple[dict[str, str], ...] = (
    {},
    {"NO_COLOR": "1", "TERM": "dumb"},
    {"COLUMNS": "0"},
    {"COLUMNS": "1"},
    {"COLUMNS": "99999999999"},
    {"FORCE_COLOR": "1", "COLUMNS": "80"},
)


def spoil(stream: str) -> None:
    """Give this process such a standard output; "" leaves it. Cells of a sweep are trained in it, which is faster."""
    inline_pool.install()
    if stream == "none":
        os.close(1)
        sys.stdout = None  # type: ignore[assignment]  # as Python has it where the parent closed it
    elif stream == "closed":
        os.close(1)
    elif stream == "full":
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
    elif stream == "unread":
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 1)
    elif stream:
        for name in ("stdout", "stderr"):
            number = getattr(sys, name).fileno()
            setattr(sys, name, io.TextIOWrapper(os.fdopen(number, "wb", closefd=False), encoding=stream))


def trained(server: Forks, folder: Path) -> Path:
    """Make a folder with a config, two runs and new samples."""
    folder.mkdir()
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "new.csv").write_text(",".join("abcdefghij") + "\n" + ",".join("1234567890") + "\n")
    for name in ("one", "other"):
        done = server.run(("train", "config.yaml", "--name", name), folder)
        assert done.code == 0, done.err
    return folder


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    with forks() as server:
        start = trained(server, folder / "trained")
        cases = [(command, stream, {}) for command in COMMANDS for stream in STREAMS]
        cases += [(command, "", variables) for command in COMMANDS for variables in VARIABLES]
        for command, stream, variables in share_of(cases, share, seed):
            place = folder / "tried"
            shutil.copytree(start, place)
            done = server.run(
                command, place, environment=variables, prepare="tests.crash.surroundings:spoil", stream=stream
            )
            yield Outcome(
                f"{' '.join(command)}, {stream or variables}", problem_of(done, place, command, stream, variables)
            )
            shutil.rmtree(place)


def problem_of(done: Done, place: Path, command: tuple[str, ...], stream: str, variables: Mapping[str, str]) -> str:
    # Without a reader or with a full disk a command fails, but a run goes on.
    unwritable = stream in ("closed", "full", "unread")
    lasting = command[0] in ("train", "resume")
    if problem := done.problem(*((0, 4, 141) if unwritable and not lasting else (0,))):
        return problem
    if lasting and unwritable and len(list(place.glob("runs/*/predictions.npz"))) < 2:
        return "the run did not end"
    if "NO_COLOR" in variables and "\x1b[" in done.out:
        return "coloured"
    return ""
