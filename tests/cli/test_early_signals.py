"""A signal that comes before training: the command ends in order, also in the middle of an import, or goes on."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.conftest import CONFIG

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of Unix")

# Sends signals to its own process when a module is about to be imported.
COMMAND = """
import os, signal, sys

class Sender:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            sys.meta_path.remove(self)
            if what == "dropped":
                Dropping()
                return
            try:
                send()
            except KeyboardInterrupt:
                if what != "wrapped":
                    raise
                raise ValueError("from a library") from None

class Dropping:
    def __del__(self):
        send()

what, module, ignored = *sys.argv[1].rpartition(":")[::2], sys.argv[3]
numbers = [getattr(signal, name) for name in sys.argv[2].split(",")]
if ignored:
    signal.signal(getattr(signal, ignored), signal.SIG_IGN)
def send():
    for number in numbers:
        os.kill(os.getpid(), number)

def write_and_send(text, write=sys.stderr.write):
    sys.stderr.write = write
    send()
    return write(text)

if module == "the end":
    import atexit
    atexit.register(send)
elif module == "the last words":
    sys.stderr.write = write_and_send
else:
    sys.meta_path.insert(0, Sender())
sys.argv = ["lossrun", "train", "config.yaml", "--quiet"]
from lossrun.__main__ import main
main()
"""


def trained(
    folder: Path, module: str, signals: Sequence[str], ignored: str = "", config: str = CONFIG
) -> "subprocess.CompletedProcess[str]":
    (folder / "config.yaml").write_text(config)
    command = [sys.executable, "-c", COMMAND, module, ",".join(signals), ignored]
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        # A test runner in the background may have handed down that SIGINT is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


@pytest.mark.parametrize(
    ("module", "name", "reason"),
    [
        ("lossrun.commands", "SIGINT", ""),
        ("lossrun.experiment", "SIGTERM", "terminated"),
        ("wrapped:lossrun.experiment", "SIGINT", "interrupted"),
        ("dropped:lossrun.experiment", "SIGINT", "interrupted"),
        ("dropped:lossrun.experiment", "SIGTERM", "terminated"),
        ("torch", "SIGINT", "interrupted"),
        ("torch.nn", "SIGHUP", "terminal closed"),
    ],
)
def test_a_stop_ends_it_in_order(tmp_path: Path, module: str, name: str, reason: str) -> None:
    ended = trained(tmp_path, module, [name])
    assert ended.returncode == 128 + getattr(signal, name)
    assert reason in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "runs").exists()


def test_a_request_to_save_and_an_ignored_signal_stop_nothing(tmp_path: Path) -> None:
    ended = trained(tmp_path, "torch", ["SIGUSR1", "SIGHUP"], ignored="SIGHUP")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(list((tmp_path / "runs").iterdir())) == 1


WRONG = CONFIG.replace("loss: mse", "loss: no-such-loss")


@pytest.mark.parametrize(
    "names", [["SIGINT"], ["SIGTERM"], ["SIGHUP"], ["SIGUSR1"] * 50, ["SIGUSR1", "SIGINT"]], ids=lambda names: names[0]
)
def test_a_signal_during_the_last_words_changes_neither_them_nor_the_code(tmp_path: Path, names: list[str]) -> None:
    ended = trained(tmp_path, "the last words", names, config=WRONG)
    assert ended.returncode == 2
    assert "no-such-loss" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_second_stop_during_the_last_words_ends_the_command_at_once(tmp_path: Path) -> None:
    ended = trained(tmp_path, "the last words", ["SIGINT", "SIGTERM"], config=WRONG)
    assert (ended.returncode, ended.stderr.count("Traceback")) == (143, 0)


def test_a_stop_after_everything_was_done_changes_nothing(tmp_path: Path) -> None:
    ended = trained(tmp_path, "the end", ["SIGINT", "SIGTERM", "SIGUSR1"])
    assert (ended.returncode, ended.stderr) == (0, "")
