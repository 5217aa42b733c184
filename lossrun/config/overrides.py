"""Apply `--set KEY=VALUE`, and options that set a key, to a raw mapping before it is validated."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from lossrun.catalog import COMPONENTS, find
from lossrun.catalog.parameter import Key, KeyGroup, Nested, Parameter
from lossrun.config import leaves
from lossrun.config.keys import KEYS
from lossrun.config.reader import number_or_text, parse_text, parse_value, place_or_text, printable
from lossrun.config.source import ConfigSource, Path
from lossrun.config.validate import PLUGIN_KEYS, expand
from lossrun.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Change:
    """A key and its new value, not written as YAML.

    Attributes:
        option: What messages call it, such as `--name 2024`.
        adds: Whether the value is added to a list of texts instead of replacing it.
    """

    key: str
    value: Any
    option: str
    adds: bool = False


Override: TypeAlias = str | Change


def key_of(override: Override) -> str:
    """Return the dotted key that an override changes."""
    return (override.key if isinstance(override, Change) else override.partition("=")[0]).strip()


def text_option(option: str, key: str, text: str, *, adds: bool = False) -> Change:
    """Make a change from an option that sets a key to a text, or adds one: `--name 2024`.

    Raises:
        ConfigError: For an empty text.
    """
    if not text.strip():
        raise ConfigError([f"{option} {text!r}: the text is empty; remove the option, or give it a word"])
    return Change(key, printable(text, option), f"{option} {text}", adds)


def apply(raw: Any, source: ConfigSource, overrides: Sequence[Override]) -> tuple[Any, ConfigSource]:
    """Apply each override to the mapping; also return a source that names the option in messages.

    `loss=huber` replaces the whole loss, `loss.delta=2` changes one key of it, and `null` removes a key, which restores
    its default. Values are YAML, except for keys that hold text, which take the text as it is (see `parse_text`).

    Raises:
        ConfigError: For an option that is not `KEY=VALUE`, or has no value.
    """
    if not overrides or not isinstance(raw, Mapping):
        return raw, source
    changed = dict(raw)
    for override in overrides:
        name, read, option = _read_of(override)
        path: Path = tuple(name.strip().split("."))
        if not all(path):
            raise ConfigError([f"{option}: not KEY=VALUE; expected, for example, --set learning_rate=0.01"])
        if isinstance(override, Change) and override.adds:
            there = changed.get(override.key)
            if not isinstance(there, list | None):
                continue  # a mistake in the file, which validation reports with its place
            changed[override.key] = [*(there or []), *([] if override.value in (there or []) else [override.value])]
            continue
        changed, depth = _with(changed, path, read, KEYS)
        source = _moved(source, path[:depth], option)
    return changed, source


_Read: TypeAlias = Callable[[Key | None], Any]
# How to read text without quotes, by the numbers that the key accepts.
_PLAIN: Final[dict[str, Callable[[str], Any]]] = {"none": str, "whole": place_or_text, "any": number_or_text}


def _read_of(override: Override) -> tuple[str, _Read, str]:
    """Return the key, a function that reads the value once the key's type is known, and the option's name."""
    if isinstance(override, Change):
        return override.key, lambda declared: override.value, override.option
    name, equals, text = override.partition("=")
    option = f"--set {override}"

    def read(declared: Key | None) -> Any:
        if isinstance(declared, Parameter) and declared.may_be_text:
            # With blanks on both sides of the sign, the one after it is not part of the value.
            written = text.lstrip(" ") if name.endswith(" ") else text
            plain = _PLAIN[declared.numbers]
            return valued(parse_text(written, option, lists=declared.takes_lists, plain=plain))
        if isinstance(declared, Parameter):
            # A word as the help lists it, even a blank, or one such as `,` that YAML reads differently.
            known = leaves.words(declared.type)
            if word := next((one for one in (text, text.strip()) if one in known), ""):
                return word
        return valued(parse_value(text, option))

    def valued(value: Any) -> Any:
        # A variable of a shell script that is not set must not train with the default instead.
        if value is None and text.strip().lower() not in ("null", "~"):
            raise ConfigError([f"{option}: there is no value after =; write {name.strip()}=null for the key's default"])
        return value

    return name if equals else "", read, option


def _with(mapping: Mapping[str, Any], path: Path, read: _Read, keys: Sequence[Key]) -> tuple[dict[str, Any], int]:
    """Return a copy of `mapping` with what `read` returns at `path`; words on the way are expanded to mappings.

    Also return how many parts of the path lead to the replaced value: fewer than all if a plain value is on the way.
    """
    name, rest = str(path[0]), path[1:]
    declared = next((key for key in keys if name in (key.name, *key.aliases)), None)
    spellings = (declared.name, *declared.aliases) if declared else (name,)
    given = next((mapping[spelling] for spelling in spellings if spelling in mapping), None)
    others = {key: item for key, item in mapping.items() if key not in spellings}
    if not rest:
        value = read(declared)
        # An unknown key stays, so that validation refuses it.
        return (others if value is None and name in mapping else {**others, name: value}), 1
    if declared is not None:
        given = expand(declared, _default(declared) if given is None else given)
    inner = given if isinstance(given, Mapping) else {}
    replacing = given is not None and not isinstance(given, Mapping)
    changed, depth = _with(inner, rest, read, _keys_below(declared, inner))
    return {**others, name: changed}, 1 if replacing else 1 + depth


def _default(key: Key) -> Any:
    """Return a component's default, so that `schedule.gamma=0.5` alone refers to the default schedule."""
    return key.default if isinstance(key, Nested) and isinstance(key.default, (str, dict)) else {}


def _keys_below(declared: Key | None, inner: Mapping[str, Any]) -> Sequence[Key]:
    if isinstance(declared, KeyGroup):
        return declared.parameters
    if isinstance(declared, Nested) and isinstance(inner.get("name"), str):
        if ":" in inner["name"]:
            return PLUGIN_KEYS.get(declared.kind, ())
        found = find(declared.kind, inner["name"])
        return (*(found.component.parameters if found else ()), *_text_keys(declared.kind))
    return ()


def _text_keys(kind: str) -> list[Parameter]:
    """Return the keys that hold text in every component of the kind that has them.

    They are text even before `--set dataset.name=csv` says which component it is: a column named 1 is not a number.
    """
    every = [key for component in COMPONENTS[kind] for key in component.parameters]
    texts = {key.name for key in every if isinstance(key, Parameter) and key.may_be_text}
    others = {key.name for key in every if not (isinstance(key, Parameter) and key.may_be_text)}
    return [key for key in every if isinstance(key, Parameter) and key.name in texts - others]


def _moved(source: ConfigSource, path: Path, option: str) -> ConfigSource:
    """Return the source with everything at and below `path` coming from the option."""

    def kept(origins: Mapping[Path, Any]) -> dict[Path, Any]:
        return {at: origin for at, origin in origins.items() if at[: len(path)] != path}

    return replace(
        source,
        keys=kept(source.keys),
        values=kept(source.values),
        options={**kept(source.options), path: option},
    )
