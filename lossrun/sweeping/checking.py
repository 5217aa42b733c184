"""Check the cells of a sweep against their data before anything is written."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lossrun.analysis.sweeps.words import words
from lossrun.config import SourcedConfig
from lossrun.errors import ConfigError, Problem, UsageError
from lossrun.experiment import Experiment, load_experiment
from lossrun.lint.untold import parts_to_try
from lossrun.plugins.loading import own_component
from lossrun.sweeping.cells import Cell, names_its_value, pairs_of
from lossrun.sweeping.search_space.metric import tuning_metric
from lossrun.sweeping.search_space.space import Space


def check_cells(
    reading: SourcedConfig, space: Space, cells: Sequence[Cell], data_dir: Path, *, elsewhere: bool
) -> str | None:
    """Check the first cell of each pair against its data, and return the metric that tunes; None for a plain grid.

    `elsewhere`: whether the cells are trained on other machines, so that nothing is tried on this one.

    Raises UsageError and DataError.
    """
    problems: dict[Problem, None] = {}
    metrics: dict[str, None] = {}
    repeats, seeds = space.tuning.repeats if space.tuning else 1, len(reading.config.seeds)
    if repeats not in (1, seeds, reading.config.resampling):
        text = f"each of {repeats} tunings is for one final seed, and there {'is' if seeds == 1 else 'are'} {seeds}"
        problems[reading.source.problem(("sweep", "tune", "repeats"), f"{text}; set seeds: {repeats}")] = None
    pairs = pairs_of(cells)
    of_pairs: dict[Problem, list[Mapping[str, Any]]] = {}
    experiments: list[Experiment] = []
    for pair in pairs:
        try:
            experiment = _checked(pair[0], reading, data_dir, loaded=experiments[-1] if experiments else None)
        except UsageError as error:
            for one in error.found if isinstance(error, ConfigError) else ConfigError(error.problems).found:
                of_pairs.setdefault(one, []).append(pair[0].pair)
            continue
        experiments.append(experiment)
        if space.tuning is None:
            continue
        if not experiment.facts.validation:
            text = "tuning needs validation data, but there are none; set dataset.validation above 0"
            problems[pair[0].source.problem(("dataset", "validation"), text)] = None
            continue
        found, why_not = tuning_metric(space, experiment)
        metrics[found] = None
        if why_not:
            problems[reading.source.problem(("sweep", "tune", "metric"), why_not)] = None
    for problem, failing in of_pairs.items():
        problems[_naming_alternatives(problem, failing, len(pairs))] = None
    if problems:
        raise reading.source.error(list(problems))
    _refuse_different_tasks(reading, experiments)
    if len(metrics) > 1:
        text = (
            f"the alternatives are tuned by different metrics, {' and '.join(metrics)}; choose one, or sweep each alone"
        )
        raise ConfigError([reading.source.problem(("sweep", "tune"), text)])
    if not elsewhere:
        _refuse_if_all_fail(experiments)
    return next(iter(metrics), None)


def _naming_alternatives(problem: Problem, failing: Sequence[Mapping[str, Any]], pairs: int) -> Problem:
    """Return a problem of some pairs with the alternatives that these share, unless it is a problem of all pairs."""
    if names_its_value(problem, failing[0]) or len(failing) == pairs:
        return problem
    shared = {key: value for key, value in failing[0].items() if all(one[key] == value for one in failing)}
    return replace(problem, text=f"{words(shared or failing[0])}: {problem.text}")


def _refuse_different_tasks(reading: SourcedConfig, experiments: Sequence[Experiment]) -> None:
    """Raise ConfigError if the losses decide what the targets are, and decide differently."""
    read_as = {one.facts.task: one.config.loss.name for one in reversed(experiments) if one.facts.task_decided}
    if len(read_as) > 1:
        told = ", ".join(f"{task} for {loss}" for task, loss in reversed(read_as.items()))
        text = f"the losses read these targets differently, so no score compares them: {told}; set dataset.task"
        raise ConfigError([reading.source.problem(("dataset",), text)])


def _checked(cell: Cell, reading: SourcedConfig, data_dir: Path, loaded: Experiment | None = None) -> Experiment:
    """Check a cell against its data, and load the user's own components.

    `loaded`: another cell's experiment, which probably has the same data.

    Raises UsageError and DataError.
    """
    experiment = load_experiment(replace(reading, config=cell.config, source=cell.source), data_dir, loaded=loaded)
    for kind in ("model", "loss", "optimizer"):
        if (choice := getattr(experiment.config, kind)).is_plugin:
            own_component(kind, choice, reading.directory)
    return experiment


def _refuse_if_all_fail(experiments: Sequence[Experiment]) -> None:
    """Try what no rule can check without torch, as `train` does before it starts, until an experiment does not fail.

    If some of them fail, that is for the sweep to find out: the others are compared.

    Raises UsageError.
    """
    problems: dict[str, None] = {}
    for experiment in experiments:
        config = experiment.config
        if not parts_to_try(config, experiment.facts, experiment.data.values()):
            return
        from lossrun.training.build import workplace
        from lossrun.training.starting.prepare import prepare

        try:
            # A GPU stays free for the workers: some clusters let only one process use it.
            if workplace(config, experiment.reading.directory).device.type == "cpu":
                prepare(replace(experiment, config=replace(config, seeds=config.seeds[:1])))
        except UsageError as error:
            problems.update(dict.fromkeys(error.problems))
        else:
            return
    raise UsageError(*problems)
