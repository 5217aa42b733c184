"""Find a learning rate: short trainings from the same initial weights, in worker processes, without runs."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lossrun.analysis.rate_search import FEWEST_SEEDS, RateSearch, search
from lossrun.catalog import find
from lossrun.catalog.declaration import Optimizer
from lossrun.catalog.metric_names import goal as goal_of
from lossrun.config import SourcedConfig
from lossrun.config.read import from_mapping
from lossrun.digits import reach
from lossrun.errors import ConfigError, DivergedError, OutOfMemoryError, StoppedError, UsageError
from lossrun.experiment import Experiment, load_experiment
from lossrun.lint.stacking import even_sizes
from lossrun.records.files import strict_json
from lossrun.sweeping.cells import unused_seeds
from lossrun.sweeping.pool import MOST_JOBS, WorkerPool, cores, prepare_workers, worker_pool
from lossrun.sweeping.search_space.block import tuning_of
from lossrun.sweeping.search_space.metric import metric_for_tuning
from lossrun.sweeping.stacks import most_seeds

if TYPE_CHECKING:
    from lossrun.training.process.stopping import Requests

MOST_STEPS: Final = 2_000  # of the longest trainings, unless the user asks for more
# The longest trainings of a small model have as many seeds as let this many rates train as one stack, which costs
# little. With 2 seeds the rate that does best is often best by chance (tests/bench/README.md).
AT_ONCE: Final = 2
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
    report: Callable[[int, int], object] = lambda done, steps: None,
) -> RateSearch:
    """Try learning rates and return what was found. Nothing is written.

    Args:
        reading: The config; its own learning rate does not matter.
        steps: The length of the longest trainings; None for the whole run, but at most `MOST_STEPS`.
        jobs: Worker processes of one thread each; None for one per core.
        report: Called with the number of rates tried so far and the steps of the last ones.

    Raises:
        ConfigError: If the config has a mistake.
        UsageError: If `steps` is not from 1 to what the run takes.
        DivergedError: If every rate diverged.
        StoppedError: After a signal.
    """
    prepare_workers()
    experiment = _with_seeds(reading, FEWEST_SEEDS, data_dir)
    if (count := most_seeds(experiment, own_rates=False) // AT_ONCE) > FEWEST_SEEDS:
        experiment = _with_seeds(reading, count, data_dir, experiment)
    config = experiment.config
    whole = config.epochs * config.steps_per_epoch(experiment.facts.train)
    if steps is not None and steps < 1:
        raise UsageError(f"--steps {steps}: expected a number of steps from 1 on")
    if steps is not None and steps > whole:
        raise UsageError(f"--steps {steps}: the whole run takes {whole} steps; give at most that many")
    longest = min(whole, steps or MOST_STEPS)
    metric = _metric(reading, experiment)
    goal = goal_of(metric) or "min"
    found = find("optimizer", config.optimizer.name)
    optimizer = found.component if found else None
    low, high = optimizer.usual_rates if isinstance(optimizer, Optimizer) else _ANY_OPTIMIZER
    # Importing torch takes a second, so all mistakes are reported first.
    from lossrun.training.process.stopping import listening

    with listening() as asked:
        try:
            with worker_pool(min(jobs or cores(), MOST_JOBS)) as pool:
                trying = _Trying(pool, asked, experiment, metric, report)
                rounds = tuple(search(trying, low, high * BEYOND, longest, goal, config.seeds))
        except KeyboardInterrupt:  # the second Ctrl-C
            raise StoppedError("interrupted twice; nothing was written") from None
    result = RateSearch(metric, goal, whole, rounds)
    if result.suggestion is None:
        tries, taken = rounds[-1].tries, rounds[-1].steps
        raise DivergedError(
            f"every learning rate from {reach(tries[0].rate, tries[-1].rate)} diverged within {taken} steps; look for "
            "another cause, such as targets or inputs that are not standardized"
        )
    return result


def _with_seeds(reading: SourcedConfig, count: int, data_dir: Path, loaded: Experiment | None = None) -> Experiment:
    """Return the config, with seeds that no comparison uses, all on the same samples; and its data."""
    own = reading.config
    config = own.on_one_split(unused_seeds(set(own.seeds), count))
    return load_experiment(replace(reading, config=config, sweep=None), data_dir, loaded=loaded)


def _metric(reading: SourcedConfig, experiment: Experiment) -> str:
    """Return the metric that a sweep of the config would tune by; the training loss without validation data."""
    tuning = tuning_of(reading)
    if not experiment.facts.validation:
        return experiment.config.best.metric
    metric, problem = metric_for_tuning(experiment, tuning.metric if tuning else None)
    if problem:
        raise ConfigError([reading.source.problem(("sweep", "tune", "metric"), problem)])
    return metric


class _Trying:
    """Trains with the given rates in worker processes. Rates that may train together are one task."""

    def __init__(
        self,
        pool: WorkerPool,
        asked: "Requests",
        experiment: Experiment,
        metric: str,
        report: Callable[[int, int], object],
    ) -> None:
        self.pool, self.asked, self.report = pool, asked, report
        reading = experiment.reading
        config = strict_json.dumps(reading.config.to_mapping())
        self.of = config, reading.directory, experiment.data_dir, metric
        self.together = most_seeds(experiment)
        self.done = 0

    def __call__(self, rates: Sequence[float], steps: int, seeds: Sequence[int]) -> list[list[float]]:
        """Raise StoppedError, or its kind for the signal, and OutOfMemoryError where a worker was killed."""
        left = iter(rates)
        sizes = even_sizes(len(rates), max(1, self.together // len(seeds)))
        stacks = [[next(left) for _ in range(size)] for size in sizes]
        try:
            waiting = [self.pool.submit(_scores, *self.of, stack, seeds, steps) for stack in stacks]
            running = set(waiting)
            while running:
                ended, running = wait(running, timeout=_CHECKED_EVERY, return_when="FIRST_COMPLETED")
                if (request := self.asked()) is not None and request.error is not None:
                    self.pool.terminate()
                    raise request.error(f"{request.reason}; nothing was written")
                for one in ended:
                    self.done += len(one.result())
                    self.report(self.done, steps)
        except BrokenProcessPool as error:
            text = "a worker process was killed, probably for lack of memory; --jobs 1 trains with one rate at a time"
            raise OutOfMemoryError(text) from error
        return [scores for one in waiting for scores in one.result()]


def _scores(
    config: str,
    config_dir: Path,
    data_dir: Path,
    metric: str,
    rates: Sequence[float],
    seeds: Sequence[int],
    steps: int,
) -> list[list[float]]:
    """Return the score of each seed, for each rate. Called in a worker."""
    from lossrun.training.starting.short import best_scores

    every = _loaded(config, config_dir, data_dir)
    own = {seed: every.data[seed] for seed in seeds}
    tried = [
        replace(every, data=own, config=replace(every.config, seeds=tuple(seeds), learning_rate=rate)) for rate in rates
    ]
    return best_scores(tried, steps, metric)


@cache
def _loaded(config: str, config_dir: Path, data_dir: Path) -> Experiment:
    """Load the data once in each worker."""
    mapping: Mapping[str, Any] = strict_json.loads_plain(config)
    return load_experiment(from_mapping(mapping, config_dir, name="config"), data_dir)
