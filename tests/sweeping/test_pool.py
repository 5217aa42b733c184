"""Worker processes, whatever program starts them and wherever."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import lossrun
from lossrun.errors import UsageError
from lossrun.records.status import status
from lossrun.sweeping.pool import prepare_workers, worker_pool
from tests.crash import inline_pool
from tests.sweeping.conftest import BASE

# At the top of a script and without `if __name__ == "__main__"`, as people write it. SIGTERM is ignored, as by a
# program that was started so, and the program has a process of its own.
SCRIPT = """
import signal
import subprocess
import sys
from lossrun.sweeping.pool import worker_pool

print("started")
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with worker_pool(1) as pool:
    print(pool.submit(abs, -3).result())
    pool.submit(print, "by a worker").result()
    print(pool.submit(signal.getsignal, signal.SIGTERM).result() == signal.SIG_DFL)
"""
OTHERS = """
import time
from multiprocessing import get_context
from lossrun.sweeping.pool import worker_pool

other = get_context("fork").Process(target=time.sleep, args=(60,))
other.start()
with worker_pool(1) as pool:
    sleeping = pool.submit(time.sleep, 60)
    while not sleeping.running():
        time.sleep(0.01)
    pool.terminate()
    print(type(sleeping.exception()).__name__, other.is_alive())
other.kill()
"""
PREPARED = """
from lossrun.errors import RunError
from lossrun.sweeping.pool import prepare_workers

try:
    prepare_workers()
except RunError as error:
    print(error)
"""


def ran(folder: Path, script: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    path = folder / "script.py"
    path.write_text(script)
    return subprocess.run(
        [sys.executable, str(path)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.mark.slow
def test_a_script_without_a_main_guard_is_not_run_by_its_workers(tmp_path: Path) -> None:
    """And workers can be stopped by SIGTERM, although they inherit that it is ignored. They print to stderr."""
    done = ran(tmp_path, SCRIPT)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["started", "3", "True"], "by a worker\n")


@pytest.mark.slow
def test_only_workers_are_stopped_and_no_other_processes_of_the_program(tmp_path: Path) -> None:
    done = ran(tmp_path, OTHERS)
    assert (done.returncode, done.stdout.split()) == (0, ["BrokenProcessPool", "True"]), done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not blocked on Windows")
def test_ctrl_c_waits_until_the_pool_knows_its_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was being started when Ctrl-C came twice printed a traceback after the command had ended."""
    known = []

    def submit(_pool: ProcessPoolExecutor, _task: Any, /, *_arguments: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)  # for the other thread to receive it
        known.append("process")

    monkeypatch.setattr(ProcessPoolExecutor, "submit", submit)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    # The system gives a signal to any thread of the process that does not block it.
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    try:
        with pytest.raises(KeyboardInterrupt), worker_pool(1) as pool:
            pool.submit(abs, -3)
    finally:
        over.set()
        other.join()
        signal.signal(signal.SIGINT, before)
    assert known == ["process"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there is no fork server on Windows")
@pytest.mark.parametrize("folder", ["x" * 120, "absent"])
def test_a_temporary_folder_that_cannot_be_used_is_named(tmp_path: Path, folder: str) -> None:
    """A socket's path has at most 108 characters. Where TMPDIR does not exist, Python takes another folder."""
    temporary = tmp_path / folder
    if folder != "absent":
        temporary.mkdir()
    done = ran(tmp_path, PREPARED, TMPDIR=str(temporary))
    assert (done.returncode, done.stderr) == (0, "")
    assert ("worker processes cannot be started: AF_UNIX path too long; the variable TMPDIR" in done.stdout) == (
        folder != "absent"
    )


@pytest.mark.parametrize("start", [lossrun.sweep, lossrun.find_lr])
def test_a_process_that_may_start_no_others_is_told_so_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: Callable[..., Any]
) -> None:
    monkeypatch.setattr("lossrun.sweeping.pool.current_process", lambda: SimpleNamespace(daemon=True))
    monkeypatch.chdir(tmp_path)
    options = {"over": "loss=mse,mae"} if start is lossrun.sweep else {}
    with pytest.raises(UsageError, match="a daemonic process of multiprocessing, such as this one, may not"):
        start({**BASE}, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_what_ends_a_terminal_is_left_to_the_process_that_started_the_workers(name: str) -> None:
    """Both signals reach every process of a terminal; multiprocessing's own would end with a traceback."""
    with worker_pool(1) as pool:
        assert pool.submit(signal.getsignal, getattr(signal, name)).result() is signal.SIG_IGN


# A dataset and a loss that end their own process once, as somebody who ends one worker of a sweep.
MINE = """
import os, signal
from pathlib import Path
import numpy as np
from lossrun import Dataset

def is_planned():
    return list(Path("runs").glob("*"))

def end(when):
    if os.environ["ENDS"] == when and is_planned() and not Path("ended").exists():
        Path("ended").touch()
        os.kill(os.getpid(), signal.SIGTERM)

def data():
    end("reading")
    points = np.linspace(-1, 1, 60).reshape(-1, 1)
    return Dataset(train=(points, points), task="regression")

def loss(outputs, targets):
    end("training")
    return (outputs - targets).square().mean(dim=1)

def slow(outputs, targets):
    if is_planned():
        Path("training").touch()
    return loss(outputs, targets)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("when", ["reading", "training"])
def test_a_worker_that_is_terminated_alone_leaves_nothing_and_its_cells_go_on(
    when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"ends_{when}.py").write_text(MINE)  # imported once
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENDS", when)
    own = {"dataset": f"ends_{when}:data", "loss": f"ends_{when}:loss"}
    with inline_pool.installed():
        found = lossrun.sweep({**BASE, **own}, over="optimizer=sgd,adam", overrides=["seeds=2"])
    assert (tmp_path / "ended").exists()
    assert [status(cell.path) for cell in found.final] == ["finished"] * 2
    assert not [path for path in found.path.rglob("*") if path.suffix == ".tmp" or path.name == "owner.json"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_signals_to_every_process_of_a_sweep(tmp_path: Path) -> None:
    """As batch systems send them: also to the processes that multiprocessing starts for itself."""
    (tmp_path / "mine.py").write_text(MINE)
    config = {**BASE, "dataset": "mine:data", "loss": "mine:slow", "epochs": 100_000, "step": "eager"}
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    command = [sys.executable, "-m", "lossrun", "sweep", "config.yaml", "--over", "optimizer=sgd,adam", "--jobs=1"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "ENDS": "never"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    for number in (signal.SIGUSR1, signal.SIGUSR1, signal.SIGTERM):
        while not (tmp_path / "training").exists():
            assert process.poll() is None
            time.sleep(0.01)
        (tmp_path / "training").unlink()
        os.killpg(process.pid, number)
    _, said = process.communicate()
    assert process.returncode == 143, said
    assert "lossrun resume" in said
    assert "Traceback" not in said
    assert "Warning" not in said
    (sweep,) = (tmp_path / "runs").iterdir()
    assert not [path for path in sweep.rglob("*") if path.suffix == ".tmp" or path.name == "owner.json"]


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP", "SIGTERM", "SIGUSR1"])
def test_a_signal_is_not_lost_while_the_process_of_the_workers_starts(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    number = getattr(signal, name)

    def start() -> None:
        os.kill(os.getpid(), number)
        seen.append("started")

    monkeypatch.setattr("multiprocessing.forkserver.ensure_running", start)
    before = signal.signal(number, lambda *_: seen.append("told"))
    try:
        prepare_workers()
    finally:
        signal.signal(number, before)
    assert seen == ["started", "told"]
