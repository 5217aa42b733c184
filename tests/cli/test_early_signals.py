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
            for number in numbers:
                os.kill(os.getpid(), number)
            sys.meta_path.remove(self)

module, ignored = sys.argv[1], sys.argv[3]
numbers = [getattr(signal, name) for name in sys.argv[2].split(",")]
if ignored:
    signal.signal(getattr(signal, ignored), signal.SIG_IGN)
sys.meta_path.insert(0, Sender())
sys.argv = ["lossrun", "train", "config.yaml", "--quiet"]
from lossrun.__main__ import main
main()
"""


def trained(folder: Path, module: str, signals: Sequence[str], ignored: str = "") -> "subprocess.CompletedProcess[str]":
    (folder / "config.yaml").write_text(CONFIG)
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
