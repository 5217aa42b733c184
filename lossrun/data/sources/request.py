"""What a reader of a dataset is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class DataRequest:
    """A dataset's name and parameters, the folders that files are looked up in, and the label that the loss ignores."""

    name: str
    parameters: Mapping[str, Any]
    config_dir: Path
    data_dir: Path
    ignored: str | float | None = None
