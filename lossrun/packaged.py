"""The configs that come with lossrun. Each can be trained by its name, and `lossrun new` copies it."""

import os
from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).parent


def packaged_configs() -> dict[str, Path]:
    """Every config that comes with lossrun, by name."""
    # A wheel holds them inside the package (setup.py); in a clone they stand next to it.
    inside = _PACKAGE / "configs"
    folder = inside if inside.is_dir() else _PACKAGE.parent / "configs"
    return {path.stem: path for path in sorted(folder.rglob("*.yaml"), key=lambda path: path.stem)}


def packaged_config(named: Path) -> Path | None:
    """The config that comes with lossrun and is meant by a CONFIG argument; None where a file is meant.

    A file in the current folder wins. A folder is no config, so it stands in nobody's way.
    """
    is_file = os.path.exists(named) and not named.is_dir()  # noqa: PTH110  # never raises, unlike Path.exists
    return None if is_file else packaged_configs().get(str(named))
