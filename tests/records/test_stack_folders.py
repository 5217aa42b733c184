"""Workers of a sweep make and remove the folders of their stacks at the same time."""

from pathlib import Path
from typing import Any

import pytest

from lossrun.errors import RunError
from lossrun.records.sweep_directory import holding_stack, remove_stack, stack_directory


def test_a_stack_begins_while_the_last_other_one_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, ending = stack_directory(tmp_path, "mine"), ["other"]
    mkdir = Path.mkdir

    def meanwhile(path: Path, *args: Any, **options: Any) -> None:
        if path == mine and ending:
            remove_stack(tmp_path, ending.pop())
            assert not mine.parent.exists()
        mkdir(path, *args, **options)

    with holding_stack(tmp_path, "other"):
        pass
    monkeypatch.setattr(Path, "mkdir", meanwhile)
    with holding_stack(tmp_path, "mine"):
        assert mine.is_dir()
    assert not ending


def test_no_stack_begins_in_a_sweep_that_was_removed(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="removed meanwhile"), holding_stack(tmp_path / "sweep", "mine"):
        pass
    assert not list(tmp_path.iterdir())
