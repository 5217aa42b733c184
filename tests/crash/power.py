"""Power lost after any file operation of `train` and `resume`, on a disk that keeps no more than POSIX promises.

What was not synced may be there, or not, or in part: the bytes of a file since its last fsync, and the entries of a
folder (names created, removed, renamed) since its own, each by itself.
"""

import base64
import copy
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from lossrun.records.checkpoint_headers import candidates, step_of
from tests.crash.commands import RESUME, TRAIN, brought_to_its_end, difference, new_folder, only_run, reference
from tests.crash.disk import stop_early
from tests.crash.file_operations import Operation, recorded
from tests.crash.forks import Forks, forks
from tests.crash.outcomes import Outcome, share_of

STEP = re.compile(r"step-(?P<step>\d+)-")
MIXED = 4  # states with a part of what was not synced, at each operation


@dataclass
class Node:
    """A file or a folder.

    Attributes:
        content: The bytes of a file as the process sees them; `synced`: as they are certainly on the disk.
        entries: The names in a folder and what they stand for; `kept`: those that are certainly on the disk.
        changed: The names whose entries are not synced, each with what it stood for or stands for by turns.
    """

    is_folder: bool
    content: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    entries: dict[str, "Node"] = field(default_factory=dict)
    kept: dict[str, "Node"] = field(default_factory=dict)
    changed: dict[str, list["Node | None"]] = field(default_factory=dict)

    def set(self, name: str, node: "Node | None") -> None:
        """Change an entry, which is not on the disk by that."""
        self.changed.setdefault(name, [self.kept.get(name)]).append(node)
        if node is None:
            self.entries.pop(name, None)
        else:
            self.entries[name] = node

    def sync(self) -> None:
        self.synced = bytes(self.content)
        self.kept = dict(self.entries)
        self.changed.clear()


class Disk:
    """What a process sees, and what would be left of it."""

    def __init__(self, start: Path) -> None:
        """A disk that holds the files of a folder."""
        self.root = Node(is_folder=True)
        for path in sorted(start.rglob("*")):
            parent, name = self.found(str(path.relative_to(start)))
            parent.entries[name] = Node(path.is_dir(), bytearray() if path.is_dir() else bytearray(path.read_bytes()))
        self._sync_all(self.root)

    def _sync_all(self, node: Node) -> None:
        node.sync()
        for child in node.entries.values():
            self._sync_all(child)

    def found(self, path: str) -> tuple[Node, str]:
        """Return the folder of a path, and the name in it."""
        *folders, name = path.split("/")
        node = self.root
        for folder in folders:
            node = node.entries[folder]
        return node, name

    def node(self, path: str) -> Node:
        parent, name = self.found(path)
        return parent if name == "." else parent.entries[name]

    def do(self, operation: Operation) -> None:
        kind = operation.kind
        if kind == "sync":
            self.node(operation.path).sync()
        elif kind in ("write", "truncate"):
            content = self.node(operation.path).content
            if kind == "truncate":
                del content[operation.place :]
            else:
                data = base64.b64decode(operation.data)
                content.extend(bytes(max(0, operation.place - len(content))))
                content[operation.place : operation.place + len(data)] = data
        else:
            parent, name = self.found(operation.path)
            if kind in ("create", "mkdir"):
                parent.set(name, Node(is_folder=kind == "mkdir"))
            elif kind in ("remove", "rmdir"):
                parent.set(name, None)
            else:
                moved = parent.entries[name]
                parent.set(name, None)
                other, new = self.found(operation.to)
                other.set(new, moved)

    def left(self, how: str, draw: Random) -> Node:
        """Return what is left after a loss of power: `nothing`, `everything` or `some` of what was not synced."""
        return self._left(copy.deepcopy(self.root), how, draw)

    def _left(self, node: Node, how: str, draw: Random) -> Node:
        if node.is_folder:
            entries = dict(node.kept)
            for name, states in node.changed.items():
                chosen = {"nothing": states[0], "everything": states[-1]}.get(how, draw.choice(states))
                entries.pop(name, None)
                if chosen is not None:
                    entries[name] = chosen
            return Node(True, entries={name: self._left(child, how, draw) for name, child in entries.items()})
        if how == "everything" or bytes(node.content) == node.synced:
            return Node(False, node.content)
        if how == "nothing":
            return Node(False, bytearray(node.synced))
        return Node(False, torn(node.synced, bytes(node.content), draw))


def torn(old: bytes, new: bytes, draw: Random) -> bytearray:
    """Return a file with some blocks written and some not, whose length may be the old or the new one."""
    length = draw.choice((len(old), len(new), draw.randint(min(len(old), len(new)), max(len(old), len(new)))))
    content = bytearray(old[:length].ljust(length, b"\0"))
    block = draw.choice((16, 512))  # a disk writes sectors of 512 bytes; small files are to be torn, too
    for start in range(0, length, block):
        if draw.random() < 0.5:
            content[start : start + block] = new[start : min(start + block, length)].ljust(
                len(content[start : start + block]), b"\0"
            )
    return content


def write_down(node: Node, path: Path) -> None:
    """Make the files and folders of a state."""
    if node.is_folder:
        path.mkdir()
        for name, child in node.entries.items():
            write_down(child, path / name)
    else:
        path.write_bytes(node.content)


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    with forks() as server:
        whole = reference(server, folder / "reference")
        interrupted = folder / "interrupted"
        stop_early(server, interrupted)
        starts = {"train": (new_folder(folder / "start"), TRAIN), "resume": (interrupted, RESUME)}
        logs = {name: log_of(server, folder / f"{name} whole", *start) for name, start in starts.items()}
        cases = [
            (name, done, how, number)
            for name, log in logs.items()
            for done in range(len(log) + 1)
            for how, count in (("nothing", 1), ("everything", 1), ("some", MIXED))
            for number in range(count)
        ]
        place = folder / "tried"
        for name, done, how, number in share_of(cases, share, seed):
            start, _ = starts[name]
            disk = Disk(start)
            for operation in logs[name][:done]:
                disk.do(operation)
            write_down(disk.left(how, Random(f"{seed} {done} {number}")), place)
            was_reported = done == len(logs[name])
            if was_reported:
                problem = difference(whole, place)
                problem = problem and f"it was reported as finished, and {problem}"
            else:
                problem = forgotten(logs[name][:done], place) or brought_to_its_end(server, place, whole)
            last = logs[name][done - 1] if done else None
            what = f"{last.kind} {last.path}" if last else "nothing"
            yield Outcome(
                f"{name}: power lost after operation {done}, {what}; {how} {number} of the rest is left", problem
            )
            shutil.rmtree(place)


def forgotten(log: Sequence[Operation], place: Path) -> str:
    """Return what is wrong if the state of a step that was saved is lost."""
    saved = begun = -1
    for operation in log:
        if operation.kind == "rename" and (found := STEP.search(operation.to)):
            begun = int(found["step"])
        elif operation.kind == "sync" and operation.path.endswith("checkpoints") and "/." not in operation.path:
            saved = begun
    if saved < 0:
        return ""
    run = only_run(place)
    left = [step_of(path) for path in candidates(run.checkpoints)] if run else []
    return "" if max(left, default=-1) >= saved else f"step {saved} was saved, and the checkpoints left are of {left}"


def log_of(server: Forks, place: Path, start: Path, arguments: Sequence[str]) -> list[Operation]:
    """Return every file operation of a command, from a copy of the folder that it starts in."""
    shutil.copytree(start, place)
    log = place.with_suffix(".log")
    done = server.run(arguments, place, prepare="tests.crash.file_operations:record", root=str(place), log=str(log))
    assert done.code == 0, done.err
    return recorded(log)
