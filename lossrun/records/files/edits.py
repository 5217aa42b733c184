"""config.yaml and run.json held against what the ledger recorded when the run started. Meaning counts, not the text:
comments, blanks and the order of keys may change."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lossrun.records.files import strict_json

MOST: Final = 4  # keys with their values in a message; the others by name
_LONGEST: Final = 60  # characters of a value in a message


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> dict[str, list[Any]]:
    """{dotted key: [old, new]} for every leaf that differs; None stands for a key that is not there."""
    found: dict[str, list[Any]] = {}
    for key in dict.fromkeys((*old, *new)):
        before: Any = old.get(key)
        after: Any = new.get(key)
        # Another component has other parameters: it is replaced as a whole.
        mappings = isinstance(before, Mapping) and isinstance(after, Mapping)
        if mappings and before.get("name") == after.get("name"):
            found |= differences(before, after, f"{prefix}{key}.")
        elif before != after and not _same_number(before, after):
            found[f"{prefix}{key}"] = [before, after]
    return found


def edits(path: Path, recorded: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, ...]:
    """A sentence for each key of the file at `path` that says something else than what was recorded."""
    changed = differences(_plain(recorded), _plain(found))
    said = [
        f"{path.name}: {key} is {_shown(new, 'missing')}, but the run was started with {_shown(old, 'no such key')}: "
        "the file was edited afterwards"
        for key, (old, new) in list(changed.items())[:MOST]
    ]
    more = f"{path.name}: {', '.join(list(changed)[MOST:])} differ as well"
    return (*said, more) if len(changed) > MOST else tuple(said)


def digest(config: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of a config's meaning."""
    return hashlib.sha256(json.dumps(_plain(config), sort_keys=True).encode()).hexdigest()


def _plain(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """As it comes out of JSON, whose keys are text."""
    plain: dict[str, Any] = strict_json.loads(strict_json.dumps(dict(mapping)))
    return plain


def _same_number(before: Any, after: Any) -> bool:
    """YAML 1.1 takes `1e-3`, a number for our own reader, for a string."""
    if isinstance(before, bool) or not isinstance(before, (int, float)) or not isinstance(after, str):
        return False
    try:
        return float(after) == before
    except ValueError:
        return False


def _shown(value: Any, nothing: str) -> str:
    if value is None:
        return nothing
    text = strict_json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
