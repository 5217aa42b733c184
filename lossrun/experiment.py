"""Combine a config with its data, without torch: what `lossrun check` shows and what training starts from."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lossrun import data as datasets
from lossrun.catalog import DataFacts
from lossrun.config import Config, SourcedConfig, resolve
from lossrun.config.resolve import ignored_label, loss_declaration, loss_tasks
from lossrun.config.source import ConfigSource
from lossrun.data import Data, known_facts
from lossrun.data.samples.splits import Resample
from lossrun.data.samples.task import LossTasks
from lossrun.errors import ConfigError, DataError, UsageError, memory_errors
from lossrun.lint.check import LintWarning, check, check_splits
from lossrun.lint.size import too_large
from lossrun.plugins.calling import restores_current_folder
from lossrun.plugins.loading import files_left_behind

# A data error begins with a key of the config if that key is wrong: dataset.inputs[1][0].
_KEY: Final = re.compile(r"(?:dataset(?:\.\w+|\[\d+\])*|splits|folds)(?=: )")

FILES_LISTED: Final = 5


@dataclass(frozen=True, slots=True)
class Experiment:
    """A config with its data.

    Attributes:
        reading: The config as it was read, with the places of its values.
        config: The resolved config.
        data: {seed: its data}; the same object for all seeds unless each has its own split. Empty if the data are not
            there.
        data_dir: Where the data were looked for.
        lint: The warnings of the linter.
    """

    reading: SourcedConfig
    config: Config
    facts: DataFacts
    data: Mapping[int, Data]
    data_dir: Path
    lint: tuple[LintWarning, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The texts of the linter's warnings."""
        return tuple(warning.text for warning in self.lint)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Notes about the config, and about files that the user's own code, which is loaded by now, names."""
        left = files_left_behind(self.config, self.reading.directory)
        if not left:
            return tuple(self.reading.notes)
        named = f"{', '.join(left[:FILES_LISTED])}{', ...' * (len(left) > FILES_LISTED)}"
        told = f"your own code names {named}; the run keeps copies of code alone, so these must stay where they are"
        return (*self.reading.notes, told)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes about the data, which are not what the config asks for; those of the first seed stand for all."""
        return next(iter(self.data.values())).notes if self.data else ()

    @property
    def done(self) -> tuple[str, ...]:
        """What was done to the data because the config asks for it."""
        return next(iter(self.data.values())).done if self.data else ()


@restores_current_folder()
def load_experiment(
    reading: SourcedConfig, data_dir: Path, *, trains: bool = True, loaded: Experiment | None = None
) -> Experiment:
    """Load the data, apply the lint rules, and resolve what was left to `auto`.

    Args:
        trains: Whether the config will be trained here; then it is refused if it needs more memory than there is.
        loaded: An experiment whose data are taken, instead of loading them again, if they are the same.

    Raises:
        DataError: If the data are missing or do not fit.
        ConfigError: If the config has a mistake.
    """
    try:
        with memory_errors("to read the data", "use fewer samples or fewer columns", DataError):
            return _with_data(reading, data_dir, trains, loaded)
    except DataError as error:
        raise _placed(error, reading.source) from error
    except UsageError as error:
        if isinstance(error, ConfigError) or not reading.config.dataset.is_plugin:
            raise
        raise ConfigError([reading.source.problem(("dataset", "name"), str(error))]) from error


def _placed(error: DataError, source: ConfigSource) -> DataError:
    """Add the place of the key to a data error that begins with a key of the config."""
    key = _KEY.match(text := str(error))
    if key is None:
        return error
    path = tuple(int(part) if part.isdigit() else part for part in re.findall(r"\w+", key[0]))
    return DataError(source.problem(path, text[key.end() + 2 :]).text)


def _with_data(reading: SourcedConfig, data_dir: Path, trains: bool, loaded: Experiment | None) -> Experiment:
    config = reading.config
    dataset, seeds = config.dataset, config.seeds
    # First check with what is already known, so that a mistake in the config is found before a download.
    ignored = ignored_label(reading.config.loss)
    if (known := _known_facts(config)) is not None:
        check(reading, known)
        if trains:
            _refuse_too_large(reading, known)

    def load(seed: int, most: int | None = None) -> Data:
        if loaded is not None and _same_data(reading, data_dir, loaded):
            return loaded.data[seed] if _has_own_splits(config) else next(iter(loaded.data.values()))
        return datasets.load(
            dataset.name,
            dataset.parameters,
            config_dir=reading.directory,
            data_dir=data_dir,
            seed=seed,
            resample=resample(config, seed),
            ignored=ignored,
            loss=LossTasks(*loss_tasks(config)),
            precision=reading.config.precision,
            most=most,
        )

    data = _by_seed(config, load)
    _check_words(reading, data[seeds[0]])
    first_seeds = {id(one): seed for seed, one in reversed(data.items())}
    splits = {seed: one.facts for seed, one in data.items() if first_seeds[id(one)] == seed}
    if known is None and trains:
        _refuse_too_large(reading, splits[seeds[0]])
    return _checked(reading, splits, data, data_dir)


def _by_seed(config: Config, load: Callable[..., Data]) -> dict[int, Data]:
    """Load the data of each seed; seeds of one split share an object.

    All seeds take the same steps, so all splits train on equally many samples. Whole groups, and folds without
    validation data, cannot always be divided like that; then samples of the larger training parts are left out.
    """
    if config.dataset.parameters.get("split_seed") == "seed":
        split_of = {seed: seed for seed in config.seeds}
    elif config.resampling:
        split_of = {seed: config.split_of(seed) for seed in config.seeds}
    else:
        return dict.fromkeys(config.seeds, load(config.seeds[0]))
    of_split: dict[int, Data] = {}
    for seed, split in split_of.items():
        if split not in of_split:
            of_split[split] = load(seed)
    least = min(len(data.train) for data in of_split.values())
    for seed, split in split_of.items():
        if len(of_split[split].train) > least:
            of_split[split] = load(seed, most=least)
    return {seed: of_split[split] for seed, split in split_of.items()}


def resample(config: Config, seed: int) -> Resample | None:
    """Return which of several splits or folds a seed has; None if the config has neither."""
    if not config.resampling:
        return None
    which = config.which_splits[config.split_of(seed)]
    if isinstance(which, int):
        return Resample("splits", 0, config.resampling, which)
    number, _, count = which.partition("/")
    return Resample("folds", int(number) - 1, int(count), 0)


def _known_facts(config: Config) -> DataFacts | None:
    parameters = dict(config.dataset.parameters)
    if config.folds:
        parameters["test"] = 1 / (config.folds_in_all or 1)
    return known_facts(config.dataset.name, parameters, ignored_label(config.loss), LossTasks(*loss_tasks(config)))


def _same_data(reading: SourcedConfig, data_dir: Path, loaded: Experiment) -> bool:
    """Return whether both are trained on the same arrays."""

    def origin(one: SourcedConfig, folder: Path) -> tuple[object, ...]:
        config = one.config
        split = (config.seeds, config.splits, config.folds) if _has_own_splits(config) else ()
        # Where no task is stated, the loss may decide how the targets are read.
        tasks = None if config.dataset.parameters.get("task") else loss_tasks(config)
        return config.dataset, split, ignored_label(config.loss), tasks, config.precision, one.directory, folder

    return origin(reading, data_dir) == origin(loaded.reading, loaded.data_dir)


def _has_own_splits(config: Config) -> bool:
    """Return whether seeds may be trained on different splits of the data."""
    return bool(config.resampling) or config.dataset.parameters.get("split_seed") == "seed"


def _check_words(reading: SourcedConfig, data: Data) -> None:
    """Refuse a loss for numbers if the targets were taken for classes because they are words."""
    loss = loss_declaration(reading.config.loss)
    if data.guessed_from is None or loss is None or loss.tasks[0] != "regression":
        return
    target = f"dataset.target: {', '.join(data.layout.targets)}" if data.layout.targets else "the dataset"
    raise reading.source.error(
        [
            reading.source.problem(
                ("loss",),
                f"{loss.name} needs numbers as targets, but {target} has words such as {data.guessed_from!r}; choose a "
                f"target with numbers, or, if the words are classes, set dataset.task: {data.task}",
            )
        ]
    )


def _refuse_too_large(reading: SourcedConfig, facts: DataFacts) -> None:
    """Refuse a config that needs too much memory, before anything is allocated."""
    if found := too_large(resolve(reading.config, facts), facts):
        raise reading.source.error([reading.source.problem(*found)])


def experiment_without_data(reading: SourcedConfig, data_dir: Path) -> Experiment | None:
    """Return the experiment from what is known before a file is read; None if that is not enough."""
    known = _known_facts(reading.config)
    return None if known is None else _checked(reading, {reading.config.seeds[0]: known}, {}, data_dir)


def _checked(
    reading: SourcedConfig, splits: Mapping[int, DataFacts], data: Mapping[int, Data], data_dir: Path
) -> Experiment:
    warnings, facts = check_splits(reading, splits), next(iter(splits.values()))
    return Experiment(reading, resolve(reading.config, facts), facts, data, data_dir, tuple(warnings))
