"""Build replicas from config and data. Only here do the words of a config become torch objects."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from lossrun.catalog import DataFacts
from lossrun.catalog.schedules import waits_for_results
from lossrun.catalog.schedules.by_result import epochs_as_in_pytorch
from lossrun.components.lookup import function_of, loss_function
from lossrun.components.losses.reductions import Objective
from lossrun.components.optimizers import build_optimizer
from lossrun.components.schedules import Plateau
from lossrun.config import Choice, Config
from lossrun.config.resolve import balanced_weights, class_weights, ignored_class, loss_declaration, output_size
from lossrun.data import Data, Part
from lossrun.errors import UsageError
from lossrun.plugins.calling import users_code
from lossrun.plugins.loading import own_component
from lossrun.processes.exchange import Processes
from lossrun.steps.randomness import Purpose, seed_torch
from lossrun.steps.remembered import BestSoFar
from lossrun.steps.replica import Replica
from lossrun.steps.samples import Parts, Samples
from lossrun.steps.shared_batch import Share
from lossrun.training.process.isolation import include_cuda

# The types of weights, data, losses and sums. With bf16 only the models compute in half precision.
DTYPES: Final = {"float32": torch.float32, "float64": torch.float64, "bf16": torch.float32}
# What a user's component is called with, besides its own parameters.
_TAKES: Final = {"model": ("input_shape", "output_size"), "optimizer": ("params", "lr"), "loss": ()}


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where to train, in which precision, and where to look for the user's own modules.

    Attributes:
        config_dir: None to take the user's own components as they were last loaded.
        share: The part of each batch that is computed here; None for all of it.
    """

    device: torch.device
    dtype: torch.dtype
    config_dir: Path | None
    share: Share | None = None


def workplace(config: Config, config_dir: Path, processes: Processes | None = None) -> Workplace:
    """Return the device and precision that the config asks for. Raises UsageError for a device or a precision that is
    not available.

    `processes`: the processes that train the run together, each on its own GPU.
    """
    name = config.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[name]:
        raise UsageError(f"device: {name} is not available here (torch {torch.__version__}); use device: auto or cpu")
    if config.precision == "bf16" and not _has_bfloat16(name):
        raise UsageError(f"precision: this {name} device does not compute in bf16; use precision: float32")
    if name == "mps" and config.precision == "float64":
        raise UsageError("precision: an mps device does not compute in float64; use float32, or device: cpu")
    if name == "mps" and processes:
        raise UsageError("device: mps is one device, which processes cannot share; use device: cpu, or one process")
    if name == "cuda":
        include_cuda()
    device = torch.device(name)
    if name == "cuda" and processes:
        device = _gpu_of(processes)
    share = Share(processes.rank, processes.count, processes.add_up) if processes else None
    return Workplace(device, DTYPES[config.precision], config_dir, share)


def _gpu_of(processes: Processes) -> torch.device:
    count = torch.cuda.device_count()
    if processes.local_rank >= count:
        raise UsageError(
            f"{processes.name} is number {processes.local_rank + 1} on this machine, which has {count} "
            f"GPU{'s' if count > 1 else ''}; start one process for each, or use device: cpu"
        )
    device = torch.device("cuda", processes.local_rank)
    torch.cuda.set_device(device)
    return device


def _has_bfloat16(device: str) -> bool:
    """Return whether the device can compute in bfloat16. Every CPU can, though not always faster than in float32."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device == "cpu"


def parts(data: Data, place: Workplace) -> Parts:
    """Return the data as tensors on the device, scaled as the config says."""

    scaling = data.input_scaling
    # Numbers are rounded only once, after scaling.
    precision = np.float64 if place.dtype == torch.float64 else np.float32
    mean, std = (
        torch.as_tensor(value, dtype=torch.float32, device=place.device) for value in (scaling.mean, scaling.std)
    )
    pixels = (mean, std) if mean.any() else (None, std)

    def samples(part: Part | None) -> Samples | None:
        if part is None:
            return None
        raw = part.inputs.dtype == np.uint8
        # Bytes stay bytes, which take a quarter of the memory, and are scaled batch by batch.
        array = part.inputs if raw else data.input_scaling.apply(part.inputs, precision)
        inputs = _shared(array).to(place.device, None if raw else place.dtype)
        if data.task == "multiclass":
            targets = _shared(part.targets).to(place.device)
        else:
            targets = _shared(data.target_scaling.apply(part.targets, precision)).to(place.device, place.dtype)
        weights = None if part.weights is None else torch.tensor(part.weights).to(place.device, place.dtype)
        return Samples(inputs, targets, _shared(part.ids), place.dtype, pixels if raw else None, weights)

    def scale(values: Any) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float64, device=place.device)

    train = samples(data.train)
    assert train is not None
    target_scaling = data.target_scaling
    return Parts(
        train, samples(data.validation), samples(data.test), scale(target_scaling.mean), scale(target_scaling.std)
    )


def _shared(array: np.ndarray) -> Tensor:
    """Return the array as a tensor in the same memory.

    It is a copy where torch cannot use the memory: read-only, such as a memory-mapped file, or backwards (`x[::-1]`).
    """
    if not array.flags.writeable or min(array.strides, default=0) < 0:
        array = array.copy()
    return torch.from_numpy(array)


def replica(config: Config, facts: DataFacts, seed: int, seed_parts: Parts, place: Workplace) -> Replica:
    """Build one seed, ready for its first step. `config` is resolved.

    Raises UsageError for a user's own component that cannot be found, built or called as configured.
    """
    seed_torch(seed, Purpose.INITIAL_WEIGHTS)
    network = _network(config.model, facts.input_shape, output_size(config, facts), place)
    objective = _objective(config, facts, seed_parts.train, place)
    for kind, choice, module in (("model", config.model, network), ("loss", config.loss, objective)):
        _check_numbers(kind, choice, module)
        module.to(place.device, place.dtype)
    learnable = [p for p in (*network.parameters(), *objective.parameters()) if p.requires_grad]
    if not learnable:
        raise UsageError(f"model: {config.model.name} has no weights to train; expected at least one parameter")
    best, stopping = best_and_stopping(config)
    rule = plateau(config.schedule)
    return Replica(
        seed=seed,
        network=network,
        objective=objective,
        optimizer=optimizer(config, learnable, place),
        weights=learnable,
        parts=seed_parts,
        best=best,
        stopping=stopping,
        plateau=rule.start() if rule else None,
        output=config.model["output"],
        own_optimizer=config.optimizer.is_plugin,
        mixed=config.precision == "bf16",
        counted=objective.counted(seed_parts.train.targets, seed_parts.train.weights),
    )


def best_and_stopping(config: Config) -> tuple[BestSoFar, BestSoFar | None]:
    """Return the best values of a seed before its first epoch: for choosing the best epoch, and for early stopping.

    The second is None without early stopping. `config` is resolved.
    """
    early = config.early_stopping
    stopping = BestSoFar(early.metric, early.mode, early.min_delta) if early else None
    return BestSoFar(config.best.metric, config.best.mode), stopping


def plateau(schedule: Choice) -> Plateau | None:
    """Return the rule of `reduce_on_plateau`; None for other schedules."""
    if not waits_for_results(schedule.name):
        return None
    declared = {field.name: schedule[field.name] for field in fields(Plateau)}
    return Plateau(**declared | epochs_as_in_pytorch(schedule.parameters))


def _network(model: Choice, input_shape: tuple[int, ...], outputs: int, place: Workplace) -> nn.Module:
    if not model.is_plugin:
        network: nn.Module = function_of("model", model.name)(input_shape, outputs, **model.parameters)
        return network
    function, parameters = own_component("model", model, place.config_dir)
    network = _called("model", model.name, function, input_shape, outputs, **parameters)
    if not isinstance(network, nn.Module):
        raise UsageError(f"model: {model.name} returned a {type(network).__name__}; expected a torch.nn.Module")
    return network


def _check_numbers(kind: str, choice: Choice, module: nn.Module) -> None:
    """Raise UsageError for weights on the meta device, which have a shape but no numbers."""
    empty = [name for name, tensor in (*module.named_parameters(), *module.named_buffers()) if tensor.is_meta]
    if empty:
        raise UsageError(
            f"{kind}: {choice.name} has {empty[0]} on the meta device, where tensors have no numbers; expected weights "
            "that are drawn when it is built"
        )


def _objective(config: Config, facts: DataFacts, train: Samples, place: Workplace) -> Objective:
    loss, parameters = config.loss, dict(config.loss.parameters)
    reduction = parameters.pop("reduction")
    if loss.is_plugin:
        function, own = own_component("loss", loss, place.config_dir)
        bound = _called("loss", loss.name, function, **own) if isinstance(function, type) else partial(function, **own)
        # A sample of several classes has a single outcome; the loss of several labels or numbers is their mean.
        outputs = 1 if facts.task == "multiclass" else facts.target_size
        return Objective(bound, reduction=reduction, outputs_per_sample=outputs)
    declared = loss_declaration(loss)
    assert declared is not None
    convention = parameters.pop("weight_convention", "pytorch")
    parameters.pop("class_weights", None)
    weights, ignored = class_weights(loss, facts), ignored_class(loss, facts)
    if weights == "balanced":
        weights = balanced_weights(_class_counts(train, facts), ignored, facts)
    pos_weight = parameters.pop("pos_weight", None)
    if "ignore_index" in parameters:
        parameters["ignore_index"] = ignored
    return Objective(
        partial(loss_function(loss.name), **parameters),
        reduction=reduction,
        outputs_per_sample=facts.target_size if declared.averages_outputs else 1,
        weights_of="outputs" if declared.averages_outputs else "classes",
        weight_convention=convention,
        class_weights=weights,
        pos_weight=pos_weight,
        ignore_index=ignored,
    )


def _class_counts(train: Samples, facts: DataFacts) -> list[float]:
    """Return how many training samples each class has, or the sum of their weights; corrupted labels count as they are.

    Binary: class 0 and class 1. Multilabel: the positive cells of each label.
    """
    targets, weights = train.targets, train.weights
    if facts.task == "multiclass":
        counts = torch.bincount(targets, weights, minlength=facts.target_size)
    elif facts.task == "binary":
        targets = targets.flatten()
        positive = targets.sum() if weights is None else (targets * weights).sum()
        counts = torch.stack([(len(targets) if weights is None else weights.sum()) - positive, positive])
    else:
        counts = targets.sum(0) if weights is None else (targets * weights.unsqueeze(1)).sum(0)
    return counts.double().tolist()


def optimizer(config: Config, learnable: Sequence[Tensor], place: Workplace) -> torch.optim.Optimizer:
    """Return the configured optimizer over these weights. Raises UsageError for a user's own that cannot be built."""
    choice = config.optimizer
    if not choice.is_plugin:
        return build_optimizer(choice.name, learnable, config.learning_rate, **choice.parameters)
    function, parameters = own_component("optimizer", choice, place.config_dir)
    built = _called("optimizer", choice.name, function, learnable, config.learning_rate, **parameters)
    if not isinstance(built, torch.optim.Optimizer):
        kind = type(built).__name__
        raise UsageError(f"optimizer: {choice.name} returned a {kind}; expected a torch.optim.Optimizer")
    return built


def _called(kind: str, name: str, function: Any, /, *arguments: Any, **parameters: Any) -> Any:
    """Call a user's function. Whatever it raises is reported as an error of the user's code, not of lossrun."""
    given = {**dict(zip(_TAKES[kind], arguments, strict=True)), **parameters}
    told = ", ".join(f"{key}={value!r}" for key, value in given.items() if key != "params")
    with users_code(
        f"{kind}: {name}",
        "failed when it was built:",
        " when it was built",
        fix=f"; it was called with {told}" if told else "",
    ):
        return function(*arguments, **parameters)
