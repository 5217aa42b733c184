import io
import re
from pathlib import Path

from rich.console import Console

from lossrun.records.removal import Removable, Removables
from lossrun.report.removables import print_removables
from tests.report.test_runs import shown


def test_what_goes_is_shown_with_its_size(tmp_path):
    found = (
        Removable(tmp_path / "20261121-014500-a", (), 1_500_000, "finished", 1),
        Removable(tmp_path / "20261121-014501-b", (), 500, "no step was ever finished", 1),
    )
    text = shown(print_removables, Removables(found, ("c is left alone: damaged",)))
    assert re.search(r"^20261121-014500-a +finished +1\.5 MB$", text, re.MULTILINE)
    assert "total: 1.5 MB" in text
    assert "warning: c is left alone: damaged" in text
    assert shown(print_removables, Removables(())) == ""


def test_what_goes_is_told_in_lines_where_a_table_would_be_a_pillar():
    name = "20261121-014500-" + "long-" * 10 + "name"
    found = Removables((Removable(Path("runs") / name, (), 2048, "3 checkpoints before the last", 0),))
    console = Console(file=io.StringIO(), width=60, force_terminal=True, color_system=None)
    print_removables(found, console)
    lines = console.file.getvalue().splitlines()
    assert " ".join(lines[:-1]) == f"{name}: 3 checkpoints before the last; 2.05 kB"
    assert lines[-1] == "total: 2.05 kB"
