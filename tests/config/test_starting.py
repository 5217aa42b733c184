import errno
import os
from pathlib import Path

import pytest

from lossrun.config import read
from lossrun.config.starting import template_names, template_text, write_template
from lossrun.errors import UsageError


@pytest.mark.parametrize("name", template_names())
def test_every_template_is_a_valid_config_that_says_how_to_train_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / "mine.yaml"
    write_template(name, path)
    assert path.read_text().startswith(f"# lossrun train {path}\n")
    assert read(path).config.learning_rate > 0


@pytest.mark.parametrize("name", template_names())
def test_the_commented_lines_are_valid_too(tmp_path: Path, name: str) -> None:
    lines = template_text(name).splitlines()
    shown = [line.removeprefix("# ") if line.startswith("# ") and ": " in line[:20] else line for line in lines]
    kept = {line.partition(":")[0]: line for line in shown if ": " in line and not line.startswith((" ", "#"))}
    # A block of several lines keeps its place; the others may only appear once.
    text = "\n".join(line for line in shown if kept.get(line.partition(":")[0], line) == line)
    (tmp_path / "c.yaml").write_text(text)
    read(tmp_path / "c.yaml")


def test_the_names() -> None:
    assert template_names() == ["classification", "regression", "table"]
    with pytest.raises(UsageError, match=r"there is no template 'regresion'; did you mean regression\?"):
        template_text("regresion")
    with pytest.raises(UsageError, match="3 templates: classification, regression, table"):
        template_text("zzz")


def test_a_file_that_exists_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("mine")
    with pytest.raises(UsageError, match="exists already and is left alone"):
        write_template("table", path)
    assert path.read_text() == "mine"


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"cannot be written: {os.strerror(errno.ENOENT)}"):
        write_template("table", tmp_path / "nowhere" / "c.yaml")
