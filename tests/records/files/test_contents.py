from collections.abc import Callable
from pathlib import Path

import pytest

from lossrun.errors import RunError
from lossrun.records import recorded
from lossrun.records.files.contents import content
from lossrun.records.run_directory import create, create_together
from lossrun.records.sweep_directory import SweepDirectory, holding_stack, read_events

READERS: dict[str, Callable[[Path], object]] = {
    "a run": recorded.load,
    "a sweep": lambda folder: read_events(SweepDirectory(folder)),
    "a file": lambda folder: content(folder / "config.yaml"),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_folder_that_is_gone_is_not_called_damaged(tmp_path: Path, read: Callable[[Path], object]) -> None:
    folder = tmp_path / "gone"
    with pytest.raises(RunError, match=r"gone does not exist; it was perhaps renamed or removed meanwhile"):
        read(folder)
    folder.mkdir()
    with pytest.raises(RunError) as caught:
        read(folder)
    assert "renamed" not in str(caught.value)


@pytest.mark.parametrize(
    "write",
    [
        lambda sweep: create_together(sweep, {"cell": {}}),
        lambda sweep: create(sweep, "cell", {}, stamped=False),
        lambda sweep: holding_stack(sweep, "stack").__enter__(),
    ],
    ids=["cells", "a cell", "a stack"],
)
def test_a_sweep_that_is_gone_is_not_begun_again(tmp_path: Path, write: Callable[[Path], object]) -> None:
    with pytest.raises(RunError, match="its folder was renamed or removed meanwhile"):
        write(tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []
