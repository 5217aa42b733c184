"""Write a copy of a packaged config to start from, and the schema for an editor, for `lossrun new`."""

import json
import re
from pathlib import Path
from typing import Final

from lossrun.config.new_file import save_new
from lossrun.config.schema import json_schema
from lossrun.errors import RunError, UsageError
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


def write_config(name: str, path: Path) -> Path:
    """Write the packaged config to a new file, and the schema next to it; return the schema's path.

    The first line tells editors where the schema is, and the commands in the comments name the new file.

    Raises:
        UsageError: If the file exists.
        RunError: If it cannot be written, or the schema cannot.
    """
    text = f"# yaml-language-server: $schema=./{SCHEMA}\n{_about(path, name, starting_text(name))}"
    schema = path.with_name(SCHEMA)
    save_new(text, path)
    try:
        schema.write_text(schema_text(), encoding="utf-8")
    except OSError as error:
        raise RunError(f"{path} was written, but {schema} cannot be written: {error.strerror}; move it away") from None
    return schema


def _about(path: Path, name: str, text: str) -> str:
    """Return the text with its commands changed to use `path`."""
    # A line break would end the comment with the command, and bytes that are not text cannot be written.
    if not str(path).isprintable():
        return text
    return re.sub(
        rf"{PROGRAM} (train|check|sweep) {re.escape(name)}(?![\w-])", lambda found: command(found[1], path), text
    )
