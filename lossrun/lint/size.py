"""Estimate the memory and disk that a config needs, from its shapes, before anything is allocated."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

from lossrun.catalog import DataFacts, get
from lossrun.catalog.declaration import DatasetDeclaration, Layer, Model, Optimizer
from lossrun.config import Config
from lossrun.config.resolve import output_size
from lossrun.config.source import Path, dotted
from lossrun.lint.machine import may_have_a_gpu, whole_memory

# Bytes of a class: its name, a string, and its place in a list.
OF_A_CLASS: Final = 58
_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


@dataclass(frozen=True, slots=True)
class Size:
    """The bytes that a config needs, over all seeds.

    Attributes:
        data: Every sample once, and the names of the classes.
        weights: The weights with gradients, optimizer state, and the best weights so far.
        step: The output of each layer for a batch of one seed, once.
        evaluation: The outputs for the largest held-out part.
        epoch: The order of the samples, and the loss of each step.
        checkpoint: Weights and optimizer state.
    """

    data: int
    weights: int
    step: int
    evaluation: int
    epoch: int
    checkpoint: int

    @property
    def about(self) -> int:
        """An estimate of what training needs.

        It counts the data twice (as read, and as split and scaled), outputs before and after each activation with their
        gradients, and a checkpoint twice (as it is written and read back).
        """
        at_a_time = max(4 * self.step, 6 * self.evaluation, 2 * self.checkpoint)
        return 2 * self.data + self.weights + self.epoch + at_a_time

    def least(self, *, on_cpu: bool) -> dict[str, int]:
        """Return the least that training needs, part by part. With a GPU, weights only pass through memory."""
        always = {"data": self.data, "epoch": self.epoch}
        if not on_cpu:
            return {**always, "weights": 2 * self.checkpoint}
        in_turn = {"weights": self.checkpoint, "step": self.step, "evaluation": self.evaluation}
        largest = max(in_turn, key=lambda name: in_turn[name])
        parts = {**always, "weights": self.weights}
        return {**parts, largest: parts.get(largest, 0) + in_turn[largest]}

    def __str__(self) -> str:
        weights, about, checkpoint = map(in_units, (self.weights, self.about, self.checkpoint))
        return f"{weights} of weights and optimizer state, about {about} in total; {checkpoint} per checkpoint"


def size_of(config: Config, facts: DataFacts) -> Size:
    """Estimate what a resolved config needs.

    The weights and steps of a model with unknown layers, such as the user's own, count as 0.
    """
    item = 8 if config.precision == "float64" else 4
    seeds, outputs = len(config.seeds), output_size(config, facts)
    rows = layers(config, facts)
    parameters = item * seeds * sum(row.parameters for row in rows)
    state = _state_copies(config)
    own_splits = seeds if config.dataset.parameters.get("split_seed") == "seed" else config.resampling or 1
    of_a_sample = prod(facts.input_shape) * (1 if _may_be_bytes(config) else 4)
    classes = outputs * OF_A_CLASS if facts.task == "multiclass" else 0
    steps = config.steps_per_epoch(facts.train)
    return Size(
        data=own_splits * (facts.train + facts.validation + facts.test) * of_a_sample + classes,
        weights=parameters * (3 + state),
        step=item * config.samples_per_step(facts.train) * sum(prod(row.output_shape) for row in rows),
        evaluation=item * max(facts.validation, facts.test) * outputs,
        epoch=8 * seeds * (facts.train + steps),
        checkpoint=parameters * (1 + state),
    )


def layers(config: Config, facts: DataFacts) -> list[Layer]:
    """Return the rows of the model's summary; [] if they are unknown, or do not fit, which `model_shape` reports."""
    try:
        return declared_layers(config, facts)
    except ValueError:
        return []


def declared_layers(config: Config, facts: DataFacts) -> list[Layer]:
    """Return the rows of the model's summary; [] for the user's own model.

    Raises:
        ValueError: If the shapes do not fit.
    """
    if config.model.is_plugin:
        return []
    declared = get("model", config.model.name)
    assert isinstance(declared, Model)
    return declared.layers(dict(config.model.parameters), facts.input_shape, output_size(config, facts))


def too_large(config: Config, facts: DataFacts) -> tuple[Path, str] | None:
    """Return the key to change and what to say, if this machine cannot hold what the config needs.

    Returns:
        None if the machine may hold it.
    """
    on_cpu = config.device == "cpu" or (config.device == "auto" and not may_have_a_gpu())
    size, there = size_of(config, facts), whole_memory()
    parts = size.least(on_cpu=on_cpu)
    needed = sum(parts.values())
    if needed <= there:
        return None
    part = max(parts, key=lambda name: parts[name])
    path, what = _culprit(part, config, facts, there / parts[part])
    in_all, for_part = in_units(needed), in_units(parts[part])
    share = "most" if for_part == in_all else for_part
    return path, (
        f"this config needs at least {in_all} of memory, {share} of it for {what}; this machine has "
        f"{in_units(there)}; make {dotted(path)} smaller"
    )


def how_to_need_less(config: Config, facts: DataFacts) -> str:
    """Say what takes most of the memory and which key to change, for messages about too little memory."""
    if config.model.is_plugin:
        return f"make the model or batch_size smaller{', or train fewer seeds' * (len(config.seeds) > 1)}"
    size = size_of(config, facts)
    parts = {
        "data": 2 * size.data,
        "weights": size.weights + 2 * size.checkpoint,
        "step": 4 * size.step,
        "evaluation": 6 * size.evaluation,
        "epoch": size.epoch,
    }
    part = max(parts, key=lambda name: parts[name])
    path, what = _culprit(part, config, facts, whole_memory() / max(1, parts[part]))
    return f"most of it is for {what}; make {dotted(path)} smaller"


def in_units(count: int) -> str:
    """Write bytes in decimal units: 12 MB, 1.2 GB."""
    place = 0
    while count >= 1000 ** (place + 1) and place < len(_UNITS) - 1:
        place += 1
    value = count / 1000**place if count < 10**40 else float("inf")
    if value >= 1e6:
        return f"more than {10**6:,} {_UNITS[place]}"
    return f"{value:,.1f} {_UNITS[place]}" if value < 9.95 and place else f"{value:,.0f} {_UNITS[place]}"


def _culprit(part: str, config: Config, facts: DataFacts, fits: float) -> tuple[Path, str]:
    """Return the key that makes a part so large, and what the part is.

    Args:
        fits: The share of the part that memory can hold.
    """
    seeds, rows = len(config.seeds), layers(config, facts)
    if part == "weights":
        what = f"{sum(row.parameters for row in rows):,} weights, their gradients and the optimizer's state"
        if seeds > 1 and fits * seeds >= 1:
            return ("seeds",), f"{what}, {seeds} times"
        return _of_layer(config, facts, rows, max(rows, key=lambda row: row.parameters)), what
    if part == "step":
        what = f"the outputs of the layers for a batch of {config.samples_per_step(facts.train):,} samples"
        if fits * config.samples_per_step(facts.train) >= 1:
            return ("batch_size",), what
        return _of_layer(config, facts, rows, max(rows, key=lambda row: prod(row.output_shape))), what
    if part == "epoch":
        return ("seeds",), f"the order of {facts.train:,} samples for each of {seeds} seeds"
    if part == "evaluation":
        return _of_outputs(config), f"{output_size(config, facts):,} outputs for each held-out sample"
    total = facts.train + facts.validation + facts.test
    if facts.task == "multiclass" and output_size(config, facts) > total * prod(facts.input_shape):
        return _of_outputs(config), f"{output_size(config, facts):,} classes"
    wide = prod(facts.input_shape) > total
    return _of_inputs(config) if wide else _of_samples(config), f"{total:,} samples of {prod(facts.input_shape):,}"


def _of_layer(config: Config, facts: DataFacts, rows: Sequence[Layer], row: Layer) -> Path:
    """Return the key that sets a layer's size: its own width or the width of its input, whichever is larger."""
    sized = [one for one in rows if one.type != "batch_norm"]
    place = next((number for number, one in enumerate(sized) if one.name == row.name), None)
    if place is None:
        return ("model",)
    read = prod(sized[place - 1].output_shape) if place else prod(facts.input_shape)
    if row.type == "dense" and read > prod(row.output_shape):
        if place == 0:
            return _of_inputs(config)
        row = sized[place - 1]
    digits = row.name.lstrip("abcdefghijklmnopqrstuvwxyz_")
    if not digits:
        return _of_outputs(config)
    key = "layers" if "layers" in config.model.parameters else "hidden"
    return ("model", key, int(digits) - 1)


def _of_inputs(config: Config) -> Path:
    return ("dataset", "features") if "features" in config.dataset.parameters else ("dataset",)


def _of_samples(config: Config) -> Path:
    return ("dataset", "samples") if "samples" in config.dataset.parameters else ("dataset",)


def _of_outputs(config: Config) -> Path:
    return ("dataset", "classes") if "classes" in config.dataset.parameters else ("dataset",)


def _state_copies(config: Config) -> int:
    """Return how many numbers the optimizer keeps for each weight, at least."""
    if config.optimizer.is_plugin:
        return 0
    declared = get("optimizer", config.optimizer.name)
    assert isinstance(declared, Optimizer)
    parameters = config.optimizer.parameters
    return declared.keeps + sum(bool(parameters[name]) for name in declared.keeps_for)


def _may_be_bytes(config: Config) -> bool:
    """Return whether inputs may take one byte each; unknown, and so possible, for the user's own dataset."""
    if config.dataset.is_plugin:
        return True
    declared = get("dataset", config.dataset.name)
    return isinstance(declared, DatasetDeclaration) and declared.may_be_bytes
