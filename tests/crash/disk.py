"""SIGKILL, a torn write, ENOSPC and EIO at every file operation of `train`, `resume`, `sweep` and `gc`."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lossrun.records.run_directory import RunDirectory, all_runs
from tests.crash.commands import CONFIG, RESUME, TRAIN, brought_to_its_end, difference, new_folder, reference
from tests.crash.file_operations import recorded
from tests.crash.forks import Done, Forks, forks
from tests.crash.outcomes import Outcome, share_of

WAYS = ("kill", "tear", "full", "broken")
SWEEP = ("sweep", "config.yaml", "--over", "learning_rate=0.01,0.02", "--jobs", "1", "--set", "name=swept")


@dataclass(frozen=True, slots=True)
class Attacked:
    """A command that is attacked.

    Attributes:
        begin: Makes the folder that it starts in.
        check: Returns what is wrong with what can be made of the folder afterwards.
    """

    arguments: tuple[str, ...]
    begin: Callable[[Path], object]
    check: Callable[[Path], str]
    prepare: str = "tests.crash.file_operations"


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    with forks() as server:
        cases = []
        commands = attacked(server, folder)
        for name, command in commands.items():
            place = folder / f"{name} whole"
            command.begin(place)
            log = folder / f"{name}.log"
            done = server.run(
                command.arguments, place, prepare=f"{command.prepare}:record", root=str(place), log=str(log)
            )
            assert done.code == 0, done.err
            operations = recorded(log)
            cases += [
                (name, number, operation, how)
                for number, operation in enumerate(operations)
                for how in WAYS
                if how != "tear" or operation.kind == "write"
            ]
        for name, number, operation, how in share_of(cases, share, seed):
            command, place = commands[name], folder / "tried"
            command.begin(place)
            done = server.run(
                command.arguments, place, prepare=f"{command.prepare}:fail", root=str(place), at=number, how=how
            )
            problem = how_it_ended(done, how) or command.check(place)
            yield Outcome(f"{name}: {how} at operation {number}: {operation.kind} {operation.path}", problem)
            shutil.rmtree(place)


def how_it_ended(done: Done, how: str) -> str:
    if how in ("kill", "tear"):
        return done.problem(-9)
    # What is only tidied up may fail, and the command succeed.
    return done.problem(0, 4)


def attacked(server: Forks, folder: Path) -> dict[str, Attacked]:
    whole = reference(server, folder / "reference")
    interrupted = folder / "interrupted"
    stop_early(server, interrupted)
    swept = folder / "swept"
    done = server.run(SWEEP, new_folder(swept), prepare="tests.crash.inline_pool:install")
    assert done.code == 0, done.err

    def ended(place: Path) -> str:
        return brought_to_its_end(server, place, whole)

    def sweep_ended(place: Path) -> str:
        return sweep_brought_to_its_end(server, place, swept)

    def collected(place: Path) -> str:
        """Afterwards everything that a run needs is there, and gc can be tried again."""
        again = server.run(("gc", "--yes"), place)
        return again.problem(0) or difference(whole, place)

    def with_leftovers(place: Path) -> None:
        new_folder(place)
        shutil.copytree(whole.path.parent, place / "runs")
        shutil.copytree(whole.path, place / "runs" / ".20200101-000000-x.0123abcd.tmp")
        (place / "runs" / whole.name / "checkpoints" / ".step-1.0123abcd.tmp").write_bytes(b"x")

    return {
        "train": Attacked(TRAIN, new_folder, ended),
        "resume": Attacked(RESUME, lambda place: shutil.copytree(interrupted, place), ended),
        "sweep": Attacked(SWEEP, new_folder, sweep_ended, "tests.crash.inline_pool"),
        "gc": Attacked(("gc", "--yes"), with_leftovers, collected),
    }


def stop_early(server: Forks, folder: Path) -> None:
    """Leave a run that was interrupted within its second epoch."""
    new_folder(folder)
    done = server.run(TRAIN, folder, prepare="tests.crash.stopping:stop_at", step=30)
    assert done.code == 130, done.err


def sweep_brought_to_its_end(server: Forks, folder: Path, swept: Path) -> str:
    if problem := server.run(("ls",), folder).problem(0):
        return f"ls: {problem}"
    sweeps = sorted((folder / "runs").glob("*-swept*")) if (folder / "runs").exists() else []
    arguments = ("resume", str(sweeps[-1])) if sweeps else SWEEP
    done = server.run(arguments, folder, prepare="tests.crash.inline_pool:install")
    if problem := done.problem(0):
        return f"{arguments[0]} afterwards: {problem}"
    (whole,) = (swept / "runs").glob("*-swept")
    found = list((folder / "runs").glob("*-swept*"))
    if len(found) != 1:
        return f"{len(found)} sweeps instead of one"
    cells, others = cells_of(whole), cells_of(found[0])
    if cells.keys() != others.keys():
        return f"cells {sorted(others)} instead of {sorted(cells)}"
    differences = [difference_of(cells[name], others[name]) for name in cells]
    return next(filter(None, differences), "")


def cells_of(sweep: Path) -> dict[str, RunDirectory]:
    return {path.name: RunDirectory(path) for path in all_runs(sweep)}


def difference_of(one: RunDirectory, other: RunDirectory) -> str:
    from tests.training.conftest import assert_same_bits

    try:
        assert_same_bits(one, other)
    except (AssertionError, IndexError) as error:
        return f"{other.name} differs: {error}"
    return ""


assert "name: attacked" in CONFIG
