from pathlib import Path

import pytest

from lossrun.errors import RunError
from lossrun.records import checkpoints, history, ledger, recorded
from lossrun.records.files import strict_json
from lossrun.records.run_directory import RunDirectory, create, file_contents
from tests.conftest import CONFIG, write_run

FORMAT_3 = Path(__file__).parent / "format_3"


@pytest.fixture
def run(tmp_path) -> RunDirectory:
    return create(tmp_path, "a", file_contents(CONFIG | {"epochs": 10, "seed": 3, "seeds": 2}, {"threads": 2}))


def finish(run: RunDirectory) -> None:
    ledger.append(run.ledger_path, "finished", seeds={})


def extend(run: RunDirectory) -> None:
    ledger.append(run.ledger_path, "resumed", step=1, changes={"epochs": [10, 20]})


def test_a_run_reads_back(run):
    history.append(run.history_path, [{"epoch": 1, "step": 2, "seed": 3}])
    ledger.append(run.ledger_path, "started")
    finish(run)
    loaded = recorded.load(run.path)
    assert loaded.name == run.name
    assert loaded.environment == {"threads": 2}
    assert loaded.history.rows == ({"epoch": 1, "step": 2, "seed": 3},)
    assert loaded.status == "finished"
    assert loaded.finished["seeds"] == {}
    assert loaded.warnings == ()
    assert not loaded.extended


@pytest.mark.parametrize(("whose", "is_damage"), [("its own", True), ("another", False)])
def test_a_checkpoint_of_another_run_says_nothing_about_the_history(tmp_path, whose, is_damage):
    """Its history may be of any length, as wall times are."""
    started = write_run(tmp_path, rows=lambda epoch, seed: {}, environment={"id": "its own"}, finish=False)
    rows = len(recorded.load(started.path).history.rows)
    (older,) = (FORMAT_3 / "checkpoints").glob("step-00000009-*")
    found = checkpoints.read(older)
    facts = {**found.metadata, "run": whose, "history": {"length": 5, "digest": "0" * 16}}
    path, content = checkpoints.file_of(started.checkpoints, 9, checkpoints.Checkpoint(found.tensors, facts))
    path.write_bytes(content)
    if is_damage:
        with pytest.raises(RunError, match="its first 5 bytes do not match"):
            recorded.load(started.path)
    else:
        assert len(recorded.load(started.path).history.rows) == rows > 0


def test_a_run_that_has_not_begun_reads_too(run):
    loaded = recorded.load(run.path)
    assert (loaded.history.rows, loaded.ledger, loaded.finished) == ((), (), None)


def test_torn_files_are_warned_of(run):
    run.history_path.write_bytes(b'{"epoch": 1, "step": 2, "seed": 3}\n{"epo')
    run.ledger_path.write_bytes(b'{"event": "started", "time": "2026-11-21T01:45:00+00:00"}\n{"ev')
    loaded = recorded.load(run.path)
    assert loaded.history.rows == ({"epoch": 1, "step": 2, "seed": 3},)
    assert [warning.split()[0] for warning in loaded.warnings] == ["history.jsonl", "ledger.jsonl"]


def test_more_epochs_count_as_an_extension_only_after_the_end(run):
    extend(run)
    assert not recorded.load(run.path).extended
    finish(run)
    extend(run)
    loaded = recorded.load(run.path)
    assert loaded.extended
    assert loaded.config["epochs"] == 20


@pytest.mark.parametrize(("seeds", "expected"), [(None, (3,)), (2, (3, 4)), ([7, 5], (7, 5))])
def test_a_recorded_run_knows_its_seeds(tmp_path, seeds, expected):
    run = create(tmp_path, "a", file_contents(CONFIG | {"seed": 3, "seeds": seeds}, {}))
    assert recorded.load(run.path).seeds == expected


def test_anything_else_is_no_run_directory(tmp_path, run):
    with pytest.raises(RunError, match=r"no config\.yaml and no run\.json"):
        recorded.load(tmp_path)
    run.run_json.write_text("{")
    with pytest.raises(RunError, match=r"run\.json"):
        recorded.load(run.path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.yaml", "x: 1\n"),
        ("run.json", "[]"),
        ("ledger.jsonl", '{"foo": 1}\n'),
        ("ledger.jsonl", '{"event": "started"}\n'),
        ("history.jsonl", '{"epoch": 1}\n'),
    ],
)
def test_what_is_none_of_ours_is_refused_with_its_name(run, name, text):
    (run.path / name).write_text(text)
    with pytest.raises(RunError, match="damaged"):
        recorded.load(run.path)


@pytest.mark.parametrize(
    "text",
    ["a: " + "9" * 5000 + "\n", "a: 2020-13-41\n", "a: &x [1]\nb: *x\n", "a: \xff\n", "a: " + "[" * 5000 + "]" * 5000],
    ids=["a long number", "no date", "an alias", "no text", "deep"],
)
def test_a_config_that_lossrun_cannot_have_written_is_refused(make_run, text):
    run = make_run(rows=lambda epoch, seed: {})
    (run.path / "config.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(RunError, match=r"cannot read .*config\.yaml: .*restore it from a copy"):
        recorded.load(run.path)


@pytest.mark.parametrize("name", ["environment", "config_digest"])
def test_a_ledger_with_the_config_has_all_that_came_with_it(tmp_path: Path, name: str) -> None:
    run = write_run(tmp_path, rows=lambda epoch, seed: {"train_loss": 1.0, "val_loss": 1.0})
    events = [strict_json.loads(line) for line in run.ledger_path.read_bytes().splitlines()]
    del events[0][name]
    named = [
        (event["event"], {key: value for key, value in event.items() if key not in ("event", "time", "digest")})
        for event in events
    ]
    run.ledger_path.write_bytes(ledger.lines(named))
    with pytest.raises(RunError, match=rf"ledger\.jsonl, line 1: started: {name} is missing"):
        recorded.load(run.path)
