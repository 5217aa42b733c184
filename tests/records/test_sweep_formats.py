"""A plan or a ledger of a sweep that lacks a key, or holds another type under it, is refused by that key's name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lossrun.errors import RunError
from lossrun.records import ledger
from lossrun.records.files import digests, json_lines
from lossrun.records.sweep_directory import (
    PlannedCell,
    SweepDirectory,
    create,
    read_events,
    read_plan,
    warnings_about,
)
from tests.conftest import CONFIG

CELL: dict[str, Any] = {
    "directory": "tune-0001-0.1",
    "phase": "tune",
    "pair": {"loss": "mse"},
    "changes": {"loss": "mse", "learning_rate": 0.1},
    "config": CONFIG,
    "stack": "tune-0001-0.1",
}
STARTED: dict[str, Any] = {"config_digest": "0" * 16, "metric": "val_rmse", "seeds": [0, 1], "repeats": 1}
TUNED: dict[str, Any] = {"metric": "val_rmse", "chosen": [{"pair": {}, "changes": {}}], "failed": {}}


def written(folder: Path, cell: dict[str, Any], started: dict[str, Any], tuned: dict[str, Any]) -> SweepDirectory:
    """Write a sweep whose digests are in order."""
    sweep = SweepDirectory(folder)
    for path in (sweep.plan_path, sweep.ledger_path):
        path.unlink(missing_ok=True)
    sweep.plan_path.write_bytes(json_lines.dumps([cell]))
    known = {"plan_digest": digests.of_bytes(sweep.plan_path.read_bytes())}
    ledger.append(sweep.ledger_path, "started", **known, **started)
    ledger.append(sweep.ledger_path, "tuned", **known, **tuned)
    return sweep


def wrong(whole: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key in whole:
        yield key, {**whole, key: 1.5}
        if key not in ("stack", "repeats", "failed"):  # what older versions did not write
            yield key, {name: value for name, value in whole.items() if name != key}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    sweep = written(tmp_path, CELL, STARTED, TUNED)
    assert [cell.directory for cell in read_plan(sweep)] == ["tune-0001-0.1"]
    assert [event["event"] for event in read_events(sweep)] == ["started", "tuned"]


def test_every_key_is_missed_by_its_name(tmp_path: Path) -> None:
    for key, cell in wrong(CELL):
        with pytest.raises(RunError, match=rf"plan\.jsonl, line 1: {key} is"):
            read_plan(written(tmp_path, cell, STARTED, TUNED))
    for key, started in wrong(STARTED):
        with pytest.raises(RunError, match=rf"ledger\.jsonl, line 1: started: {key} is"):
            read_events(written(tmp_path, CELL, started, TUNED))
    for key, tuned in wrong(TUNED):
        with pytest.raises(RunError, match=rf"ledger\.jsonl, line 2: tuned: {key} is"):
            read_events(written(tmp_path, CELL, STARTED, tuned))


def test_what_was_edited_or_cut_off_is_warned_of(tmp_path: Path) -> None:
    sweep = create(
        tmp_path,
        "own",
        CONFIG,
        [PlannedCell(**CELL)],
        {key: value for key, value in STARTED.items() if key != "config_digest"},
    )
    assert warnings_about(sweep) == ()
    sweep.config_path.write_text(sweep.config_path.read_text() + "# mine\n")
    with sweep.ledger_path.open("a") as file:
        file.write('{"event": "tuned"')
    torn, edited = warnings_about(sweep)
    assert torn.startswith("ledger.jsonl ends in")
    assert edited.startswith("sweep.yaml is not the file that the sweep was started with")


@pytest.mark.parametrize("name", ["../elsewhere", "/tmp", ".hidden", "a/b", "", "A"])
def test_no_cell_lies_outside_of_the_sweep(tmp_path: Path, name: str) -> None:
    for key in ("directory", *(["stack"] if name else [])):
        with pytest.raises(RunError, match=rf"{key} is .*expected the name of a folder in the sweep"):
            read_plan(written(tmp_path, {**CELL, key: name}, STARTED, TUNED))
