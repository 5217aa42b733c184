from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lossrun.errors import RunError
from lossrun.records.finding.runs import find
from lossrun.records.finding.sweeps import find_run_or_sweep, find_sweep
from lossrun.records.run_directory import create, file_contents


def make(runs_dir: Path, name: str, minutes: int = 0) -> Path:
    when = datetime(2026, 11, 21, 1, 45, tzinfo=UTC) + timedelta(0, 60 * minutes)
    return create(runs_dir, name, file_contents({"loss": {"name": "mse"}}, {}), when=when).path


def test_find_by_path_directory_name_and_recency(tmp_path):
    first, second = make(tmp_path, "a"), make(tmp_path, "b", minutes=1)
    assert find(str(first), tmp_path / "nowhere") == first
    assert find(first.name, tmp_path) == first
    assert find("last", tmp_path) == second
    assert find("last~1", tmp_path) == first
    with pytest.raises(RunError, match="has 2 runs"):
        find("last~2", tmp_path)


def test_a_name_means_its_newest_run(tmp_path):
    make(tmp_path, "adam")
    newest = make(tmp_path, "adam", minutes=1)
    make(tmp_path, "adam-slow", minutes=2)
    assert find("adam", tmp_path) == newest
    assert find("Adam", tmp_path) == newest


def test_a_beginning_is_enough_where_it_fits_one_name(tmp_path):
    make(tmp_path, "adam")
    newest = make(tmp_path, "adam", minutes=1)
    other = make(tmp_path, "sgd", minutes=2)
    assert find("ada", tmp_path) == newest
    assert find(other.name[:-1], tmp_path) == other


@pytest.mark.parametrize("search", [find, find_run_or_sweep, find_sweep])
@pytest.mark.parametrize("spec", ["", " "])
def test_an_empty_name_means_nothing_even_where_there_is_one_run(tmp_path, monkeypatch, search, spec):
    only = make(tmp_path, "adam")
    monkeypatch.chdir(only)  # as a path, an empty name is the current folder
    with pytest.raises(RunError, match="is empty"):
        search(spec, tmp_path)


def test_a_beginning_that_fits_several_lists_them(tmp_path):
    runs = [make(tmp_path, "adam"), make(tmp_path, "adagrad")]
    with pytest.raises(RunError) as error:
        find("ada", tmp_path)
    assert all(run.name in str(error.value) for run in runs)
    with pytest.raises(RunError, match="2 runs"):
        find("20261121", tmp_path)


def test_a_wrong_name_is_answered_with_the_nearest(tmp_path):
    make(tmp_path, "mnist-mlp-adam")
    with pytest.raises(RunError, match="did you mean mnist-mlp-adam"):
        find("mnist-mpl-adam", tmp_path)
    with pytest.raises(RunError, match="lossrun ls"):
        find("qqq", tmp_path)
    with pytest.raises(RunError, match=r"no config\.yaml"):
        find("runs/other", tmp_path)
