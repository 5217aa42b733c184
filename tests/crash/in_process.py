"""Commands of lossrun in this process, one after the other: torch is imported once."""

import contextlib
import io
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from lossrun.cli import main


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """All that was printed, without line breaks."""
        return " ".join(f"{self.out} {self.err}".split())


def run(arguments: Sequence[str], folder: Path) -> Said:
    """Run `lossrun ARGUMENTS` in a folder. An exception that gets out is exit 1 with its traceback, as for a user."""
    # A stream of its own, with bytes underneath: a command may want to write those.
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    code: object = 0
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["lossrun", *arguments]),
    ):
        try:
            main()
        except SystemExit as leaving:
            code = leaving.code
        except Exception:
            code = 1
            traceback.print_exc()
    texts = []
    for stream in (out, err):
        assert isinstance(stream.buffer, io.BytesIO)
        texts.append(stream.buffer.getvalue().decode(errors="surrogateescape"))  # a name of a file may be no text
    return Said(code if isinstance(code, int) else int(code is not None), *texts)


def problem_of(said: Said) -> str:
    """Return the last line of a traceback; "" without one."""
    if said.code != 1 and "Traceback" not in said.err:
        return ""
    return f"exit {said.code}, {(said.err.strip().splitlines() or ['nothing said'])[-1]}"
