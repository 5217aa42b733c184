"""Messages about a file that does not exist."""

from pathlib import Path

import pytest

from lossrun.nearby import about, inside, joined, nearby, nearest, nearest_first

YAML = (".yaml", ".yml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("base.yaml", "base_line.yml", "mnist.yaml", "b.txt", ".hidden.yaml", "UPPER.YAML"):
        (tmp_path / name).touch()
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "deep.yaml").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("bsae.yaml", "; did you mean base.yaml? 4 YAML files here, nearest first: base.yaml, "),
        ("base.yml", "; did you mean base.yaml? 4 YAML files"),
        ("base.ymal", "; did you mean base.yaml? 4 YAML files"),
        ("base_line.yam", "; did you mean base_line.yml? 4 YAML files"),
        ("base", "; did you mean base.yaml? 4 YAML files"),
        ("BASE.yaml", "; did you mean base.yaml? 4 YAML files"),
        ("base-line.yaml", "; did you mean base_line.yml? 4 YAML files"),
        ("upper.yaml", "; did you mean UPPER.YAML? 4 YAML files"),
        ("deep.yaml", "configs/deep.yaml? 4 YAML files here"),
        ("xyzzy.yaml", "; 4 YAML files here: "),
        ("cofigs/deep.yaml", "configs/deep.yaml?"),
        ("cofigs/other.yaml", "configs?"),
        ("nowhere/else/a.yaml", "; there is no folder "),
    ],
)
def test_the_nearest_first_and_all_of_them_counted(folder: Path, asked: str, said: str) -> None:
    assert said in nearby(folder / asked, YAML, "YAML file")


def test_many_are_counted_and_few_are_listed(tmp_path: Path) -> None:
    for number in range(3000):
        (tmp_path / f"run{number}.yaml").touch()
    text = nearby(tmp_path / "run17x.yaml", YAML, "YAML file")
    assert text.startswith("; did you mean run17")
    assert "3000 YAML files here" in text
    assert text.endswith(", ...")
    assert len(text) < 200


def test_numbers_and_nouns_agree(tmp_path: Path) -> None:
    assert nearby(tmp_path / "a.yaml", YAML, "YAML file") == "; no YAML files here"
    (tmp_path / "b.yaml").touch()
    assert nearby(tmp_path / "quite_other.yaml", YAML, "YAML file") == "; 1 YAML file here: b.yaml"
    assert inside(tmp_path, YAML, "YAML file") == "; 1 YAML file in it: b.yaml"
    assert inside(tmp_path / "none", YAML, "YAML file") == "; no YAML files in it"
    assert about(tmp_path, IsADirectoryError(), YAML, "YAML file") == "; 1 YAML file in it: b.yaml"
    assert about(tmp_path / "b.yaml", PermissionError()) == ""
    assert joined("did you mean b?", "all of it") == "did you mean b? All of it"
    assert nearest_first("mse", [], "run", "there") == "; no runs there"
    assert nearest_first("a", ["a1"], "run", "there", count=7) == ("; did you mean a1? 7 runs there, nearest first: a1")


def test_nouns_joined_by_or_both_take_the_plural() -> None:
    assert "; 2 runs or sweeps there: " in nearest_first("xyzzy", ["mse", "mae"], "run or sweep", "there")


def test_a_name_with_control_characters_is_shown_without_them(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[31m.yaml").touch()
    assert "\x1b" not in nearby(tmp_path / "a.yaml", YAML, "YAML file")


def test_a_name_that_nobody_types_is_like_no_other() -> None:
    """Comparing long names takes memory and time, and a name from a file may have any length."""
    assert nearest("a" * 1000, ["a" * 999 + "b"]) == "a" * 999 + "b"
    assert nearest("a" * 10**7, ["a" * 9_999_999]) is None
