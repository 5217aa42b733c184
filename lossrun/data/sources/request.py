"""The request that a reader of a dataset gets."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossrun.data.samples.task import ANY_LOSS, LossTasks


@dataclass(frozen=True, slots=True)
class DataRequest:
    """A dataset's name and parameters, the folders to search for files, and what the loss means for the targets."""

    name: str
    parameters: Mapping[str, Any]
    config_dir: Path
    data_dir: Path
    ignored: str | float | None = None
    loss: LossTasks = ANY_LOSS
