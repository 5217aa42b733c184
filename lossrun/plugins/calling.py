"""Call a user's code, and report what it raises as an error of that code, with the line in the user's file."""

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
    """Turn anything that the block raises, SystemExit included, into one error of the `kind`.

    Args:
        what: What failed, such as `loss: mine:robust`.
        raised: The words before the name of the user's exception.
        doing: What needed too much memory, if there was too little.
        smaller: How to need less memory.
        fix: What to do about any other exception.
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
