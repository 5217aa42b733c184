import os
import shutil
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from lossrun.errors import CheckpointError, LockedError, RunError, UsageError
from lossrun.records import checkpoints, ledger, lock, recorded
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.leftovers import superfluous
from lossrun.records.removal import remove, whole_runs
from lossrun.records.run_directory import RunDirectory
from tests.conftest import save_best, state_of

LATER = datetime.now(UTC) + timedelta(hours=2)  # old enough for whatever the tests make
STEPS = (0, 3, 6, 9)


def rows(epoch, seed):
    return {"train_loss": 1.0, "val_loss": 1.0 / epoch}


@pytest.fixture
def make(make_run):
    """A run with four checkpoints and its best weights."""

    def made(name="run", *, steps=STEPS, **options):
        finish = options.pop("finish", True)
        run = make_run(name, rows=rows, finish=False, **options)
        files = RunDirectory(run.path)
        for step in steps:
            state = Checkpoint({"model.w": np.full(50, float(step))}, state_of(step))
            checkpoints.save(files.checkpoints, step, state, keep=9)
        best = None
        if steps:
            facts = {"best": [{"seed": 0, "epoch": 1, "step": 3}]}
            best = save_best(files.checkpoints, {"w": np.zeros(3)}, facts).name
        if finish:
            seeds = {"0": {"best_epoch": 1, "best_step": 3}}
            ledger.append(files.ledger_path, "finished", epoch=4, seeds=seeds, seconds=2.0, best_weights=best)
        return run

    return made


def names(run):
    return sorted(path.name[:13] for path in (run.path / "checkpoints").iterdir())


def test_of_a_finished_run_the_best_weights_and_the_last_state_stay(make, tmp_path):
    run = make()
    (found,) = superfluous(tmp_path / "runs").found
    spare = checkpoints.candidates(run.path / "checkpoints")[1:]
    assert found.why == "3 checkpoints before the last"
    assert found.size == sum(path.stat().st_size for path in spare) > 3 * 50 * 8
    assert remove(found) == found.size
    assert [name[:5] for name in names(run)] == ["best-", "step-"]
    assert recorded.load(run.path).status == "finished"
    assert superfluous(tmp_path / "runs").found == ()


def test_the_best_weights_alone_stay_where_that_is_asked_for(make, tmp_path):
    run = make()
    for found in superfluous(tmp_path / "runs", keep_best=True).found:
        remove(found)
    assert [name[:5] for name in names(run)] == ["best-"]


def test_the_last_state_stays_where_there_are_no_best_weights(make, tmp_path):
    run = make()
    checkpoints.best_files(run.path / "checkpoints")[0].unlink()
    for found in superfluous(tmp_path / "runs", keep_best=True).found:
        remove(found)
    assert names(run) == ["step-00000009"]


def test_what_may_still_go_on_keeps_its_checkpoints(make, tmp_path):
    interrupted, stopped, diverged = (make(name, finish=False) for name in ("interrupted", "stopped", "diverged"))
    ledger.append(stopped.path / "ledger.jsonl", "stopped")
    ledger.append(diverged.path / "ledger.jsonl", "diverged", seed=0, epoch=2)
    one_seed_diverged = make("seeds")
    ledger.append(one_seed_diverged.path / "ledger.jsonl", "finished", seeds={"0": {"diverged_epoch": 2}})
    assert superfluous(tmp_path / "runs", now=LATER, keep_best=True).found == ()
    assert len(names(interrupted)) == 5


def test_a_damaged_last_state_keeps_the_older_ones(make, tmp_path):
    run = make()
    checkpoints.candidates(run.path / "checkpoints")[0].write_bytes(b"damaged")
    (found,) = superfluous(tmp_path / "runs").found
    with pytest.raises(CheckpointError, match="damaged"):
        remove(found)
    assert len(names(run)) == 5


def test_a_run_without_a_step_goes_but_not_a_young_one(make, tmp_path):
    started = make("started", epochs_done=0, finish=False, steps=(0,))
    bare = make("bare", epochs_done=0, finish=False, steps=())
    (bare.path / "ledger.jsonl").unlink()
    make("within-an-epoch", epochs_done=0, finish=False, steps=(0, 2))
    looked_at = make("diverged", epochs_done=0, finish=False, steps=(0,))
    ledger.append(looked_at.path / "ledger.jsonl", "diverged", seed=0, epoch=1)
    assert superfluous(tmp_path / "runs").found == ()
    found = superfluous(tmp_path / "runs", now=LATER).found
    assert [one.path for one in found] == [started.path, bare.path]
    for one in found:
        remove(one)
    assert not started.path.exists()
    assert not bare.path.exists()


def test_leavings_of_killed_writes_go_but_not_young_ones_nor_what_only_looks_like_them(make, tmp_path):
    run = make(steps=())
    runs_dir = tmp_path / "runs"
    hidden = runs_dir / ".20261121-014500-x.0123abcd.tmp"
    (hidden / "checkpoints").mkdir(parents=True)
    (hidden / "config.yaml").write_text("a: 1\n")
    torn = run.path / "checkpoints" / ".step-00000003-0123456789abcdef.safetensors.89abcdef.tmp"
    torn.write_bytes(b"half")
    others = [runs_dir / ".notes.tmp", runs_dir / "20261121-014500-x.0123abcd.tmp", runs_dir / ".venv"]
    for other in others:
        other.mkdir()
    assert superfluous(runs_dir).found == ()
    found = superfluous(runs_dir, now=LATER).found
    assert [(one.path, one.size) for one in found] == [(run.path, 4), (hidden, 5)]
    for one in found:
        remove(one)
    assert not hidden.exists()
    assert not torn.exists()
    assert all(other.is_dir() for other in others)
    assert run.path.is_dir()


def test_cells_that_a_killed_sweep_was_building_go(tmp_path):
    sweep = tmp_path / "runs" / "20261121-014500-s"
    hidden = [
        sweep / f".{cell}.0123abcd.tmp" for cell in ("final-0002", "tune-0016-huber-sgd-0.000464", "tune-0017-1e-05")
    ]
    for folder in (*hidden, sweep / "tune-0001-mse", sweep / ".tune-1.tmp"):
        folder.mkdir(parents=True)
    for name in ("sweep.yaml", "plan.jsonl"):
        (sweep / name).touch()
    assert superfluous(tmp_path / "runs").found == ()
    found = superfluous(tmp_path / "runs", now=LATER).found
    assert [one.path for one in found] == hidden
    for one in found:
        remove(one)
    assert sorted(path.name for path in sweep.iterdir() if path.is_dir()) == [".tune-1.tmp", "tune-0001-mse"]


def test_older_than_counts_from_the_last_event(make, tmp_path):
    make()
    now = datetime.now(UTC)
    day = timedelta(days=1)
    assert superfluous(tmp_path / "runs", older_than=day, now=now + day / 2).found == ()
    assert len(superfluous(tmp_path / "runs", older_than=day, now=now + 2 * day).found) == 1


def test_a_run_that_is_being_written_is_left_alone(make, tmp_path):
    run = make()
    (found,) = superfluous(tmp_path / "runs").found
    (whole,) = whole_runs([run.path], tmp_path / "runs").found
    with lock.writing(run.path):
        assert superfluous(tmp_path / "runs").found == ()
        with pytest.raises(LockedError, match=f"process {os.getpid()} "):
            whole_runs([run.path], tmp_path / "runs")
        for leftover in (found, whole):  # looked at before the other began to write
            with pytest.raises(LockedError):
                remove(leftover)
    assert len(names(run)) == 5


def test_a_run_that_another_host_may_write_is_left_alone(make, tmp_path):
    run = make()
    owner = '{"pid": 1, "host": "elsewhere.example", "since": "2026-11-21T01:45:00+00:00", "process_start": 5}'
    (run.path / "ledger.jsonl").write_text('{"event": "started", "time": "2026-11-21T01:45:00+00:00"}\n')
    (run.path / "owner.json").write_text(owner)
    assert superfluous(tmp_path / "runs", now=LATER).found == ()
    with pytest.raises(LockedError, match=r"process 1 on elsewhere\.example"):
        whole_runs([run.path], tmp_path / "runs")


@pytest.mark.parametrize("whole", [True, False])
def test_a_run_that_went_on_after_it_was_looked_at_is_left_alone(make, tmp_path, whole):
    run = make()
    (found,) = (whole_runs([run.path], tmp_path / "runs") if whole else superfluous(tmp_path / "runs")).found
    ledger.append(run.path / "ledger.jsonl", "resumed", changes={"epochs": [4, 8]})
    with pytest.raises(RunError, match="has changed since"):
        remove(found)
    assert len(names(run)) == 5


def test_a_whole_run_goes_with_everything_in_it(make, tmp_path):
    run, other = make("a"), make("b")
    (found,) = whole_runs([run.path, run.path], tmp_path / "runs").found
    assert found.size == sum(path.stat().st_size for path in run.path.rglob("*") if path.is_file())
    assert remove(found) == found.size
    assert list((tmp_path / "runs").iterdir()) == [other.path]
    assert remove(found) == 0  # somebody else was faster


def test_only_run_directories_right_in_the_runs_directory_are_removed(make, tmp_path):
    run = make()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "runs" / "notes").mkdir()
    link = tmp_path / "runs" / "link"
    link.symlink_to(run.path, target_is_directory=True)
    for path, runs_dir in (
        (run.path, elsewhere),
        (run.path, tmp_path),
        (tmp_path / "runs" / "notes", tmp_path / "runs"),
        (run.path / "checkpoints", tmp_path / "runs"),
        (link, tmp_path / "runs"),
    ):
        with pytest.raises(UsageError, match="nothing else is removed"):
            whole_runs([path], runs_dir)
    assert len(names(run)) == 5


def test_a_link_that_a_pattern_caught_does_not_keep_the_runs(make, tmp_path):
    run, elsewhere = make("a"), make("b")
    elsewhere.path.rename(tmp_path / "moved")
    link = tmp_path / "runs" / "link"
    link.symlink_to(tmp_path / "moved", target_is_directory=True)
    looked_at = whole_runs([run.path, link], tmp_path / "runs")
    assert [one.path for one in looked_at.found] == [run.path]
    assert looked_at.passed_over == (f"{link} was not removed: it is a link to {tmp_path / 'moved'}",)


def test_a_folder_that_merely_holds_a_config_is_nobody_s_run(make, tmp_path):
    run = make()
    foreign = tmp_path / "runs" / "notes"
    foreign.mkdir()
    (foreign / "config.yaml").write_text("a: 1\n")
    (foreign / "thesis.tex").write_text("years of work")
    assert {one.path for one in superfluous(tmp_path / "runs", now=LATER).found} == {run.path}
    with pytest.raises(UsageError, match="nothing else is removed"):
        whole_runs([foreign], tmp_path / "runs")
    # Even where a run was there when it was looked at, and something else took its place.
    (found,) = whole_runs([run.path], tmp_path / "runs").found
    run.path.rename(tmp_path / "moved")
    foreign.rename(run.path)
    assert remove(found) == 0
    assert (run.path / "thesis.tex").exists()


def test_what_a_link_leads_to_is_neither_counted_nor_removed(make, tmp_path):
    run = make()
    outside = tmp_path / "big-disk"
    (run.path / "checkpoints").rename(outside)
    (run.path / "checkpoints").symlink_to(outside, target_is_directory=True)
    assert superfluous(tmp_path / "runs", now=LATER).found == ()
    (found,) = whole_runs([run.path], tmp_path / "runs").found
    assert found.size < min(path.stat().st_size for path in outside.iterdir()) + 5000
    remove(found)
    assert not run.path.exists()
    assert len(list(outside.iterdir())) == 5


def test_a_damaged_run_is_passed_over_aloud(make, tmp_path):
    run, other = make("bad"), make("good")
    (run.path / "ledger.jsonl").write_text("nonsense\n")
    found = superfluous(tmp_path / "runs")
    assert [one.path for one in found.found] == [other.path]
    assert run.name in found.passed_over[0]


def test_a_removal_that_is_killed_leaves_what_is_found_again(make, tmp_path, monkeypatch):
    run = make()
    (found,) = whole_runs([run.path], tmp_path / "runs").found

    def killed(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            remove(found)
    assert not run.path.exists()
    (left,) = superfluous(tmp_path / "runs", now=LATER + timedelta(days=1)).found
    remove(left)
    assert list((tmp_path / "runs").iterdir()) == []


def test_no_runs_directory_has_nothing_to_remove(tmp_path):
    assert superfluous(tmp_path / "nowhere").found == ()


def test_what_other_tools_or_people_put_there_is_not_swept_away(make, tmp_path):
    """A project with files of those names, and a run that never began but holds somebody's notes."""
    foreign = tmp_path / "runs" / "project"
    foreign.mkdir(parents=True)
    for name in ("config.yaml", "run.json", "thesis.tex"):
        (foreign / name).write_text("{}")
    kept = make("kept", epochs_done=0, finish=False, steps=())
    (kept.path / "notes.txt").write_text("why it failed")
    looked_at = superfluous(tmp_path / "runs", now=LATER)
    assert looked_at.found == ()
    assert looked_at.passed_over == ("project was skipped: lossrun did not write its run.json",)
    with pytest.raises(UsageError, match="nothing else is removed"):
        whole_runs([foreign], tmp_path / "runs")


def test_damaged_best_weights_keep_the_checkpoints(make, tmp_path):
    run = make()
    (best,) = checkpoints.best_files(run.path / "checkpoints")
    best.write_bytes(best.read_bytes()[:20])
    (found,) = superfluous(tmp_path / "runs", keep_best=True).found
    with pytest.raises(CheckpointError):
        remove(found)
    assert len(names(run)) == 5
