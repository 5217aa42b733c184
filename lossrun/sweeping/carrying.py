"""Train on a node that does not see the sweep's folder: in a temporary folder, whose runs are sent back as bytes.

The runs are sent back when their stack has ended. If the node is lost before that, so is what it has trained.
"""

import io
import shutil
import socket
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from lossrun.errors import RunError
from lossrun.records.files import durable, new_directories
from lossrun.records.sweep_directory import PlannedCell
from lossrun.sweeping.worker import Ended, ending_of, train_stack

MOST_BYTES: Final = 256 * 2**20  # of the runs of a stack; Ray holds them in memory on both sides
_OF_THE_NODE: Final = ("lock", "owner.json")


class Carried(NamedTuple):
    """How the cells of a stack ended, by their directories, and an archive of the runs of those that ended."""

    endings: Mapping[str, Ended]
    archive: bytes


def trained_elsewhere(name: str, stack: Sequence[PlannedCell], config_dir: Path, data_dir: Path) -> Carried:
    """Train the stack of a sweep of this name in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="lossrun-") as folder:
        sweep = Path(folder) / name
        sweep.mkdir()
        endings = dict(train_stack(sweep, stack, config_dir, data_dir))
        ended = [cell.directory for cell in stack if ending_of(sweep / cell.directory)]
        files = [path for run in ended for path in sorted((sweep / run).rglob("*")) if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        if size > MOST_BYTES:
            text = (
                f"its stack takes {size:,} bytes on {socket.gethostname()}, which does not see the folder of the "
                f"sweep; at most {MOST_BYTES:,} are sent back: give --runs-dir a folder that all nodes share"
            )
            return Carried(dict.fromkeys(endings, Ended("blocked", text)), b"")
        return Carried(endings, _packed(sweep, files))


def _packed(sweep: Path, files: Sequence[Path]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in files:
            if path.name not in _OF_THE_NODE:
                archive.add(path, path.relative_to(sweep).as_posix(), recursive=False)
    return buffer.getvalue()


def received(sweep: Path, stack: Sequence[PlannedCell], carried: Carried) -> dict[str, Ended]:
    """Write the runs of a stack into the folder of the sweep, and return how each cell ended.

    Raises RunError if writing fails, and for an archive that holds anything but files of these runs.
    """
    contents = _contents(carried.archive, {cell.directory for cell in stack}) if carried.archive else {}
    for directory, files in contents.items():
        run = sweep / directory
        if ending_of(run) is not None:
            continue  # by an earlier attempt at the same task
        if run.exists():
            shutil.rmtree(run)  # an unfinished run of an earlier attempt

        def build(hidden: Sequence[Path], files: Mapping[PurePosixPath, bytes] = files) -> None:
            (new,) = hidden
            (new / "checkpoints").mkdir()
            for parent in {(new / file).parent for file in files}:
                parent.mkdir(parents=True, exist_ok=True)
            durable.write_all((new / file, data) for file, data in files.items())

        new_directories.create([run], build)
    return dict(carried.endings)


def _contents(archive: bytes, directories: set[str]) -> dict[str, dict[PurePosixPath, bytes]]:
    """Return the files of each run, by their paths in it."""
    found: dict[str, dict[PurePosixPath, bytes]] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        for member in opened:
            path = PurePosixPath(member.name)
            content = opened.extractfile(member) if member.isreg() else None
            if content is None or path.is_absolute() or ".." in path.parts or path.parts[0] not in directories:
                raise RunError(f"a node sent back {member.name!r}, which is not a file of the runs that it trained")
            found.setdefault(path.parts[0], {})[path.relative_to(path.parts[0])] = content.read()
    return found
