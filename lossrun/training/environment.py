"""What a run's bits depend on besides its config: written to run.json, compared when a run is resumed."""

import hashlib
import os
import platform
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from lossrun.config import Config, Reading
from lossrun.version import __version__

# A change of any of these may change the last bits of a result.
EXACT: Final = ("lossrun", "torch", "device", "cpu_capability", "threads", "step", "chunks", "code")


def environment(device: torch.device, reading: Reading, data_dir: Path) -> dict[str, Any]:
    """Versions, hardware and origin, in plain values."""
    return {
        "lossrun": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device.type,
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "host": socket.gethostname(),
        "git_commit": _git_commit(reading.directory),
        "code": _code(reading.config),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "directory": str(reading.directory),
        "data_dir": str(data_dir.absolute()),
    }


def changes(before: dict[str, Any], now: dict[str, Any]) -> dict[str, list[Any]]:
    """What bears on exactness and is not as it was: {fact: [old, new]}."""
    return {key: [before.get(key), now[key]] for key in EXACT if before.get(key) != now[key]}


def _code(config: Config) -> str | None:
    """The modules of a user's own components, and the beginning of each file's SHA-256; None where there is none."""
    choices = (config.dataset, config.model, config.loss, config.optimizer)
    names = sorted({choice.name.partition(":")[0] for choice in choices if choice.is_plugin})
    digests = []
    for name in names:
        file = getattr(sys.modules.get(name), "__file__", None)
        digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16] if file else "unknown"
        digests.append(f"{name} {digest}")
    return ", ".join(digests) or None


def _git_commit(directory: Path) -> str | None:
    """The commit of the user's code, with + where files differ from it; None outside a repository."""
    if not any((parent / ".git").exists() for parent in (directory, *directory.parents)):
        return None
    command = ["git", "-C", os.fspath(directory), "describe", "--always", "--abbrev=40", "--dirty=+"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip() or None
