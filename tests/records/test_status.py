import json
import os
import socket

import pytest

from lossrun.records import ledger, lock
from lossrun.records.status import status


def note(path, pid: int, host: str) -> None:
    facts = {"pid": pid, "host": host, "since": "2026-11-21T01:45:00+00:00", "process_start": lock.process_start(pid)}
    (path / "owner.json").write_text(json.dumps(facts))


def events(path, *names: str) -> None:
    for name in names:
        facts = {"seeds": {}} if name == "finished" else {}
        ledger.append(path / "ledger.jsonl", name, **facts)


@pytest.mark.parametrize(
    ("names", "here", "dead", "elsewhere", "gone"),
    [
        ([], "running", "interrupted", "unknown", "interrupted"),
        (["started"], "running", "interrupted", "unknown", "interrupted"),
        (["started", "finished"], "running", "finished", "finished", "finished"),
        (["started", "stopped"], "running", "stopped", "stopped", "stopped"),
        (["started", "stopped", "resumed"], "running", "interrupted", "unknown", "interrupted"),
        (["started", "diverged"], "running", "interrupted", "unknown", "diverged"),
        (["started", "diverged", "finished"], "running", "finished", "finished", "finished"),
    ],
)
def test_status_follows_the_last_event_and_the_owner(tmp_path, names, here, dead, elsewhere, gone):
    events(tmp_path, *names)
    assert status(tmp_path) == gone
    note(tmp_path, os.getpid(), socket.gethostname())
    assert status(tmp_path) == here
    note(tmp_path, 2**22 + 1, socket.gethostname())  # above Linux's largest process number
    assert status(tmp_path) == dead
    note(tmp_path, os.getpid(), "elsewhere")
    assert status(tmp_path) == elsewhere


def test_events_already_read_are_used(tmp_path):
    assert status(tmp_path, [{"event": "finished"}]) == "finished"
