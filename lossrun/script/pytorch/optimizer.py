"""Write the optimizer in PyTorch, with its conventions."""

from collections.abc import Callable

from lossrun.by_name import function_in
from lossrun.catalog import get
from lossrun.catalog.declaration import Optimizer
from lossrun.catalog.homes import home
from lossrun.catalog.parameter import Parameter
from lossrun.script.lines.embedded import embedded
from lossrun.script.lines.own import own_import
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import Section, call, function, keywords
from lossrun.script.pytorch import not_in_torch


def optimizer_section(experiment: ScriptInput) -> Section:
    """Return the function `build_optimizer(model)`."""
    optimizer = experiment.config.optimizer
    parameters = dict(optimizer.parameters)
    if optimizer.is_plugin:
        module, _, attribute = optimizer.name.partition(":")
        made = call(f"return {attribute}", ["model.parameters()", "LEARNING_RATE", *keywords(parameters)], level=1)
        section = own_import(module, attribute, experiment.directory)
        section.functions.append(function("def build_optimizer(model)", "", [made]))
        return section
    declared = get("optimizer", optimizer.name)
    assert isinstance(declared, Optimizer)
    if not declared.torch_class:
        write: Callable[[ScriptInput], Section] = function_in(not_in_torch, optimizer.name) or _embedded
        return write(experiment)
    for pair, (first, second) in declared.pairs.items():
        parameters[pair] = (parameters.pop(first), parameters.pop(second))
    off = {key.name for key in declared.parameters if isinstance(key, Parameter) and not key.default}
    written = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in parameters.items()
        # Parameters that are off by default are left out; the declared defaults are those of torch.
        if value or name not in off
    }
    made = call(
        f"return torch.optim.{declared.torch_class}",
        ["model.parameters()", "lr=LEARNING_RATE", *keywords(written)],
        level=1,
    )
    return Section(functions=[function("def build_optimizer(model)", "", [made])])


def _embedded(experiment: ScriptInput) -> Section:
    """Return lossrun's own function of the optimizer."""
    optimizer = experiment.config.optimizer
    written = {name: tuple(value) if isinstance(value, list) else value for name, value in optimizer.parameters.items()}
    section = embedded((home("optimizer", optimizer.name), optimizer.name))
    made = call(f"return {optimizer.name}", ["model.parameters()", "LEARNING_RATE", *keywords(written)], level=1)
    section.functions.append(function("def build_optimizer(model)", "", [made]))
    return section
