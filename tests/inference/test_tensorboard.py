"""Event files, read back by TensorBoard's own reader."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lossrun.cli import main
from lossrun.errors import UsageError
from lossrun.inference.tensorboard import EventFiles, require_tensorboard, tag, write_history
from lossrun.records import recorded
from tests.training.conftest import REGRESSION, Laboratory


def read(folder: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return accumulator


def test_the_history_as_tensorboard_reads_it(laboratory: Laboratory, tmp_path: Path) -> None:
    run = recorded.load(laboratory.start(REGRESSION | {"seeds": [3, 5]}).path)
    write_history(run, tmp_path / "events")
    for seed in (3, 5):
        rows = [row for row in run.history.rows if row["seed"] == seed]
        events = read(tmp_path / "events" / f"seed{seed}")
        columns = {name for name in rows[0] if name not in ("seed", "step")}
        assert set(events.Tags()["scalars"]) == {tag(name) for name in columns}
        for name in columns:
            scalars = events.Scalars(tag(name))
            assert [scalar.step for scalar in scalars] == [row["step"] for row in rows]
            # LoneSeed precision, as TensorBoard keeps them.
            assert [scalar.value for scalar in scalars] == [np.float32(row[name]) for row in rows]
        started = next(event["time"] for event in run.ledger if event["event"] == "started")
        times = [scalar.wall_time for scalar in events.Scalars("val/loss")]
        assert times == sorted(times)
        assert np.datetime64(int(times[0]), "s") >= np.datetime64(started[:19])


def test_tags_group_curves_by_their_part() -> None:
    names = ("train_loss", "val_loss", "val_macro_f1", "learning_rate", "grad_norm", "train_seconds", "seconds")
    assert [tag(name) for name in names] == [
        *("train/loss", "val/loss", "val/macro_f1", "learning_rate", "grad_norm", "train_seconds", "seconds")
    ]


def test_epoch_by_epoch_and_what_is_no_number(tmp_path: Path) -> None:
    with EventFiles(tmp_path, [0]) as files:
        files.add([{"seed": 0, "step": 4, "epoch": 1, "val_loss": 0.5}])
        # There before the run is over: somebody is watching.
        assert [scalar.value for scalar in read(tmp_path).Scalars("val/loss")] == [0.5]
        files.add([{"seed": 0, "step": 8, "epoch": 2, "val_loss": float("nan")}])
    values = [scalar.value for scalar in read(tmp_path).Scalars("val/loss")]
    assert values[0] == 0.5
    assert np.isnan(values[1])


def test_without_tensorboard_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.record_writer", None)
    with pytest.raises(UsageError, match=r'pip install "lossrun\[tensorboard\]"'):
        require_tensorboard(tmp_path)
    with pytest.raises(UsageError, match="TensorBoard is not installed"):
        EventFiles(tmp_path, [0])


@pytest.mark.parametrize("seeds", [[0], [3, 5]])
@pytest.mark.parametrize("made", [-1, 0, 1, 3600], ids="{} seconds later".format)
def test_the_newest_event_file_is_read_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: int, seeds: list[int]
) -> None:
    """TensorBoard reads files in the order of their names, which begin with a second. The older file may have been made
    in the same second, by another process, or before the clock was set back; for the rest of its name it is last."""
    now = 1_800_000_000
    monkeypatch.setattr(time, "time", lambda: now + 0.5)

    def folder(seed: int) -> Path:
        return tmp_path / f"seed{seed}" if len(seeds) > 1 else tmp_path

    for value in (1.0, 2.0, 3.0):
        with EventFiles(tmp_path, seeds) as files:
            files.add([{"seed": seed, "step": step, "val_loss": value} for seed in seeds for step in (4, 8)])
        if value == 1.0:
            for seed in seeds:
                (file,) = folder(seed).iterdir()
                file.rename(folder(seed) / f"events.out.tfevents.{now + made}.zzz.9.9")
    for seed in seeds:
        assert len(list(folder(seed).iterdir())) == 3
        scalars = read(folder(seed)).Scalars("val/loss")
        assert [(scalar.step, scalar.value) for scalar in scalars] == [(4, 3.0), (8, 3.0)]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for refused in (lambda folder: EventFiles(folder, [0]), require_tensorboard):
        with pytest.raises(UsageError, match="cannot write event files into"):
            refused(tmp_path / "file" / "events")


@pytest.mark.parametrize("seeds", [[0], [3, 5]])
@pytest.mark.parametrize("first", [True, False], ids=["with event files", "without"])
@pytest.mark.parametrize("stop_at", [0, 6, 15, 24])
def test_the_curves_of_a_resumed_run_have_neither_gaps_nor_repetitions(
    laboratory: Laboratory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stop_at: int,
    first: bool,
    seeds: list[int],
) -> None:
    """Event files may be written from the start or not, and may know of epochs that are trained again: the run is
    killed after its third epoch, and goes on from an older checkpoint."""
    config = {**REGRESSION, "seeds": seeds, "checkpoint": "100 epochs", "epochs": 4}
    run = laboratory.start(config, stop_at=stop_at)
    folder = laboratory.folder / "events"
    if first:
        so_far = recorded.load(run.path)
        ahead = [{"seed": seed, "step": step, "val_loss": -1.0} for step in (6, 12, 18) for seed in seeds]
        with EventFiles(folder / run.name, seeds) as files:
            files.add(so_far.history.rows)
            files.add([row for row in ahead if row["step"] > stop_at])
    monkeypatch.setattr(sys, "argv", ["lossrun", "resume", str(run.path), "--tensorboard", str(folder)])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code == 0, capsys.readouterr().err
    for seed in seeds:
        rows = [row for row in recorded.load(run.path).history.rows if row["seed"] == seed]
        events = read(folder / run.name / f"seed{seed}" if len(seeds) > 1 else folder / run.name)
        assert [row["step"] for row in rows] == [6, 12, 18, 24]
        for name in ("train_loss", "val_loss", "learning_rate", "seconds"):
            scalars = events.Scalars(tag(name))
            assert [scalar.step for scalar in scalars] == [6, 12, 18, 24]
            assert [scalar.value for scalar in scalars] == [np.float32(row[name]) for row in rows]
            times = [scalar.wall_time for scalar in scalars]
            assert times == sorted(times)


def test_a_resume_that_cannot_write_event_files_changes_nothing(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = laboratory.start(REGRESSION, stop_at=7)
    (laboratory.folder / "file").write_text("")
    before = run.ledger_path.read_bytes()
    monkeypatch.setattr(sys, "argv", ["lossrun", "resume", str(run.path), "--tensorboard", f"{laboratory.folder}/file"])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code == 2
    assert "cannot write event files into" in capsys.readouterr().err
    assert run.ledger_path.read_bytes() == before
