"""`lossrun gc` on a run that was really trained: what is left still works."""

from pathlib import Path

from tests.cli.conftest import Run


def test_space_is_freed_and_the_run_goes_on_from_its_last_state(lossrun: Run, config: Path, tmp_path: Path) -> None:
    assert lossrun("train", "config.yaml", "--name", "whole").code == 0
    assert lossrun("train", "config.yaml", "--name", "freed").code == 0
    (run,) = (tmp_path / "runs").glob("*-freed")
    before = sum(path.stat().st_size for path in (tmp_path / "runs").rglob("*") if path.is_file())

    asked = lossrun("gc")
    assert asked.code == 2
    assert "--yes" in asked.err
    assert before == sum(path.stat().st_size for path in (tmp_path / "runs").rglob("*") if path.is_file())

    result = lossrun("gc", "--yes")
    assert result.code == 0
    after = sum(path.stat().st_size for path in (tmp_path / "runs").rglob("*") if path.is_file())
    assert f"({before - after} bytes)" in result.err
    assert before > after
    assert sorted(path.name[:4] for path in (run / "checkpoints").iterdir()) == ["best", "step"]
    assert "nothing to remove" in lossrun("gc", "--yes").err

    assert lossrun("resume", "freed", "--set", "epochs=4").code == 0
    assert lossrun("train", "config.yaml", "--set", "epochs=4", "--name", "straight").code == 0
    compared = lossrun("ls", "--where", "epochs_done=4", "--format", "csv").out.splitlines()
    freed, straight = (line.split(",")[10:] for line in compared[1:])
    assert freed == straight  # to the last digit, what an uninterrupted run has


def test_older_than_and_keep_best(lossrun: Run, config: Path, tmp_path: Path) -> None:
    assert lossrun("train", "config.yaml").code == 0
    assert "nothing to remove" in lossrun("gc", "--older-than", "1d", "--yes").err
    refused = lossrun("gc", "--older-than", "soon")
    assert refused.code == 2
    assert "30d" in refused.err
    assert lossrun("gc", "--keep-best", "--yes").code == 0
    (folder,) = (tmp_path / "runs").glob("*/checkpoints")
    assert [path.name.partition("-")[0] for path in folder.iterdir()] == ["best"]
    resumed = lossrun("resume", "last", "--set", "epochs=4")
    assert resumed.code == 4
    assert "no checkpoint" in resumed.err


def test_what_cannot_go_is_told_of_and_does_not_keep_the_rest(lossrun: Run, config: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert lossrun("train", "config.yaml").code == 0
    first, second = sorted((tmp_path / "runs").iterdir())
    max((first / "checkpoints").glob("step-*")).write_bytes(b"damaged")
    result = lossrun("gc", "--yes")
    assert result.code == 4
    assert "damaged" in result.err
    assert len(list((first / "checkpoints").glob("step-*"))) > 1
    assert len(list((second / "checkpoints").glob("step-*"))) == 1
