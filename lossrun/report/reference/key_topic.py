"""The facts about a key of the config for `lossrun explain`: what it takes, its default, and lines to copy."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final, Literal, get_args, get_origin

from lossrun.analysis.comparison.differences import yaml_text
from lossrun.catalog.lookup import COMPONENTS
from lossrun.catalog.metrics import PRIMARY_METRICS
from lossrun.catalog.parameter import REQUIRED, Key, KeyGroup, Nested, Parameter
from lossrun.config.key_paths import KeyPath, key_paths
from lossrun.config.keys import SWEEP_OPTIONS
from lossrun.config.reader import parse
from lossrun.lint.rules import RULES
from lossrun.report.reference.article import ArticleExample, Fact, Piece, Reference, fact, listed
from lossrun.report.reference.examples import values_without_default
from lossrun.report.reference.listing import plural
from lossrun.shell import command, set_options

# Values for the examples, if the declaration has no telling default.
_VALUES: Final[Mapping[str, Any]] = {
    "name": "mnist-mlp",
    "tags": ["lecture"],
    "seeds": 5,
    "checkpoint.every": "200 steps",
    "compare_on": PRIMARY_METRICS["multiclass"][0],
    "sweep": {"loss": [loss.name for loss in COMPONENTS["loss"][:2]]},
    "early_stopping.metric": "val_loss",
    "best.metric": "val_loss",
    "schedule.metric": "val_loss",
    "lint": {"double_activation": "warn"},
    "dataset.path": "houses.csv",
    "dataset.target": "price",
    "dataset.inputs": ["rooms", "area"],
    "dataset.targets": [3, 5, 7, 9],
    "dataset.weights": [1, 1, 2, 1],
    "dataset.drop": ["id"],
    "dataset.task": "multiclass",
    "dataset.weight": "count",
    "dataset.missing_values": ["?"],
    "dataset.split.column": "part",
    "dataset.split.groups": "patient",
    "dataset.split.order": "date",
    "dataset.split.validation": "validation.csv",
    "dataset.split.test": "test.csv",
    "dataset.delimiter": ";",
    "dataset.test": 0.2,
    "loss.class_weights": "balanced",
    "loss.pos_weight": 3.0,
    "loss.quantile": 0.9,
    "loss.log_input": True,
    "model.hidden": [300, 100],
    "learning_rate": 1e-3,
    "optimizer.betas": [0.9, 0.99],
    "optimizer.momentum": 0.9,
    "optimizer.weight_decay": 1e-4,
    "schedule.warmup_epochs": 1.0,
    "schedule.over_epochs": 20.0,
    "schedule.first_epochs": 10.0,
    "schedule.down_epochs": 4.0,
    "schedule.min_rate": 1e-6,
    "schedule.milestones": [10, 20],
    "schedule.boundaries": [10, 20],
    "schedule.fractions": [0.5, 0.1],
}
# For some keys, what other keys of the component must be in the example.
_NEIGHBOURS: Final[Mapping[str, Mapping[str, Any]]] = {
    "dataset.header": {"target": -1},
    "optimizer.nesterov": {"momentum": 0.9},
    "optimizer.dampening": {"momentum": 0.9},
}
_WORDS: Final = {"layer": "lenet5"}


def key_facts(subject: KeyPath) -> Iterator[Fact]:
    """Yield the facts in reading order. A fact may be empty."""
    key = subject.variants[0].key
    if len({variant.key.meaning for variant in subject.variants}) > 1:
        yield from _told_apart("meaning", subject, lambda key: key.meaning)
    yield from _told_apart("takes", subject, _takes)
    yield from _told_apart("unit", subject, lambda key: key.unit if isinstance(key, Parameter) else "")
    yield from _told_apart("default", subject, _default)
    if subject.path == "sweep":
        for name, meaning in SWEEP_OPTIONS.items():
            yield fact(f"  {name}", meaning)
    if isinstance(key, KeyGroup):
        yield fact("keys in it", *_keys(f"{subject.path}.{inner.name}" for inner in key.parameters))
    if isinstance(key, Nested) and key.kind in COMPONENTS:
        yield fact("names", *listed(Reference(key.kind, component.name) for component in COMPONENTS[key.kind]))
    if subject.kind:
        owners = (Reference(subject.kind, name) for name in _components(subject))
        yield fact("belongs to", f"{subject.kind}: ", *listed(owners))
    yield fact("also", ", ".join(subject.spellings))
    yield fact("rules", *listed(Reference("rule", name) for name in _rules().get(subject.path, ())))


def key_example(subject: KeyPath) -> ArticleExample:
    """Return a line of a config, and for a plain value the same as an option of the command line."""
    value = example_value(subject)
    parts = subject.path.split(".")
    text: Any = value
    others = _NEIGHBOURS.get(subject.path, {})
    for depth in range(len(parts) - 1, 0, -1):
        named = _named(subject, ".".join(parts[:depth]))
        inner = {parts[depth]: text}
        text = {"name": named, **values_without_default(named), **others, **inner} if named else inner
        declared = key_paths()[".".join(parts[:depth])].variants[0].key
        if isinstance(declared, Nested) and declared.many:
            text = [text]
    if len(parts) == 1 and isinstance(value, str) and (needed := values_without_default(value)):
        text = {"name": value, **needed}
    line = f"{parts[0]}: {yaml_text(text)}"
    several = isinstance(value, Mapping | list) or any(_is_many(".".join(parts[:d])) for d in range(1, len(parts)))
    return ArticleExample("in a config", (line,), "" if several else set_options(f"{subject.path}={yaml_text(value)}"))


def keys_like_it(subject: KeyPath) -> tuple[Reference, ...]:
    """Return other keys with the same last part, such as seed and dataset.seed."""
    leaf = subject.path.rpartition(".")[2]
    others = (path for path in key_paths() if path != subject.path and path.rpartition(".")[2] == leaf)
    return tuple(Reference("key", path) for path in others)


def list_of(subject: KeyPath) -> str:
    """Return the command that lists what the key may name; "" if it does not name a component."""
    key = subject.variants[0].key
    kind = key.kind if isinstance(key, Nested) else key.name
    return command("list", plural(kind)) if kind in COMPONENTS else ""


def example_value(subject: KeyPath) -> Any:
    """Return a value that the key takes."""
    if subject.path in _VALUES:
        return _VALUES[subject.path]
    key = subject.variants[0].key
    if isinstance(key, KeyGroup):
        inner = key.parameters[0]
        shown = next((one for one in key.parameters if one.name == key.short_for), inner)
        return {shown.name: example_value(key_paths()[f"{subject.path}.{shown.name}"])}
    return _value(key)


def _value(key: Key) -> Any:
    if isinstance(key, Nested):
        return _WORDS.get(key.kind) or COMPONENTS[key.kind][0].name
    assert isinstance(key, Parameter)
    if isinstance(key.default, int | float | list) and not isinstance(key.default, bool) and key.default not in ([], 0):
        return key.default
    return _of_type(key.type, key) if key.example is None else key.example


def _of_type(annotation: Any, key: Parameter) -> Any:
    options = get_args(annotation) if get_origin(annotation) not in (Literal, list, dict) else ()
    if options:
        return next(_of_type(one, key) for one in options if one is not type(None))
    if get_origin(annotation) is Literal:
        words = get_args(annotation)
        return next((word for word in words if word != key.default), words[0])
    if get_origin(annotation) is list:
        return [_of_type(get_args(annotation)[0], key)]
    if annotation is bool:
        return not key.default
    if annotation in (int, float):
        low = key.at_least if key.at_least is not None else key.above
        number = (low or 0) + (1 if annotation is int else 0.1)
        return int(number) if annotation is int else number
    return "word"


def _takes(key: Key) -> str:
    if isinstance(key, KeyGroup):
        short = f"; a plain value sets {key.short_for}" if key.short_for else ""
        return key.expected + short
    if isinstance(key, Nested):
        return key.expected if key.many else f"{key.expected}: its name, or a mapping with its name and parameters"
    nothing = " (or null)" if key.default is None else ""
    return key.expected + nothing


def _default(key: Key) -> str:
    if key.default is REQUIRED:
        return "none; the key is required"
    return "not set" if key.default is None else yaml_text(key.default)


def _told_apart(label: str, subject: KeyPath, told: Callable[[Key], str]) -> Iterator[Fact]:
    """Yield a fact about the key; if components differ, one for each text, with the components that have it."""
    by_text: dict[str, list[Reference]] = {}
    for variant in subject.variants:
        having = by_text.setdefault(told(variant.key), [])
        having += [Reference(subject.kind, name) for name in variant.components]
    for text, owners in by_text.items():
        apart = len(by_text) > 1 and text
        yield fact(label, text, *([" (", *listed(dict.fromkeys(owners)), ")"] if apart else []))


def _keys(paths: Iterable[str]) -> Iterator[Piece]:
    return listed(Reference("key", path) for path in paths)


def _components(subject: KeyPath) -> list[str]:
    return list(dict.fromkeys(name for variant in subject.variants for name in variant.components))


def _named(subject: KeyPath, path: str) -> str:
    """Return the name of a component at `path`, a beginning of the key's path, that has the next part of the key."""
    declared = key_paths()[path].variants[0].key
    if not isinstance(declared, Nested):
        return ""
    rest = subject.path.removeprefix(f"{path}.").split(".")[0]
    return _components(key_paths()[f"{path}.{rest}"])[0]


def _is_many(path: str) -> bool:
    declared = key_paths()[path].variants[0].key
    return isinstance(declared, Nested) and declared.many


@cache
def _rules() -> dict[str, list[str]]:
    """Return, for each key, the lint rules whose examples correct it."""
    found: dict[str, list[str]] = {}
    for name, rule in RULES.items():
        wrong, right = (_leaves(parse(text, "example")[0]) for text in rule.example)
        for path in dict.fromkeys((*wrong, *right)):
            if wrong.get(path) != right.get(path):
                found.setdefault(path, []).append(name)
    return found


def _leaves(value: Any, before: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {before: value}
    leaves: dict[str, Any] = {}
    for key, item in value.items():
        path = f"{before}.{key}" if before else key
        leaves |= _leaves(item, before if key == "name" and before else path)
    return leaves
