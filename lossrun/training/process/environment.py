"""Describe what the bits of a run depend on in addition to its config; run.json keeps it for comparison on resume."""

import os
import platform
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from lossrun.config import Config, SourcedConfig
from lossrun.files import is_there
from lossrun.plugins.loading import loaded_sources
from lossrun.records.provenance.source_code import recorded_source
from lossrun.replay.products import one_dnn_is_faster
from lossrun.shell import join
from lossrun.version import __version__

# A change of any of these may change the last bits of a result.
EXACT: Final = (
    "lossrun",
    "torch",
    "device",
    "device_name",
    "cpu_capability",
    "products",
    "threads",
    "processes",
    "step",
    "chunks",
    "code",
)


def environment(device: torch.device, reading: SourcedConfig, threads: int) -> dict[str, Any]:
    """Return versions, hardware and origin, in plain values."""
    return {
        "lossrun": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device.type,
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "products": "oneDNN" if one_dnn_is_faster() else "BLAS",
        "threads": threads,
        "host": socket.gethostname(),
        "git_commit": _git_commit(reading.directory),
        "code": _code(reading.config),
        "command": join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


def changes(before: dict[str, Any], now: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the facts that changed and may change the last bits of a result, as {fact: [old, new]}.

    Of the user's code, these are the modules that changed.
    """
    before, now = ({"processes": 1, **facts} for facts in (before, now))  # older versions always had one
    found = {key: [before.get(key), now[key]] for key in EXACT if before.get(key) != now[key]}
    if "code" in found and (changed := _changed_code(*found.pop("code"))):
        found["code"] = changed
    return found


def _code(config: Config) -> dict[str, dict[str, str | None]] | None:
    """Return {component's module: {it, or a module imported from its folder: beginning of its SHA-256}}, for the user's
    own code.

    None where every component is lossrun's.
    """
    choices = (config.dataset, config.model, config.loss, config.optimizer)
    names = sorted({choice.name.partition(":")[0] for choice in choices if choice.is_plugin})
    return {name: loaded_sources(name) for name in names} or None


def _changed_code(before: Any, now: Any) -> list[str]:
    """Return the modules whose source has changed, with their digests before and now."""
    olds: dict[str, str] = {}
    news: dict[str, str] = {}
    for component in now or ():
        old, new = recorded_source(before, component), recorded_source(now, component)
        # Older versions recorded no imported modules, so nothing is known about changes of those.
        for name in old.keys() & new.keys():
            if old[name] != new[name]:
                olds[name], news[name] = old[name], new[name]
    if not olds:
        return []
    return [", ".join(f"{name} {digests[name]}" for name in sorted(digests)) for digests in (olds, news)]


def _git_commit(directory: Path) -> str | None:
    """Return the commit of the user's code, with + if files differ from it; None outside a repository."""
    if not any(is_there(parent / ".git") for parent in (directory, *directory.parents)):
        return None
    command = ["git", "-C", os.fspath(directory), "describe", "--always", "--abbrev=40", "--dirty=+"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip() or None
