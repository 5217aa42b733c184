"""Copy a packaged config to start from, and give the schema for an editor, for `lossrun new`."""

import json
import re
from pathlib import Path
from typing import Final

from lossrun.config.schema import json_schema
from lossrun.errors import UsageError
from lossrun.nearby import nearest_first
from lossrun.packaged import packaged_configs
from lossrun.shell import PROGRAM, command

SCHEMA: Final = ".lossrun.schema.json"


def starting_text(name: str) -> str:
    """Return the packaged config.

    Raises:
        UsageError: For an unknown name.
    """
    configs = packaged_configs()
    if name not in configs:
        near = nearest_first(name, list(configs), "config", "to start from")
        raise UsageError(f"there is no config {name!r} to start from{near}")
    return configs[name].read_text(encoding="utf-8")


def schema_text() -> str:
    return json.dumps(json_schema(), indent=2) + "\n"


def config_to_start_from(name: str, path: Path) -> str:
    """Return the packaged config as it is written to `path`, with the schema next to it.

    The first line tells editors where the schema is, and the commands in the comments name the new file.

    Raises:
        UsageError: For an unknown name.
    """
    return f"# yaml-language-server: $schema=./{SCHEMA}\n{_about(path, name, starting_text(name))}"


def _about(path: Path, name: str, text: str) -> str:
    """Return the text with its commands changed to use `path`."""
    # A line break would end the comment with the command, and bytes that are not text cannot be written.
    if not str(path).isprintable():
        return text
    return re.sub(
        rf"{PROGRAM} (train|check|sweep) {re.escape(name)}(?![\w-])", lambda found: command(found[1], path), text
    )
