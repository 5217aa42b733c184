"""The newest checkpoint cut, flipped, zeroed, renamed or another run's: the one before is used, and that is said."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from lossrun.errors import CheckpointError
from lossrun.records import checkpoints
from lossrun.records.run_directory import RunDirectory
from tests.crash.outcomes import Outcome, share_of
from tests.training.conftest import Laboratory
from tests.training.test_resume import EVERYTHING

STOPPED_AT, BEFORE = 40, 35  # checkpoints every seven steps
LENGTHS, FLIPS = 66, 256


def attack(folder: Path, share: float, seed: int) -> Iterator[Outcome]:
    laboratory = Laboratory(folder)
    run = laboratory.start(EVERYTHING, stop_at=STOPPED_AT)
    others = {
        "another run's": laboratory.start(EVERYTHING, stop_at=STOPPED_AT),
        "another seed's": laboratory.start({**EVERYTHING, "seed": 1}, stop_at=STOPPED_AT),
        "another config's": laboratory.start({**EVERYTHING, "learning_rate": 0.02}, stop_at=STOPPED_AT),
    }
    files = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    for case, damage in share_of(damages(run, others, Random(seed)), share, seed):
        shutil.rmtree(run.checkpoints)
        run.checkpoints.mkdir()
        for path, content in files.items():
            path.write_bytes(content)
        damage()
        yield Outcome(case, previous_used(laboratory, run))


def previous_used(laboratory: Laboratory, run: RunDirectory) -> str:
    told: list[str] = []
    try:
        laboratory.resume(run, stop_at=BEFORE, skipped=lambda path, reason: told.append(reason))
    except CheckpointError as error:
        return f"not resumed: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if not told:
        return "nothing was said"
    at = next(filter(None, map(readable_step, checkpoints.candidates(run.checkpoints))), None)
    return "" if at == BEFORE else f"resumed at step {at}, not {BEFORE}"


def readable_step(path: Path) -> int | None:
    """Return the step of a checkpoint; None for what stays because it is none, such as a folder."""
    try:
        return int(checkpoints.read(path).metadata["step"])
    except CheckpointError:
        return None


def damages(
    run: RunDirectory, others: dict[str, RunDirectory], draw: Random
) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield each damage in words, and as a function that does it."""
    path = checkpoints.candidates(run.checkpoints)[0]
    content = path.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    lengths = {0, 1, 7, 8, 9, header - 1, header, header + 1, len(content) - 1, len(content) // 2}
    while len(lengths) < LENGTHS:
        lengths.add(draw.randrange(len(content)))
    for length in sorted(lengths):
        yield f"cut to {length} bytes", lambda length=length: path.write_bytes(content[:length])
    for place in draw.sample(range(8 * len(content)), FLIPS):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        yield f"bit {place} flipped", lambda flipped=flipped: path.write_bytes(flipped)
    yield "zeroed", lambda: path.write_bytes(bytes(len(content)))
    yield "longer", lambda: path.write_bytes(content + b"\0")
    yield "a folder", lambda: (path.unlink(), path.mkdir())
    yield "a link to itself", lambda: (path.unlink(), path.symlink_to(path.name))
    yield "unreadable header", lambda: path.write_bytes(b"\xff" * 8 + content[8:])
    renamed = path.with_name(path.name.replace(f"{STOPPED_AT:08d}", f"{STOPPED_AT - 1:08d}"))
    yield "renamed to the step before", lambda: path.rename(renamed)
    for whose, other in others.items():
        strange = checkpoints.candidates(other.checkpoints)[0]
        yield whose, lambda strange=strange: (path.unlink(), shutil.copy(strange, path.with_name(strange.name)))
        yield f"{whose}, by its name", lambda strange=strange: shutil.copy(strange, path)
