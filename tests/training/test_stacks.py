"""Runs that are trained as one computation: the same as alone to rounding, and bit for bit the same after any end."""

import os
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.config import from_mapping
from lossrun.errors import DivergedError, LockedError, StoppedError
from lossrun.experiment import Experiment, load_experiment
from lossrun.inference.verifying import verified
from lossrun.records import checkpoints, ledger, recorded
from lossrun.records.lock import writing
from lossrun.records.run_directory import RunDirectory
from lossrun.records.sweep_directory import holding_stack, stack_directory
from lossrun.report.layout.console import printed
from lossrun.report.verification import print_verification
from lossrun.training import finish, saving
from lossrun.training.loop import train
from lossrun.training.process.stopping import Request
from lossrun.training.session import Session
from lossrun.training.starting.prepare import prepare_stack
from lossrun.training.starting.resumable import resuming
from lossrun.training.starting.stacks import begin_stack, is_begun, left_stack, resume_stack
from tests.training.conftest import REGRESSION, KilledError, Laboratory, assert_same_bits, newest, rows

pytestmark = pytest.mark.slow

NAME = "stack"
# Two seeds each. The third run diverges in its second epoch; the fourth is stopped early.
MEMBERS: dict[str, dict[str, Any]] = {
    "slow": {"learning_rate": 1e-4},
    "usual": {"learning_rate": 0.01, "seeds": [5, 1]},
    "wild": {"learning_rate": 3.0},
    "decays": {"learning_rate": 0.05, "weight_decay": 0.1},
}
BASE: dict[str, Any] = {**REGRESSION, "seeds": [0, 1], "lint": "warn", "epochs": 5, "early_stopping": {"patience": 2}}
SGD = {"name": "sgd", "momentum": 0.9}


def experiments(folder: Path, optimizer: dict[str, Any], members: dict[str, Any] = MEMBERS) -> dict[str, Experiment]:
    found: dict[str, Experiment] = {}
    data = None
    for name, changes in members.items():
        own = {key: value for key, value in changes.items() if key != "weight_decay"}
        decay = changes.get("weight_decay", 0.0)
        config = {**BASE, **own, "name": name, "optimizer": {**optimizer, "weight_decay": decay}}
        data = found[name] = load_experiment(from_mapping(config, folder), folder, loaded=data)
    return found


class Stack:
    """A stack in a folder of its own, trained in this process."""

    def __init__(self, folder: Path, optimizer: dict[str, Any], members: dict[str, Any] = MEMBERS) -> None:
        folder.mkdir()
        self.folder, self.members = folder, experiments(folder, optimizer, members)
        self.skipped: list[str] = []

    def skip(self, _path: Path, reason: str) -> None:
        self.skipped.append(reason)

    def run(self, name: str) -> RunDirectory:
        return RunDirectory(self.folder / name)

    def go_on(self, stop_at: int | None = None, kill_at: int | None = None, *, stop_at_end: bool = False) -> Session:
        """`stop_at`: the step after which the state is saved; `kill_at`: the step after which nothing more is
        written. `stop_at_end`: once nothing is left but the test metrics."""
        names = list(self.members)
        if is_begun(self.folder, NAME):
            environment = recorded.load(self.folder / names[0]).environment
            opened = resume_stack(
                prepare_stack(list(self.members.values()), environment), self.folder, NAME, names, self.skip
            )
        else:
            opened = begin_stack(prepare_stack(list(self.members.values())), self.folder, NAME, names)
        with suppress(KilledError, StoppedError), holding_stack(self.folder, NAME), opened as session:

            def asked() -> Request | None:
                if session.position.step == kill_at:
                    raise KilledError
                stops = session.position.step == stop_at or (stop_at_end and not session.training)
                return Request.TERMINATE if stops else None

            for _ in train(session, asked):
                pass
        return session


def assert_same(one: Stack, other: Stack) -> None:
    for name in one.members:
        assert_same_bits(one.run(name), other.run(name))
        ends = [ledger.read(stack.run(name).ledger_path)[-1] for stack in (one, other)]
        wall = ("time", "seconds", "history")
        first, second = ({key: value for key, value in end.items() if key not in wall} for end in ends)
        assert first == second


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    stack = Stack(tmp_path_factory.mktemp("whole") / "stack", SGD)
    stack.go_on()
    return stack


def test_every_member_is_a_complete_run_and_nothing_else_is_left(whole: Stack) -> None:
    statuses = {name: recorded.load(whole.run(name).path).status for name in whole.members}
    assert statuses == {"slow": "finished", "usual": "finished", "wild": "diverged", "decays": "finished"}
    for name in whole.members:
        run = recorded.load(whole.run(name).path)
        assert run.environment["stack"] == list(MEMBERS)
        assert run.environment["chunks"] == [8]
        assert run.verified
        (step,) = [checkpoints.metadata(path)["step"] for path in checkpoints.candidates(whole.run(name).checkpoints)]
        last = run.ledger[-1]
        assert step == (last["step"] if last["event"] == "finished" else 0)
        best = checkpoints.best_files(whole.run(name).checkpoints)
        assert [path.name for path in best] == ([] if name == "wild" else [last["best_weights"]])


def test_a_member_that_is_trained_again_alone_is_not_called_wrong(whole: Stack) -> None:
    """`verify` trains one run; its last bits are those of the stack."""
    found = verified(whole.run("usual").path)
    assert found.verdict == "differs elsewhere"
    assert "trained in a stack with other cells" in found.problems[0]
    text = printed(lambda console: print_verification(console, found))
    assert "differs elsewhere" in text
    assert "WRONG" not in text


def test_members_agree_with_lone_runs(whole: Stack, laboratory: Laboratory) -> None:
    """20 steps in three epochs: within 1e-5; later sums in another order drift apart."""
    assert_agree(whole, laboratory)


def test_members_with_splits_of_their_own_agree_too_and_resume_exactly(tmp_path: Path, laboratory: Laboratory) -> None:
    members = {"slow": {"learning_rate": 1e-4, "splits": 2}, "usual": {"learning_rate": 0.01, "splits": 2}}
    whole, stopped = (Stack(tmp_path / name, SGD, members) for name in ("whole", "stopped"))
    stopped.go_on(stop_at=7)
    for stack in (whole, stopped):
        assert stack.go_on().grouping.sizes == (4,)
    assert_same(whole, stopped)
    assert_agree(whole, laboratory)


def assert_agree(whole: Stack, laboratory: Laboratory) -> None:
    for name, experiment in whole.members.items():
        with suppress(DivergedError):
            laboratory.start(experiment.reading.config.to_mapping())
        (alone,) = (rows(RunDirectory(path)) for path in (laboratory.folder / "runs").glob(f"*-{name}"))
        together = rows(whole.run(name))
        assert [(row["epoch"], row["seed"]) for row in together] == [(row["epoch"], row["seed"]) for row in alone]
        for one in together:
            (other,) = [row for row in alone if (row["epoch"], row["seed"]) == (one["epoch"], one["seed"])]
            if name != "wild":
                for column in ("train_loss", "val_loss", "grad_norm", "learning_rate"):
                    assert one[column] == pytest.approx(other[column], rel=1e-5), (name, column)


@pytest.mark.parametrize("optimizer", [SGD, {"name": "adam"}], ids=["sgd", "adam"])
def test_a_stack_stopped_anywhere_ends_as_if_never_stopped(
    optimizer: dict[str, Any], whole: Stack, tmp_path: Path
) -> None:
    if optimizer is not SGD:
        whole = Stack(tmp_path / "whole", optimizer)
        whole.go_on()
    stopped = Stack(tmp_path / "stopped", optimizer)
    for steps in (0, 1, 5, 6, 7, 13, 14, 20):
        stopped.go_on(stop_at=steps)
    stopped.go_on(stop_at_end=True)
    stopped.go_on()
    assert_same(whole, stopped)


@pytest.mark.parametrize("kill_at", [0, 1, 9, 13, 22])
def test_a_killed_stack_ends_as_if_never_killed(
    whole: Stack, tmp_path: Path, kill_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a checkpoint after every second step, so that the kill finds newer rows, older ones, or none."""
    due = iter(range(10**6))
    monkeypatch.setattr(saving, "is_due", lambda session: next(due) % 2 == 0)
    killed = Stack(tmp_path / "killed", SGD)
    killed.go_on(kill_at=kill_at)
    killed.go_on()
    assert_same(whole, killed)


def test_a_damaged_checkpoint_of_a_stack_is_skipped_aloud_and_the_one_before_used(
    whole: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "is_due", lambda session: True)
    damaged = Stack(tmp_path / "damaged", SGD)
    damaged.go_on(stop_at=13)
    newest_one, before, *_ = checkpoints.candidates(stack_directory(damaged.folder, NAME))
    content = bytearray(newest_one.read_bytes())
    content[-1] ^= 1
    newest_one.write_bytes(content)
    assert damaged.go_on(stop_at=checkpoints.step_of(before)).position.step == checkpoints.step_of(before)
    (reason,) = damaged.skipped
    assert newest_one.name in reason
    damaged.go_on()
    assert_same(whole, damaged)


@pytest.mark.parametrize("written", ["rows", "files", "ledgers"])
def test_a_kill_while_the_end_is_written(
    whole: Stack, tmp_path: Path, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the histories, after the files, and after the first of the ledgers: what has no last line is done again."""
    killed = Stack(tmp_path / "killed", SGD)

    def die(*_: Any, **__: Any) -> None:
        raise KilledError

    def first_only(additions: list[Any]) -> None:
        append_all(additions[:1])
        raise KilledError

    append_all = ledger.append_all
    with monkeypatch.context() as patched:
        if written == "rows":
            patched.setattr(finish, "cut_out", die)
        else:
            patched.setattr(finish.ledger, "append_all", die if written == "files" else first_only)
        with suppress(KilledError):
            # Only the end writes to the ledgers; the beginning writes whole files.
            killed.go_on()
    assert is_begun(killed.folder, NAME)
    ended = [name for name in killed.members if left_stack(recorded.load(killed.run(name).path))]
    assert ended == (["slow"] if written == "ledgers" else [])
    before = {path: path.read_bytes() for path in killed.run("slow").path.rglob("*") if path.is_file()}
    killed.go_on()
    if ended:
        after = {path: path.read_bytes() for path in before if path.exists()}
        assert {path.name for path in before if after.get(path) != before[path]} <= {"owner.json"}
    assert_same(whole, killed)


def test_what_a_kill_left_before_the_first_checkpoint_is_made_anew(whole: Stack, tmp_path: Path) -> None:
    killed = Stack(tmp_path / "killed", SGD)
    killed.go_on(kill_at=0)
    for path in stack_directory(killed.folder, NAME).glob("step-*"):
        path.unlink()
    killed.go_on()
    assert_same(whole, killed)


def test_a_member_resumed_by_itself_is_cut_out_and_says_so(whole: Stack, tmp_path: Path) -> None:
    stopped = Stack(tmp_path / "stopped", SGD)
    stopped.go_on(stop_at=9)
    told: list[str] = []
    Laboratory(stopped.folder).resume(stopped.run("usual"), note=told.append)
    assert any("not bit for bit" in text and "stack" in text for text in told)
    finished = recorded.load(stopped.run("usual").path)
    assert finished.status == "finished"
    for one, other in zip(finished.history.rows, rows(whole.run("usual")), strict=True):
        assert one["val_loss"] == pytest.approx(other["val_loss"], rel=1e-5)
    # The stack goes on with its place, and leaves its files alone.
    stopped.go_on()
    assert recorded.load(stopped.run("usual").path).ledger == finished.ledger
    for name in ("slow", "wild", "decays"):
        assert_same_bits(whole.run(name), stopped.run(name))


def test_a_finished_member_is_resumed_like_any_run(tmp_path: Path) -> None:
    """Its state is complete without the stack."""
    stack = Stack(tmp_path / "stack", {"name": "adam"}, {name: MEMBERS[name] for name in ("slow", "usual")})
    stack.go_on()
    run = stack.run("slow")
    Laboratory(stack.folder).resume(run, "epochs=7")
    assert [row["epoch"] for row in rows(run)] == [epoch for epoch in range(1, 8) for _ in range(2)]
    assert newest(run).metadata["seeds"] == [0, 1]


def test_the_members_of_a_running_stack_are_locked(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "stack", SGD)
    names = list(stack.members)
    prepared = prepare_stack(list(stack.members.values()))
    with holding_stack(stack.folder, NAME), begin_stack(prepared, stack.folder, NAME, names):
        assert recorded.load(stack.run("usual").path).status == "running"
        with pytest.raises(LockedError), resuming(stack.run("usual").path):
            pass
    with writing(stack.run("usual").path):
        pass


def test_few_files_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 20 for each member, of whatever kind."""
    count = 0
    sync = os.fsync

    def counted(descriptor: int) -> None:
        nonlocal count
        count += 1
        sync(descriptor)

    stack = Stack(tmp_path / "stack", SGD)
    monkeypatch.setattr(os, "fsync", counted)
    stack.go_on()
    assert 5 * len(MEMBERS) < count <= 20 * len(MEMBERS)


@pytest.mark.parametrize(
    ("members", "steps"),
    [
        ({"usual": MEMBERS["usual"]}, 30),
        ({"one": {"learning_rate": 0.01, "seeds": [3]}}, 30),
        # It diverges in its third epoch of six steps: what it ends with is the state after the second.
        ({"late": {"learning_rate": 0.6, "seeds": [3]}}, 12),
    ],
)
def test_a_stack_of_one_has_the_bits_of_a_run_by_itself(
    tmp_path: Path, laboratory: Laboratory, members: dict[str, Any], steps: int
) -> None:
    stack = Stack(tmp_path / "stack", SGD, members)
    stack.go_on()
    (name,) = members
    with suppress(DivergedError):
        laboratory.start(stack.members[name].reading.config.to_mapping())
    (alone,) = map(RunDirectory, (laboratory.folder / "runs").iterdir())
    assert rows(alone) == rows(stack.run(name))
    for run in (alone, stack.run(name)):
        state = newest(run).metadata
        assert (state["step"], state["best_weights"]) == (steps, newest(alone).metadata["best_weights"])
        until = run.history_path.read_bytes()[: state["history_length"]]
        assert until.count(b"\n") == steps // 6 * len(state["seeds"])
    one, other = newest(alone).tensors, newest(stack.run(name)).tensors
    assert one.keys() == other.keys()
    for key, tensor in one.items():
        if key != "rng.state" or name != "late":  # each epoch begins its own stream
            np.testing.assert_array_equal(tensor, other[key], err_msg=key)


def test_a_diverged_member_is_resumed_from_its_last_healthy_epoch(tmp_path: Path) -> None:
    """The second of two members diverges in its third epoch of six steps; the row of that epoch is cut off."""
    members = {"usual": {"seeds": [1]}, "late": {"learning_rate": 0.6, "seeds": [3]}}
    stack = Stack(tmp_path / "stack", SGD, members)
    stack.go_on()
    run = stack.run("late")
    before = rows(run)
    assert recorded.load(run.path).status == "diverged"
    with suppress(DivergedError):  # two epochs at such a rate may be too much to recover from
        Laboratory(stack.folder).resume(run, "learning_rate=0.001")
    after = rows(run)
    assert [row["epoch"] for row in before] == [1, 2, 3]
    assert [row["epoch"] for row in after[:3]] == [1, 2, 3]
    assert after[:2] == before[:2]
    assert (before[2]["learning_rate"], after[2]["learning_rate"]) == (0.6, 0.001)
    assert [event["step"] for event in ledger.read(run.ledger_path) if event["event"] == "resumed"] == [12]
    assert recorded.load(run.path).verified


def test_it_is_saved_at_most_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that runs 0.4 s a step: 35 steps take 14 s."""
    stack = Stack(tmp_path / "stack", SGD)
    steps: list[int] = []
    save: Callable[..., Path] = checkpoints.save

    def noted(folder: Path, step: int, *rest: Any, **options: Any) -> Path:
        steps.append(step)
        return save(folder, step, *rest, **options)

    monkeypatch.setattr(checkpoints, "save", noted)
    names = list(stack.members)
    prepared = prepare_stack(list(stack.members.values()))
    with holding_stack(stack.folder, NAME), begin_stack(prepared, stack.folder, NAME, names) as session:
        monkeypatch.setattr(saving.time, "perf_counter", lambda: 0.4 * session.position.step)
        session.saved = 0.0, 0.0
        for _ in train(session, lambda: None):
            pass
    assert len(steps) > 5
    assert all(later - earlier >= 3 for earlier, later in pairwise(steps))
