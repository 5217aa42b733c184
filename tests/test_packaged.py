"""The configs that come with lossrun, by name."""

import os
from pathlib import Path

import pytest

import lossrun
from lossrun.config import read
from lossrun.packaged import packaged_config, packaged_configs

FOLDER = Path(__file__).parent.parent / "configs"


def test_every_config_of_the_repository_has_a_name_of_its_own() -> None:
    files = sorted(FOLDER.rglob("*.yaml"))
    assert len(files) > 10
    assert sorted(packaged_configs().values()) == files


def empty(_path: Path) -> None:
    pass


def folder(path: Path) -> None:
    path.mkdir()


def file(path: Path) -> None:
    path.write_text("epochs: 7\n")


def link(path: Path) -> None:
    (path.parent / "target").write_text("epochs: 7\n")
    path.symlink_to("target")


def broken_link(path: Path) -> None:
    path.symlink_to("nowhere")


def pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("there", "asked", "packaged"),
    [
        (empty, "quickstart", True),
        (folder, "quickstart", True),
        (broken_link, "quickstart", True),
        (file, "quickstart", False),
        (link, "quickstart", False),
        (pipe, "quickstart", False),
        (empty, "quickstart.yaml", False),
        (empty, "QUICKSTART", False),
        (empty, "configs/quickstart", False),
        (empty, "../quickstart", False),
        (empty, "templates/table", False),
        (empty, "", False),
        (empty, "table", True),
    ],
)
def test_a_name_means_the_packaged_config_unless_there_is_a_file(
    there, asked: str, packaged: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    there(tmp_path / "quickstart")
    found = packaged_config(Path(asked))
    assert found == (packaged_configs()[asked] if packaged else None)
    assert packaged_config(tmp_path / asked) is None  # a path is a file


def test_paths_in_a_packaged_config_start_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read(Path("table")).directory == tmp_path
    assert read(packaged_configs()["table"]).directory == FOLDER / "templates"


@pytest.mark.filterwarnings("ignore::UserWarning")  # the run is short
def test_python_takes_a_name_too_and_a_file_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = lossrun.train("quickstart", overrides=["epochs=1"])
    assert run.config["loss"]["name"] == "huber"
    assert run.path.resolve().parent == tmp_path / "runs"
    text = packaged_configs()["quickstart"].read_text(encoding="utf-8")
    (tmp_path / "quickstart").write_text(text.replace("huber", "mse"), encoding="utf-8")
    assert lossrun.train("quickstart", overrides=["epochs=1"]).config["loss"]["name"] == "mse"
