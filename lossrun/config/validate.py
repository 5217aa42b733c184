"""Validate a raw mapping and return a frozen Config, or report every mistake at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final

from lossrun.catalog import find, nearest_name, why_not
from lossrun.catalog.dataset_parameters import SPLITS
from lossrun.catalog.declaration import Component, Loss, Optimizer
from lossrun.catalog.lookup import COMPONENTS, PLUGIN_KINDS, LookupResult
from lossrun.catalog.losses import INPUTS, REDUCTION
from lossrun.catalog.models import OUTPUT
from lossrun.catalog.optimizers.parameters import decays_through_gradient
from lossrun.catalog.parameter import REQUIRED, Key, KeyGroup, Nested, Parameter, with_article
from lossrun.config import leaves
from lossrun.config.config import Best, Checkpointing, Choice, Config, EarlyStopping
from lossrun.config.habits import HABITS, answer
from lossrun.config.key_paths import key_paths
from lossrun.config.keys import KEYS
from lossrun.config.python_calls import alternatives, as_an_object, as_own, as_written_here, in_yaml, misplaced, named
from lossrun.config.seeds import seeds_of
from lossrun.config.source import MAX_PROBLEMS, ConfigSource, Path, dotted
from lossrun.errors import ConfigError, Problem
from lossrun.nearby import nearest

# The keys of the user's own component that lossrun reads; the component gets the others.
PLUGIN_KEYS: Final[dict[str, tuple[Key, ...]]] = {
    "dataset": SPLITS,
    "model": (OUTPUT,),
    "loss": (INPUTS, REDUCTION),
    "optimizer": (),
}


def validate(raw: Any, source: ConfigSource) -> tuple[Config, list[str]]:
    """Validate a mapping.

    Returns:
        The config, and notes on spellings that imply other parameters.

    Raises:
        ConfigError: With all problems, in the order of their places.
    """
    checker = _Checker(source)
    if not isinstance(raw, Mapping):
        what = "empty" if raw is None else f"{leaves.shown(raw)}, not a mapping"
        raise ConfigError(
            [f"{source.name}: {what}; expected keys such as dataset, model, loss, optimizer, learning_rate"]
        )
    values = checker.group(KEYS, raw, ())
    seeds = seeds_of(raw, values, checker.refuse)
    problems = checker.problems + [p for path, p in checker.missing.items() if path not in checker.meant]
    if problems:
        raise source.error(problems)
    return _config(values, seeds), checker.notes


def expand(key: Key, value: Any) -> Any:
    """Expand a word to the mapping that it is short for."""
    if isinstance(key, Nested) and key.many:
        return key.presets.get(value, value) if isinstance(value, str) else value
    if value is None or isinstance(value, (Mapping, list)):
        return value
    if isinstance(key, Nested):
        return {"name": value}
    if isinstance(key, KeyGroup) and key.short_for:
        return {key.short_for: value}
    return value


@dataclass
class _Checker:
    source: ConfigSource
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # Kept apart, because a key that an unknown key probably means must not be reported as missing too.
    missing: dict[str, Problem] = field(default_factory=dict)
    meant: set[str] = field(default_factory=set)

    def refuse(self, path: Path, message: str, *, at_key: bool = False) -> None:
        self.problems.append(self.source.problem(path, message, at_key=at_key))
        if len(self.problems) >= MAX_PROBLEMS:
            raise self.source.error(self.problems)

    def group(self, keys: Sequence[Key], raw: Mapping[str, Any], path: Path) -> dict[str, Any]:
        """Return the values of `keys` in their declared order, given or by default. Unknown names are refused."""
        by_name = {spelling: key for key in keys for spelling in (key.name, *key.aliases)}
        for name in raw:
            if name not in by_name:
                self.unknown(str(name), list(by_name), path)
        values: dict[str, Any] = {}
        for key in keys:
            given = [name for name in (key.name, *key.aliases) if name in raw]
            if len(given) > 1:
                self.refuse((*path, given[1]), f"the same key as {given[0]}; keep one of them", at_key=True)
            name = given[0] if given else key.name
            value = raw.get(name, key.default)
            if value is REQUIRED:
                at = (*path, key.name)
                message = f"missing: {key.meaning}; expected {key.expected}{_such_as(key)}"
                self.missing[dotted(at)] = self.source.problem(at, message)
                continue
            # An explicit null restores the default, as it does with --set.
            if value is None and key.default is not REQUIRED:
                value = key.default
            values[key.name] = self.value(key, value, (*path, name))
        return values

    def value(self, key: Key, value: Any, path: Path) -> Any:
        if value is None:
            if key.default is REQUIRED:
                self.refuse(path, f"empty; expected {key.expected}{_such_as(key)}")
            return None
        if isinstance(key, Parameter):
            if value is key.default and not isinstance(value, list):
                return value
            checked, at, problem = leaves.check(key, value)
            if problem:
                self.refuse((*path, *at), problem + misplaced(key, value, dotted(path)))
            return checked
        value = expand(key, value)
        if isinstance(key, KeyGroup):
            if isinstance(value, Mapping):
                before = len(self.problems)
                values = self.group(key.parameters, value, path)
                if len(self.problems) == before and (contradiction := key.contradiction(values)):
                    self.refuse(path, contradiction)
                return values
            self.refuse(path, f"{leaves.shown(value)}; expected {key.expected}")
            return None
        if not key.many:
            return self.component(key.kind, value, path)
        if not isinstance(value, list):
            self.refuse(path, f"{leaves.shown(value)}; expected {key.expected}")
            return None
        single = Nested(key.name, key.kind, None, key.meaning)
        return [self.component(key.kind, expand(single, item), (*path, i)) for i, item in enumerate(value)]

    def component(self, kind: str, value: Any, path: Path) -> dict[str, Any] | None:
        """Return a component's name in our spelling, and all its parameters."""
        if not isinstance(value, Mapping):
            several = alternatives(kind, value, dotted(path))
            expected = f"expected {with_article(kind)}: its name, or a mapping with it{_such_as_mapping(kind)}"
            self.refuse(path, f"{leaves.shown(value)}; {several or expected}")
            return None
        name = value.get("name")
        at = (*path, "name")
        if not isinstance(name, str):
            problem = "no name" if name is None else f"name {leaves.shown(name)} is not a string"
            meant = named(kind, value) if name is None else as_an_object(kind, name)
            expected = f"expected {with_article(kind)} such as {COMPONENTS[kind][0].name}"
            self.refuse(path, f"{problem}; {meant or expected}")
            return None
        parameters = {key: item for key, item in value.items() if key != "name"}
        if ":" in name and kind in PLUGIN_KINDS:
            return {"name": name, **self.plugin(kind, parameters, path)}
        found = find(kind, name)
        if found is None:
            near = nearest_name(kind, name)
            every = f"expected one of {', '.join(c.name for c in COMPONENTS[kind])}{as_own(kind, name)}"
            hint = f"did you mean {near}?" if near else every
            hint = as_written_here(kind, name, dotted(path)) or why_not(kind, name) or hint
            written = at in self.source.values or at in self.source.options
            self.refuse(at if written else path, f"there is no {kind} {leaves.shown(name)}; {hint}")
            return None
        parameters = self.conventions(found, name, parameters, path)
        return {"name": found.component.name, **self.group(found.component.parameters, parameters, path)}

    def conventions(self, found: LookupResult, spelling: str, given: dict[str, Any], path: Path) -> dict[str, Any]:
        """Replace `from_logits` by `inputs`, and add the parameters that the spelling implies."""
        component = found.component
        # Null restores the default, which the spelling may set.
        given = {name: value for name, value in given.items() if value is not None or not self._takes(component, name)}
        if "from_logits" in given and component.parameter("inputs"):
            from_logits = given.pop("from_logits")
            at = (*path, "from_logits")
            inputs = "logits" if from_logits else "probabilities"
            if not isinstance(from_logits, bool):
                self.refuse(at, f"{leaves.shown(from_logits)}; expected true or false")
            elif given.get("inputs", inputs) not in (inputs, "auto"):
                self.refuse(at, f"contradicts inputs: {given['inputs']}; keep one of them", at_key=True)
            else:
                given["inputs"] = inputs
        stated = found.implies.get("inputs")
        if stated and given.get("inputs", stated) not in (stated, "auto"):
            self.refuse(path, f"{spelling} takes {stated}, but inputs is {given['inputs']}; remove one of them")
        if given.get("inputs") == "auto":
            del given["inputs"]
        taken = {name: value for name, value in found.implies.items() if not self._gives(component, name, given)}
        form = "" if "inputs" in given else found.called.get("inputs", "")
        if taken or found.remark or form:
            brought = ", ".join(f"{name}: {in_yaml(str(value))}" for name, value in taken.items())
            text = f"{spelling} is {component.name}" + (f" with {brought}" if taken else "")
            text += f"; its inputs follow model.output (without options, {spelling} takes {form})" if form else ""
            self.notes.append(f"{dotted(path)}: {text}" + (f"; {found.remark}" if found.remark else ""))
        of_keras = "keras" in spelling.lower()
        if of_keras and isinstance(component, Optimizer) and decays_through_gradient(component, {**taken, **given}):
            self.notes.append(
                f"{dotted(path)}.weight_decay: Keras subtracts the decay from the weights; here {component.name} adds "
                "it to the gradient, as PyTorch does; for Keras' decay use adamw or keras.Adam"
            )
        averages = isinstance(component, Loss) and component.averages_outputs
        if of_keras and averages and given.get("reduction") == "sum":
            self.notes.append(
                f"{dotted(path)}.reduction: Keras' sum is over samples, of means over outputs; here it is over samples "
                "and outputs, as in PyTorch"
            )
        return {**taken, **given}

    @staticmethod
    def _takes(component: Component, name: str) -> bool:
        return component.parameter("inputs" if name == "from_logits" else name) is not None

    @staticmethod
    def _gives(component: Component, name: str, given: Mapping[str, Any]) -> bool:
        parameter = component.parameter(name)
        return parameter is not None and any(spelling in given for spelling in (parameter.name, *parameter.aliases))

    def plugin(self, kind: str, parameters: Mapping[str, Any], path: Path) -> dict[str, Any]:
        """Check our own keys of the user's own component.

        Its other parameters are only checked to be plain and finite.
        """
        keys = PLUGIN_KEYS[kind]
        ours = {name for key in keys for name in (key.name, *key.aliases)}
        theirs = {name: value for name, value in parameters.items() if name not in ours}
        for name, value in theirs.items():
            self._finite(value, (*path, name))
        return {**theirs, **self.group(keys, {n: v for n, v in parameters.items() if n in ours}, path)}

    def _finite(self, value: Any, path: Path) -> None:
        if isinstance(value, float) and not isfinite(value):
            self.refuse(path, f"{value} is not a finite number")
        children = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
        for name, item in children:
            self._finite(item, (*path, name))

    def unknown(self, name: str, known: list[str], path: Path) -> None:
        """Refuse an unknown key, and name the key that was probably meant."""
        full = dotted((*path, name))
        if told := answer(full):
            self.refuse((*path, name), f"there is no such key; {told}", at_key=True)
            return
        meant = HABITS.get(full.lower().replace("-", "_"))
        here, _, leaf = meant.rpartition(".") if meant else ("", "", "")
        # The habit does not help if the component does not have the key.
        if meant is None or (here == dotted(path) and path and leaf not in known):
            near = nearest(name, known)
            elsewhere = _elsewhere(name.lower(), dotted(path))
            meant = (
                elsewhere
                if elsewhere and (not path or not near or name.lower() in HABITS)
                else dotted((*path, near))
                if near
                else None
            )
        if meant:
            self.meant.add(meant)
            # For example, optimizer.learning_rate is the right word in the wrong place.
            outside = path and "." not in meant
            hint = f"write {meant} on a separate line, next to {path[0]}" if outside else f"did you mean {meant}?"
        elif known:
            hint = f"expected {'one of ' if len(known) > 1 else ''}{', '.join(known)}"
        else:
            hint = "there is no parameter to set here"
        self.refuse((*path, name), f"there is no such key; {hint}", at_key=True)


def _elsewhere(name: str, here: str) -> str | None:
    """Return the key that has this name somewhere else, or in another program; None for several."""
    habit = HABITS.get(name)
    found = [path for path in key_paths() if path.rpartition(".")[2] == name] or ([habit] if habit else [])
    depths = [path.count(".") for path in found]
    if not found or depths.count(min(depths)) > 1 or here in {path.rpartition(".")[0] for path in found}:
        return None
    return found[depths.index(min(depths))]


def _such_as(key: Key) -> str:
    if isinstance(key, Nested):
        return " such as " + ", ".join(component.name for component in COMPONENTS[key.kind][:3])
    return ""


def _such_as_mapping(kind: str) -> str:
    return ", such as {name: mlp, hidden: [64, 32]}" if kind == "model" else ""


def _config(values: Mapping[str, Any], seeds: tuple[int, ...]) -> Config:
    make: dict[str, Callable[[Any], Any]] = {
        **dict.fromkeys(("dataset", "model", "loss", "optimizer", "schedule"), _choice),
        "tags": tuple,
        "checkpoint": lambda group: Checkpointing(**group),
        "best": lambda group: Best(**group),
        "early_stopping": lambda group: EarlyStopping(**group) if group else None,
        **dict.fromkeys(("splits", "folds"), lambda given: tuple(given) if isinstance(given, list) else given),
    }
    built = {name: make.get(name, lambda value: value)(value) for name, value in values.items() if name != "seed"}
    return Config(**{**built, "seeds": seeds})


def _choice(mapping: Mapping[str, Any]) -> Choice:
    return Choice(mapping["name"], {name: value for name, value in mapping.items() if name != "name"})
