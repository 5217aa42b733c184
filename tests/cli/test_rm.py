"""Runs that are named by patterns and tags, and removed."""

import io
import re
from pathlib import Path

import pytest

from lossrun.errors import RunError
from lossrun.records import ledger, lock
from lossrun.records.finding.runs import find, find_all
from tests.cli.conftest import Run
from tests.conftest import write_run


def rows(epoch, seed):
    return {"train_loss": 1.0, "val_loss": 1.0 / epoch, "val_rmse": 0.5 / epoch}


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Path]:
    """Four runs: two of one name; the tags of `c` came with a resume."""
    made: dict[str, Path] = {}
    for key, name, tags in (
        ("a", "mnist-adam", ["lecture"]),
        ("b", "mnist-sgd", ["lecture", "old"]),
        ("c", "moons", []),
    ):
        made[key] = write_run(tmp_path / "runs", name, rows=rows, config={"tags": tags}).path
    made["again"] = write_run(tmp_path / "runs", "mnist-adam", rows=rows).path
    ledger.append(made["c"] / "ledger.jsonl", "resumed", changes={"tags": [[], ["lecture"]]})
    return made


@pytest.mark.parametrize(
    ("specs", "tags", "expected"),
    [
        (["mnist-*"], [], ["a", "b", "again"]),
        (["MNIST-*"], [], ["a", "b", "again"]),
        (["2026*-mnist-*"], [], ["a", "b", "again"]),
        (["*"], [], ["a", "b", "c", "again"]),
        (["mnist-[as]*"], [], ["a", "b", "again"]),
        (["*-sg?"], [], ["b"]),
        (["moons", "mnist-*"], [], ["c", "a", "b", "again"]),
        (["mnist-adam", "mnist-*"], [], ["again", "a", "b"]),  # a name alone is its newest run
        (["mnist-*", "*-sgd"], [], ["a", "b", "again"]),
        (["last", "last~1"], [], ["again", "c"]),
        (["last", "last"], [], ["again", "again"]),  # said twice: for the command to judge
        ([], ["lecture"], ["a", "b", "c"]),
        ([], ["lecture", "old"], ["b"]),
        (["mnist-*"], ["lecture"], ["a", "b"]),
    ],
)
def test_arguments_and_tags_choose_runs(runs, tmp_path, specs, tags, expected):
    assert find_all(specs, tmp_path / "runs", tags) == [runs[key] for key in expected]


def test_a_pattern_of_paths_is_what_a_shell_would_make_of_it(runs, tmp_path):
    assert find_all([f"{tmp_path}/runs/*-mnist-sgd"], tmp_path / "elsewhere") == [runs["b"]]


@pytest.mark.parametrize(
    ("specs", "tags", "message"),
    [
        (["kmnist-*"], [], r"no run in .* matches kmnist-\*"),
        (["mnist"], [], "is the beginning of 3 runs"),
        (["mnist-*", "kmnist"], [], "no run kmnist"),
        ([], ["exam"], "no run in .* has the tag exam"),
        (["moons"], ["old"], "no run of moons has the tag old"),
        ([], ["lect"], "has the tag lect"),
    ],
)
def test_what_means_no_run_is_an_error(runs, tmp_path, specs, tags, message):
    with pytest.raises(RunError, match=message):
        find_all(specs, tmp_path / "runs", tags)


def test_where_one_run_is_wanted_a_pattern_must_fit_one(runs, tmp_path):
    assert find("*-sgd", tmp_path / "runs") == runs["b"]
    with pytest.raises(RunError, match="matches 3 runs") as error:
        find("mnist-*", tmp_path / "runs")
    assert str(error.value).index(runs["again"].name) < str(error.value).index(runs["a"].name)


def test_tags_that_yaml_writes_with_escapes_are_found(tmp_path):
    tag = "été \u200b 1e3"
    run = write_run(tmp_path / "runs", rows=rows, config={"tags": [tag, "1e3"]}).path
    assert find_all([], tmp_path / "runs", [tag, "1e3"]) == [run]


def test_a_damaged_run_has_no_tags(runs, tmp_path):
    (runs["a"] / "ledger.jsonl").write_text("nonsense lecture\n")
    assert find_all([], tmp_path / "runs", ["lecture"]) == [runs["b"], runs["c"]]


def test_a_run_is_removed_without_a_question_where_that_is_said(lossrun: Run, runs, tmp_path) -> None:
    result = lossrun("rm", "mnist-*", "--tag", "lecture", "--yes")
    assert result.code == 0
    assert result.out == ""
    assert all(runs[key].name in result.err for key in "ab")
    assert sorted((tmp_path / "runs").iterdir()) == [runs["c"], runs["again"]]


def test_without_a_terminal_nothing_is_removed_unless_that_is_said(lossrun: Run, runs, tmp_path) -> None:
    result = lossrun("rm", "*")
    assert result.code == 2
    assert "--yes" in result.err
    assert all(path.is_dir() for path in runs.values())


@pytest.mark.parametrize(("answer", "stays"), [("y\n", False), ("n\n", True), ("\n", True), ("", True)])
def test_on_a_terminal_it_asks(lossrun: Run, runs, monkeypatch, answer, stays) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(answer))
    result = lossrun("rm", "moons")
    assert result.code == 0
    assert runs["c"].exists() is stays
    assert ("nothing was removed" in result.err) is stays
    assert result.out == ""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "rm needs a run"),
        (("kmnist-*",), 4, "kmnist"),
        (("moons", "--runs-dir", "elsewhere"), 4, "no run moons"),
        (("runs/notes",), 4, "is not a run directory"),
    ],
)
def test_rm_answers_a_mistake_and_removes_nothing(lossrun: Run, runs, tmp_path, arguments, code, message) -> None:
    (tmp_path / "runs" / "notes").mkdir()
    result = lossrun("rm", *arguments, "--yes")
    assert result.code == code
    assert message in result.err
    assert all(path.is_dir() for path in (*runs.values(), tmp_path / "runs" / "notes"))


def test_a_run_elsewhere_is_not_removed_by_its_path(lossrun: Run, runs, tmp_path) -> None:
    result = lossrun("rm", str(runs["c"]), "--runs-dir", "elsewhere", "--yes")
    assert result.code == 2
    assert f"--runs-dir {tmp_path / 'runs'}" in " ".join(result.err.split())
    assert runs["c"].is_dir()


def test_one_run_being_written_keeps_all(lossrun: Run, runs) -> None:
    with lock.writing(runs["b"]):
        result = lossrun("rm", "*", "--yes")
    assert result.code == 5
    assert runs["b"].name in result.err
    assert all(path.is_dir() for path in runs.values())


def test_compare_takes_patterns_and_tags(lossrun: Run, runs) -> None:
    assert lossrun("compare", "mnist-*").code == 0
    tagged = lossrun("compare", "--tag", "lecture", "--format", "json")
    assert tagged.code == 0
    assert all(runs[key].name in tagged.out for key in "abc")
    assert runs["again"].name not in tagged.out
    alone = lossrun("compare", "--tag", "old")
    assert alone.code == 2
    assert "two runs" in alone.err


def test_show_says_the_tags_and_which_run_a_pattern_is(lossrun: Run, runs) -> None:
    result = lossrun("show", "*-sgd")
    assert f"*-sgd is {runs['b'].name}" in result.err
    assert re.search(r"^tags +lecture, old$", result.out, re.MULTILINE)


def test_plot_takes_patterns_and_tags(lossrun: Run, runs) -> None:
    result = lossrun("plot", "mnist-*", "--tag", "lecture")
    assert result.code == 0
    assert "val_rmse" in result.out
    nothing = lossrun("plot")
    assert nothing.code == 2
    assert "--tag TAG" in nothing.err
