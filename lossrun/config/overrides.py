"""`--set KEY=VALUE`: changes laid over a raw mapping before it is validated."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lossrun.catalog import find
from lossrun.catalog.declaration import Group, Key, Nested
from lossrun.config.keys import KEYS
from lossrun.config.reader import parse_value
from lossrun.config.source import Path, Source
from lossrun.config.validate import PLUGIN_KEYS, expand
from lossrun.errors import ConfigError


def apply(raw: Any, source: Source, overrides: Sequence[str]) -> tuple[Any, Source]:
    """The mapping with each override in it, and a source that names the option in messages.

    `loss=huber` replaces the whole loss; `loss.delta=2` changes one key of it; `null` removes the key, which restores
    its default. Raises ConfigError for an option that is no `KEY=VALUE`.
    """
    if not overrides or not isinstance(raw, Mapping):
        return raw, source
    changed = dict(raw)
    for override in overrides:
        name, equals, text = override.partition("=")
        path: Path = tuple(name.strip().split("."))
        if not equals or not all(path):
            raise ConfigError([f"--set {override}: no KEY=VALUE; expected for example --set learning_rate=0.01"])
        option = f"--set {override}"
        changed, depth = _with(changed, path, parse_value(text, option), KEYS)
        source = _moved(source, path[:depth], option)
    return changed, source


def _with(mapping: Mapping[str, Any], path: Path, value: Any, keys: Sequence[Key]) -> tuple[dict[str, Any], int]:
    """A copy of `mapping` with `value` at `path`, the words on the way made mappings.

    Also how many parts of the path lead to what was replaced: fewer than all where a plain value stood in the way.
    """
    name, rest = str(path[0]), path[1:]
    declared = next((key for key in keys if name in (key.name, *key.aliases)), None)
    spellings = (declared.name, *declared.aliases) if declared else (name,)
    given = next((mapping[spelling] for spelling in spellings if spelling in mapping), None)
    others = {key: item for key, item in mapping.items() if key not in spellings}
    if not rest:
        # An unknown key stays, to be refused.
        return (others if value is None and name in mapping else {**others, name: value}), 1
    if declared is not None:
        given = expand(declared, _default(declared) if given is None else given)
    inner = given if isinstance(given, Mapping) else {}
    replacing = given is not None and not isinstance(given, Mapping)
    changed, depth = _with(inner, rest, value, _keys_below(declared, inner))
    return {**others, name: changed}, 1 if replacing else 1 + depth


def _default(key: Key) -> Any:
    """A component's name by default, so that `schedule.gamma=0.5` alone says which schedule it belongs to."""
    return key.default if isinstance(key, Nested) and isinstance(key.default, (str, dict)) else {}


def _keys_below(declared: Key | None, inner: Mapping[str, Any]) -> Sequence[Key]:
    if isinstance(declared, Group):
        return declared.parameters
    if isinstance(declared, Nested) and isinstance(inner.get("name"), str):
        if ":" in inner["name"]:
            return PLUGIN_KEYS.get(declared.kind, ())
        found = find(declared.kind, inner["name"])
        return found.component.parameters if found else ()
    return ()


def _moved(source: Source, path: Path, option: str) -> Source:
    """The source with everything at and below `path` coming from the option."""

    def kept(origins: Mapping[Path, Any]) -> dict[Path, Any]:
        return {at: origin for at, origin in origins.items() if at[: len(path)] != path}

    return replace(
        source,
        keys=kept(source.keys),
        values=kept(source.values),
        options={**kept(source.options), path: option},
    )
