"""Runs of a node that does not see the folder of the sweep: what it sends, and what is written of it."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lossrun.config import SourcedConfig
from lossrun.errors import CheckpointError, LockedError, RunError
from lossrun.records import ledger
from lossrun.records.files import durable
from lossrun.records.lock import writing
from lossrun.records.recorded import load
from lossrun.records.run_directory import RunDirectory
from lossrun.records.sweep_directory import PlannedCell, SweepDirectory, read_plan
from lossrun.sweeping.cluster import carrying
from lossrun.sweeping.cluster.carrying import Delivery, Piece, trained_elsewhere
from lossrun.sweeping.cluster.receiving import Receiver, steps_done
from lossrun.sweeping.cluster.tasks import Terms, train_on_node
from lossrun.training import saving
from lossrun.version import __version__
from tests.sweeping.test_course import losses, made

EPOCHS = 6


@pytest.fixture(autouse=True)
def always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save and send at every event of the loop instead of once a second."""
    for module, names in (
        (saving, ("SAVED_EVERY", "LEAST_OF_A_SAVE")),
        (carrying, ("SENT_EVERY", "LEAST_OF_A_SENDING")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, 0.0)


@pytest.fixture
def make(with_block: Callable[..., SourcedConfig], tmp_path: Path) -> Callable[[str], SweepDirectory]:
    """A stack of two cells, one of which diverges."""
    block = {"learning_rate": [0.01, 1e30], "tune": False}
    return lambda name: made(with_block(block, lint="warn", epochs=EPOCHS), tmp_path / name)


def on_a_node(sweep: SweepDirectory, receiver: Receiver) -> Iterator[Delivery]:
    folder = sweep.path.parent
    return trained_elsewhere(sweep.name, read_plan(sweep), folder, folder, receiver.state())


def trained_there(sweep: SweepDirectory, most: int | None = None) -> Delivery:
    """Take what a node sends, or only `most` deliveries before the node is lost; return the last of them."""
    receiver = Receiver(sweep.path, read_plan(sweep))
    sent = on_a_node(sweep, receiver)
    for number, delivery in enumerate(sent, 1):
        receiver.take(delivery)
        if number == most:
            break
    receiver.close()
    return delivery


def contents(sweep: SweepDirectory) -> dict[str, bytes]:
    own = ("lock", "owner.json")
    return {str(path): path.read_bytes() for path in sweep.path.rglob("*") if path.is_file() and path.name not in own}


def test_a_stack_comes_back_whole(make: Callable[[str], SweepDirectory], tmp_path: Path) -> None:
    sweep, here = make("sent"), make("here")
    last = trained_there(sweep)
    plan = read_plan(sweep)
    assert last.endings is not None
    assert [last.endings[cell.directory].ending for cell in plan] == ["finished", "diverged"]
    assert all(load(sweep.run(cell)).verified for cell in plan)
    assert not list(sweep.path.rglob("owner.json"))
    assert not list(sweep.path.glob("stacks"))
    # Where the folder is seen, the runs are written there, and nothing is sent.
    (only,) = train_on_node(Terms(__version__, 1), here.path, read_plan(here), tmp_path, tmp_path, [])
    assert not only.files
    assert repr(losses(here)) == repr(losses(sweep))  # NaN included
    # The digest in the name of a checkpoint depends on the id of the run.
    names = [sorted(Path(path).name.partition("-")[0] for path in contents(one)) for one in (sweep, here)]
    assert names[0] == names[1]


@pytest.mark.parametrize("lost_after", [1, 2, 4])
def test_another_node_goes_on_where_one_was_lost(make: Callable[[str], SweepDirectory], lost_after: int) -> None:
    sweep, whole = make("lost"), make("whole")
    trained_there(whole)
    trained_there(sweep, most=lost_after)
    before = steps_done(sweep.path, read_plan(sweep))
    assert before > 0
    trained_there(sweep)
    (resumed,) = [
        event["step"]
        for event in ledger.read(RunDirectory(sweep.run(read_plan(sweep)[0])).ledger_path)
        if event["event"] == "resumed"
    ]
    assert resumed == before, "it did not go on from the last state"
    assert repr(losses(sweep)) == repr(losses(whole))
    assert all(load(sweep.run(cell)).verified for cell in read_plan(sweep))


def test_only_what_has_changed_is_sent(make: Callable[[str], SweepDirectory]) -> None:
    sweep = make("sent")
    receiver = Receiver(sweep.path, read_plan(sweep))
    deliveries = list(on_a_node(sweep, receiver))
    first, *others = deliveries
    assert all(piece.start == 0 for piece in first.pieces.values())
    for delivery in others:
        assert not any(file.endswith(("config.yaml", "run.json")) for file in delivery.pieces)
    rows = [
        delivery.pieces[file].start
        for delivery in others
        for file in delivery.pieces
        if file.startswith(read_plan(sweep)[0].directory) and file.endswith("history.jsonl")
    ]
    assert rows == sorted(set(rows)), "rows were sent again"
    receiver.close()


def test_a_node_that_was_given_up_changes_nothing(make: Callable[[str], SweepDirectory]) -> None:
    """Two nodes train the same stack: the first was cut off, and still sends."""
    sweep = make("cut off")
    orphans = Receiver(sweep.path, read_plan(sweep))
    orphan = on_a_node(sweep, orphans)
    late = next(orphan)
    orphans.close()  # as soon as it is given up
    trained_there(sweep)
    before = contents(sweep)
    with pytest.raises(LockedError):
        orphans.take(late)
    assert contents(sweep) == before


def test_nothing_is_taken_while_somebody_else_writes_or_has_written(make: Callable[[str], SweepDirectory]) -> None:
    sweep = make("busy")
    trained_there(sweep, most=2)
    (first, _) = read_plan(sweep)
    before = contents(sweep)
    receiver = Receiver(sweep.path, read_plan(sweep))
    delivery = next(on_a_node(sweep, receiver))
    with writing(sweep.run(first)), pytest.raises(LockedError, match="is being written by"):
        receiver.take(delivery)
    receiver.close()
    assert contents(sweep) == before
    durable.append(RunDirectory(sweep.run(first)).ledger_path, b"{}\n")
    with pytest.raises(LockedError, match="by another process in the meantime"):
        receiver.take(delivery)
    receiver.close()


def test_a_full_disk_stops_it_and_what_was_there_can_be_resumed(
    make: Callable[[str], SweepDirectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep, whole = make("full"), make("whole")
    trained_there(whole)
    trained_there(sweep, most=1)

    def refused(*_: Any, **__: Any) -> None:
        raise RunError("no space")

    receiver = Receiver(sweep.path, read_plan(sweep))
    receiver.take(next(sent := on_a_node(sweep, receiver)))
    later = next(sent)
    with monkeypatch.context() as patched:
        patched.setattr(durable, "replace_all", refused)  # rows are added before
        with pytest.raises(RunError, match="no space"):
            receiver.take(later)
    receiver.close()
    trained_there(sweep)
    assert repr(losses(sweep)) == repr(losses(whole))


def test_no_more_is_sent_than_fits(make: Callable[[str], SweepDirectory], monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = make("large")
    monkeypatch.setattr(carrying, "MOST_BYTES", 1_000)
    last = trained_there(sweep)
    assert last.endings is not None
    assert {ended.ending for ended in last.endings.values()} == {"blocked"}
    assert all("a folder that all nodes share" in ended.problem for ended in last.endings.values())


def test_a_node_with_another_version_trains_nothing(make: Callable[[str], SweepDirectory], tmp_path: Path) -> None:
    sweep = make("other")
    (only,) = train_on_node(Terms("0.0.1", 1), sweep.path, read_plan(sweep), tmp_path, tmp_path, [])
    assert only.endings is not None
    assert all(f"has lossrun {__version__}" in ended.problem for ended in only.endings.values())
    assert not any(map(sweep.is_begun, read_plan(sweep)))


@pytest.mark.parametrize("name", ["../x", "/x", "other/config.yaml", "stacks/other/x", "{cell}/../../x", "{cell}"])
def test_nothing_is_written_elsewhere(make: Callable[[str], SweepDirectory], name: str) -> None:
    sweep = make("sent")
    plan = read_plan(sweep)
    file = name.format(cell=plan[0].directory)
    before = sorted(sweep.path.parent.rglob("*"))
    with pytest.raises(RunError, match="not a file of the runs"):
        Receiver(sweep.path, plan).take(Delivery({file: Piece(0, b"x")}, frozenset({file})))
    assert sorted(sweep.path.parent.rglob("*")) == before


def test_a_damaged_checkpoint_is_not_written(make: Callable[[str], SweepDirectory]) -> None:
    sweep = make("damaged")
    receiver = Receiver(sweep.path, read_plan(sweep))
    delivery = next(on_a_node(sweep, receiver))
    pieces = {
        file: Piece(start, data[:-1] + bytes([data[-1] ^ 1])) if file.endswith(".safetensors") else Piece(start, data)
        for file, (start, data) in delivery.pieces.items()
    }
    with pytest.raises(CheckpointError, match="damaged"):
        receiver.take(replace(delivery, pieces=pieces))
    assert not any(map(sweep.is_begun, read_plan(sweep)))


def test_cells_of_a_divided_stack_begin_anew(make: Callable[[str], SweepDirectory], tmp_path: Path) -> None:
    """Their runs get another id, so what they had is replaced."""
    sweep = make("divided")
    trained_there(sweep, most=2)
    cell: PlannedCell = replace(read_plan(sweep)[0], stack="")
    before = (sweep.run(cell) / "run.json").read_bytes()
    shutil.rmtree(sweep.path / "stacks")
    receiver = Receiver(sweep.path, [cell])
    for delivery in trained_elsewhere(sweep.name, [cell], tmp_path, tmp_path, receiver.state()):
        receiver.take(delivery)
    receiver.close()
    assert (sweep.run(cell) / "run.json").read_bytes() != before
    assert load(sweep.run(cell)).verified
    assert load(sweep.run(cell)).ledger[-1]["event"] == "finished"


def test_the_folder_of_a_killed_task_is_removed_by_the_next_one(
    make: Callable[[str], SweepDirectory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(carrying, "YOUNG", -1.0)
    killed, linked = tmp_path / "lossrun-node-killed", tmp_path / "lossrun-node-linked"
    (killed / "sweep" / "cell").mkdir(parents=True)
    (killed / "lock").touch()
    (tmp_path / "precious").mkdir()
    linked.symlink_to(tmp_path / "precious")
    one, other = make("one"), make("other")
    running = on_a_node(one, Receiver(one.path, read_plan(one)))
    next(running)
    (its,) = set(tmp_path.glob("lossrun-node-*")) - {killed, linked}
    following = on_a_node(other, Receiver(other.path, read_plan(other)))
    next(following)
    assert not killed.exists()
    assert linked.is_symlink()
    assert (tmp_path / "precious").is_dir()
    assert its.is_dir(), "the folder of a task that is running was removed"
    for task in (running, following):
        task.close()
    assert set(tmp_path.glob("lossrun-node-*")) == {linked}
