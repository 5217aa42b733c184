"""A config held against its data, without torch: what `lossrun check` shows and what training starts from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lossrun import data as datasets
from lossrun.catalog import DataFacts
from lossrun.config import Config, Reading, resolve
from lossrun.data import Data, known_facts
from lossrun.lint.check import check


@dataclass(frozen=True, slots=True)
class Examined:
    """`config` is resolved. `data` holds each seed's, one object for all unless the split goes by the seed; it is empty
    where the data were not to be had. `data_dir`: where they were looked for."""

    reading: Reading
    config: Config
    facts: DataFacts
    data: Mapping[int, Data]
    data_dir: Path
    warnings: tuple[str, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the data have to say about themselves; names, shapes and sizes are the same for all seeds."""
        return next(iter(self.data.values())).notes if self.data else ()


def examine(reading: Reading, data_dir: Path) -> Examined:
    """Load the data, apply the lint rules, resolve what was left to `auto`. Raises DataError and ConfigError."""
    dataset, seeds = reading.config.dataset, reading.config.seeds
    # First with what is known anyway: no mistake in the config should have to wait for a download.
    if (known := known_facts(dataset.name, dataset.parameters)) is not None:
        check(reading, known)

    def load(seed: int) -> Data:
        return datasets.load(
            dataset.name, dataset.parameters, config_dir=reading.directory, data_dir=data_dir, seed=seed
        )

    if dataset.parameters.get("split_seed") == "seed":
        data = {seed: load(seed) for seed in seeds}
    else:
        data = dict.fromkeys(seeds, load(seeds[0]))
    return _examined(reading, data[seeds[0]].facts, data, data_dir)


def examine_without_data(reading: Reading, data_dir: Path) -> Examined | None:
    """The same from what is known of a dataset before a file is read; None where that is not enough."""
    dataset = reading.config.dataset
    known = known_facts(dataset.name, dataset.parameters)
    return None if known is None else _examined(reading, known, {}, data_dir)


def _examined(reading: Reading, facts: DataFacts, data: Mapping[int, Data], data_dir: Path) -> Examined:
    warnings = check(reading, facts)
    return Examined(reading, resolve(reading.config, facts), facts, data, data_dir, tuple(warnings))
