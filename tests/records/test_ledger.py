import math
import tracemalloc
from datetime import datetime

import pytest

from lossrun.errors import RunError
from lossrun.records import ledger


def test_events_read_back_in_order_with_their_facts_and_utc_times(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger.append(path, "started")
    ledger.append(path, "finished", seeds={"0": {"test_at_best": {"test_accuracy": math.inf}}}, seconds=1.5)
    started, finished = ledger.read(path)
    assert started["event"] == "started"
    assert datetime.fromisoformat(started["time"]).utcoffset().total_seconds() == 0
    assert finished["seeds"]["0"]["test_at_best"]["test_accuracy"] == math.inf
    assert finished["seconds"] == 1.5


def test_an_incomplete_last_line_is_left_out_and_removed_by_the_next_event(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger.append(path, "started")
    path.write_bytes(path.read_bytes() + b'{"event": "fini')
    assert [event["event"] for event in ledger.read(path)] == ["started"]
    ledger.append(path, "resumed", step=3, changes={})
    assert [event["event"] for event in ledger.read(path)] == ["started", "resumed"]


def test_a_damaged_line_is_named(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.write_text("nonsense\n")
    with pytest.raises(RunError, match=r"ledger\.jsonl, line 1"):
        ledger.read(path)


def test_a_ledger_that_no_run_would_write_is_refused_by_its_length_alone(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger.append(path, "started")
    with path.open("r+b") as file:
        file.truncate(100_000_000)  # a hole, which takes no space on the disk
    tracemalloc.start()
    try:
        with pytest.raises(RunError, match=r"ledger\.jsonl: longer than 33554432 bytes; the file was changed"):
            ledger.read(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_the_effective_config_replays_every_change_in_order():
    config = {"epochs": 10, "loss": {"name": "mse"}, "early_stopping": None}
    events = [
        {"event": "started"},
        {
            "event": "resumed",
            "step": 5,
            "changes": {"epochs": [10, 20], "loss": [{"name": "mse"}, {"name": "huber"}]},
        },
        {"event": "resumed", "step": 9, "changes": {"epochs": [20, 30], "early_stopping.patience": [None, 3]}},
    ]
    assert ledger.effective_config(config, events) == {
        "epochs": 30,
        "loss": {"name": "huber"},
        "early_stopping": {"patience": 3},
    }
    assert config == {"epochs": 10, "loss": {"name": "mse"}, "early_stopping": None}
