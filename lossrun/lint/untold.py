"""Find what no rule can check without torch, so that the config has to be tried on a batch."""

from collections.abc import Collection
from math import sqrt
from typing import Any, Final

import numpy as np

from lossrun.catalog import DataFacts, get
from lossrun.catalog.declaration import Initializer
from lossrun.config import Config
from lossrun.config.resolve import loss_declaration
from lossrun.data import Data
from lossrun.lint.size import declared_layers

# Above this, the first loss may overflow in float32: a square does from 1.8e19 on.
LARGE: Final = 1e6
# In float32, the exponential of an output overflows from 88 on.
LARGE_EXPONENT: Final = 20.0
TINY: Final = 1e-15


def parts_to_try(config: Config, facts: DataFacts, data: Collection[Data]) -> list[str]:
    """Return the parts of a config that have to be tried on a batch before it is known whether it trains.

    Args:
        data: The data of each split.

    Returns:
        The parts to try; empty if the rules are enough.
    """
    kinds = ("dataset", "model", "loss", "optimizer")
    found = [f"{kind} {getattr(config, kind).name}" for kind in kinds if getattr(config, kind).is_plugin]
    found += [f"device {config.device}"] if config.device not in ("auto", "cpu") else []
    # Every CPU supports bfloat16; only torch knows whether a GPU does.
    found += ["precision bf16"] if config.precision == "bf16" and config.device != "cpu" else []
    if not config.model.is_plugin and _may_overflow(config, facts, data):
        found.append("numbers of this size")
    if config.loss.parameters.get("log_input") is False and config.model["output"] == "none":
        found.append("the logarithm of outputs that may be negative")
    return found


def _may_overflow(config: Config, facts: DataFacts, data: Collection[Data]) -> bool:
    extreme = any(abs(n) > LARGE or 0 < abs(n) < TINY for n in _numbers([dict(config.loss.parameters), _first(config)]))
    outputs, targets = _largest(config, facts, data)
    return extreme or max(outputs, targets) > LARGE or (_has_exponential(config) and outputs > LARGE_EXPONENT)


def _first(config: Config) -> Any:
    return config.model.parameters.get("init")


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [number for item in value for number in _numbers(item)]
    return [float(value)] if isinstance(value, int | float) and not isinstance(value, bool) else []


def _has_exponential(config: Config) -> bool:
    declared = loss_declaration(config.loss)
    if declared is None:
        return False
    read_as = declared.prediction
    return read_as == "mean_and_log_variance" or (read_as == "log_mean" and bool(config.loss["log_input"]))


def _largest(config: Config, facts: DataFacts, data: Collection[Data]) -> tuple[float, float]:
    """Estimate the largest output of the network with initial weights, and return the largest target."""
    outputs = targets = 0.0
    init = _first(config) or {}
    bias = abs(init.get("bias", 0.0)) + 3 * init.get("bias_std", 0.0)
    growth = _growth(config, facts)
    for one in {id(one): one for one in data}.values():
        scaling, inputs = one.input_scaling, one.train.inputs
        # The bounds of bytes are known, and looking at all images takes time.
        bytes_ = inputs.dtype == np.uint8
        bounds = (np.array(0), np.array(255)) if bytes_ else (inputs.min(axis=0), inputs.max(axis=0))
        ends = [np.abs((end.astype(np.float64) - scaling.mean) / scaling.std).max() for end in bounds]
        outputs = max(outputs, (max(float(end) for end in ends) + bias) * growth)
        if one.task == "regression":
            to = one.target_scaling
            targets = max(targets, float(np.abs((one.train.targets.astype(np.float64) - to.mean) / to.std).max()))
    return outputs, targets


def _growth(config: Config, facts: DataFacts) -> float:
    """Estimate how much numbers may grow from layer to layer."""
    init = _first(config)
    declared = get("initializer", init["name"]) if init else None
    if not init or not isinstance(declared, Initializer) or declared.by_size:
        return 1.0
    growth = 1.0
    for row in declared_layers(config, facts):
        if row.parameters and row.type != "batch_norm":
            fan = row.parameters / row.output_shape[0]
            growth *= max(1.0, init.get("std", 0.0) * sqrt(fan) * 3, abs(init.get("value", 0.0)) * fan)
    return growth
