"""Calling a user's code: whatever it raises is told as the user's, with the line of the user's file."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lossrun.errors import LossrunError, UsageError, ran_out_of_memory
from lossrun.plugins.sources import is_installed

SMALLER: Final = "make the model, batch_size or the number of seeds smaller"
_PACKAGE: Final = Path(__file__).parents[1]


@contextmanager
def users_code(
    what: str,
    raised: str = "raised",
    doing: str = "",
    *,
    kind: type[LossrunError] = UsageError,
    smaller: str = SMALLER,
    fix: str = "",
) -> Iterator[None]:
    """Raises an error of the `kind` for anything that the block raises, SystemExit included.

    It says `what` failed, as `loss: mine:robust`; `raised`, before the name of the user's exception; or that there was
    not enough memory, `doing` what, and how to need less. `fix`: behind any other exception.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(Path(frame.filename))]
        place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
        if ran_out_of_memory(error):
            raise kind(f"{what} ran out of memory{doing}{place}; {smaller}") from error
        raise kind(f"{what} {raised} {type(error).__name__}: {error}{place}{fix}") from error


def _is_users(path: Path) -> bool:
    return path.is_absolute() and not path.is_relative_to(_PACKAGE) and not is_installed(path)
