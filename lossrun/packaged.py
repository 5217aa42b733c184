"""The configs that come with lossrun. Each can be trained by its name, and `lossrun new` copies it."""

import os
from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).parent


def packaged_configs() -> dict[str, Path]:
    """Return every config that comes with lossrun, by name."""
    # A wheel has them inside the package (setup.py), a clone next to it.
    inside = _PACKAGE / "configs"
    folder = inside if inside.is_dir() else _PACKAGE.parent / "configs"
    return {path.stem: path for path in sorted(folder.rglob("*.yaml"), key=lambda path: path.stem)}


def packaged_config(named: Path) -> Path | None:
    """Return the packaged config that a CONFIG argument means; None if it means a file.

    A file in the current folder comes first. A folder with the same name does not matter.
    """
    is_file = os.path.exists(named) and not named.is_dir()  # noqa: PTH110  # never raises, unlike Path.exists
    return None if is_file else packaged_configs().get(str(named))
