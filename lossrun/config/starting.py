"""`lossrun new`: a copy of a packaged config to start from, and the schema that an editor checks it by."""

import json
import re
from pathlib import Path
from typing import Final

from lossrun.config.schema import json_schema
from lossrun.errors import UsageError
from lossrun.nearby import about_folder, nearest_first
from lossrun.packaged import packaged_configs
from lossrun.shell import PROGRAM, command

SCHEMA: Final = ".lossrun.schema.json"


def starting_text(name: str) -> str:
    """The packaged config. Raises UsageError for an unknown name."""
    configs = packaged_configs()
    if name not in configs:
        near = nearest_first(name, list(configs), "config", "to start from")
        raise UsageError(f"there is no config {name!r} to start from{near}")
    return configs[name].read_text(encoding="utf-8")


def schema_text() -> str:
    return json.dumps(json_schema(), indent=2) + "\n"


def write_config(name: str, path: Path) -> Path:
    """Write the packaged config to a file that does not exist yet, and next to it the schema, which is returned.

    The first line tells editors where the schema is, and the commands in the comments name the new file.
    Raises UsageError.
    """
    text = f"# yaml-language-server: $schema=./{SCHEMA}\n{_about(path, name, starting_text(name))}"
    schema = path.with_name(SCHEMA)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists already and is left alone; choose another file with --output") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}{about_folder(path)}") from None
    try:
        schema.write_text(schema_text(), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} is written, but {schema} cannot be: {error.strerror}; move what is there") from None
    return schema


def _about(path: Path, name: str, text: str) -> str:
    """The text with its commands about `path`."""
    # A line break would end the comment that the command stands in, and bytes that are no text cannot be written.
    if not str(path).isprintable():
        return text
    return re.sub(rf"{PROGRAM} (train|check) {re.escape(name)}(?![\w-])", lambda told: command(told[1], path), text)
