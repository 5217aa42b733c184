"""A config held against its data, without torch: what `lossrun check` shows and what training starts from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lossrun import data as datasets
from lossrun.catalog import DataFacts
from lossrun.config import Config, Reading, resolve
from lossrun.data import Data
from lossrun.lint.check import check


@dataclass(frozen=True, slots=True)
class Examined:
    """`config` is resolved. `data` holds each seed's, one object for all unless the split goes by the seed."""

    reading: Reading
    config: Config
    data: Mapping[int, Data]
    warnings: tuple[str, ...]

    @property
    def any_data(self) -> Data:
        """One seed's data: names, shapes and sizes are the same for all."""
        return next(iter(self.data.values()))

    @property
    def facts(self) -> DataFacts:
        return self.any_data.facts


def examine(reading: Reading, data_dir: Path) -> Examined:
    """Load the data, apply the lint rules, resolve what was left to `auto`. Raises DataError and ConfigError."""
    dataset, seeds = reading.config.dataset, reading.config.seeds

    def load(seed: int) -> Data:
        loaded: Data = datasets.load(
            dataset.name, dataset.parameters, config_dir=reading.directory, data_dir=data_dir, seed=seed
        )
        return loaded

    if dataset.parameters.get("split_seed") == "seed":
        data = {seed: load(seed) for seed in seeds}
    else:
        data = dict.fromkeys(seeds, load(seeds[0]))
    facts = data[seeds[0]].facts
    warnings = check(reading, facts)
    return Examined(reading, resolve(reading.config, facts), data, tuple(warnings))
