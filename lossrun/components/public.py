"""`lossrun.loss`: the very functions that training uses, by any known spelling."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor

from lossrun.catalog import find, nearest, nearest_name
from lossrun.components.losses import LOSS_FUNCTIONS
from lossrun.errors import UsageError


def loss(name: str, **parameters: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of that name as a function `(outputs, targets) -> (N,)`, one value per sample before any reduction.

    `name` may be any spelling that a config may hold, and brings what the spelling implies: `loss("BCEWithLogitsLoss")`
    takes logits, `loss("NLLLoss")` log-probabilities. `parameters` are those of the config, `from_logits` included;
    `inputs: auto` means logits here, where there is no model to ask. Shapes: `components/losses.py`.

    Raises UsageError for an unknown name or parameter, for a reduction, and for weights that only data could give.
    """
    found = find("loss", name)
    if found is None:
        near = nearest_name("loss", name)
        raise UsageError(
            f"there is no loss called {name!r}; "
            + (f"did you mean {near!r}? " if near else "")
            + f"There are: {', '.join(LOSS_FUNCTIONS)}"
        )
    component = found.component
    function = LOSS_FUNCTIONS[component.name]
    accepted = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    values = {p.name: p.default for p in component.parameters if p.name in accepted}
    # A weight convention only matters once the values are averaged.
    values |= {key: value for key, value in found.implies.items() if key in accepted}
    for key, value in parameters.items():
        if key == "from_logits" and "inputs" in accepted:
            values["inputs"] = "logits" if value else "probabilities"
            continue
        declared = component.parameter(key)
        if declared is None or declared.name not in accepted:
            raise _unaccepted(component.name, key, accepted)
        values[declared.name] = value
    if values.get("inputs") == "auto":
        values["inputs"] = "logits"
    if isinstance(values.get("class_weights"), str):
        raise UsageError(
            f"class_weights={values['class_weights']!r} needs a dataset to count classes in; give the weights as a list"
        )
    return partial(function, **values)


def _unaccepted(name: str, key: str, accepted: list[str]) -> UsageError:
    if key in ("reduction", "weight_convention"):
        return UsageError(
            f"{name} gives one value per sample, so it takes no {key}; reduce the values: .mean(), .sum()"
        )
    near = nearest(key, accepted)
    hint = f"did you mean {near!r}? " if near else ""
    return UsageError(f"{name} has no parameter {key!r}; {hint}It takes: {', '.join(accepted) or 'none'}")
