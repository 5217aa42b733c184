"""`--set KEY=VALUE`: changes laid over a raw mapping before it is validated."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lossrun.catalog import find
from lossrun.catalog.declaration import Group, Key, Nested
from lossrun.config.keys import KEYS
from lossrun.config.reader import parse_value
from lossrun.config.source import Path, Source
from lossrun.config.validate import expand
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
        changed = _with(changed, path, parse_value(text, option), KEYS)
        source = _moved(source, path, option)
    return changed, source


def _with(mapping: Mapping[str, Any], path: Path, value: Any, keys: Sequence[Key]) -> dict[str, Any]:
    """A copy of `mapping` with `value` at `path`, the words on the way made mappings."""
    name, rest = str(path[0]), path[1:]
    if not rest:
        others = {key: item for key, item in mapping.items() if key != name}
        if value is None:
            return others
        return {**mapping, name: value}
    declared = next((key for key in keys if name in (key.name, *key.aliases)), None)
    inner = mapping.get(name, {})
    if declared is not None:
        inner = expand(declared, inner if name in mapping else _default(declared))
    if not isinstance(inner, Mapping):
        inner = {}
    return {**mapping, name: _with(inner, rest, value, _keys_below(declared, inner))}


def _default(key: Key) -> Any:
    """A component's name by default, so that `schedule.gamma=0.5` alone says which schedule it belongs to."""
    return key.default if isinstance(key, Nested) and isinstance(key.default, (str, dict)) else {}


def _keys_below(declared: Key | None, inner: Mapping[str, Any]) -> Sequence[Key]:
    if isinstance(declared, Group):
        return declared.parameters
    if isinstance(declared, Nested) and isinstance(inner.get("name"), str):
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
