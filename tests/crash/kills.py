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
MOST_KILLS = 20
LONGEST = (0.5, 1.0, 1.5)  # shares of a whole command, before which it is killed


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    with forks() as server:
        whole = reference(server, folder / "reference")
        usual = server.run(TRAIN, new_folder(folder / "measured")).computing
        for number in range(count_of(RUNS, share)):
            place = folder / str(number)
            draw = Random(f"{seed} {number}")
            kills, problem = run_killed_until_done(server, new_folder(place), draw, usual)
            yield Outcome(f"run {number}, killed {kills} times", problem or difference(whole, place))


def killed_until_done(
    start: Callable[[], Started], draw: Random, usual: float, problem: Callable[[], str] = lambda: ""
) -> tuple[int, str]:
    """Return how often a command was killed, and what was wrong on the way.

    Args:
        start: Starts the command, or the one that continues it.
        usual: The seconds of a core that the command takes as a whole. The times are drawn from it, so that they do not
            depend on what else the machine does; what is killed early, many times.
        problem: Says what is wrong after a kill.
    """
    longest = usual * draw.choice(LONGEST)
    for kills in range(MOST_KILLS):
        started = start()
        if kills < MOST_KILLS - 1:
            wait_for(started, draw.uniform(0, longest))
            started.kill()
        done = started.done()
        if done.code != -9:
            return kills, done.problem(0)
        if found := problem():
            return kills, found
    return MOST_KILLS, "it never ended"


def run_killed_until_done(server: Forks, place: Path, draw: Random, usual: float) -> tuple[int, str]:
    """Train in a folder, and check after every kill that no more than one interval is lost."""
    steps = place / "steps"
    watched = {"prepare": "tests.crash.stopping:count_steps", "log": str(steps)}

    def start() -> Started:
        steps.write_bytes(b"")
        return server.start(RESUME if only_run(place) is not None else TRAIN, place, **watched)

    return killed_until_done(start, draw, usual, lambda: lost(place, int(steps.read_bytes() or b"0")))


def wait_for(started: Started, seconds: float) -> None:
    """Wait until a process has had that many seconds of a core, or has ended."""
    used = Path(f"/proc/{started.pid}/schedstat")  # nanoseconds first
    while int(used.read_text().split()[0]) < seconds * 1e9 and not started.has_ended():
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
