"""Make the cells of a sweep, one validated config for each combination, and the pairs that are compared."""

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from lossrun.analysis.sweeps.words import word, words
from lossrun.config import Config, SourcedConfig
from lossrun.config.overrides import Change, apply
from lossrun.config.source import ConfigSource
from lossrun.config.source import Path as Place
from lossrun.config.validate import validate
from lossrun.errors import ConfigError, UsageError
from lossrun.experiment import Experiment, load_experiment
from lossrun.lint.untold import parts_to_try
from lossrun.plugins.loading import own_component
from lossrun.sweeping.search_space.space import Space, Value

MOST_SEEDS: Final = 2**63  # the largest seed that files can hold
Combination: TypeAlias = Mapping[str, tuple[Value, Place]]


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a sweep. `pair`: what it changes except for the tuned keys; `tuned`: the tuned keys."""

    pair: Mapping[str, Value]
    tuned: Mapping[str, Value]
    config: Config
    source: ConfigSource

    @property
    def changes(self) -> dict[str, Value]:
        return {**self.pair, **self.tuned}

    @property
    def label(self) -> str:
        return words(self.changes)


def cells_of(reading: SourcedConfig, space: Space) -> list[Cell]:
    """Return the cell of every combination, in the order of the block.

    Raises ConfigError for a combination that is not a valid config, at the place of the value that makes it invalid,
    and for two combinations with the same config.
    """
    found: list[Cell] = []
    known: dict[str, tuple[Cell, Combination]] = {}
    problems: dict[str, str] = {}
    ranged = {*(one.key for one in space.alternatives if one.is_range), *(span.key for span in space.spans)}
    for combination in space.combinations():
        try:
            config, placed = config_with(reading, combination)
        except ConfigError as error:
            for problem in error.problems:
                # A range has many values, and is one mistake.
                of_range = next((key for key in ranged if f": {key}: " in problem), None)
                problems.setdefault(of_range or _without_value(problem, combination), problem)
            continue
        values = {key: value for key, (value, _) in combination.items()}
        pair = {key: value for key, value in values.items() if key not in space.tuned}
        tuned = {key: value for key, value in values.items() if key in space.tuned}
        cell = Cell(pair, tuned, config, placed)
        written = json.dumps(config.to_mapping(), sort_keys=True, default=str)
        same, before = known.setdefault(written, (cell, combination))
        if same is not cell:
            twice = _same(reading.source, same, cell, before, combination)
            problems[twice] = twice
        found.append(cell)
    if problems:
        raise ConfigError(list(problems.values()))
    return found


def _without_value(problem: str, combination: Combination) -> str:
    """Return a problem with an `--over` option without its value, so that one with the key itself is told once."""
    for key, (value, origin) in combination.items():
        if not origin and problem.startswith(option := _option(key, value)):
            return f"--over {key}{problem[len(option) :]}"
    return problem


def _option(key: str, value: Value) -> str:
    return f"--over {key}={word(value)}"


def _same(source: ConfigSource, one: Cell, other: Cell, before: Combination, after: Combination) -> str:
    """Report that two cells have the same config, at the alternative that causes it if there is only one."""
    different = [key for key in after if before.get(key) != after[key]]
    if len(different) != 1:
        return f"sweep: {one.label} and {other.label} are the same config; keep one of the alternatives"
    (key,) = different
    (value, origin), first = after[key], before[key][0]
    text = f"{word(first)} and {word(value)} are the same config; keep one of them"
    return source.problem(origin, text).text if origin else f"{_option(key, value)}: {text}"


def config_with(reading: SourcedConfig, changes: Combination) -> tuple[Config, ConfigSource]:
    """Return the base config with `changes`: {key: (value, its place in the config, or () if it has none)}.

    Raises ConfigError.
    """
    raw: Any = dict(reading.raw)
    source = reading.source
    # `loss` before `loss.delta`, whatever the order of the block: the whole value would replace the part.
    for key, (value, origin) in sorted(changes.items(), key=lambda change: change[0].count(".")):
        raw, changed = apply(raw, source, [Change(key, value, _option(key, value))])
        source = changed if not origin else _placed(source, changed, tuple(key.split(".")), origin)
    return validate(raw, source)[0], source


def _placed(before: ConfigSource, changed: ConfigSource, path: Place, origin: Place) -> ConfigSource:
    """Return the source of a changed config, with the key and its value placed where the sweep block has them."""

    def copied(places: Mapping[Place, Any], written: Mapping[Place, Any]) -> dict[Place, Any]:
        inside = {path + at[len(origin) :]: place for at, place in written.items() if at[: len(origin)] == origin}
        key = {path: written[origin[:2]]} if origin[:2] in written and path not in inside else {}
        return {**places, **key, **inside}

    options = {
        at: option for at, option in changed.options.items() if at not in changed.options.keys() - before.options
    }
    return replace(
        changed,
        keys=copied(changed.keys, before.keys),
        values=copied(changed.values, before.values),
        options=options,
    )


def checked(cell: Cell, reading: SourcedConfig, data_dir: Path, loaded: Experiment | None = None) -> Experiment:
    """Check a cell against its data, and load the user's own components.

    `loaded`: another cell's experiment, which probably has the same data.

    Raises UsageError and DataError.
    """
    experiment = load_experiment(replace(reading, config=cell.config, source=cell.source), data_dir, loaded=loaded)
    for kind in ("model", "loss", "optimizer"):
        if (choice := getattr(experiment.config, kind)).is_plugin:
            own_component(kind, choice, reading.directory)
    return experiment


def refuse_if_all_fail(experiments: Sequence[Experiment]) -> None:
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


def pairs_of(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Return the cells of each pair, with the pairs in the order in which they first occur."""
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(json.dumps(dict(cell.pair), sort_keys=True, default=str), []).append(cell)
    return list(found.values())


def with_seeds(config: Config, seeds: Sequence[int]) -> Config:
    """Return the config with other seeds, on the same splits or folds."""
    if (key := config.resampled_by) and tuple(seeds) != config.seeds:
        config = replace(config, **{key: config.which_splits})  # type: ignore[arg-type]
    return replace(config, seeds=tuple(seeds))


def tuning_seeds(cells: Sequence[Cell], count: int) -> tuple[int, ...]:
    """Return seeds for tuning that no final run uses."""
    return unused_seeds({seed for cell in cells for seed in cell.config.seeds}, count)


def unused_seeds(used: Set[int], count: int) -> tuple[int, ...]:
    """Return the seeds that follow the largest one used, or if there are too few, the first ones that are free."""
    first = max(used) + 1
    if first + count > MOST_SEEDS:
        first = next(seed for seed in range(MOST_SEEDS) if used.isdisjoint(range(seed, seed + count)))
    return tuple(range(first, first + count))
