import errno
import json
import os
import re
from pathlib import Path

import pytest

from lossrun.config import read
from lossrun.config.schema import json_schema
from lossrun.config.starting import starting_text
from lossrun.errors import RunError, UsageError
from lossrun.packaged import packaged_configs
from lossrun.report.starting import write_config

TEMPLATES = [name for name, path in packaged_configs().items() if path.parent.name == "templates"]


@pytest.mark.parametrize("name", packaged_configs())
def test_a_copy_is_a_valid_config_that_says_how_to_train_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / "mine.yaml"
    write_config(name, path)
    _, command, *rest = path.read_text().splitlines()
    word = "train" if read(path).sweep is None else "sweep"
    assert command == f"# lossrun {word} {path}"
    for told in re.findall(r"lossrun (?:train|check) (\S+?)`", "\n".join(rest)):
        assert told == str(path)
    assert read(path).config.to_mapping() == read(packaged_configs()[name]).config.to_mapping()


@pytest.mark.parametrize("name", packaged_configs())
def test_its_first_line_leads_an_editor_to_the_schema(tmp_path: Path, name: str) -> None:
    path = tmp_path / "folder" / "mine.yaml"
    path.parent.mkdir()
    schema = write_config(name, path)
    line = path.read_text().splitlines()[0]
    # As yaml-language-server reads it: from the folder of the file.
    found = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", line)
    assert found
    assert (path.parent / found[1]).resolve() == schema.resolve()
    assert json.loads(schema.read_text()) == json_schema()


def test_a_schema_of_another_release_is_replaced(tmp_path: Path) -> None:
    schema = write_config("table", tmp_path / "a.yaml")
    schema.write_text("{}")
    assert write_config("table", tmp_path / "b.yaml") == schema
    assert json.loads(schema.read_text()) == json_schema()


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_commented_lines_are_valid_too(tmp_path: Path, name: str) -> None:
    lines = starting_text(name).splitlines()
    shown = [line.removeprefix("# ") if line.startswith("# ") and ": " in line[:20] else line for line in lines]
    kept = {line.partition(":")[0]: line for line in shown if ": " in line and not line.startswith((" ", "#"))}
    # A block of several lines keeps its place; the others may only appear once.
    text = "\n".join(line for line in shown if kept.get(line.partition(":")[0], line) == line)
    (tmp_path / "c.yaml").write_text(text)
    read(tmp_path / "c.yaml")


def test_an_unknown_template_is_answered_with_those_there_are() -> None:
    assert TEMPLATES == ["classification", "regression", "table"]
    with pytest.raises(UsageError, match=r"there is no config 'regresion' to start from; did you mean regression\?"):
        starting_text("regresion")
    with pytest.raises(UsageError, match=f"{len(packaged_configs())} configs to start from: classification, line, "):
        starting_text("zzz")


def test_a_file_that_exists_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("mine")
    with pytest.raises(UsageError, match="already exists and was not changed"):
        write_config("table", path)
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=f"cannot write .*: {os.strerror(errno.ENOENT)}; there is no folder .*nowhere"):
        write_config("table", tmp_path / "nowhere" / "c.yaml")


def test_a_schema_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / ".lossrun.schema.json").mkdir()
    with pytest.raises(RunError, match=r"cannot write .*schema\.json: .*name another file with --output"):
        write_config("table", tmp_path / "c.yaml")
    assert not (tmp_path / "c.yaml").exists()  # so that the command can be given again
