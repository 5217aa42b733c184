"""The command line, run in this process: torch is imported once for all tests. And in another process where a test
is about the process: there, too, one after the other where they can."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lossrun.cli import main


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def lossrun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`lossrun("train", "config.yaml")` in a folder of its own: exit code and both streams."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["lossrun", *arguments])
        code: object = 0
        try:
            main()
        except SystemExit as leaving:
            code = leaving.code
        captured = capsys.readouterr()
        return Result(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run


COMMANDS = """
import json, os, sys
from lossrun.cli import main
apart = len(sys.argv) > 2
for module in sys.argv[3:]:
    __import__(module)
for arguments in json.loads(sys.argv[1]):
    if apart and (child := os.fork()):
        os.waitpid(child, 0)
        continue
    sys.argv = ["lossrun", *arguments]
    code = 0
    try:
        if arguments[0] == "pytest":
            import pytest
            code = int(pytest.main(arguments[1:]))
        else:
            main()
    except SystemExit as leaving:
        code = leaving.code or 0
    sys.stdout.flush()
    report = json.dumps({"code": code, "modules": sorted(sys.modules)}).encode()
    for stream, end in ((1, b""), (2, report)):
        os.write(stream, b"\\0" + end + b"\\0")
    if apart:
        os._exit(0)
"""


@dataclass(frozen=True)
class Done:
    """A command that ran in another process, with what it printed and the modules imported by then."""

    arguments: Sequence[str]
    code: int
    out: bytes
    err: bytes
    modules: frozenset[str]


def in_another_process(
    commands: Sequence[Sequence[str]],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    apart: Sequence[str] | None = None,
) -> list[Done]:
    """The commands one after the other in one new process that starts in that folder, for tests of what belongs to a
    process: its encodings, its environment, its imports, another copy of the package. To start one for each would
    import torch for each. A command is the arguments of lossrun, or `pytest` and its arguments.

    `apart`: each command in a fork of the process, which has imported the command line and these modules."""
    forked = [] if apart is None else ["apart", *apart]
    program = [sys.executable, "-c", COMMANDS, json.dumps(commands), *forked]
    result = subprocess.run(
        program, cwd=folder, env=os.environ if environment is None else environment, capture_output=True, check=False
    )
    assert result.returncode == 0, result.stderr.decode(errors="replace")
    outs, errs = result.stdout.split(b"\0")[:-1:2], result.stderr.split(b"\0")[:-1]
    reports = [json.loads(report) for report in errs[1::2]]
    return [
        Done(arguments, report["code"], out, err, frozenset(report["modules"]))
        for arguments, report, out, err in zip(commands, reports, outs, errs[::2], strict=True)
    ]


CONFIG = """\
dataset: {name: synthetic_regression, samples: 100, features: 3}
model: {name: mlp, hidden: [4]}
loss: mse
optimizer: adam
learning_rate: 0.03
epochs: 3
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path
