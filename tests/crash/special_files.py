"""A folder, a pipe, a socket, a link or an unreadable file in the place of any file: readers say so, and never wait.

Or a file is as it was, but the disk fails, or the file server forgot it.
"""

import errno
import os
import re
import shutil
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, chdir, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import NoReturn
from unittest import mock

from lossrun.records import checkpoints
from tests.crash import inline_pool
from tests.crash.failing_reads import failing
from tests.crash.in_process import Said, problem_of, run
from tests.crash.outcomes import Outcome, share_of

SECONDS = 30  # that a command may take on a busy machine; a pipe that is waited for would take forever
NOBODY = 65534
OWN = """\
import torch


def own(outputs, targets):
    return (outputs - targets).square().mean(dim=1)
"""
CONFIG = """\
dataset: {name: synthetic_regression, samples: 100, features: 3, standardize: {inputs: true, targets: true}}
model: {name: mlp, hidden: [4]}
loss: own_loss:own
optimizer: adam
learning_rate: 0.01
epochs: 3
"""
SWEEP = ("sweep", "config.yaml", "--over", "learning_rate=0.01,0.02", "--jobs", "1", "--set", "name=swept")
RUN_COMMANDS: tuple[Sequence[str], ...] = (
    ("ls",),
    ("ls", "--format", "json"),
    ("show", "first"),
    ("compare", "first", "second"),
    ("plot", "first"),
    ("resume", "first", "--set", "epochs=4", "--quiet"),
    ("train", "config.yaml", "--name", "first", "--resume-or-start", "--quiet"),
    ("evaluate", "first"),
    ("verify", "first"),
    ("predict", "first", "--input", "new.csv"),
    ("export", "first", "-o", "exported"),
    ("gc", "--yes"),
    ("rm", "first", "--yes"),
)
SWEEP_COMMANDS: tuple[Sequence[str], ...] = (
    ("ls",),
    ("ls", "swept"),
    ("show", "swept"),
    ("compare", "swept"),
    ("plot", "swept"),
    ("resume", "swept"),
    ("gc", "--yes"),
    ("rm", "swept", "--yes"),
)


def bind(path: Path) -> None:
    # The address of a socket is short, so it is bound from its folder.
    with chdir(path.parent), socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)


KINDS: dict[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a socket": bind,
    "a dangling link": lambda path: path.symlink_to("nothing-here"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to another file": lambda path: path.symlink_to(outside_of(path) / "file"),
    "a link to another folder": lambda path: path.symlink_to(outside_of(path) / "folder"),
    "unreadable": lambda path: (path.touch(), path.chmod(0)),
}
RUN_FILES = (
    *("config.yaml", "run.json", "history.jsonl", "ledger.jsonl", "preparation.json", "predictions.npz"),
    *("owner.json", "lock", "checkpoints", "source"),
)
SWEEP_FILES = ("sweep.yaml", "plan.jsonl", "ledger.jsonl", "owner.json", "lock", "stacks")
# What looking at the file ends in.
FAILURES: dict[str, int] = {"on a failing disk": errno.EIO, "with a stale handle": errno.ESTALE}


def attack(_: Path, share: float, seed: int) -> Iterator[Outcome]:
    # Not in the folder that was given: others than its owner may not enter those of pytest.
    with inline_pool.installed(), TemporaryDirectory() as place:
        yield from attacked(Path(place), share, seed)


def attacked(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    pristine, tried = folder / "pristine", folder / "tried"
    places = trained(pristine)
    folder.chmod(0o755)
    undamaged: dict[Sequence[str], Said] = {}
    cases = [
        (place, kind, command)
        for place, commands in places.items()
        for kind in (*KINDS, *FAILURES)
        for command in commands
        if not (place.suffix == "" and kind == "a folder")  # it is one
    ]
    whole = next(iter(places)).parent  # a run
    cases += [(whole, kind, command) for kind in FAILURES for command in RUN_COMMANDS]
    for place, kind, command in share_of(cases, share, seed):
        if command not in undamaged:
            undamaged[command] = afresh(pristine, tried, command)
        copy(pristine, tried)
        path = tried / place
        disk: AbstractContextManager[None] = nullcontext()
        if kind in FAILURES:
            disk = failing(path, FAILURES[kind])
        else:
            replace(path, kind)
        with disk:
            said = limited(command, tried, as_nobody=kind == "unreadable")
        yield Outcome(
            f"{place}, {kind}: {' '.join(command)}",
            problem(command, said, names_of(pristine, place), tried, undamaged[command]),
        )


def replace(path: Path, kind: str) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    KINDS[kind](path)


def names_of(pristine: Path, place: Path) -> list[str]:
    """Return the words that name a file; for a folder also the names of the files in it."""
    inside = sorted((pristine / place).iterdir()) if (pristine / place).is_dir() else []
    # A cell of a sweep that is no folder is one that has not begun.
    of_sweep = ("damaged", "1 of 3 cells", "2 of 3 cells", "2/3") if place.parts[1].endswith("swept") else ()
    return [place.name, *(path.name for path in inside if path.suffix), *of_sweep]


def problem(command: Sequence[str], said: Said, told: Sequence[str], tried: Path, undamaged: Said) -> str:
    """Return what is wrong with how a command took it; "" if it said so, or did what it does without that file."""
    a_cell_failed = command == ("resume", "swept") and said.code == 1 and "Traceback" not in said.err
    if not a_cell_failed and (found := problem_of(said)):
        return found
    if said.code not in (0, 4, undamaged.code) and not a_cell_failed:
        return f"exit {said.code}: {said.err[-300:]}"
    if changed := [name for name in ("file", "folder/file") if (tried / "outside" / name).read_text() != "ours\n"]:
        return f"it wrote to {changed[0]}, where a link leads"
    if sorted(path.name for path in (tried / "outside" / "folder").iterdir()) != ["file"]:
        return "it wrote where a link leads"
    if command == ("ls",) and (said.code or "second" not in said.out):
        return f"exit {said.code} without the other runs: {said.err[-300:]}"
    if any(word in said.words for word in told) or alike(said) == alike(undamaged):
        return ""
    return f"exit {said.code} without a word about {told[0]}: {said.words[-300:]}"


def alike(said: Said) -> tuple[int, str]:
    """Return what a command printed without times and what depends on them."""
    return said.code, " ".join(re.sub(r"\d{8}-\d{6}|[\d.]+ (m?s|min|B|kB)\b|─", "", said.out).split())


def outside_of(path: Path) -> Path:
    return next(parent for parent in path.parents if parent.name == "tried") / "outside"


def afresh(pristine: Path, tried: Path, command: Sequence[str]) -> Said:
    copy(pristine, tried)
    return limited(command, tried)


def copy(pristine: Path, tried: Path) -> None:
    shutil.rmtree(tried, ignore_errors=True)
    shutil.copytree(pristine, tried)
    for path in (tried, *tried.rglob("*")):  # so that somebody who is not root may write there
        path.chmod(0o777)


def limited(command: Sequence[str], folder: Path, *, as_nobody: bool = False, seconds: int = SECONDS) -> Said:
    """Run a command, and end it if it waits for something.

    `as_nobody`: without the rights of root, who may read everything.
    """

    def ended(_number: int, _frame: FrameType | None) -> NoReturn:
        raise RuntimeError(f"still not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, ended)
    signal.alarm(seconds)
    try:
        with mock.patch.dict(os.environ, {"LOSSRUN_DATA_DIR": str(folder)}), without_root(as_nobody):
            return run(command, folder)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def without_root(wanted: bool) -> Iterator[None]:
    wanted = wanted and os.geteuid() == 0
    if wanted:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if wanted:
            os.seteuid(0)


def trained(folder: Path) -> dict[Path, tuple[Sequence[str], ...]]:
    """Train two runs and a sweep; return the places of their files, each with its readers."""
    (folder / "outside" / "folder").mkdir(parents=True)
    for name in ("file", "folder/file"):
        (folder / "outside" / name).write_text("ours\n")
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "own_loss.py").write_text(OWN)
    (folder / "new.csv").write_text("a,b,c\n1,2,3\n")
    for number, name in enumerate(("first", "second"), 1):
        changes = ("--set", f"seed={number}") if number > 1 else ()
        said = run(("train", "config.yaml", "--name", name, "--quiet", *changes), folder)
        assert said.code == 0, said
    said = run(SWEEP, folder)
    assert said.code == 0, said
    (first,) = (folder / "runs").glob("*-first")
    (sweep,) = (folder / "runs").glob("*-swept")
    files = [first / name for name in RUN_FILES]
    files += [*(first / "source").glob("*.py"), *checkpoints.candidates(first / "checkpoints")[:2]]
    files += checkpoints.best_files(first / "checkpoints")
    of_sweep = [sweep / name for name in SWEEP_FILES]
    of_sweep += sorted(path for path in sweep.iterdir() if path.is_dir())[:1]
    return {
        **{path.relative_to(folder): RUN_COMMANDS for path in files},
        **{path.relative_to(folder): SWEEP_COMMANDS for path in of_sweep},
    }
