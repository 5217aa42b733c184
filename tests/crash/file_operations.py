"""Every change that a process makes below a folder, seen before it is made: to record it, or to let it fail.

The functions of `os` and `io` are replaced in the process that calls `watch`, which is one that ends afterwards.
"""

import base64
import builtins
import errno
import io
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Operation:
    """A change of a file or folder.

    Attributes:
        kind: create, write, truncate, sync, rename, link, remove, mkdir, or rmdir.
        path: Relative to the folder that is watched.
        to: The new path of a rename or a link.
        data: What is written, as base64.
        place: The offset of a write; the new length of a truncate.
    """

    kind: str
    path: str
    to: str = ""
    data: str = ""
    place: int = 0


Act = Callable[[Operation, Callable[[], Any]], Any]


def record(root: str, log: str) -> None:
    """Write every operation below `root` to the file `log`, one a line, once it is done."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    write = os.write

    def act(operation: Operation, go: Callable[[], Any]) -> Any:
        result = go()
        write(descriptor, json.dumps(asdict(operation)).encode() + b"\n")
        return result

    watch(Path(root), act)


def recorded(log: Path) -> list[Operation]:
    return [Operation(**json.loads(line)) for line in log.read_text().splitlines()]


# What a disk answers from an operation on, and what it answers once. A full disk still removes and renames.
LASTING = {"full": errno.ENOSPC, "over its quota": errno.EDQUOT, "read-only": errno.EROFS}
ONCE = {"broken": errno.EIO}
GROWING = ("create", "write", "mkdir", "sync", "link")


def fail(root: str, at: int, how: str) -> None:
    """Let the operation number `at` below `root` fail; `how`: a key of LASTING or ONCE."""
    number = -1
    code = {**LASTING, **ONCE}[how]

    def act(operation: Operation, go: Callable[[], Any]) -> Any:
        nonlocal number
        number += 1
        fails = number >= at if how in LASTING else number == at
        if fails and (how in ONCE or code == errno.EROFS or operation.kind in GROWING):
            raise OSError(code, os.strerror(code), str(Path(root) / operation.path))
        return go()

    watch(Path(root), act)


def keep(root: str, states: str, wanted: list[str]) -> None:
    """Copy what is below `root` into the folder `states` before operations, named by their numbers.

    That is what SIGKILL would leave there: the system keeps what a process has handed to it. A name that ends in `torn`
    is for a write of which half is done.
    """
    number = -1
    copy = shutil.copytree

    def act(operation: Operation, go: Callable[[], Any]) -> Any:
        nonlocal number
        number += 1
        if str(number) in wanted:
            copy(root, Path(states) / str(number))
        if (torn := f"{number} torn") in wanted:
            copy(root, Path(states) / torn)
            data = base64.b64decode(operation.data)
            descriptor = os.open(Path(states) / torn / operation.path, os.O_WRONLY)
            os.pwrite(descriptor, data[: len(data) // 2], operation.place)
            os.close(descriptor)
        return go()

    watch(Path(root), act)


def disappear(root: str, at: int, what: str, to: str) -> None:
    """Move a folder below `root` away before the operation number `at`, or remove it: as somebody else would.

    `what`: the folder, as a pattern; the first that there is. `to`: the folder that it is moved into, by its name, or
    "" to remove it.
    """
    number = -1
    is_other = False  # what is done here is not done by the process that is watched

    def act(operation: Operation, go: Callable[[], Any]) -> Any:
        nonlocal number, is_other
        if not is_other:
            number += 1
            if number == at:
                is_other = True
                for folder in sorted(Path(root).glob(what))[:1]:
                    if to:
                        Path(to).mkdir()
                        folder.rename(Path(to) / folder.name)
                    else:
                        shutil.rmtree(folder)
                is_other = False
        return go()

    watch(Path(root), act)


def watch(root: Path, act: Act) -> None:
    """Have `act(operation, go)` called for every operation below `root` that can succeed; `go()` does it."""
    root = root.resolve()
    original_open, os_open = io.open, os.open

    def below(path: Any, dir_fd: int | None = None) -> str | None:
        """The path relative to the root; None for one that is elsewhere."""
        with suppress(OSError, TypeError):
            if isinstance(path, int):
                path = str(Path(f"/proc/self/fd/{path}").readlink()).removesuffix(" (deleted)")
            elif dir_fd is not None:
                path = Path(f"/proc/self/fd/{dir_fd}").readlink() / os.fsdecode(path)
            full = Path(os.path.realpath(Path(os.fsdecode(path)).absolute().parent), Path(os.fsdecode(path)).name)
            if full.is_relative_to(root):
                return str(full.relative_to(root))
        return None

    class Watched(io.FileIO):
        relative = ""

        def write(self, data: Any, /) -> int:
            content = bytes(data)
            place = os.fstat(self.fileno()).st_size if "a" in self.mode else self.tell()
            operation = Operation("write", self.relative, data=base64.b64encode(content).decode(), place=place)
            return int(act(operation, lambda: io.FileIO.write(self, content)))

        def truncate(self, size: int | None = None, /) -> int:
            length = self.tell() if size is None else size
            return int(act(Operation("truncate", self.relative, place=length), lambda: io.FileIO.truncate(self, size)))

    def opened(file: Any, mode: str = "r", buffering: int = -1, *args: Any, **options: Any) -> Any:
        relative = None if isinstance(file, int) else below(file)
        if relative is None or not set(mode) & set("wxa+") or not Path(file).parent.exists():
            return original_open(file, mode, buffering, *args, **options)
        bare = mode.replace("b", "").replace("t", "")
        exists = Path(file).exists()
        kind = "create" if not exists else "truncate" if "w" in mode else ""
        open_it = lambda: Watched(file, bare)  # noqa: E731
        raw = act(Operation(kind, relative), open_it) if kind and not ("x" in mode and exists) else open_it()
        raw.relative = relative
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *args, **options)

    def descriptor(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        relative = below(path, dir_fd) if flags & os.O_CREAT else None
        open_it = lambda: os_open(path, flags, mode, dir_fd=dir_fd)  # noqa: E731
        if relative is None or Path(path).exists() or (dir_fd is None and not Path(path).parent.exists()):
            return open_it()
        return int(act(Operation("create", relative), open_it))

    def one_path(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def changed(path: Any, *args: Any, dir_fd: int | None = None, **options: Any) -> Any:
            relative = below(path, dir_fd)
            if dir_fd is not None:
                options["dir_fd"] = dir_fd
            go = lambda: function(path, *args, **options)  # noqa: E731
            if relative is None:
                return go()
            here = Path(root, relative)
            impossible = here.exists() or not here.parent.exists() if kind == "mkdir" else not os.path.lexists(here)
            if impossible and kind != "sync":
                return go()
            return act(Operation(kind, relative), go)

        return changed

    def two_paths(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def changed(source: Any, target: Any, **options: Any) -> Any:
            one, other = below(source), below(target)
            go = lambda: function(source, target, **options)  # noqa: E731
            return (
                go()
                if one is None or other is None or not os.path.lexists(source)
                else act(Operation(kind, one, to=other), go)
            )

        return changed

    def length_set(function: Callable[..., Any]) -> Callable[..., Any]:
        def changed(path: Any, length: int) -> Any:
            relative = below(path)
            go = lambda: function(path, length)  # noqa: E731
            return go() if relative is None else act(Operation("truncate", relative, place=length), go)

        return changed

    io.open = builtins.open = opened  # type: ignore[assignment]
    os.open = descriptor
    os.fsync = one_path("sync", os.fsync)
    os.mkdir = one_path("mkdir", os.mkdir)
    os.rmdir = one_path("rmdir", os.rmdir)
    os.unlink = one_path("remove", os.unlink)
    os.remove = one_path("remove", os.remove)
    os.rename = two_paths("rename", os.rename)
    os.replace = two_paths("rename", os.replace)
    os.link = two_paths("link", os.link)
    os.truncate = length_set(os.truncate)
    os.ftruncate = length_set(os.ftruncate)
