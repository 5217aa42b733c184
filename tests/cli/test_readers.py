"""A command that only reads changes nothing: no byte, no time of a file or a folder, no new name.

It is the same where nothing can be written, for a user who is not the owner, and while another process writes.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import pytest

from lossrun.cli import COMMANDS
from lossrun.records.lock import writing
from tests.crash import inline_pool
from tests.crash.in_process import run
from tests.crash.special_files import without_root

RECORDS = Path(__file__).parent.parent / "records"
OWN = """\
def own(outputs, targets):
    return (outputs - targets).square().mean(dim=1)
"""
CONFIG = """\
dataset: {name: csv, path: data.csv, target: y, encode: one_hot, standardize: {inputs: true, targets: true}}
model: {name: mlp, hidden: [4]}
loss: own_loss:own
optimizer: adam
learning_rate: 0.01
epochs: 3
"""
TABLE = "a,b,y\n" + "".join(f"{row * 7 % 80},{'uvw'[row % 3]},{row * 11 % 80}\n" for row in range(80))
# What each command needs to be one that only reads; {out} is another folder, the only one where it may write.
OF_A_RUN = (
    "show {run}",
    "plot {run}",
    "evaluate {run}",
    "verify {run}",
    "verify {run} --all --json",
    "export {run} -o {out}/exported",
    "compare {run} second --html {out}/page.html",
)
READ = (
    *("ls", "ls swept", "ls --format json", "list losses", "explain adam", "schema", "new --output -", "manual"),
    *("check config.yaml", "script config.yaml --as pytorch", "find-lr config.yaml --set batch_size=full"),
    *(command.format(run="first", out="{out}") for command in OF_A_RUN),
    *("predict first --input new.csv", "predict first --input new.csv --output {out}/new.csv"),
    *("plot first second --output {out}/plot.svg", "compare swept", "compare stopped", "ls stopped", "show damaged"),
    *("verify damaged", "resume first", "sweep config.yaml --over learning_rate=0.1,0.2 --dry-run"),
    *("rm first", "gc"),  # nobody says yes
)
WRITE = {"train", "fetch"}


@pytest.fixture(scope="module")
def pristine() -> Iterator[Path]:
    # Others than its owner may not enter the folders of pytest.
    with TemporaryDirectory() as place, inline_pool.installed():
        folder = Path(place)
        folder.chmod(0o755)
        (folder / "config.yaml").write_text(CONFIG)
        (folder / "own_loss.py").write_text(OWN)
        (folder / "data.csv").write_text(TABLE)
        (folder / "new.csv").write_text("a,b\n1,u\n2,v\n")
        for command in (
            "train config.yaml --name first --quiet",
            "train config.yaml --name second --quiet --set seeds=2",
            "sweep config.yaml --set name=swept --over learning_rate=0.01,0.02 --jobs 1",
        ):
            said = run(command.split(), folder)
            assert said.code == 0, said
        runs = folder / "runs"
        shutil.copytree(RECORDS / "stopped_sweep", runs / "stopped")
        shutil.copytree(next(runs.glob("*-first")), runs / "damaged")
        newest = max((runs / "damaged" / "checkpoints").glob("step-*"))
        newest.write_bytes(newest.read_bytes()[:-9])
        yield folder


def state(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return all that a reader could change in a folder: content, times, rights, and which file it is."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        facts = path.lstat()
        content = sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(facts.st_mode) else ""
        found[str(path.relative_to(folder))] = (
            *(content, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_mode, facts.st_ino, facts.st_size),
        )
    return found


def read_only(folder: Path, allowed: int) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 & allowed if path.is_dir() else 0o644 & allowed)


@pytest.fixture(scope="module")
def wrong_by_owner(pristine: Path) -> list[str]:
    """Also imports all that the commands need, because another user may not be able to read this Python's folders."""
    import_module("matplotlib.font_manager")  # whose folder for the session is not to be one of ours
    return wrong_readers(pristine, "by its owner")


@pytest.mark.parametrize("how", ["by its owner", "while it is written", "by another user, in a read-only folder"])
def test_a_command_that_reads_changes_nothing(pristine: Path, wrong_by_owner: list[str], how: str) -> None:
    wrong = wrong_by_owner if how == "by its owner" else wrong_readers(pristine, how)
    assert not wrong, "\n".join(wrong)


def wrong_readers(pristine: Path, how: str) -> list[str]:
    """Return each command with what it has changed, or with an exit code that was not expected."""
    of_another = "another" in how
    wrong = []
    with TemporaryDirectory() as place, ExitStack() as meanwhile:
        out = Path(place)
        out.chmod(0o777)
        meanwhile.enter_context(mock.patch("tempfile.tempdir", place))
        read_only(pristine, 0o555 if of_another else 0o777)
        if "written" in how:
            for path in sorted((pristine / "runs").iterdir()):
                meanwhile.enter_context(writing(path))
        for command in READ:
            before = state(pristine)
            with without_root(of_another):
                said = run(command.format(out=out).split(), pristine)
            after = state(pristine)
            wrong += [f"{command}: {name}" for name in {**before, **after} if before.get(name) != after.get(name)]
            if said.code != expected(command, how):
                wrong.append(f"{command}: exit {said.code}: {said.err[-300:]}")
        read_only(pristine, 0o777)
    return wrong


def expected(command: str, how: str) -> int:
    """Return the exit code."""
    if command == "verify damaged":
        return 4
    if command in ("rm first", "gc", "resume first") and "written" in how:
        return 0 if command == "gc" else 5  # there is nothing to remove
    return 2 if command in ("rm first", "gc") else 0


def test_every_command_is_tried() -> None:
    names = {command.__name__.rstrip("_").replace("_", "-") for command in COMMANDS}
    assert {command.split()[0] for command in READ} == names - WRITE


@pytest.mark.parametrize("golden", sorted(path.parent.name for path in RECORDS.glob("*/run.json")))
def test_every_command_reads_the_runs_of_older_versions(golden: str, tmp_path: Path, pristine: Path) -> None:
    place, out = tmp_path / "runs" / "old", tmp_path / "out"
    shutil.copytree(RECORDS / golden, place)
    shutil.copytree(RECORDS / golden, tmp_path / "runs" / "second")
    out.mkdir()
    inputs = {"before_digests": 2, "own_source": 1}.get(golden, 3)
    (tmp_path / "new.csv").write_text(",".join(["0.5"] * inputs) + "\n")
    before = state(tmp_path / "runs")
    wrong = []
    for command in ("ls", *OF_A_RUN, "predict {run} --input new.csv --no-header"):
        said = run(command.format(run="old", out=out).split(), tmp_path)
        differs = command.startswith("verify") and "because this differs here" in said.err
        wrong += [f"{command}: exit {said.code}: {said.err[-300:]}"] if said.code and not differs else []
    assert not wrong, "\n".join(wrong)
    assert state(tmp_path / "runs") == before


# What each command says of a sweep that 0.2.0 finished, and of a folder that it exported, with its exit code.
OF_OLD = {
    "ls": (0, "6/6"),
    "ls old": (0, "finished, all 6 cells have ended"),
    "compare old": (0, "loss=mse learning_rate=0.1"),
    "compare old --format json": (0, '"name": "final-0002-mae-0.1"'),
    "resume old": (0, "final runs 2/2: loss=mae learning_rate=0.1: finished"),
    "show old": (2, "is a sweep"),
    "verify old": (2, "is a sweep"),
    "evaluate old": (2, "is a sweep"),
    "predict old --input new.csv": (2, "is a sweep"),
    "export old -o x": (2, "is a sweep"),
    "show exported": (4, "no run exported"),
    "resume exported": (4, "no run or sweep exported"),
}


def test_every_command_answers_about_an_old_sweep_and_an_old_export(tmp_path: Path) -> None:
    for name, kept in (("old", "finished_sweep"), ("exported", "exported")):
        shutil.copytree(RECORDS / kept, tmp_path / "runs" / name)
    (tmp_path / "new.csv").write_text("1,2\n")
    before = state(tmp_path / "runs" / "exported")
    found = {command: run(command.split(), tmp_path) for command in OF_OLD}
    wrong = {command: said for command, said in found.items() if said.code != OF_OLD[command][0]}
    wrong |= {command: said for command, said in found.items() if OF_OLD[command][1] not in said.words}
    assert not wrong, wrong
    assert state(tmp_path / "runs" / "exported") == before


@pytest.fixture
def closed(pristine: Path) -> Iterator[tuple[Path, str]]:
    """A folder of runs that anybody may use, and the name of a run in it that lets only its owner in."""
    with TemporaryDirectory() as place:
        folder = Path(place) / "shared"
        shutil.copytree(pristine, folder)
        for path in (Path(place), folder, folder / "runs"):
            path.chmod(0o777)
        (run_path,) = (folder / "runs").glob("*-first")
        run_path.chmod(0o700 if os.geteuid() == 0 else 0o000)
        yield folder, run_path.name
        run_path.chmod(0o755)


def test_a_run_that_lets_only_its_owner_in_is_listed_and_named(
    closed: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, name = closed
    (folder / "runs" / "lost+found").mkdir(mode=0o700 if os.geteuid() == 0 else 0o000)  # no run
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    for command in ("ls", "ls --format csv", *(text.format(run="first", out=folder) for text in OF_A_RUN)):
        with without_root(wanted=True):
            said = run(command.split(), folder)
        listed = command.startswith("ls")
        assert (said.code, f"{name}/ledger.jsonl: Permission denied" in said.words) == (0 if listed else 4, True), said
        assert "second" in said.out or not listed
        assert "lost+found" not in said.words


@pytest.mark.skipif(os.geteuid() != 0, reason="needs two users")
def test_a_run_of_the_same_name_that_belongs_to_somebody_else_is_not_resumed(closed: tuple[Path, str]) -> None:
    folder, name = closed
    before = state(folder / "runs" / name)
    command = ["train", "config.yaml", "--name", "first", "--resume-or-start", "--quiet"]
    with without_root(wanted=True):
        begun, again = (run(command, folder) for _ in range(2))
    assert (begun.code, again.code) == (0, 0)
    assert begun.out == again.out
    assert Path(begun.out.strip()).name != name  # in the same second it is the same with -2
    assert state(folder / "runs" / name) == before
