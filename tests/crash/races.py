"""Two resumes at once, many trains within a second, and comparing while a run is written."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from lossrun.errors import LossrunError
from lossrun.records import recorded
from lossrun.records.run_directory import all_runs
from tests.crash.commands import TRAIN, new_folder, only_run
from tests.crash.disk import stop_early
from tests.crash.forks import Done, Forks, forks
from tests.crash.outcomes import Outcome, count_of

PAIRS, TRAINS, COMPARISONS = 200, 100, 100
LONG = ("--set", "epochs=100000", "--set", "checkpoint=50 epochs")


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    with forks() as server:
        interrupted = folder / "interrupted"
        stop_early(server, interrupted)
        for number in range(count_of(PAIRS, share)):
            place = folder / "pair"
            shutil.copytree(interrupted, place)
            rates = (f"0.0{number % 7 + 2}", f"0.00{number % 9 + 1}")
            commands = [("resume", "last", "--set", f"learning_rate={rate}", "--set", "epochs=3") for rate in rates]
            started = [server.start(command, place) for command in commands]
            done = [one.done() for one in started]
            yield Outcome(f"pair {number}", ledger_lies(place, dict(zip(rates, done, strict=True))))
            shutil.rmtree(place)
        yield Outcome(f"{count_of(TRAINS, share)} trains at once", many_trains(server, folder, count_of(TRAINS, share)))
        yield from compared_meanwhile(server, folder, count_of(COMPARISONS, share))


def ledger_lies(place: Path, ended: dict[str, Done]) -> str:
    """Return how the ledger differs from what the two commands said that they did."""
    for done in ended.values():
        if problem := done.problem(0, 2, 5):  # 2: the other had finished the run, and nothing was left to train
            return problem
        if done.code == 5 and "process" not in done.err:
            return f"refused without naming the process: {done.err}"
    run = only_run(place)
    assert run is not None
    try:
        events = recorded.load(run.path).ledger
    except LossrunError as error:
        return str(error)
    changes = [event["changes"] for event in events if event["event"] == "resumed"]
    recorded_rates = {change["learning_rate"][1] for change in changes if "learning_rate" in change}
    told = {float(rate) for rate, done in ended.items() if done.code == 0}
    if recorded_rates != told:
        return f"resumed with {told}, and the ledger has {recorded_rates}"
    if not told:
        return "neither was resumed"
    return "" if events[-1]["event"] == "finished" else f"it ends with {events[-1]['event']}"


def many_trains(server: Forks, folder: Path, count: int) -> str:
    place = new_folder(folder / "many")
    started = [server.start(TRAIN, place, limit=600) for _ in range(count)]
    problems = [problem for one in started if (problem := one.done().problem(0))]
    runs = all_runs(place / "runs")
    if problems or len(runs) != count:
        return f"{len(runs)} runs of {count}; {problems[:3]}"
    unfinished = [run.name for run in runs if recorded.load(run).status != "finished"]
    return f"not finished: {unfinished}" if unfinished else ""


def compared_meanwhile(server: Forks, folder: Path, count: int) -> Iterator[Outcome]:
    place = new_folder(folder / "meanwhile")
    for name in ("one", "other"):
        done = server.run(("train", "config.yaml", "--name", name), place)
        assert done.code == 0, done.err
    started = server.start(("train", "config.yaml", "--name", "long", *LONG), place, limit=600)
    while len(all_runs(place / "runs")) < 3:
        time.sleep(0.01)
    for number in range(count):
        done = server.run(("compare", "one", "other", "long"), place)
        told = done.out + done.err
        damage = next((word for word in ("digest", "damaged", "incomplete", "left out") if word in told), "")
        yield Outcome(f"comparison {number}", done.problem(0) or (damage and f"it speaks of {damage}: {told[:300]}"))
    started.kill()
    started.done()
