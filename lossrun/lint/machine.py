"""Find out how much memory this machine has, and how much of it is free."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

UNLIMITED: Final = 2**63 - 1
# The assumption for a machine that does not report its memory.
USUAL: Final = 4 * 2**30


def whole_memory() -> int:
    """Return the most bytes that a process can have.

    That is the memory and swap of the machine, within the limits of its control groups (a container, a batch job) and
    its own limit (`ulimit -v`).
    """
    facts = _meminfo()
    swap = facts.get("SwapTotal", 0)
    whole = facts["MemTotal"] + swap if "MemTotal" in facts else _physical()
    groups = [limit + swap for limit, _ in _control_groups()]
    return min([whole, *groups, _own_limit()])


def free_memory() -> int:
    """Return the bytes that can be allocated now, within the limits of the control groups."""
    free = _meminfo().get("MemAvailable")
    # Outside Linux, assume that all memory is free.
    return min([_physical() if free is None else free, *(limit - used for limit, used in _control_groups())])


def may_have_a_gpu() -> bool:
    """Return whether torch may find a GPU. Without torch, only Linux can rule it out."""
    return not sys.platform.startswith("linux") or Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists()


def _meminfo() -> dict[str, int]:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
    except (OSError, ValueError, IndexError):
        return {}


def _physical() -> int:
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" in names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return USUAL


def _own_limit() -> int:
    if sys.platform == "win32":
        return UNLIMITED
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return UNLIMITED if limit in (resource.RLIM_INFINITY, -1) else limit


def _control_groups() -> Iterator[tuple[int, int]]:
    """Yield limit and use, in bytes, of every Linux control group with a limit that this process is in."""
    for folder, limit_name, used_name in _groups():
        try:
            limit, used = ((folder / name).read_text(encoding="ascii").strip() for name in (limit_name, used_name))
            if limit != "max":
                yield int(limit), int(used)
        except (OSError, ValueError):
            continue


def _groups() -> Iterator[tuple[Path, str, str]]:
    """Yield the folder of each group and its parents, and the names of its files, for versions 2 and 1.

    In a container, the group is the root of what is visible, whatever the process reports about itself.
    """
    groups = Path("/sys/fs/cgroup")
    own = [""]
    own_memory = [""]
    try:
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            number, controllers, path = line.split(":", 2)
            if number == "0":
                own.append(path)
            elif "memory" in controllers.split(","):
                own_memory.append(path)
    except (OSError, ValueError):
        pass
    for root, paths, names in (
        (groups, own, ("memory.max", "memory.current")),
        (groups / "memory", own_memory, ("memory.limit_in_bytes", "memory.usage_in_bytes")),
    ):
        folders = dict.fromkeys(
            folder for path in paths for folder in _upwards(root / path.lstrip("/")) if folder.is_relative_to(root)
        )
        for folder in folders:
            yield folder, *names


def _upwards(folder: Path) -> tuple[Path, ...]:
    return (folder, *folder.parents)
