"""Explain how to write in a config what other programs write as a call or as a mapping without `name`."""

from collections.abc import Mapping
from typing import Any

from lossrun.catalog import COMPONENTS, find
from lossrun.catalog.lookup import PLUGIN_KINDS
from lossrun.catalog.parameter import Parameter, with_article
from lossrun.catalog.unsupported import FILES
from lossrun.config.leaves import check, shown
from lossrun.shell import command


def as_written_here(kind: str, name: str, key: str) -> str:
    """Say how to write a name that is several names, a call or a file; "" for any other name."""
    return alternatives(kind, name, key) or _as_a_mapping(kind, name) or _as_a_file(kind, name)


def _as_a_mapping(kind: str, name: str) -> str:
    """Say how to write a call such as `SGD(momentum=0.9)`; "" for anything else."""
    called, bracket, arguments = name.partition("(")
    if not bracket or find(kind, called.strip()) is None:
        return ""
    keys = [f"{key.strip()}: {in_yaml(value.strip())}" for key, equals, value in _arguments(arguments) if equals]
    rates = [key for key in keys if key.partition(":")[0] in ("lr", "learning_rate")]
    inside = ", ".join([f"name: {called.strip()}", *(key for key in keys if key not in rates)])
    apart = f", and learning_rate:{rates[0].partition(':')[2]} on a separate line" if rates else ""
    return f"write it as a mapping, {{{inside}}}{apart}"


def named(kind: str, mapping: Mapping[str, Any]) -> str:
    """Say how to name the component that a mapping without `name` means; "" if it seems to mean none.

    Other programs write `{type: Adam}`, `{_target_: torch.optim.Adam}` or `{adam: {...}}`.
    """
    parameters = {key for key in mapping if any(component.parameter(key) for component in COMPONENTS[kind])}
    as_keys = [key for key in mapping if key not in parameters and find(kind, key)]
    if len(as_keys) > 1:
        return f"a run has one {kind}, not {' and '.join(as_keys)}"
    if as_keys:
        return f"write {as_keys[0]} as its name: {{name: {as_keys[0]}}}, and the parameters next to it"
    as_values = [key for key, value in mapping.items() if isinstance(value, str) and find(kind, value)]
    return f"write name instead of {as_values[0]}: {{name: {mapping[as_values[0]]}}}" if as_values else ""


def _as_a_file(kind: str, name: str) -> str:
    """Say how to write the name of a file as a dataset; "" for any other name."""
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    if kind != "dataset" or ending not in FILES:
        return ""
    return FILES[ending].format(name)


def as_own(kind: str, name: str) -> str:
    """Say how to write the user's own component: net.Model of Python is net:Model; "" for other kinds."""
    module, _, attribute = name.rpartition(".")
    written = f"{module}:{attribute}" if module and attribute.isidentifier() else "module:attribute"
    return f"; or write {with_article(kind)} of your own, `{written}`" if kind in PLUGIN_KINDS else ""


def as_an_object(kind: str, value: Any) -> str:
    """Say how a config names a function, class or object of Python; "" for a value that a YAML file can hold."""
    if value is None or isinstance(value, str | bool | int | float | list | Mapping):
        return ""
    own = getattr(value, "__name__", "")
    if (found := find(kind, own or type(value).__name__)) is not None:
        return f"a config names {with_article(kind)}: write '{found.component.name}'"
    if kind not in PLUGIN_KINDS:
        return ""
    name = own if own.isidentifier() else f"my_{kind}"
    return f"a config names {with_article(kind)}: save {name} in a file such as mine.py, and write 'mine:{name}'"


def alternatives(kind: str, value: Any, key: str) -> str:
    """Say how to try each component of a list, with or without brackets; "" for anything but several names."""
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",")]
    if not isinstance(value, list) or len(value) < 2:
        return ""
    if not all(isinstance(one, str) and (find(kind, one) or ":" in one) for one in value):
        return ""
    return f"a run has one {kind}; to try each, write sweep: {{{key}: [{', '.join(value)}]}}"


def misplaced(parameter: Parameter, value: Any, key: str) -> str:
    """Say what to do about a rate that is a word or a schedule, and about several values; "" for other values."""
    if key == "learning_rate" and isinstance(value, str) and value.lower() in ("auto", "find", "best", "default"):
        return f"; `{command('find-lr')}` suggests one"
    if key == "learning_rate" and isinstance(value, Mapping):
        return "; a schedule has a key of its own, next to it: schedule: {name: cosine}"
    if not isinstance(value, list) or len(value) < 2 or any(check(parameter, one)[2] for one in value):
        return ""
    return f"; to try each, write sweep: {{{key}: {shown(value)}}}"


def in_yaml(value: str) -> str:
    """Return a value of Python as in YAML."""
    return {"True": "true", "False": "false", "None": "null"}.get(value, value)


def _arguments(text: str) -> list[tuple[str, str, str]]:
    return [part.partition("=") for part in text.rstrip(") ").split(",")]
