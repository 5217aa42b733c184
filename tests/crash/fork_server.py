"""A process that has imported lossrun, and forks a child for each command: a command starts in milliseconds.

    python -m tests.crash.fork_server torch|light

It reads one JSON request a line, and answers each with one line; `forks.py` is its other side. `light`: without torch,
for commands that must not import it.
"""

import gc
import importlib
import json
import os
import pkgutil
import signal
import sys
import time
import traceback
from contextlib import chdir, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lossrun
import lossrun.__main__
import lossrun.cli
from lossrun import interrupts

ANSWERS = os.dup(1)
CONFIG = """\
dataset: {name: synthetic_classification, kind: moons, samples: 60}
model: {name: mlp, hidden: [4]}
loss: binary_cross_entropy
optimizer: adam
learning_rate: 0.01
epochs: 1
"""


def main() -> None:
    import_ahead(with_torch=sys.argv[1] == "torch")
    gc.collect()
    gc.freeze()
    started: dict[int, float] = {}
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if "wait" in request:
            answer = ended(request["wait"], started)
        else:
            pid = os.fork()
            if pid == 0:
                if request["ends_itself"]:
                    prepare(request)
                    lossrun.__main__.main()
                    return
                be_child(request)
            started[pid] = time.monotonic()
            answer = {"pid": pid}
        os.write(ANSWERS, json.dumps(answer).encode() + b"\n")


def import_ahead(*, with_torch: bool) -> None:
    """Import all of lossrun, or the part of it that a config is read with. No thread may start: forks lose them."""
    names = [module.name for module in pkgutil.walk_packages(lossrun.__path__, "lossrun.")] if with_torch else []
    names = [name for name in names if not name.endswith("__main__")]  # which runs what it imports
    for name in ("lossrun.experiment", "lossrun.report.layout.console", "rich.progress", *names):
        with suppress(ImportError):  # what an extra brings
            importlib.import_module(name)
    warm_up(("train", "config.yaml", "--quiet") if with_torch else ("check", "config.yaml"))
    assert ("torch" in sys.modules) == with_torch


def warm_up(command: tuple[str, ...]) -> None:
    """Run a command here, for what is imported and prepared at the first use: it is a third of a short training."""
    with TemporaryDirectory() as folder, chdir(folder), Path("said").open("w") as said:
        Path("config.yaml").write_text(CONFIG)
        sys.argv = ["lossrun", *command]
        with redirect_stdout(said), redirect_stderr(said):
            assert exit_code() == 0


def ended(pid: int, started: dict[int, float]) -> dict[str, Any]:
    _, status, used = os.wait4(pid, 0)
    seconds = time.monotonic() - started.pop(pid)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": seconds,
        "computing": used.ru_utime + used.ru_stime,
        "memory": used.ru_maxrss * 1024,
    }


def be_child(request: dict[str, Any]) -> None:
    """Run one command, report, and end at once. It never returns."""
    code = 1
    try:
        prepare(request)
        code = exit_code()
    except BaseException:
        traceback.print_exc()
    finally:
        code = flushed(code)
        # The functions of a path may be under attack.
        with suppress(Exception), open(request["report"], "x") as file:  # noqa: PTH123
            json.dump({"torch": "torch" in sys.modules}, file)
        os._exit(code)


def prepare(request: dict[str, Any]) -> None:
    """Make this process, which was just forked, like one that starts the command."""
    os.setpgid(0, 0)  # so that its own children can be ended with it
    signals_of_a_new_process()
    signal.alarm(request["limit"])  # ends it, whatever it does
    for descriptor, path in ((1, request["out"]), (2, request["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(request["folder"])
    os.environ.update(request["environment"])
    sys.argv = ["lossrun", *request["arguments"]]
    for name, given in request["prepare"].items():
        module, _, function = name.partition(":")
        getattr(importlib.import_module(module), function)(**given)


def signals_of_a_new_process() -> None:
    """A shell ignores Ctrl-C in background jobs, and the command that warmed up has left handlers."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    interrupts.take_over()


def flushed(code: int) -> int:
    """Write what is left, as Python does at its end: where nobody takes it, the exit code is 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except Exception:
            code = 120
    return code


def exit_code() -> int:
    try:
        lossrun.__main__.main()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    return 0


if __name__ == "__main__":
    main()
