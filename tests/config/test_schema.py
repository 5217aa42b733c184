import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossrun.catalog import COMPONENTS
from lossrun.config import SourcedConfig, read
from lossrun.config.keys import KEYS
from lossrun.config.reader import parse
from lossrun.config.schema import json_schema
from lossrun.errors import ConfigError
from lossrun.packaged import packaged_configs

# Draft 2020-12: the words that the schema uses, and what each of them may hold.
KEYWORDS = {
    "$schema": str, "title": str, "description": str, "default": object, "$ref": str, "$defs": dict, "type": str,
    "properties": dict, "additionalProperties": (bool, dict), "required": list, "items": dict, "anyOf": list,
    "enum": list, "const": object, "pattern": str, "minimum": (int, float), "maximum": (int, float),
    "exclusiveMinimum": (int, float), "exclusiveMaximum": (int, float),
}  # fmt: skip
TYPES = {
    "object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "integer": int,
    "number": (int, float),
}  # fmt: skip


def accepts(schema: dict[str, Any], value: Any, whole: dict[str, Any]) -> bool:
    """A validator of those words, enough to hold our own schema against values."""
    if "$ref" in schema and not accepts(whole["$defs"][schema["$ref"].removeprefix("#/$defs/")], value, whole):
        return False
    if "anyOf" in schema and not any(accepts(option, value, whole) for option in schema["anyOf"]):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if "type" in schema and not isinstance(value, TYPES[schema["type"]]):
        return False
    if isinstance(value, bool):
        return schema.get("type") in (None, "boolean")
    if isinstance(value, (int, float)):
        return (
            schema.get("minimum", value) <= value <= schema.get("maximum", value)
            and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
            and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
        )
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, list):
        return all(accepts(schema.get("items", {}), item, whole) for item in value)
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        if any(name not in value for name in schema.get("required", [])) or (others is False and set(value) - {*known}):
            return False
        rest: dict[str, Any] = others if isinstance(others, dict) else {}
        return all(accepts(known.get(name, rest), item, whole) for name, item in value.items())
    return True


def subschemas(schema: dict[str, Any]) -> list[dict[str, Any]]:
    below = [*schema.get("anyOf", []), *schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    below += [schema[word] for word in ("items", "additionalProperties") if isinstance(schema.get(word), dict)]
    return [schema, *(inner for part in below for inner in subschemas(part))]


def test_it_is_made_of_the_words_of_its_draft_and_fit_for_json() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(schema, allow_nan=False)) == schema
    for part in subschemas(schema):
        for word, value in part.items():
            assert isinstance(value, KEYWORDS[word]), (word, value)
        if "$ref" in part:
            assert part["$ref"].removeprefix("#/$defs/") in schema["$defs"]
        if "type" in part:
            assert part["type"] in TYPES


def test_it_lists_every_key_and_component() -> None:
    schema = json_schema()
    assert list(schema["properties"]) == [*(key.name for key in KEYS), "sweep"]
    assert schema["required"] == ["dataset", "model", "loss", "optimizer", "learning_rate"]
    assert schema["additionalProperties"] is False
    assert all(schema["properties"][key.name]["description"].startswith(key.meaning) for key in KEYS)
    for kind, members in COMPONENTS.items():
        if kind in ("metric", "activation"):
            continue  # a plain word
        options = schema["$defs"][kind]["anyOf"]
        assert options[0] == {"enum": [member.name for member in members]}
        by_name = {
            o["properties"]["name"]["enum"][0]: o for o in options if "enum" in o.get("properties", {}).get("name", {})
        }
        for member in members:
            spellings = {s for key in member.parameters for s in (key.name, *key.aliases)}
            assert spellings <= set(by_name[member.name]["properties"])


@pytest.mark.parametrize("path", packaged_configs().values(), ids=lambda path: path.stem)
def test_it_accepts_the_packaged_configs_as_written_and_resolved(path: Path) -> None:
    schema = json_schema()
    assert accepts(schema, parse(path.read_text(), path.name)[0], schema)
    assert accepts(schema, read(path).config.to_mapping(), schema)


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("epochs: 3", True),
        ("epochs: null", True),
        ("epochs: 0", False),
        ("epochs: '3'", False),
        ("lr: 1", False),
        ("batch_size: full", True),
        ("batch_size: most", False),
        ("early_stopping: 3", True),
        ("early_stopping: {patience: 3}", True),
        ("early_stopping: {patience: 0}", False),
        ("checkpoint: 200 steps", True),
        ("checkpoint: often", False),
        ("lint: {double_activation: warn}", True),
        ("lint: {double_activation: wran}", False),
        ("schedule: {name: cosine, warmup_epochs: 1}", True),
        ("schedule: {name: cosine, warmup: 1}", False),
        ("loss: {name: cross_entropy, from_logits: true}", True),
        ("loss: {name: BCEWithLogitsLoss, class_weights: [1, 2]}", True),
        ("loss: {name: mse, from_logits: true}", False),
        ("loss: {name: 'own:f', anything: 3}", True),
        ("schedule: {name: 'own:f', anything: 3}", False),
        ("model: {name: cnn, layers: lenet5}", True),
        ("model: {name: cnn, layers: [max_pool, {name: conv, kernel: 3}]}", True),
        ("model: {name: cnn, layers: [{name: conv, kernel: 0}]}", False),
    ],
)
def test_it_agrees_with_validation(
    shortest: str, read_text: Callable[..., SourcedConfig], line: str, right: bool
) -> None:
    key = line.partition(":")[0]
    text = "\n".join([*(old for old in shortest.splitlines() if not old.startswith(f"{key}:")), line])
    schema = json_schema()
    assert accepts(schema, parse(text, "c.yaml")[0], schema) == right
    if right:
        read_text(text)
    else:
        with pytest.raises(ConfigError, match=key):
            read_text(text)


@pytest.mark.parametrize(
    ("block", "right"),
    [
        ("{loss: [mse, mae], tune: {metric: val_rmse}}", True),
        ("{loss: [mse, {name: huber, delta: 2}], sampler: tpe}", True),
        ("{model.hidden: [[300, 100], [100]], tune: false}", True),
        ("{learning_rate: {log_range: [1e-4, 1], points: 7}}", True),
        ("{loss.gamma: [1, 2]}", True),
        ("{loss: mse}", False),
        ("{epochs: [0, 1]}", False),
        ("{learning_rate: {log_range: [1e-4, 1], point: 7}}", False),
        ("{learning_rate: {points: 7}}", False),
        ("{samplr: tpe}", False),
    ],
)
def test_it_knows_the_sweep_block(shortest: str, block: str, right: bool) -> None:
    schema = json_schema()
    assert accepts(schema, parse(f"{shortest}\nsweep: {block}\n", "c.yaml")[0], schema) is right
