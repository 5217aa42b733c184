"""A signal in every phase of every command: as it enters each function of lossrun for the first time.

Unlike the moments of `signals.py`, these are the same each time, and the function lasts forever where a stop may not
wait for its end: only that it ends the command ends it.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import lossrun
from lossrun.records.run_directory import all_runs
from lossrun.records.status import status
from tests.crash.commands import RESUME, TRAIN, brought_to_its_end, new_folder, only_run, reference
from tests.crash.forks import Done, forks
from tests.crash.outcomes import Outcome, share_of
from tests.crash.signals import READERS, contents, half_written

ROOT = Path(lossrun.__file__).parent
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
PLACES = 1000  # more functions than any command enters
LIMIT = 120  # seconds, on a machine that is busy
# In training a stop waits for the end of the step, and of what is being written, but not for these.
INTERRUPTIBLE = {"training.session:Session.validate", "health.examine:examine", "steps.evaluate:evaluate"}
# A stop waits for the end of these anywhere: names are given and locks released, and the exit code is decided.
SHORT = {"records.lock:_remove_note", "records.files.new_directories:_renamed"}
ENTRY = {"__main__:main", "interrupts:leaving", "interrupts:_ours", "interrupts:take_over", "interrupts:_take"}


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    with forks() as server:
        whole = reference(server, folder / "reference")
        half = new_folder(folder / "half")
        server.run(TRAIN, half, prepare="tests.crash.stopping:stop_at", step=25)
        commands = (TRAIN, *(command for command in READERS if command != RESUME), RESUME)
        functions: dict[Sequence[str], list[str]] = {}
        made: dict[Sequence[str], dict[str, bytes]] = {}
        cases = [(command, number) for command in commands for number in range(PLACES)]
        for command, number in share_of(cases, share, seed):
            place = folder / "tried"
            trains = command in (TRAIN, RESUME)
            runs = {TRAIN: [], RESUME: all_runs(half / "runs")}.get(command, [whole.path] * 2)
            if command not in functions:
                prepared(place, runs)
                listing = folder / "functions"
                done = server.run(command, place, prepare="tests.crash.phases:list_functions", file=str(listing))
                assert done.code == 0, done.err
                functions[command] = listing.read_text().split()
                made[command] = contents(place / "out")
                listing.unlink()
            if number >= len(functions[command]):
                continue
            function, name = functions[command][number], NAMES[number % len(NAMES)]
            prepared(place, runs)
            before = contents(place / "runs")
            done = server.run(
                command,
                place,
                limit=LIMIT,
                environment={"TMPDIR": str(place / "tmp")},
                prepare="tests.crash.phases:interrupt_in",
                function=function,
                name=name,
            )
            problem = wrong_end(done, name, place)
            if trains:
                problem = problem or wrong_words(done, place) or brought_to_its_end(server, place, whole)
            elif not problem and contents(place / "runs") != before:
                problem = "the runs have changed"
            problem = problem or half_written(contents(place / "out"), made[command], done.code)
            yield Outcome(f"{' '.join(command)}, {name} in {function}", problem)


def prepared(place: Path, runs: Sequence[Path]) -> None:
    """Make a new folder for a command, with copies of these runs."""
    shutil.rmtree(place, ignore_errors=True)
    new_folder(place)
    for number, run in enumerate(runs):
        shutil.copytree(run, place / "runs" / f"2026112{number}-000000-attacked")
    for name in ("out", "tmp"):
        (place / name).mkdir()
    (place / "new.csv").write_text("x1,x2\n0.5,0.5\n")


def wrong_end(done: Done, name: str, place: Path) -> str:
    """Return what is wrong with how a command ended, or with what it has left."""
    codes = () if name == "SIGUSR1" else (128 + getattr(signal, name),)
    if problem := done.problem(0, *codes) or ("a traceback in its output" if "Traceback" in done.out else ""):
        return problem
    left = [path for path in place.rglob("*") if path.suffix in (".tmp", ".part") or path.name == "owner.json"]
    left += (place / "tmp").iterdir()
    return f"{left[0].relative_to(place)} is left" if left else ""


def wrong_words(done: Done, place: Path) -> str:
    """Return what is wrong with what a command says that was to train, by what has become of its run."""
    if done.code == 0:
        return ""
    run = only_run(place)
    finished = run is not None and status(run.path) == "finished"
    wanted = "nothing was being trained" if run is None else "is finished" if finished else "lossrun resume"
    return "" if wanted in done.err else f"it does not say {wanted!r}: {done.err[-300:]}"


def name_of(frame: FrameType | None) -> str:
    """Return the name of a frame's function, as `module:function`; "" if it is not lossrun's."""
    code = frame.f_code if frame else None
    if code is None or not code.co_filename.startswith(f"{ROOT}{os.sep}") or code.co_name.startswith("<"):
        return ""
    module = Path(code.co_filename).relative_to(ROOT).with_suffix("")
    return f"{'.'.join(module.parts)}:{code.co_qualname.replace('<locals>.', '')}"


def list_functions(file: str) -> None:
    """Write the names of the functions that this process enters, in the order of their first calls."""
    seen: set[str] = set()
    written = os.open(file, os.O_WRONLY | os.O_CREAT)

    def look(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and (name := name_of(frame)) not in {*seen, ""}:
            seen.add(name)
            os.write(written, f"{name}\n".encode())

    sys.setprofile(look)


def interrupt_in(function: str, name: str) -> None:
    """Send signals, one right after the other, to this process as it enters a function for the first time."""
    tempfile.tempdir = None  # known from the process that this one is a fork of

    def look(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and name_of(frame) == function:
            sys.setprofile(None)
            lasts = name != "SIGUSR1" and may_last(frame)
            for one in name.split():
                os.kill(os.getpid(), getattr(signal, one))
            while lasts:
                time.sleep(0.01)

    sys.setprofile(look)


def may_last(frame: FrameType) -> bool:
    """Return whether a stop must not wait for the end of a function."""
    own, callers = name_of(frame), set[str]()
    outer = frame.f_back
    while outer:
        callers.add(name_of(outer))
        outer = outer.f_back
    if {own, *callers} & SHORT or own in ENTRY:
        return False
    listening = "screen:train_on_screen" in callers and not {own, *callers} & {"screen:_ending", "screen:still_better"}
    return not listening or (bool(callers & INTERRUPTIBLE) and not own.startswith("training.process.stopping:"))
