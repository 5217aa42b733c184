"""Find a learning rate for a config: short trainings from the same first weights, in worker processes, without runs."""

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lossrun.analysis.rate_search import RateSearch, search
from lossrun.catalog import find
from lossrun.catalog.declaration import Optimizer
from lossrun.catalog.metric_names import Goal
from lossrun.config import SourcedConfig
from lossrun.config.read import from_mapping
from lossrun.digits import reach
from lossrun.errors import DivergedError, OutOfMemoryError, UsageError
from lossrun.experiment import Experiment, load_experiment
from lossrun.records.files import strict_json
from lossrun.sweeping.pool import MOST_JOBS, WorkerPool, cores, prepare_workers, worker_pool

if TYPE_CHECKING:
    from lossrun.training.process.stopping import Requests

MOST_STEPS: Final = 2_000  # of the longest trainings, unless the user asks for more
SEEDS: Final = 2
# How far beyond the usual rates of an optimizer the first round looks, because usual rates depend on the loss.
BEYOND: Final = 100.0
_ANY_OPTIMIZER: Final = (1e-5, 1.0)
_CHECKED_EVERY: Final = 0.1  # seconds between checks for requests from outside


def find_rate(
    reading: SourcedConfig,
    data_dir: Path,
    *,
    steps: int | None = None,
    jobs: int | None = None,
    told: Callable[[int, int], object] = lambda done, steps: None,
) -> RateSearch:
    """Try learning rates and return what was found. Nothing is written.

    Args:
        reading: The config; its own learning rate does not matter.
        steps: The length of the longest trainings; None for the whole run, but at most `MOST_STEPS`.
        jobs: Worker processes of one thread each; None for one per core.
        told: Called after each rate, with the number of rates tried so far and the steps of this one.

    Raises:
        UsageError: If `steps` is more than the run takes.
        DivergedError: If every rate diverged.
        StoppedError: After a signal.
    """
    prepare_workers()
    seeds = reading.config.seeds
    fresh = tuple(range(max(seeds) + 1, max(seeds) + 1 + SEEDS))  # different seeds from those of a comparison
    reading = replace(reading, config=replace(reading.config, seeds=fresh), sweep=None)
    experiment = load_experiment(reading, data_dir)
    config = experiment.config
    whole = config.epochs * config.steps_per_epoch(experiment.facts.train)
    if steps is not None and steps > whole:
        raise UsageError(f"--steps {steps}: the whole run takes {whole} steps; give at most that many")
    longest = min(whole, steps or MOST_STEPS)
    found = find("optimizer", config.optimizer.name)
    optimizer = found.component if found else None
    low, high = optimizer.usual_rates if isinstance(optimizer, Optimizer) else _ANY_OPTIMIZER
    goal: Goal = "max" if config.best.mode == "max" else "min"
    # Importing torch takes a second, so all mistakes are reported first.
    from lossrun.training.process.stopping import listening

    with listening() as asked, worker_pool(min(jobs or cores(), MOST_JOBS)) as pool:
        trying = _Trying(pool, asked, reading, data_dir, told)
        rounds = tuple(search(trying, low, high * BEYOND, longest, goal))
    result = RateSearch(config.best.metric, goal, whole, fresh, rounds)
    if result.suggestion is None:
        tries, taken = rounds[-1].tries, rounds[-1].steps
        raise DivergedError(
            f"every learning rate from {reach(tries[0].rate, tries[-1].rate)} diverged within {taken} steps; look for "
            "another cause, such as targets or inputs that are not standardized"
        )
    return result


class _Trying:
    """Trains with each of the given rates, one rate for each worker at a time."""

    def __init__(
        self,
        pool: WorkerPool,
        asked: "Requests",
        reading: SourcedConfig,
        data_dir: Path,
        told: Callable[[int, int], object],
    ) -> None:
        self.pool, self.asked, self.told = pool, asked, told
        config = strict_json.dumps(reading.config.to_mapping())
        self.of = config, reading.directory, data_dir
        self.done = 0

    def __call__(self, rates: Sequence[float], steps: int) -> list[float | None]:
        """Raise StoppedError, or its kind for the signal, and OutOfMemoryError where a worker was killed."""
        waiting = [self.pool.submit(_score, *self.of, rate, steps) for rate in rates]
        left = set(waiting)
        try:
            while left:
                ended, left = wait(left, timeout=_CHECKED_EVERY, return_when="FIRST_COMPLETED")
                if (request := self.asked()) is not None and request.error is not None:
                    self.pool.terminate()
                    raise request.error(f"{request.reason}; nothing was written")
                for one in ended:
                    one.result()
                    self.done += 1
                    self.told(self.done, steps)
        except BrokenProcessPool as error:
            text = "a worker process was killed, probably for lack of memory; --jobs 1 trains with one rate at a time"
            raise OutOfMemoryError(text) from error
        return [one.result() for one in waiting]


def _score(config: str, config_dir: Path, data_dir: Path, rate: float, steps: int) -> float | None:
    """Return the mean score over the seeds; None if one diverged. Called in a worker."""
    from lossrun.training.starting.short import best_scores

    experiment = _loaded(config, config_dir, data_dir)
    scores = best_scores(replace(experiment, config=replace(experiment.config, learning_rate=rate)), steps)
    return sum(scores) / len(scores) if all(map(math.isfinite, scores)) else None


@cache
def _loaded(config: str, config_dir: Path, data_dir: Path) -> Experiment:
    """Load the data once in each worker."""
    mapping: Mapping[str, Any] = strict_json.loads_plain(config)
    return load_experiment(from_mapping(mapping, config_dir, name="config"), data_dir)
