"""SIGKILL at random times until a run is done: it equals the whole one, and never loses more than one interval."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from lossrun.errors import CheckpointError
from lossrun.records import checkpoints
from tests.crash.commands import RESUME, TRAIN, difference, new_folder, only_run, reference
from tests.crash.forks import Forks, Started, forks
from tests.crash.outcomes import Outcome, count_of

RUNS = 200
INTERVAL = 20  # steps between two checkpoints
MOST_KILLS = 50


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    with forks() as server:
        whole = reference(server, folder / "reference")
        for number in range(count_of(RUNS, share)):
            place = folder / str(number)
            draw = Random(f"{seed} {number}")
            kills, problem = run_killed_until_done(server, new_folder(place), draw)
            yield Outcome(f"run {number}, killed {kills} times", problem or difference(whole, place))


def killed_until_done(
    start: Callable[[], Started], draw: Random, problem: Callable[[], str] = lambda: "", most: int = MOST_KILLS
) -> tuple[int, str]:
    """Return how often a command was killed, and what was wrong on the way.

    Args:
        start: Starts the command, or the one that continues it.
        problem: Says what is wrong after a kill.
        most: How often it is killed at most.
    """
    longest = 1.0
    for kills in range(most):
        started, begun = start(), time.monotonic()
        if kills < most - 1:
            wait_for(started, draw.uniform(0, longest))
            started.kill()
        done = started.done()
        if done.code != -9:
            return kills, done.problem(0)
        longest = max(longest, 1.5 * (time.monotonic() - begun))
        if found := problem():
            return kills, found
    return most, "it never ended"


def run_killed_until_done(server: Forks, place: Path, draw: Random) -> tuple[int, str]:
    """Train in a folder, and check after every kill that no more than one interval is lost."""
    steps = place / "steps"
    watched = {"prepare": "tests.crash.stopping:count_steps", "log": str(steps)}

    def start() -> Started:
        steps.write_bytes(b"")
        return server.start(RESUME if only_run(place) is not None else TRAIN, place, **watched)

    return killed_until_done(start, draw, lambda: lost(place, int(steps.read_bytes() or b"0")))


def wait_for(started: Started, seconds: float) -> None:
    """Wait, but not for a process that has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not started.has_ended():
        time.sleep(0.002)


def lost(place: Path, step: int) -> str:
    """Return what is wrong if more than an interval before this step is lost."""
    run = only_run(place)
    if run is None:
        return f"step {step} had been reached, and there is no run" if step else ""
    saved = -1
    for path in checkpoints.candidates(run.checkpoints):
        try:
            saved = max(saved, checkpoints.read(path).metadata["step"])
        except CheckpointError as error:
            return f"a damaged checkpoint: {error}"
    return f"step {step} had been reached, and {saved} is saved" if step - saved > INTERVAL else ""
