"""Call a user's code, and report what it raises as an error of that code, with the line in the user's file."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
        line = _users_line(error)
        place = f" ({line})" if line else ""
        if ran_out_of_memory(error):
            raise kind(f"{what} ran out of memory{doing}{place}; {smaller}") from error
        raise kind(f"{what} {raised} {_told(error)}{place}{fix}") from error


@contextmanager
def own_code_errors(doing: str) -> Iterator[None]:
    """Turn what a user's code raises somewhere in the block into one UsageError. Errors of lossrun pass.

    Args:
        doing: What the block does: "to predict".
    """
    try:
        yield
    except LossrunError:
        raise
    except (Exception, SystemExit) as error:
        if failure := own_code_failure(error):
            raise UsageError(f"{failure}, called {doing}; fix it there") from error
        raise


@contextmanager
def restores_current_folder() -> Iterator[None]:
    """Return to the current folder afterwards: a user's code may go elsewhere, and relative paths would move with it.

    Otherwise a run would be made in a folder that nobody looks into.
    """
    try:
        before = Path.cwd()
    except OSError:  # it was removed
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError):
            os.chdir(before)


def own_code_failure(error: BaseException) -> str:
    """Say what a user's code raised and where, if the error comes from such code; "" for any other error."""
    # In a generator, Python turns a StopIteration into a RuntimeError.
    raised = error.__cause__ if isinstance(error.__cause__, StopIteration) else error
    line = _users_line(raised)
    return f"your own code raised {_told(raised)} ({line})" if line else ""


def _users_line(error: BaseException) -> str:
    """Return `file:line` of the innermost call in the user's code on the way to the error; "" if there is none."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(Path(frame.filename))]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _told(error: BaseException) -> str:
    """Write the name of the error, and its text if it has one that can be written."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # a user's class may raise anything here too
        return name
    return f"{name}: {text}" if text else name


def _is_users(path: Path) -> bool:
    return path.is_absolute() and not path.is_relative_to(_PACKAGE) and not is_installed(path)
