"""Define the validated config: frozen, with every default filled in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Choice:
    """A component and its parameters.

    Attributes:
        name: Our name of the component, or `module:attribute` for the user's own component.
    """

    name: str
    parameters: Mapping[str, Any]

    @property
    def is_plugin(self) -> bool:
        """Whether the component is the user's own."""
        return ":" in self.name

    def __getitem__(self, parameter: str) -> Any:
        return self.parameters[parameter]

    def to_mapping(self) -> dict[str, Any]:
        """Return the component as in a config file."""
        return {"name": self.name, **self.parameters}

    def replace(self, **parameters: Any) -> "Choice":
        """Return a copy with some parameters changed."""
        return Choice(self.name, {**self.parameters, **parameters})


@dataclass(frozen=True, slots=True)
class Checkpointing:
    """When to save the full state.

    Attributes:
        every: A length such as "1 epoch" or "200 steps".
        keep: How many of the newest checkpoints to keep.
    """

    every: str
    keep: int

    @property
    def every_epochs(self) -> int | None:
        """The length in epochs; None if it is in steps."""
        return self._length("epoch")

    @property
    def every_steps(self) -> int | None:
        """The length in steps; None if it is in epochs."""
        return self._length("step")

    def _length(self, unit: str) -> int | None:
        number, given = self.every.split()
        return int(number) if given.startswith(unit) else None


@dataclass(frozen=True, slots=True)
class EarlyStopping:
    """Stop a seed after `patience` epochs without an improvement of more than `min_delta`."""

    metric: str
    mode: str
    patience: int
    min_delta: float


@dataclass(frozen=True, slots=True)
class Best:
    """The metric that chooses the best epoch."""

    metric: str
    mode: str


@dataclass(frozen=True, slots=True)
class Config:
    """One experiment. The fields are the keys of the file; `seeds` lists the seeds themselves."""

    name: str | None
    tags: tuple[str, ...]
    dataset: Choice
    model: Choice
    loss: Choice
    optimizer: Choice
    learning_rate: float
    schedule: Choice
    epochs: int
    batch_size: int | Literal["full"]
    shuffle: bool
    drop_last: bool
    seeds: tuple[int, ...]
    splits: int | tuple[int, ...] | None
    folds: int | tuple[str, ...] | None
    checkpoint: Checkpointing
    early_stopping: EarlyStopping | None
    best: Best
    on_divergence: Literal["stop", "continue"]
    lint: str | Mapping[str, str]
    precision: Literal["float32", "float64", "bf16"]
    step: Literal["auto", "eager", "recorded"]
    device: Literal["auto", "cpu", "cuda", "mps"]
    compare_on: str | None

    @property
    def run_name(self) -> str:
        """The configured name, or <dataset>-<model>-<loss>-<optimizer>."""
        parts = (self.dataset.name, self.model.name, self.loss.name, self.optimizer.name)
        return self.name or "-".join(part.rpartition(":")[2] for part in parts)

    @property
    def resampling(self) -> int | None:
        """The number of splits or folds; None without these keys."""
        given = self.splits or self.folds
        return len(given) if isinstance(given, tuple) else given

    @property
    def folds_in_all(self) -> int | None:
        """Into how many folds the data are divided, whether all of them are used or not; None without `folds`."""
        return int(self.folds[0].partition("/")[2]) if isinstance(self.folds, tuple) else self.folds

    @property
    def which_splits(self) -> tuple[int, ...] | tuple[str, ...]:
        """What names each split whatever the seeds: the seed that draws it, or the fold that it tests, such as 1/5."""
        assert self.resampling is not None
        if isinstance(self.splits, tuple):
            return self.splits
        if isinstance(self.folds, tuple):
            return self.folds
        if self.folds:
            return tuple(f"{number}/{self.folds}" for number in range(1, self.folds + 1))
        return self.seeds[:: len(self.seeds) // self.resampling]

    @property
    def resampled_by(self) -> Literal["splits", "folds", ""]:
        """The key that asks for several splits; "" for one."""
        return "splits" if self.splits else "folds" if self.folds else ""

    def on_one_split(self, seeds: Sequence[int]) -> "Config":
        """Return the config with other seeds, all of them on its first split or fold if it has several."""
        first = self.which_splits[:1] if self.resampling else ()
        return replace(
            self,
            seeds=tuple(seeds),
            splits=tuple(one for one in first if isinstance(one, int)) or None,
            folds=tuple(one for one in first if isinstance(one, str)) or None,
        )

    def split_of(self, seed: int) -> int:
        """Return the number of a seed's split, from 0: the seeds are dealt to the splits in order."""
        assert self.resampling is not None
        return self.seeds.index(seed) // (len(self.seeds) // self.resampling)

    def samples_per_step(self, samples: int) -> int:
        """Return the samples in a full batch, for a number of training samples."""
        return samples if self.batch_size == "full" else min(self.batch_size, samples)

    def steps_per_epoch(self, samples: int) -> int:
        """Return the steps for a number of training samples; a smaller last batch counts unless it is dropped."""
        whole, rest = divmod(samples, self.samples_per_step(samples))
        return whole + (1 if rest and not self.drop_last else 0)

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for YAML, in the order of the keys; reading them back gives an equal config."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


def _plain(value: Any) -> Any:
    if isinstance(value, Choice):
        return _plain(value.to_mapping())
    if isinstance(value, (Checkpointing, EarlyStopping, Best)):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value
