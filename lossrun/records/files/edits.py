"""Compare config.yaml and run.json with what the ledger recorded when the run started.

The content is compared, not the text: comments, blanks, and the order of keys may change.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lossrun.records.files import strict_json

MOST: Final = 4  # keys shown with their values in a message; the others are only named
_LONGEST: Final = 60  # characters of a value in a message


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> dict[str, list[Any]]:
    """Return {dotted key: [old, new]} for every value that differs; None stands for a missing key."""
    found: dict[str, list[Any]] = {}
    for key in dict.fromkeys((*old, *new)):
        before: Any = old.get(key)
        after: Any = new.get(key)
        # Another component has other parameters, so it is one difference.
        mappings = isinstance(before, Mapping) and isinstance(after, Mapping)
        if mappings and before.get("name") == after.get("name"):
            found |= differences(before, after, f"{prefix}{key}.")
        elif before != after and not _same_number(before, after):
            found[f"{prefix}{key}"] = [before, after]
    return found


def edits(path: Path, recorded: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a sentence for each key of the file at `path` that differs from what was recorded."""
    changed = differences(_plain(recorded), _plain(found))
    found_edits = [
        f"{path.name}: {key} is {_shown(new, 'missing')}, but the run was started with {_shown(old, 'no such key')}: "
        "the file was edited afterwards"
        for key, (old, new) in list(changed.items())[:MOST]
    ]
    more = f"{path.name}: {', '.join(list(changed)[MOST:])} {'differs' if len(changed) == MOST + 1 else 'differ'} too"
    return (*found_edits, more) if len(changed) > MOST else tuple(found_edits)


def digest(config: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of a config's content."""
    return hashlib.sha256(json.dumps(_plain(config), sort_keys=True).encode()).hexdigest()


def _plain(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping as it comes out of JSON, with text as keys."""
    plain: dict[str, Any] = strict_json.loads_plain(strict_json.dumps(dict(mapping)))
    return plain


def _same_number(before: Any, after: Any) -> bool:
    """Return whether `after` is a number such as `1e-3`, which YAML 1.1 reads as a string."""
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
