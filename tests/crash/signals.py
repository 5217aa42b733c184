"""Signals at random moments of every command: it ends in order, with the code of the signal, and nothing is lost.

A moment is an amount of processor time, so that a busy machine changes nothing: the process interrupts itself.
"""

import random
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from lossrun.records.status import status
from tests.crash.commands import TRAIN, brought_to_its_end, new_folder, only_run, reference
from tests.crash.forks import Done, Forks, forks
from tests.crash.outcomes import Outcome, share_of

TIMES = 200  # of each sequence in training
EACH = 20  # of each signal in every other command
INT, TERM, HUP, USR1 = signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1
# The signals, and the exit codes that may follow; 0 as well, if the command was done by then.
SEQUENCES: dict[str, tuple[tuple[signal.Signals, ...], tuple[int, ...]]] = {
    "INT": ((INT,), (130,)),
    "TERM": ((TERM,), (143,)),
    "HUP": ((HUP,), (129,)),
    "USR1": ((USR1,), ()),
    "INT INT": ((INT, INT), (130,)),
    "TERM INT": ((TERM, INT), (143, 130)),
    "USR1 INT": ((USR1, INT), (130,)),
    "USR1 storm": ((USR1,) * 50, ()),
    "INT, ignored": ((INT,), ()),
    "HUP, ignored": ((HUP,), ()),
}
READERS: tuple[Sequence[str], ...] = (
    *(("ls",), ("show", "last"), ("plot", "last"), ("plot", "last", "-o", "out/plot.svg")),
    *(("evaluate", "last"), ("verify", "last"), ("export", "last", "-o", "out/exported")),
    ("predict", "last", "--input", "new.csv", "-o", "out/new.csv"),
    ("compare", "last", "last~1", "--html", "out/page.html"),
    *(("check", "config.yaml"), ("script", "config.yaml", "--as", "pytorch", "-o", "out/program.py")),
    *(("manual", "-o", "out/manual.html"), ("new", "-o", "out/new.yaml"), ("resume", "last")),
)


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    with forks() as server:
        whole = reference(server, folder / "reference")
        spent = spent_by(server, TRAIN, lambda: new_folder(folder / "timed"))
        cases = [(name, number) for name in SEQUENCES for number in range(TIMES)]
        for name, number in share_of(cases, share, seed):
            place = new_folder(folder / f"{name}-{number}".replace(" ", "-"))
            moment = random.Random(f"{seed} {name} {number}").uniform(0, spent)
            done = signalled(server, TRAIN, place, name, moment)
            problem = wrong_end(done, name)
            stopped = (run := only_run(place)) is not None and status(run.path) == "stopped"
            if not problem and stopped and "lossrun resume" not in done.err + done.out:
                problem = f"exit {done.code} without how to go on: {done.err[-300:]}"
            problem = problem or brought_to_its_end(server, place, whole)
            yield Outcome(f"train, {name} after {moment:.4f} s", problem)
            shutil.rmtree(place)
        yield from others(server, folder / "others", whole.path, share, seed)


def others(server: Forks, folder: Path, run: Path, share: float, seed: int) -> Iterator[Outcome]:
    """Interrupt commands that do not train: runs stay as they are, and a file is written whole or not at all."""

    def afresh() -> Path:
        shutil.rmtree(folder, ignore_errors=True)
        new_folder(folder)
        for name in ("20261120-000000-first", "20261121-000000-second"):
            shutil.copytree(run, folder / "runs" / name)
        (folder / "new.csv").write_text("x1,x2\n0.5,0.5\n")
        (folder / "out").mkdir()
        return folder

    spent: dict[Sequence[str], float] = {}
    whole: dict[Sequence[str], dict[str, bytes]] = {}
    cases = [(command, name, number) for command in READERS for name in SEQUENCES for number in range(EACH)]
    for command, name, number in share_of(cases, share, seed):
        if command not in spent:
            spent[command] = spent_by(server, command, afresh)
            whole[command] = contents(folder / "out")
        afresh()
        before = contents(folder / "runs")
        moment = random.Random(f"{seed} {command} {name} {number}").uniform(0, spent[command])
        done = signalled(server, command, folder, name, moment)
        problem = wrong_end(done, name)
        if not problem and contents(folder / "runs") != before:
            problem = "the runs have changed"
        if not problem and (half := half_written(contents(folder / "out"), whole[command], done.code)):
            problem = half
        yield Outcome(f"{' '.join(command)}, {name} after {moment:.4f} s", problem)


def half_written(found: dict[str, bytes], whole: dict[str, bytes], code: int) -> str:
    """Return which file is neither there as a whole nor missing; a folder of files is as a whole or not at all."""
    if code == 0 and found.keys() != whole.keys():
        return f"exit 0, but there are {sorted(found)} instead of {sorted(whole)}"
    for name, content in found.items():
        if name not in whole:
            return f"{name} was left over"
        if abs(len(content) - len(whole[name])) > len(whole[name]) // 100:  # pages hold the time
            return f"{name} has {len(content)} bytes instead of {len(whole[name])}"
    return ""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def spent_by(server: Forks, command: Sequence[str], prepared: Callable[[], Path]) -> float:
    """Return the seconds of processor time that a command takes when nobody disturbs it."""
    done = server.run(command, prepared())
    assert done.code == 0, done.err
    return done.computing


def signalled(server: Forks, command: Sequence[str], folder: Path, name: str, moment: float) -> Done:
    numbers = [int(number) for number in SEQUENCES[name][0]]
    return server.run(
        command,
        folder,
        prepare="tests.crash.signals:interrupt_itself",
        numbers=numbers,
        moment=moment,
        ignored="ignored" in name,
    )


def interrupt_itself(numbers: list[int], moment: float, *, ignored: bool) -> None:
    """Send these signals to this process once it has used so much processor time, one right after the other."""
    if ignored:
        signal.signal(numbers[0], signal.SIG_IGN)
    left = list(numbers)

    def send(_number: int, _frame: FrameType | None) -> None:
        number = left.pop(0)
        if left:
            signal.setitimer(signal.ITIMER_PROF, 0.001)
        signal.raise_signal(number)

    signal.signal(signal.SIGPROF, send)
    signal.setitimer(signal.ITIMER_PROF, max(moment, 1e-4))


def wrong_end(done: Done, name: str) -> str:
    """Return what is wrong with how a command ended; "" if it is as the signals ask."""
    return done.problem(0, *SEQUENCES[name][1]) or ("a traceback in its output" if "Traceback" in done.out else "")
