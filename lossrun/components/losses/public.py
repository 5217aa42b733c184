"""`lossrun.loss`: the functions that training uses, by any known spelling."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lossrun.catalog import find, nearest_name, why_not
from lossrun.catalog.declaration import Loss
from lossrun.catalog.losses import LOSSES
from lossrun.catalog.parameter import Parameter
from lossrun.components.lookup import loss_function
from lossrun.config import leaves
from lossrun.config.python_calls import as_an_object
from lossrun.errors import UsageError
from lossrun.nearby import nearest


def loss(name: str, **parameters: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a loss as a function `(outputs, targets) -> (N,)`: one value per sample, before any reduction.

    Args:
        name: Any spelling that a config may hold. The function takes what the framework's function takes if it is
            called without options: `loss("BCEWithLogitsLoss")` takes logits, `loss("NLLLoss")` log-probabilities, and
            `loss("keras.CategoricalCrossentropy")` probabilities, because Keras' `from_logits` is False by default.
            Names of lossrun (`cross_entropy`, `dice`) take logits. Hinges take labels of 0 and 1, or of -1 and 1.
        parameters: Those of the config, including `from_logits`, and within its bounds. None means the default, and
            `inputs: auto` the form described above. Weights may also be a tuple, an array or a tensor.

    Returns:
        A function of outputs, (N, K), and targets: the same shape, or class indices, (N,), for a loss of exclusive
        classes. Nothing is broadcast: other shapes are a ValueError, and anything but tensors is a TypeError.

    Raises:
        UsageError: For an unknown name or parameter, a value that the config would refuse, a reduction, or weights that
            depend on data.
    """
    if not isinstance(name, str):
        raise UsageError(f"{name!r}: {as_an_object('loss', name) or 'expected the name of a loss'}")
    found = find("loss", name)
    if found is None:
        raise _unknown(name)
    component = found.component
    assert isinstance(component, Loss)
    function = loss_function(component.name)
    takes = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    accepted = [name for name in takes if component.parameter(name)]
    values = {p.name: p.default for p in component.parameters if p.name in accepted}
    if "labels" in takes and component.prediction is None:
        # A margin: nobody would notice the wrong value if labels of -1 and 1 were read as 0 and 1.
        values["labels"] = "either"
    # A weight convention only matters once the values are averaged.
    values |= {key: value for key, value in (found.called | found.implies).items() if key in takes}
    given: dict[str, str] = {}
    for key, value in parameters.items():
        from_logits = key == "from_logits" and "inputs" in accepted
        declared = component.parameter("inputs" if from_logits else key)
        if not isinstance(declared, Parameter) or declared.name not in accepted:
            raise _unaccepted(component.name, key, accepted)
        if declared.name in given:
            raise UsageError(f"{name}: {key} and {given[declared.name]} mean the same; keep one of them")
        given[declared.name] = key
        if value is not None:
            values[declared.name] = _form(name, value) if from_logits else _checked(name, key, declared, value)
    stated = found.implies.get("inputs")
    if stated and values["inputs"] not in (stated, "auto"):
        raise UsageError(f"{name} takes {stated}, but {given['inputs']} says {values['inputs']}; remove one of them")
    if values.get("inputs") == "auto":
        values["inputs"] = stated or found.called.get("inputs", "logits")
    if isinstance(values.get("class_weights"), (str, dict)):
        raise UsageError(
            f"class_weights={values['class_weights']!r} depends on a dataset; give the weights as a list, in the order "
            "of the classes"
        )
    return partial(function, **values)


def _unknown(name: str) -> UsageError:
    if reason := why_not("loss", name):
        return UsageError(f"there is no loss called {name!r}: {reason}")
    near = nearest_name("loss", name)
    hint = f"did you mean {near!r}? " if near else ""
    return UsageError(
        f"there is no loss called {name!r}; {hint}Expected one of: {', '.join(declared.name for declared in LOSSES)}"
    )


def _unaccepted(name: str, key: str, accepted: list[str]) -> UsageError:
    if key in ("reduction", "weight_convention"):
        return UsageError(
            f"{name} returns one value per sample, so it takes no {key}; reduce its result with .mean() or .sum()"
        )
    near = nearest(key, accepted)
    hint = f"did you mean {near!r}? " if near else ""
    return UsageError(f"{name} has no parameter {key!r}; {hint}It takes: {', '.join(accepted) or 'none'}")


def _form(name: str, from_logits: Any) -> str:
    if not isinstance(from_logits, bool):
        raise UsageError(f"{name}: from_logits={leaves.shown(from_logits)}; expected true or false")
    return "logits" if from_logits else "probabilities"


def _checked(name: str, key: str, declared: Parameter, value: Any) -> Any:
    """Return the value as a config would hold it. A tensor of weights is checked and stays on its device."""
    if declared.name == "ignore_index":
        # In a config a label is written as in the data; here targets are indices, or numbers that stand for no class.
        declared = replace(declared, type=int, form="")
    plain = list(value) if isinstance(value, tuple) else value.tolist() if hasattr(value, "tolist") else value
    checked, _, problem = leaves.check(declared, plain)
    if problem:
        raise UsageError(f"{name}: {key}: {problem}")
    return value if isinstance(value, torch.Tensor) else checked
