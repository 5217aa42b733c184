"""A run that a signal ends: exit code, what is said, and where it can go on."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lossrun.records import ledger
from lossrun.records.run_directory import RunDirectory
from lossrun.training.process.stopping import Request
from tests.cli.conftest import CONFIG, Run
from tests.crash.forks import forks
from tests.training.conftest import rows

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of Unix")

# A loss that sends its own process signals, once, in the second epoch. It counts where nobody takes it for its state.
MINE = """
import os, signal

def loss(outputs, targets, signals=()):
    calls = int(os.environ.get("CALLS", 0)) + 1
    os.environ["CALLS"] = str(calls)
    if calls == 15:
        for name in signals:
            os.kill(os.getpid(), getattr(signal, name))
    return (outputs - targets).square().mean(dim=1)
"""
STOPS = [request for request in Request if request.error is not None]


@pytest.fixture(autouse=True)
def no_calls_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLS", "0")


def configured(tmp_path: Path, *signals: str) -> None:
    (tmp_path / "signalling.py").write_text(MINE)
    loss = f"{{name: 'signalling:loss', signals: [{', '.join(signals)}]}}"
    text = CONFIG.replace("loss: mse", f"loss: {loss}").replace("epochs: 3", "epochs: 40")
    (tmp_path / "config.yaml").write_text(f"{text}step: eager\n")


def events(tmp_path: Path) -> list[dict[str, object]]:
    (ledger,) = (tmp_path / "runs").glob("*/ledger.jsonl")
    return [json.loads(line) for line in ledger.read_text().splitlines()]


@pytest.mark.parametrize("request_", STOPS, ids=lambda request: request.signal_name)
def test_a_stop_saves_the_state_and_says_how_to_go_on(lossrun: Run, tmp_path: Path, request_: Request) -> None:
    configured(tmp_path, request_.signal_name)
    ended = lossrun("train", "config.yaml")
    assert ended.code == 128 + signal.Signals[request_.signal_name]
    assert f"{request_.reason} in epoch" in ended.err
    last = events(tmp_path)[-1]
    assert (last["event"], last["reason"]) == ("stopped", request_.reason)
    # In the run the loss has been called already.
    assert lossrun("resume", "last", "--quiet", "--set", "epochs=5").code == 0
    assert events(tmp_path)[-1]["event"] == "finished"


def test_a_second_ctrl_c_says_what_is_saved(lossrun: Run, tmp_path: Path) -> None:
    configured(tmp_path, "SIGINT", "SIGINT")
    ended = lossrun("train", "config.yaml")
    assert ended.code == 130
    assert "interrupted twice, after step" in ended.err
    assert "lossrun resume" in ended.err
    assert events(tmp_path)[-1]["event"] != "stopped"
    assert lossrun("resume", "last", "--quiet", "--set", "epochs=5").code == 0


@pytest.mark.parametrize("first", ["SIGINT", "SIGTERM"])
def test_a_second_ctrl_c_before_the_first_step_says_how_to_go_on(tmp_path: Path, first: str) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    with forks() as server:
        done = server.run(
            ("train", "config.yaml"),
            tmp_path,
            prepare="tests.crash.phases:interrupt_in",
            function="report.training:banner",
            name=f"{first} SIGINT",
        )
    assert done.code == 130
    assert "interrupted twice, after step 0; the state of step 0 is saved; continue with\n  lossrun resume" in done.err


def test_a_second_ctrl_c_in_find_lr_says_that_nothing_was_written(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    with forks() as server:
        done = server.run(
            ("find-lr", "config.yaml", "--jobs", "1"),
            tmp_path,
            prepare="tests.crash.phases:interrupt_in",
            function="analysis.rate_search:search",
            name="SIGINT SIGINT",
        )
    assert (done.code, done.err.strip()) == (130, "note: interrupted twice; nothing was written")


# A model that takes forever to be evaluated, if it was asked to, once the run has begun.
SLOW = """
import os, pathlib, time
import torch

class Slow(torch.nn.Linear):
    def __init__(self, input_shape, output_size):
        super().__init__(input_shape[0], output_size)

    def forward(self, inputs):
        if not self.training and os.environ.get("SLOW") and any(pathlib.Path("runs").glob("*-stopped")):
            pathlib.Path("begun").touch()
            for _ in range(60_000):
                time.sleep(0.01)
        return super().forward(inputs)
"""


def test_ctrl_c_ends_a_long_validation_which_is_done_again_later(lossrun: Run, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "config.yaml").write_text(CONFIG.replace("{name: mlp, hidden: [4]}", "'slow:Slow'") + "step: eager\n")
    assert lossrun("train", "config.yaml", "--quiet", "--name", "whole").code == 0
    with forks() as server:
        started = server.start(("train", "config.yaml", "--name", "stopped"), tmp_path, environment={"SLOW": "1"})
        while not started.has_ended() and not (tmp_path / "begun").exists():
            time.sleep(0.01)
        started.kill(signal.SIGINT)
        done = started.done()
    assert done.code == 130
    assert "interrupted in epoch 1" in done.err
    assert lossrun("resume", "stopped", "--quiet").code == 0
    whole, stopped = (RunDirectory(*(tmp_path / "runs").glob(f"*-{name}")) for name in ("whole", "stopped"))
    assert rows(whole) == rows(stopped)
    assert len(rows(whole)) == 3


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("training.starting.prepare:prepare", "nothing was being trained"),
        ("records.files.new_directories:_renamed", "continue with\n  lossrun resume"),
        ("records.lock:writing", "continue with\n  lossrun resume"),
        ("screen:train_on_screen", "continue with\n  lossrun resume"),
        ("screen:_ending", r"\S+ is finished"),
    ],
)
def test_a_stop_outside_of_training_says_what_becomes_of_the_run(tmp_path: Path, function: str, words: str) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    with forks() as server:
        done = server.run(
            ("train", "config.yaml"),
            tmp_path,
            prepare="tests.crash.phases:interrupt_in",
            function=function,
            name="SIGTERM",
        )
    assert done.code == 143
    assert re.search(f"terminated; {words}", done.err)
    assert (tmp_path / "runs").exists() == ("nothing" not in words)


def test_ctrl_c_ends_the_trial_of_settings_which_are_tried_again_later(lossrun: Run, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.replace("learning_rate: 0.03", "learning_rate: 1e-7"))
    assert lossrun("train", "config.yaml", "--quiet", "--name", "whole").code == 0
    with forks() as server:
        done = server.run(
            ("train", "config.yaml", "--name", "stopped"),
            tmp_path,
            prepare="tests.crash.phases:interrupt_in",
            function="training.trial:SettingsTrial.__call__",
            name="SIGINT",
        )
    assert done.code == 130
    assert "state saved; continue with" in done.err
    assert lossrun("resume", "stopped", "--quiet").code == 0
    whole, stopped = (RunDirectory(*(tmp_path / "runs").glob(f"*-{name}")) for name in ("whole", "stopped"))
    assert rows(whole) == rows(stopped)
    told = [
        [
            (event["diagnosis"], event["epoch"])
            for event in ledger.read(run.ledger_path)
            if event["event"] == "diagnosed"
        ]
        for run in (whole, stopped)
    ]
    assert told[0] == told[1] != []


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGTERM,), (signal.SIGINT,), (signal.SIGINT, signal.SIGINT)],
    ids=lambda signals: " ".join(number.name for number in signals),
)
def test_the_cursor_is_there_again(tmp_path: Path, signals: tuple[signal.Signals, ...]) -> None:
    pty = pytest.importorskip("pty")
    (tmp_path / "config.yaml").write_text(CONFIG.replace("epochs: 3", "epochs: 100000"))
    ours, theirs = pty.openpty()
    with forks() as server:
        started = server.start(("train", "config.yaml"), tmp_path, out=Path(os.ttyname(theirs)))
        seen = b""
        while b"/100000" not in seen:  # of the progress bar
            seen += os.read(ours, 1024)
        for number in signals:
            started.kill(number)
        while not started.has_ended():
            if select.select([ours], [], [], 0.01)[0]:
                seen += os.read(ours, 1024)
        done = started.done()
    os.close(theirs)
    while select.select([ours], [], [], 0)[0] and (more := read_or_nothing(ours)):
        seen += more
    os.close(ours)
    assert done.code == 128 + signals[0]
    assert 0 <= seen.rfind(HIDE_CURSOR) < seen.rfind(SHOW_CURSOR)


HIDE_CURSOR, SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"  # DECTCEM of the VT220


def read_or_nothing(terminal: int) -> bytes:
    """Linux reports an error once the other side of a terminal is closed."""
    try:
        return os.read(terminal, 1024)
    except OSError:
        return b""


def test_a_terminal_that_is_closed(tmp_path: Path) -> None:
    """Nothing can be written any more, and the exit code is right all the same."""
    pty = pytest.importorskip("pty")
    import fcntl
    import termios

    configured(tmp_path)
    ours, theirs = pty.openpty()

    def in_the_terminal() -> None:
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    text = (tmp_path / "config.yaml").read_text().replace("epochs: 40", "epochs: 100000")
    (tmp_path / "config.yaml").write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-m", "lossrun", "train", "config.yaml"],
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=in_the_terminal,
    )
    os.close(theirs)
    seen = b""
    while b"/100000" not in seen:  # of the progress bar
        seen += os.read(ours, 1024)
    os.close(ours)
    assert process.wait() == 129
    last = events(tmp_path)[-1]
    assert (last["event"], last["reason"]) == ("stopped", "terminal closed")
