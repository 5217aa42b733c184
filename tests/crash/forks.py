"""Commands of lossrun in processes of their own, forked from one that has imported everything."""

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import lossrun

ROOT = Path(lossrun.__file__).parents[1]
LIMIT = 600  # seconds that a command may take, on a machine that is busy


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended.

    Attributes:
        code: The exit code; -9 for a process that SIGKILL ended, and -14 for one that ran into its limit.
        computing: The seconds of a core that it took.
        memory: The most bytes of memory that it held, with what it was forked with.
        torch: Whether torch was imported by then; None if the process could not say.
    """

    code: int
    out: str
    err: str
    seconds: float
    computing: float
    memory: int
    torch: bool | None

    def problem(self, *codes: int) -> str:
        """Return what is wrong with how it ended, if it ought to have ended with one of these codes."""
        if "Traceback" in self.err:
            return f"a traceback: {self.err.strip().splitlines()[-1]}"
        if self.code not in codes:
            return f"exit {self.code}, expected {' or '.join(map(str, codes))}: {self.err.strip()[-300:]}"
        return ""


class Started:
    """A command that runs."""

    def __init__(self, server: "Forks", pid: int, files: Mapping[str, Path]) -> None:
        self.pid = pid
        self._server = server
        self._files = files

    def has_ended(self) -> bool:
        """Return whether it has ended: then it is a zombie, until somebody asks how."""
        return ") Z " in Path(f"/proc/{self.pid}/stat").read_text()

    def lines(self) -> int:
        """Return how many lines it has printed so far."""
        path = self._files["out"]
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        os.kill(self.pid, number)

    def done(self) -> Done:
        """Wait for its end."""
        facts = self._server.asked({"wait": self.pid})
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # processes that it started
        # None of them is there, or whole, if it was killed before it could write them.
        texts = {name: path.read_bytes() if path.exists() else b"" for name, path in self._files.items()}
        out, err = (texts[name].decode(errors="replace") for name in ("out", "err"))
        torch = json.loads(texts["report"])["torch"] if texts["report"].endswith(b"}") else None
        for path in self._files.values():
            path.unlink(missing_ok=True)
        return Done(facts["code"], out, err, facts["seconds"], facts["computing"], facts["memory"], torch)


class Forks:
    """The other side of `fork_server.py`."""

    def __init__(self, folder: Path, kind: str = "torch") -> None:
        self._folder = folder
        self._numbers = count()
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PYTHONWARNINGS": "ignore::DeprecationWarning",
        }
        environment.pop("COLUMNS", None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.fork_server", kind],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def asked(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request, and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the server of forks has ended"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def start(
        self,
        arguments: Sequence[str],
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        prepare: str = "",
        before: Mapping[str, Mapping[str, Any]] | None = None,
        limit: int = LIMIT,
        out: Path | None = None,
        ends_itself: bool = False,
        **given: Any,
    ) -> Started:
        """Start `lossrun ARGUMENTS` in a folder.

        Args:
            prepare: `module:function`, called with `given` in the new process before the command.
            before: Further such functions, which are called before that, with their arguments.
            limit: Seconds after which it is ended.
            out: What it writes its standard output to, such as a pipe; left out: `Done.out`.
            ends_itself: The interpreter ends the process, as it does outside of tests, which takes a little longer.
        """
        number = next(self._numbers)
        files = {name: self._folder / f"{number}.{name}" for name in ("out", "err", "report")}
        paths = {name: str(path) for name, path in files.items()} | ({"out": str(out)} if out else {})
        answer = self.asked(
            {
                "arguments": list(arguments),
                "folder": str(folder),
                "environment": dict(environment or {}),
                "prepare": {**(before or {}), **({prepare: given} if prepare else {})},
                "limit": limit,
                "ends_itself": ends_itself,
                **paths,
            }
        )
        return Started(self, answer["pid"], files)

    def run(self, arguments: Sequence[str], folder: Path, **options: Any) -> Done:
        """Start a command, and wait for its end."""
        return self.start(arguments, folder, **options).done()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


@contextmanager
def forks(kind: str = "torch") -> Iterator[Forks]:
    """Lend the server of forks to an attack. `kind`: `torch`, or `light` without it."""
    yield _server(kind)


@cache
def _server(kind: str) -> Forks:
    """It serves all attacks of this process, because to import torch takes longer than many of them."""
    folder = tempfile.TemporaryDirectory()
    server = Forks(Path(folder.name), kind)
    atexit.register(folder.cleanup)
    atexit.register(server.close)
    return server
