"""Write a config to start from, and the schema for an editor, for `lossrun new`."""

from pathlib import Path

from lossrun.config.starting import SCHEMA, config_to_start_from, schema_text
from lossrun.errors import UsageError
from lossrun.files import is_there
from lossrun.report.layout.files import already_exists, save, save_new


def write_config(name: str, path: Path) -> Path:
    """Write the packaged config to a new file, and the schema next to it; return the schema's path.

    The config comes last, so that the command can be given again if it was stopped between the two.

    Raises:
        UsageError: If the file exists, or there is no such config.
        RunError: If one of them cannot be written.
    """
    text = config_to_start_from(name, path)
    if is_there(path):
        raise UsageError(already_exists(path))
    schema = path.with_name(SCHEMA)
    save(schema_text().encode(), schema, "--output")
    save_new(text, path)
    return schema
