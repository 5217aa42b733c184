"""What a measurement depends on: the machine and the versions."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("lossrun", "torch", "numpy", "lightning", "keras", "jax")


def installed(*modules: str) -> bool:
    """Whether all of them can be imported; none is."""
    return all(find_spec(module) for module in modules)


def description() -> str:
    """Two lines: processor, cores, system and how busy it is already; versions."""
    versions = [f"python {platform.python_version()}", *(f"{name} {_version(name)}" for name in PACKAGES)]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    busy = f", load average {os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else ""
    threads = f"OMP_NUM_THREADS {os.environ.get('OMP_NUM_THREADS', 'not set')}"
    machine = f"{_processor()}, {cores} cores, {platform.system()} {platform.release()}, {threads}{busy}"
    return f"{machine}\n{', '.join(versions)}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "-"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
