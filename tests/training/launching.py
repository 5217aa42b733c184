"""Runs of several processes, as a launcher such as torchrun starts them; torch is imported once for all of them."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Forks the processes of each launch, one launch after the other, and reports their exit codes. A process that has not
# left its group has the code 99. What each prints is in files of the folder.
LAUNCHER = """
import gc, json, os, sys, traceback
import torch.distributed
from lossrun.cli import main
from tests.crash.fork_server import import_ahead, signals_of_a_new_process

launches = json.loads(sys.argv[1])
import_ahead(with_torch=True)
gc.collect()
gc.freeze()

def run(launch, rank):
    signals_of_a_new_process()
    os.chdir(launch["folder"])
    os.environ.update(launch["environment"], TORCHELASTIC_USE_AGENT_STORE="False")
    if launch["processes"] > 1:
        os.environ.update(
            RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(launch["processes"]), MASTER_ADDR="127.0.0.1",
            MASTER_PORT=str(launch["port"]),
        )
    for stream, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{launch['name']}.{name}{rank}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC), stream)
    sys.argv = ["lossrun", *launch["arguments"]]
    code = 0
    try:
        main()
    except SystemExit as leaving:
        code = leaving.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(99 if torch.distributed.is_initialized() else code)

for launch in launches:
    children = []
    for rank in range(launch["processes"]):
        child = os.fork()
        if not child:
            run(launch, rank)
        children.append(child)
    codes = [0] * len(children)
    for _ in children:
        child, status = os.wait()
        codes[children.index(child)] = os.waitstatus_to_exitcode(status)
    print(json.dumps(codes), flush=True)
"""


@dataclass(frozen=True)
class Launch:
    """A command of lossrun in several processes. `folder`: where they start, and where their runs are."""

    name: str
    folder: Path
    arguments: Sequence[str]
    processes: int = 2
    environment: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Ended:
    """How the processes of a launch ended: the code, the standard output and the standard error of each."""

    codes: Sequence[int]
    outs: Sequence[str]
    errs: Sequence[str]


def launched(launches: Sequence[Launch]) -> dict[str, Ended]:
    """Run the launches one after the other; how each ended, by its name."""
    told = [
        {
            "name": one.name,
            "folder": str(one.folder),
            "arguments": list(one.arguments),
            "processes": one.processes,
            "environment": dict(one.environment or {}),
            "port": port,
        }
        for one, port in zip(launches, _free_ports(len(launches)), strict=True)
    ]
    program = [sys.executable, "-c", LAUNCHER, json.dumps(told)]
    # On one thread: two would wait for each other on a busy machine, and torchrun sets the same.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    result = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return {
        one.name: ended_with(one, json.loads(codes))
        for one, codes in zip(launches, result.stdout.splitlines(), strict=True)
    }


def ended_with(launch: Launch, codes: Sequence[int]) -> Ended:
    """How a launch ended: these codes, and what it has printed."""
    return Ended(codes, _texts(launch, "out"), _texts(launch, "err"))


def _texts(launch: Launch, stream: str) -> list[str]:
    return [(launch.folder / f"{launch.name}.{stream}{rank}").read_text() for rank in range(launch.processes)]


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
