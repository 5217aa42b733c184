"""SIGKILL, a torn write, and a disk that is full or fails, at every file operation of every command that writes.

For SIGKILL, a copy of what the process had handed to the system before the operation stands for what it would leave.
Copies that are equal are tried once.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from lossrun.records.run_directory import RunDirectory, all_runs
from lossrun.records.sweep_directory import all_sweeps
from tests.crash.commands import RESUME, TRAIN, brought_to_its_end, difference, new_folder, reference
from tests.crash.file_operations import LASTING, ONCE, Operation, recorded
from tests.crash.forks import Done, Forks, forks
from tests.crash.outcomes import Outcome, share_of, some_of

KILLED = ("kill", "tear")
# {what happens: which folder it happens to, and whether it is moved and comes back later, or is removed}
GONE = {
    "runs moved": ("runs", True),
    "runs removed": ("runs", False),
    "run moved": ("runs/*", True),
    "run removed": ("runs/*", False),
}
FEW = 20  # times as large as the share of the cases is the share of the commands that they are taken from
SWEEP = ("sweep", "config.yaml", "--over", "learning_rate=0.01,0.02", "--jobs", "1", "--set", "name=swept")
INLINE: Mapping[str, Any] = {"tests.crash.inline_pool:install": {}}


@dataclass(frozen=True, slots=True)
class Attacked:
    """A command that is attacked.

    Attributes:
        begin: Makes the folder that it starts in.
        check: Returns what is wrong with what can be made of the folder afterwards.
        options: How the command is started.
        left: Returns what is wrong with the folder after an error.
        code: The exit code of an error of the disk.
        trains: Whether it takes so long that somebody may move or remove its folders meanwhile.
    """

    arguments: tuple[str, ...]
    begin: Callable[[Path], object]
    check: Callable[[Path], str]
    options: dict[str, Any] = field(default_factory=dict)
    left: Callable[[Path], str] = lambda _: ""
    code: int = 4
    trains: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """An operation of a command at which something happens; `how`: see `file_operations.py`, or KILLED."""

    command: str
    number: int
    operation: Operation
    how: str

    def __str__(self) -> str:
        return f"{self.command}: {self.how} at operation {self.number}: {self.operation.kind} {self.operation.path}"

    @property
    def state(self) -> str:
        """The name of what SIGKILL leaves."""
        return f"{self.number} torn" if self.how == "tear" else str(self.number)


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    from tests.crash import outputs

    with forks() as server, ExitStack() as stack:
        prepared = {**changes_of_runs(server, folder), **outputs.attacked(server, folder, stack)}
        # A small share is one of a few commands, because each has to be prepared.
        of_commands = min(1.0, FEW * share)
        names = some_of(prepared, of_commands, seed)
        commands = {name: prepared[name]() for name in names}
        every = [case for name in names for case in cases_of(server, folder, name, commands[name], seed)]
        chosen = share_of(every, share / of_commands, seed)
        for name, command in commands.items():
            cases = [case for case in chosen if case.command == name]
            yield from killed(server, folder, command, [case for case in cases if case.how in KILLED])
            yield from failed(server, folder, command, [case for case in cases if case.how in (*LASTING, *ONCE)])
            yield from without_folders(server, folder, command, [case for case in cases if case.how in GONE])


def cases_of(server: Forks, folder: Path, name: str, command: Attacked, seed: int) -> Iterator[Case]:
    place, log = folder / f"{name} whole", folder / f"{name}.log"
    command.begin(place)
    done = run_watched(server, command, place, "record", log=str(log))
    assert done.code == 0, done.err
    shutil.rmtree(place)
    for number, operation in enumerate(recorded(log)):
        draw = Random(f"{seed} {name} {number}")
        lasting, gone = draw.choice(list(LASTING)), [draw.choice(list(GONE))] if command.trains else []
        for how in (*KILLED, lasting, *ONCE, *gone):
            if how != "tear" or operation.kind == "write":
                yield Case(name, number, operation, how)


def run_watched(server: Forks, command: Attacked, place: Path, function: str, **given: Any) -> Done:
    """Run a command whose file operations are watched by a function of `file_operations.py`."""
    prepare = f"tests.crash.file_operations:{function}"
    return server.run(command.arguments, place, prepare=prepare, root=str(place), **command.options, **given)


def killed(server: Forks, folder: Path, command: Attacked, cases: Sequence[Case]) -> Iterator[Outcome]:
    if not cases:
        return
    states, place = folder / "states", folder / "tried"
    states.mkdir()
    command.begin(place)
    done = run_watched(server, command, place, "keep", states=str(states), wanted=[case.state for case in cases])
    assert done.code == 0, done.err
    shutil.rmtree(place)
    problems: dict[str, str] = {}
    for case in cases:
        state = states / case.state
        content = content_of(state)
        if content not in problems:
            shutil.move(state, place)  # to the same path, because a run may name it
            problems[content] = command.check(place)
            shutil.rmtree(place)
        yield Outcome(str(case), problems[content])
    shutil.rmtree(states)


def failed(server: Forks, folder: Path, command: Attacked, cases: Sequence[Case]) -> Iterator[Outcome]:
    place = folder / "tried"
    for case in cases:
        command.begin(place)
        done = run_watched(server, command, place, "fail", at=case.number, how=case.how)
        # What is only tidied up may fail, and the command succeed.
        problem = done.problem(0, command.code)
        if done.code and case.how != "read-only":  # there nothing can be removed either
            problem = problem or command.left(place)
        yield Outcome(str(case), problem or command.check(place))
        shutil.rmtree(place)


def without_folders(server: Forks, folder: Path, command: Attacked, cases: Sequence[Case]) -> Iterator[Outcome]:
    place, elsewhere = folder / "tried", folder / "elsewhere"
    for case in cases:
        what, moved = GONE[case.how]
        command.begin(place)
        done = run_watched(
            server, command, place, "disappear", at=case.number, what=what, to=str(elsewhere) if moved else ""
        )
        problem = done.problem(0, 4)  # 0: nothing was there yet, or all was done
        if done.code == 4:
            again = [str(path.relative_to(place)) for path in place.glob("runs/**/*") if path.is_file()]
            problem = problem or (f"written again: {again}" if again else "")
            if "removed" not in done.err:
                problem = problem or f"the message does not say why: {done.err}"
        if elsewhere.exists():
            (moved_away,) = elsewhere.iterdir()
            back = (place / what).with_name(moved_away.name)
            shutil.rmtree(back, ignore_errors=True)
            moved_away.rename(back)
            elsewhere.rmdir()
        yield Outcome(str(case), problem or command.check(place))
        shutil.rmtree(place)


def content_of(folder: Path) -> str:
    """Return a digest of all names and bytes."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b"/"
        found.update(f"{path.relative_to(folder)} {len(content)}\n".encode() + content)
    return found.hexdigest()


def changes_of_runs(server: Forks, folder: Path) -> dict[str, Callable[[], Attacked]]:
    """Return what prepares the attack on each command that changes runs."""

    @cache
    def whole() -> RunDirectory:
        return reference(server, folder / "reference")

    @cache
    def interrupted() -> Path:
        stop_early(server, folder / "interrupted")
        return folder / "interrupted"

    @cache
    def swept() -> Path:
        done = server.run(SWEEP, new_folder(folder / "swept"), before=INLINE)
        assert done.code == 0, done.err
        return folder / "swept"

    def ended(place: Path) -> str:
        return brought_to_its_end(server, place, whole())

    def sweep_ended(place: Path) -> str:
        return sweep_brought_to_its_end(server, place, swept())

    def collected(place: Path) -> str:
        """Afterwards everything that a run needs is there, and gc can be tried again."""
        again = server.run(("gc", "--yes"), place)
        return again.problem(0) or difference(whole(), place)

    def with_leftovers(place: Path) -> None:
        new_folder(place)
        shutil.copytree(whole().path.parent, place / "runs")
        shutil.copytree(whole().path, place / "runs" / ".20200101-000000-x.0123abcd.tmp")
        (place / "runs" / whole().name / "checkpoints" / ".step-1.0123abcd.tmp").write_bytes(b"x")

    def with_another(place: Path) -> None:
        new_folder(place)
        shutil.copytree(whole().path.parent, place / "runs")
        shutil.copytree(whole().path, place / "runs" / "20200101-000000-other")

    def removed(place: Path) -> str:
        """Afterwards the other run is as before, and this one is there as a whole, or gone."""
        other = place / "runs" / "20200101-000000-other"
        listing = server.run(("ls",), place)
        if problem := listing.problem(0):
            return f"ls: {problem}"
        if other.exists():
            if "damaged" in listing.out + listing.err:
                return f"the run is damaged: {listing.out}{listing.err}"
            if problem := server.run(("rm", other.name, "--yes"), place).problem(0):
                return f"rm again: {problem}"
        return difference(whole(), place)

    def from_interrupted(place: Path) -> None:
        shutil.copytree(interrupted(), place)

    return {
        "train": lambda: Attacked(TRAIN, new_folder, ended, trains=True),
        "resume": lambda: Attacked(RESUME, from_interrupted, ended, trains=True),
        "sweep": lambda: Attacked(SWEEP, new_folder, sweep_ended, {"before": INLINE}, trains=True),
        "gc": lambda: Attacked(("gc", "--yes"), with_leftovers, collected),
        "rm": lambda: Attacked(("rm", "20200101-000000-other", "--yes"), with_another, removed),
    }


def stop_early(server: Forks, folder: Path) -> None:
    """Leave a run that was interrupted within its second epoch."""
    new_folder(folder)
    done = server.run(TRAIN, folder, prepare="tests.crash.stopping:stop_at", step=30)
    assert done.code == 130, done.err


def sweep_brought_to_its_end(server: Forks, folder: Path, swept: Path) -> str:
    if problem := server.run(("ls",), folder).problem(0):
        return f"ls: {problem}"
    sweeps = all_sweeps(folder / "runs")
    arguments = ("resume", str(sweeps[-1])) if sweeps else SWEEP
    done = server.run(arguments, folder, before=INLINE)
    if problem := done.problem(0):
        return f"{arguments[0]} afterwards: {problem}"
    (whole,) = all_sweeps(swept / "runs")
    found = all_sweeps(folder / "runs")
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
