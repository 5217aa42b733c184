"""Signals: a handler that was set before lossrun started stays."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import lossrun
from lossrun.training.process.stopping import Request, listening
from tests.training.conftest import REGRESSION

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of Unix")

OURS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
IGNORED = (*OURS, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTSTP)


@contextmanager
def handled(number: int, handler: Any) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", OURS)
def test_a_signal_of_ours_becomes_a_request_and_is_given_back(number: int) -> None:
    # pytest has Python's own handler for SIGINT and none for the others.
    before = signal.getsignal(number)
    with listening() as asked:
        os.kill(os.getpid(), number)
        request = asked()
        assert request is not None
        assert signal.Signals[request.signal_name] == number
    assert signal.getsignal(number) is before


def test_each_signal_has_a_request_and_an_exit_code_of_its_own() -> None:
    """128 + number, as shells report a command that the signal has ended."""
    assert {signal.Signals[request.signal_name] for request in Request} == set(OURS)
    for request in Request:
        if request.error is not None:
            assert request.error.exit_code == 128 + signal.Signals[request.signal_name]
    assert [request for request in Request if request.error is None] == [Request.CHECKPOINT]


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("answered", [False, True])
def test_ctrl_c_after_another_stop_does_not_wait(first: signal.Signals, answered: bool) -> None:
    told: list[None] = []
    with listening(lambda: told.append(None)) as asked:
        os.kill(os.getpid(), first)
        assert len(told) == (first == signal.SIGINT)
        if answered:  # the state is being saved
            assert asked() is not None
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert len(told) == (first == signal.SIGINT)


def test_a_checkpoint_that_is_asked_for_is_no_stop() -> None:
    with listening() as asked:
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert asked() is Request.INTERRUPT
        assert asked() is None


@pytest.mark.parametrize("number", OURS)
def test_somebody_elses_decision_is_left_alone(number: int) -> None:
    heard = []
    for handler in (signal.SIG_IGN, lambda number, frame: heard.append(number)):
        with handled(number, handler):
            with listening() as asked:
                assert signal.getsignal(number) is handler
                os.kill(os.getpid(), number)
                assert asked() is None
            assert signal.getsignal(number) is handler
    assert heard == [number]


@pytest.mark.filterwarnings("ignore::UserWarning")  # the run is short
def test_training_from_python_takes_no_signal(tmp_path: Path) -> None:
    handlers = {number: signal.getsignal(number) for number in IGNORED}
    seen = {}

    def look(number: int, frame: object) -> None:
        seen[number] = {other: signal.getsignal(other) for other in IGNORED}

    with handled(signal.SIGUSR1, look):
        timer = threading.Timer(0.0, os.kill, (os.getpid(), signal.SIGUSR1))
        timer.start()
        lossrun.train(REGRESSION, runs_dir=tmp_path)
        timer.join()
    assert seen[signal.SIGUSR1] == handlers | {signal.SIGUSR1: look}
    assert {number: signal.getsignal(number) for number in IGNORED} == handlers


def test_outside_the_main_thread_nothing_is_taken() -> None:
    found = []

    def listen() -> None:
        with listening() as asked:
            found.append(asked())

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert found == [None]


def _ignoring() -> None:
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says which signals a process ignores")
def test_what_was_ignored_stays_ignored_from_the_first_import_to_the_end(tmp_path: Path) -> None:
    """As after `nohup`, or in the background of a script. The process itself reports at its end, and its child, git."""
    config = REGRESSION | {"epochs": 100_000}
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    (tmp_path / "bin").mkdir()
    git = tmp_path / "bin" / "git"
    git.write_text(f"#!/bin/sh\ngrep SigIgn /proc/self/status > {tmp_path}/git.txt\n")
    git.chmod(0o755)
    (tmp_path / ".git").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "lossrun", "train", "config.yaml"],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_ignoring,
    )
    assert process.stdout is not None
    for _ in range(4):
        process.stdout.readline()
    for number in IGNORED:
        os.kill(process.pid, number)
    for _ in range(20):
        assert process.stdout.readline()
    status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    process.kill()
    process.communicate()
    wanted = sum(1 << (number - 1) for number in IGNORED)
    ignored = int(next(line for line in status if line.startswith("SigIgn")).split()[1], 16)
    assert ignored & wanted == wanted
    # Python gives a child SIGPIPE back, of which nobody can say whether it was ignored.
    of_git = int((tmp_path / "git.txt").read_text().split()[1], 16)
    assert of_git & wanted == wanted & ~(1 << (signal.SIGPIPE - 1))


@pytest.mark.parametrize("command", ["--help", "list losses", "schema"])
def test_a_lost_reader_ends_a_command_quietly(tmp_path: Path, command: str) -> None:
    """With the exit code that a shell reports for any other command in this place, 128 + SIGPIPE; also where SIGPIPE
    was ignored from the start."""
    for first in ("", "trap '' PIPE;"):
        line = f"{first} {sys.executable} -m lossrun {command} | true; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")
