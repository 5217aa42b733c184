"""A measurement in a fresh process, so that frameworks share neither threads nor environment nor memory.

Asking: `ask("peers:lightning", task="cnn", ...)` runs `lightning(task="cnn", ...)` of `tests/bench/peers.py` in a child
and returns the mapping that it returned, with `peak`, the child's peak memory in bytes, added.
"""

import importlib
import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
# All frameworks on the CPU, whatever else the machine has.
ON_THE_CPU: Final = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
# Compiled once, as an installed package is, and not at each start.
COMPILED: Final = {"PYTHONDONTWRITEBYTECODE": ""}


class ChildFailedError(Exception):
    """The message holds the end of what the child had to say."""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a measured process; lossrun is found in this repository, installed or not."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    data_dir = os.environ.get("LOSSRUN_DATA_DIR")
    found = {"LOSSRUN_DATA_DIR": str(Path(data_dir).expanduser().absolute())} if data_dir else {}
    return {**os.environ, **ON_THE_CPU, **COMPILED, **found, "PYTHONPATH": path, **(extra or {})}


def ask(measurement: str, extra_environment: Mapping[str, str] | None = None, **request: Any) -> dict[str, Any]:
    """Raises ChildFailedError where the child does."""
    command = [sys.executable, "-m", "tests.bench.child", measurement, json.dumps(request)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(extra_environment), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ChildFailedError(f"{measurement} {request}: exit {done.returncode}\n{done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def peak_memory() -> int:
    """Bytes of resident memory that this process has had at most."""
    status = Path("/proc/self/status")
    if status.exists():
        # ru_maxrss would count the parent's memory too: it survives fork and exec.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if platform.system() == "Darwin" else 1024)


def main() -> None:
    module, _, function = sys.argv[1].partition(":")
    answer = getattr(importlib.import_module(f"tests.bench.{module}"), function)(**json.loads(sys.argv[2]))
    print()
    print(json.dumps({**answer, "peak": peak_memory()}))


if __name__ == "__main__":
    main()
