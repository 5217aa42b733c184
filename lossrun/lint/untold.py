"""What no rule can tell without torch: then a config has to be tried on a batch, as a run begins."""

from collections.abc import Collection
from math import sqrt
from typing import Any, Final

import numpy as np

from lossrun.catalog import DataFacts, get
from lossrun.catalog.declaration import Model
from lossrun.config import Config
from lossrun.config.resolve import loss_declaration, output_size
from lossrun.data import Data

# Numbers beyond which a first loss in float32 could be no finite number: a square overflows from 1.8e19 on.
LARGE: Final = 1e6
# The exponential of an output overflows from 88 on.
LARGE_EXPONENT: Final = 20.0
TINY: Final = 1e-15
# What draws or sets weights without regard to how many come together.
_OF_ANY_SIZE: Final = ("normal", "truncated_normal", "constant")


def only_torch_tells(config: Config, facts: DataFacts, data: Collection[Data]) -> list[str]:
    """What of the config must be tried on a batch before anyone can say that it trains; nothing where the rules have
    said all there is to say. `data`: of each split."""
    kinds = ("dataset", "model", "loss", "optimizer")
    found = [f"{kind} {getattr(config, kind).name}" for kind in kinds if getattr(config, kind).is_plugin]
    found += [f"device {config.device}"] if config.device not in ("auto", "cpu") else []
    # Every CPU computes in bfloat16; which GPU does is for torch to say.
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
    """A size that the outputs of a net of first weights hardly exceed, and the largest target."""
    outputs = targets = 0.0
    init = _first(config) or {}
    bias = abs(init.get("bias", 0.0)) + 3 * init.get("bias_std", 0.0)
    growth = _growth(config, facts)
    for one in {id(one): one for one in data}.values():
        scaling, inputs = one.input_scaling, one.train.inputs
        # Of bytes the bounds are known, and images are many.
        bytes_ = inputs.dtype == np.uint8
        bounds = (np.array(0), np.array(255)) if bytes_ else (inputs.min(axis=0), inputs.max(axis=0))
        ends = [np.abs((end.astype(np.float64) - scaling.mean) / scaling.std).max() for end in bounds]
        outputs = max(outputs, (max(float(end) for end in ends) + bias) * growth)
        if one.task == "regression":
            to = one.target_scaling
            targets = max(targets, float(np.abs((one.train.targets.astype(np.float64) - to.mean) / to.std).max()))
    return outputs, targets


def _growth(config: Config, facts: DataFacts) -> float:
    """How much larger numbers may become on their way through the layers."""
    init = _first(config)
    if not init or init["name"] not in _OF_ANY_SIZE:
        return 1.0
    model = get("model", config.model.name)
    assert isinstance(model, Model)
    growth = 1.0
    for row in model.layers(dict(config.model.parameters), facts.input_shape, output_size(config, facts)):
        if row.parameters and row.type != "batch_norm":
            fan = row.parameters / row.output_shape[0]
            growth *= max(1.0, init.get("std", 0.0) * sqrt(fan) * 3, abs(init.get("value", 0.0)) * fan)
    return growth
