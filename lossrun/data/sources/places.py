"""The folders of datasets, and of the arrays decoded from them."""

import os
from pathlib import Path
from typing import Final

from lossrun.errors import UsageError
from lossrun.files import named_path

# A folder that cannot exist, for the cache of a user without a home directory.
_NOWHERE: Final = Path(os.devnull)


def default_data_dir() -> Path:
    """Return `$LOSSRUN_DATA_DIR`, or the platform's cache folder for lossrun."""
    named = os.environ.get("LOSSRUN_DATA_DIR")
    if not named:
        return _user_cache()
    path = named_path(named)
    if path.parts[:1] == ("~",):
        raise UsageError(f"LOSSRUN_DATA_DIR={named}: there is no home directory; write the whole path")
    return path


def has_no_home(folder: Path) -> bool:
    """Return whether `folder` is a cache that cannot exist, because there is no home directory."""
    return folder.is_relative_to(_NOWHERE)


def array_cache_dir() -> Path:
    """Return the folder of decoded arrays. It is not the data folder, which may be shared or read-only."""
    return _user_cache() / "arrays"


def _user_cache() -> Path:
    from platformdirs import user_cache_path

    try:
        path = user_cache_path("lossrun", appauthor=False)
    except RuntimeError:  # no HOME, and the user is not in the list of users
        return _NOWHERE / "lossrun"
    return _NOWHERE / "lossrun" if path.parts[:1] == ("~",) else path  # as older versions of platformdirs have it
