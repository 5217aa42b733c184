"""`--resume-or-start`: a batch system repeats one command until the run, or the sweep, is finished."""

import json
import shutil
from pathlib import Path

from tests.cli.conftest import CONFIG, Run

BARE = ("train", "config.yaml", "--resume-or-start", "--quiet")
COMMAND = (*BARE, "--name", "job")


def events(path: Path) -> list[str]:
    return [json.loads(line)["event"] for line in (path / "ledger.jsonl").read_text().splitlines()]


def test_one_command_starts_continues_and_has_finished(lossrun: Run, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    assert lossrun(*COMMAND).code == 0
    (run,) = (tmp_path / "runs").glob("*-job")
    # As if it had been killed before its last epoch was recorded.
    ledger = run / "ledger.jsonl"
    ledger.write_text(ledger.read_text().splitlines(keepends=True)[0])
    assert lossrun(*COMMAND).out.strip() == str(run.relative_to(tmp_path))
    assert events(run) == ["started", "resumed", "finished"]
    again = lossrun(*COMMAND)
    assert (again.code, "is finished" in again.err) == (0, True)
    assert events(run) == ["started", "resumed", "finished"]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [run.name]


def test_another_config_or_name_is_another_run(lossrun: Run, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    for more in (("job",), ("job", "--set", "learning_rate=0.02"), ("job", "--tag", "mine"), ("other",)):
        assert lossrun(*BARE, "--name", *more).code == 0
    # What was changed by a resume is still the run that the command began.
    assert lossrun("resume", "other", "--set", "epochs=4", "--quiet").code == 0
    assert "is finished" in lossrun(*BARE, "--name", "other").err
    assert len(list((tmp_path / "runs").iterdir())) == 4


def test_a_damaged_run_of_that_name_is_not_started_beside(lossrun: Run, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    assert lossrun(*COMMAND).code == 0
    (run,) = (tmp_path / "runs").glob("*-job")
    ledger = run / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b'"epochs": 3', b'"epochs": 4', 1))
    refused = lossrun(*COMMAND)
    assert (refused.code, "ledger.jsonl" in refused.err) == (4, True)


def test_a_sweep_is_started_continued_and_finished_by_one_command(lossrun: Run, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG)
    command = ("sweep", "config.yaml", "--over", "loss=mse,mae", "--jobs", "1", "--resume-or-start", "--quiet")
    first = lossrun(*command)
    assert first.code == 0, first.err
    sweep = tmp_path / first.out.strip()
    # As if it had been killed before its last cell began.
    done, cell = sorted(sweep.glob("final-*"))
    shutil.rmtree(cell)
    ledger = sweep / "ledger.jsonl"
    ledger.write_text(ledger.read_text().splitlines(keepends=True)[0])
    again = lossrun(*command)
    assert (again.code, again.out) == (0, first.out), again.err
    lossrun(*command)
    for run in (done, cell):
        assert events(run)[0] == "started"
        assert events(run).count("finished") == 1
        assert "resumed" not in events(run)
    assert events(sweep) == ["started", "finished"]
    for other in ("--set=learning_rate=0.02", "--over=optimizer=adam,sgd", "--name=other"):
        assert lossrun(*command, other).out != first.out
    assert len(list((tmp_path / "runs").iterdir())) == 4
