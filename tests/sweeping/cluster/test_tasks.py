"""What becomes of a stack when its task is lost: a stand-in for Ray loses it, and trains in this process."""

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lossrun.config import SourcedConfig
from lossrun.records.files import durable
from lossrun.records.lock import writing
from lossrun.records.sweep_directory import SweepDirectory, read_plan
from lossrun.sweeping.cluster.carrying import Delivery, Piece
from lossrun.sweeping.cluster.tasks import MOST_LOSSES, Tasks, receiving
from lossrun.sweeping.worker import Ended
from tests.sweeping.test_course import made

ERRORS = ("RayError", "RayTaskError", "TaskCancelledError", "NodeDiedError", "WorkerCrashedError", "OutOfMemoryError")


@dataclass
class FakeRay:
    """Plays the deliveries and errors of one attempt after the other; the last one again and again.

    Attributes:
        given: The state that each attempt was given; None for none.
    """

    attempts: Sequence[Sequence[Any]]
    given: list[dict[str, bytes] | None] = field(default_factory=list)
    cancelled: int = 0

    def remote(self, *arguments: Any) -> Iterator[Any]:
        self.given.append(arguments[-1][0] if arguments[-1] else None)
        return iter(self.attempts[min(len(self.given), len(self.attempts)) - 1])

    def module(self) -> dict[str, ModuleType]:
        ray, exceptions = ModuleType("ray"), ModuleType("ray.exceptions")
        vars(ray).update(put=lambda found: found, get=self.get, cancel=self.cancel, wait=lambda all_, **_: (all_, []))
        error = type("RayError", (Exception,), {})
        vars(exceptions).update({name: type(name, (error,), {}) for name in ERRORS} | {"RayError": error})
        return {"ray": ray, "ray.exceptions": exceptions}

    def get(self, found: Any) -> Any:
        if isinstance(found, str):
            raise getattr(sys.modules["ray.exceptions"], found)(f"it was {found}")
        return found() if callable(found) else found

    def cancel(self, _: Any) -> None:
        self.cancelled += 1


@pytest.fixture
def sweep(with_block: Callable[..., SourcedConfig], tmp_path: Path) -> SweepDirectory:
    return made(with_block({"learning_rate": [0.01], "tune": False}), tmp_path / "runs")


Play = Callable[..., tuple[FakeRay, dict[str, Ended]]]


@pytest.fixture
def play(sweep: SweepDirectory, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Train the only cell with these attempts; what each was given, and how the cell ended."""

    def run(*attempts: Sequence[Any], stopping: bool = False) -> tuple[FakeRay, dict[str, Ended]]:
        fake = FakeRay(attempts)
        for name, module in fake.module().items():
            monkeypatch.setitem(sys.modules, name, module)
        folder = sweep.path.parent
        with receiving(Tasks(fake, threads=1, gpus=0)) as tasks:
            if stopping:
                tasks.stop()
            told = tasks.submit(sweep.path, read_plan(sweep), folder, folder)
            return fake, told.result(timeout=60)

    return run


def checkpoint(sweep: SweepDirectory, step: int) -> Delivery:
    """The rows and the state of the stack after `step` steps, as far as a receiver looks at them."""
    (cell,) = read_plan(sweep)
    files = {
        f"{cell.directory}/config.yaml": b"a: 1\n",
        f"{cell.directory}/run.json": b"{}\n",
        f"{cell.directory}/ledger.jsonl": b'{"event":"started"}\n',
        f"stacks/{cell.stack}/step-{step:08d}-e3b0c44298fc1c14.safetensors": b"",
    }
    return Delivery({file: Piece(0, data) for file, data in files.items()}, frozenset(files))


def ending(sweep: SweepDirectory, how: Ended) -> Delivery:
    (cell,) = read_plan(sweep)
    return Delivery({}, frozenset(), {cell.directory: how})


def test_a_lost_task_goes_on_from_what_it_has_sent(sweep: SweepDirectory, play: Play) -> None:
    attempts = [
        [checkpoint(sweep, 5), "NodeDiedError"],
        [checkpoint(sweep, 9), "WorkerCrashedError"],
        [ending(sweep, Ended("finished"))],
    ]
    fake, endings = play(*attempts)
    assert {ended.ending for ended in endings.values()} == {"finished"}
    steps = [[Path(file).name[:13] for file in given or () if "step-" in file] for given in fake.given]
    assert steps == [[], ["step-00000005"], ["step-00000009"]]


def test_a_node_may_be_lost_often_and_a_stack_without_progress_only_so_often(sweep: SweepDirectory, play: Play) -> None:
    progress = [[checkpoint(sweep, step), "NodeDiedError"] for step in range(1, 2 * MOST_LOSSES)]
    fake, endings = play(*progress, [ending(sweep, Ended("finished"))])
    assert {ended.ending for ended in endings.values()} == {"finished"}
    assert len(fake.given) == 2 * MOST_LOSSES
    fake, endings = play(["NodeDiedError"])
    (ended,) = endings.values()
    assert ended == Ended("blocked", f"its task was lost {MOST_LOSSES + 1} times: it was NodeDiedError")
    assert len(fake.given) == MOST_LOSSES + 1


@pytest.mark.parametrize("error", ["WorkerCrashedError", "OutOfMemoryError"])
def test_a_process_that_dies_of_its_stack_is_no_lost_node(play: Play, error: str) -> None:
    """Then `Cells` trains its cells alone, as it does with processes of this machine."""
    with pytest.raises(BrokenProcessPool, match=error):
        play([error])


def test_an_error_of_a_task_ends_the_sweep_with_its_reason(play: Play) -> None:
    fake, endings = play(["RayTaskError"])
    assert set(endings.values()) == {Ended("blocked", "its task failed: it was RayTaskError")}
    assert len(fake.given) == 1


def test_a_full_disk_is_an_ending_with_a_reason(
    sweep: SweepDirectory, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "write_all", full)
    fake, endings = play([checkpoint(sweep, 5), checkpoint(sweep, 6)])
    (ended,) = endings.values()
    assert ended.ending == "blocked"
    assert "No space left on device" in ended.problem
    assert fake.cancelled == 1, "the task goes on training"
    assert not any(map(sweep.is_begun, read_plan(sweep)))


def test_a_stack_that_somebody_else_writes_is_tried_again(sweep: SweepDirectory, play: Play) -> None:
    play([checkpoint(sweep, 5), ending(sweep, Ended("stopped"))])
    (cell,) = read_plan(sweep)
    held = writing(sweep.run(cell))

    def busy() -> Delivery:
        held.__enter__()
        return checkpoint(sweep, 6)

    def free() -> Delivery:
        held.__exit__(None, None, None)
        return checkpoint(sweep, 7)

    fake, endings = play([busy], [free, ending(sweep, Ended("finished"))])
    assert {ended.ending for ended in endings.values()} == {"finished"}
    assert len(fake.given) == 2
    assert fake.cancelled == 1


def test_what_is_submitted_or_lost_while_the_sweep_stops_is_stopped(play: Play) -> None:
    for error in ("TaskCancelledError", "NodeDiedError"):
        fake, endings = play([error], stopping=True)
        assert {ended.ending for ended in endings.values()} == {"stopped"}
        assert len(fake.given) == fake.cancelled == 1
