"""Pipes that their reader closes, and a screen that accepts no more output."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lossrun.records import recorded
from tests.crash.forks import Done, forks

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and /dev/full of Unix")


def test_a_run_goes_on_when_its_screen_goes_away(config: Path, tmp_path: Path) -> None:
    """Each process is ended by the interpreter, because it may complain about its streams only then."""
    train, pipe = ("train", config.name), tmp_path / "pipe"
    os.mkfifo(pipe)
    with forks() as server:
        started = server.start((*train, "--set", "epochs=30"), tmp_path, out=pipe, ends_itself=True)
        with pipe.open() as reader:
            assert reader.readline()
        ended: list[Done] = [
            started.done(),
            server.run(train, tmp_path, out=Path("/dev/full"), ends_itself=True),
            server.run(train, tmp_path, prepare="tests.crash.surroundings:spoil", stream="none", ends_itself=True),
        ]
    assert [done.code for done in ended] == [0] * 3
    assert [done.err for done in ended if "Traceback" in done.err or "Exception ignored" in done.err] == []
    assert [recorded.load(run).status for run in (tmp_path / "runs").iterdir()] == ["finished"] * 3


def test_a_command_that_cannot_print_says_so_by_its_exit_code(config: Path, tmp_path: Path) -> None:
    lossrun = f"{sys.executable} -m lossrun"

    def shell(command: str) -> int:
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, check=False, text=True)
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr
        return done.returncode

    assert shell(f"{lossrun} ls > /dev/full") == 4
    assert shell(f"set -o pipefail; {lossrun} script {config.name} --as pytorch | true") == 141
    assert shell(f"{lossrun} manual >&-") == 0
