"""Write the JSON Schema of a config file, for editors, from the same declarations that validate it."""

from collections.abc import Sequence
from typing import Any, Final

from lossrun.catalog.declaration import Component
from lossrun.catalog.lookup import COMPONENTS, PLUGIN_KINDS
from lossrun.catalog.parameter import REQUIRED, Key, KeyGroup, Parameter
from lossrun.config.key_paths import key_paths
from lossrun.config.keys import KEYS, SWEEP, SWEEP_OPTIONS
from lossrun.config.leaves import adapter

_RANGE: Final = {"$ref": "#/$defs/range"}


def json_schema() -> dict[str, Any]:
    """Return a schema of draft 2020-12. A word is accepted wherever it is short for a mapping."""
    # A metric or an activation is a plain word in a config.
    components = {
        kind: _one_of(kind, members) for kind, members in COMPONENTS.items() if kind not in ("metric", "activation")
    }
    config = _mapping(KEYS)
    config["properties"]["sweep"] = _sweep()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "lossrun config",
        **config,
        "$defs": {**components, "range": _range()},
    }


def _sweep() -> dict[str, Any]:
    """Return the schema of the sweep block: for each key a list of its values, or a range; and the block's options."""
    whole = {key.name: {"anyOf": [{"type": "array", "items": _key(key)}, _RANGE]} for key in KEYS}
    # Components differ in what a key inside them may be.
    any_value = {"anyOf": [{"type": "array"}, _RANGE]}
    parts = {path: {"description": key.meaning, **any_value} for path, key in key_paths().items() if "." in path}
    options = {name: {"description": text} for name, text in SWEEP_OPTIONS.items()}
    return {
        "type": "object",
        "description": f"{SWEEP.meaning}: {SWEEP.expected}",
        "properties": {**whole, **parts, **options},
        "additionalProperties": any_value,  # parameters of the user's own components
    }


def _range() -> dict[str, Any]:
    """Return the schema of a range of values: {log_range: [1e-4, 1], points: 7}."""
    bounds = {"type": "array", "items": {"type": "number"}}
    points = {"type": "integer", "minimum": 2}
    kinds = [
        {
            "type": "object",
            "properties": {kind: bounds, "points": points},
            "required": [kind],
            "additionalProperties": False,
        }
        for kind in ("log_range", "range")
    ]
    return {"anyOf": kinds}


def _mapping(keys: Sequence[Key], **fixed: Any) -> dict[str, Any]:
    properties = {**fixed, **{spelling: _key(key) for key in keys for spelling in (key.name, *key.aliases)}}
    required = [*fixed, *(key.name for key in keys if key.default is REQUIRED)]
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def _key(key: Key) -> dict[str, Any]:
    unit = f" [{key.unit}]" if isinstance(key, Parameter) and key.unit else ""
    described: dict[str, Any] = {"description": key.meaning + unit}
    if key.default is not REQUIRED:
        described["default"] = key.default
    if isinstance(key, Parameter):
        schema = adapter(key).json_schema()
        if key.spellings:
            schema = {"anyOf": [schema, {"enum": list(key.spellings)}]}
    elif isinstance(key, KeyGroup):
        short = next((_key(p) for p in key.parameters if p.name == key.short_for), None)
        schema = {"anyOf": [_mapping(key.parameters), *([short] if short else [])]}
    else:
        schema = {"$ref": f"#/$defs/{key.kind}"}
        if key.many:
            listed = {"type": "array", "items": schema}
            schema = {"anyOf": [listed, {"enum": list(key.presets)}]} if key.presets else listed
    # Any key may be null to restore its default.
    return (
        {"anyOf": [schema, {"type": "null"}], **described} if key.default is not REQUIRED else {**schema, **described}
    )


def _one_of(kind: str, members: Sequence[Component]) -> dict[str, Any]:
    """Return the schema of a component: a word, a mapping for each member, or a mapping with `module:attribute`.

    Other spellings are accepted too, but cannot all be listed, because case and underscores do not matter; an editor
    should offer our names.
    """
    plugin = {"type": "string", "pattern": "^[^:]+:[^:]+$"}
    words: list[dict[str, Any]] = [{"enum": [member.name for member in members]}, {"type": "string"}]
    mappings = [
        {"description": member.meaning, **_mapping(_with_logits(member), name=_name(member))} for member in members
    ]
    if kind in PLUGIN_KINDS:
        mappings.append({"type": "object", "properties": {"name": plugin}, "required": ["name"]})
    return {"anyOf": [*words, *mappings]}


def _name(member: Component) -> dict[str, Any]:
    return {"enum": [member.name, *(alias.spelling for alias in member.aliases)]}


def _with_logits(member: Component) -> tuple[Key, ...]:
    if member.kind != "loss" or not member.parameter("inputs"):
        return member.parameters
    spelling = Parameter("from_logits", bool, None, "true: inputs are logits; false: inputs are probabilities")
    return (*member.parameters, spelling)
