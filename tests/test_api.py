"""What `import lossrun` gives to Python: runs as objects, their history as records and as a DataFrame."""

import builtins
import json
import math
import re
import sys
import typing
import warnings
from collections.abc import Callable
from contextlib import suppress
from html import unescape
from inspect import isfunction, signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lossrun
from lossrun import api
from lossrun.api.given import draft_of, options_of
from lossrun.cli import main
from lossrun.config import from_mapping
from lossrun.errors import LossrunError, RunError, UsageError
from lossrun.records import history
from lossrun.records.sweep_directory import create
from lossrun.report.layout.numbers import format_number
from lossrun.report.layout.rows import rows_to_csv
from lossrun.report.reference.topics import topics
from lossrun.sweeping.plan import plan_sweep
from lossrun.sweeping.reading import read_sweep
from tests.conftest import write_run

CONFIG = {
    "dataset": {"name": "synthetic_regression", "samples": 100, "features": 3},
    "model": {"name": "mlp", "hidden": [4]},
    "loss": "mse",
    "optimizer": "adam",
    "learning_rate": 0.01,
    "epochs": 3,
    "seeds": 2,
}
# A third, the least number above 0, one that 15 digits do not tell from its neighbour, and what is no number.
AWKWARD = (1 / 3, 5e-324, 0.1 + 0.2, -0.0, math.inf, -math.inf, math.nan)


def rows(epoch, seed):
    return {"train_loss": AWKWARD[epoch - 1], "val_loss": 1.0 / epoch, "val_rmse": 0.5 / epoch}


def bits(values):
    return [float(value).hex() for value in values]


def words_of(html):
    assert html.count("<table>") == html.count("</table>") > 0
    return set(unescape(re.sub("<[^>]*>", " ", html)).split())


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    for name in ("mnist-adam", "mnist-sgd", "moons"):
        write_run(tmp_path / "runs", name, rows=rows, config={"epochs": len(AWKWARD), "seeds": [0, 1]})
    return tmp_path / "runs"


def test_a_trained_run_has_its_history_as_records(tmp_path) -> None:
    run = lossrun.train(CONFIG, runs_dir=tmp_path / "runs")
    assert isinstance(run, api.Run)
    rmse = [end["test_at_best"]["test_rmse"] for end in run.finished["seeds"].values()]
    assert f"test_rmse {sum(rmse) / 2:.4g} ± " in repr(run)
    lines = (run.path / "history.jsonl").read_text().splitlines()
    assert list(run.history.rows) == [json.loads(line) for line in lines]
    assert [(row["epoch"], row["seed"]) for row in run.history.rows] == [(e, s) for e in (1, 2, 3) for s in (0, 1)]
    frame = run.history.to_pandas()
    assert len(frame) == 6
    for name in (*run.history.rows.names, *run.finished["seeds"]["0"]["test_at_best"]):
        assert topics(name), "lossrun explain knows every column"
    assert lossrun.resume(run).history.rows == run.history.rows  # finished: nothing to do
    assert lossrun.load(run) is run


def test_a_frame_holds_the_numbers_of_the_file_bit_for_bit(runs_dir) -> None:
    run = lossrun.load("moons", runs_dir=runs_dir)
    frame = run.history.to_pandas()
    assert list(frame.columns) == list(run.history.rows[0])
    for name in ("train_loss", "val_loss", "learning_rate"):
        assert str(frame[name].dtype) == "float64"
        assert bits(frame[name]) == bits(row[name] for row in run.history.rows)
    assert bits(frame["train_loss"])[::2] == bits(AWKWARD)
    for name in ("epoch", "step", "seed"):
        assert str(frame[name].dtype) == "int64"
    assert frame.groupby("seed")["val_rmse"].min().tolist() == [0.5 / len(AWKWARD)] * 2


def test_a_value_that_a_row_lacks_is_nan_in_the_frame(runs_dir) -> None:
    path = lossrun.load("moons", runs_dir=runs_dir).path
    last = {"epoch": 8, "step": 24, "seed": 0, "train_loss": 1.0, "val_new": 2.0}
    history.append(path / "history.jsonl", [last])
    frame = lossrun.load(path).history.to_pandas()
    assert frame["val_new"].isna().tolist() == [True] * 14 + [False]
    assert math.isnan(frame["val_loss"].iloc[-1])
    assert frame["epoch"].iloc[-1] == 8


def test_a_run_without_an_epoch_has_an_empty_frame(tmp_path) -> None:
    run = write_run(tmp_path / "runs", rows=rows, epochs_done=0, finish=False)
    assert len(lossrun.load(run.path).history.to_pandas()) == 0


def test_without_pandas_it_says_what_to_do(runs_dir, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="pip install"):
        lossrun.load("moons", runs_dir=runs_dir).history.to_pandas()


def test_pandas_is_not_imported_unasked(runs_dir, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    first, second = (lossrun.load(name, runs_dir=runs_dir) for name in ("moons", "mnist-sgd"))
    assert len(lossrun.compare(first, second).runs) == 2


def test_load_takes_what_the_command_line_takes(runs_dir) -> None:
    newest = lossrun.load("last", runs_dir=runs_dir)
    assert newest.name.endswith("-moons")
    for spec in ("moons", "moo", "*-moons", newest.path, str(newest.path)):
        assert lossrun.load(spec, runs_dir=runs_dir) == newest
    with pytest.raises(RunError, match="matches 2 runs"):
        lossrun.load("mnist-*", runs_dir=runs_dir)
    with pytest.raises(RunError, match="did you mean moons"):
        lossrun.load("moosn", runs_dir=runs_dir)


def test_a_comparison_prints_as_the_command_does(runs_dir) -> None:
    comparison = lossrun.compare("mnist-*", runs_dir=runs_dir)
    text = str(comparison)
    for words in ("best epoch", "train_loss", *(run.name for run in comparison.runs)):
        assert words in text
    assert "--curves" not in text
    assert "\x1b" not in text


@pytest.mark.filterwarnings("ignore:epoch 3, seed")  # three epochs are too few for mae
def test_every_result_shows_itself_as_the_command_prints_it(tmp_path, monkeypatch, capsys) -> None:
    """By `print`, and as the value of a cell: a page at most, however much there is; in a notebook with real tables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    run = lossrun.train(CONFIG)
    lossrun.train(CONFIG, overrides="loss=mae")
    commands = {
        ("evaluate", "last~1"): lossrun.evaluate(run, per_sample=True),
        ("verify", "last~1"): lossrun.verify(run),
        ("compare", "last~1", "last", "--label=<b>&", "--label=B"): lossrun.compare(run, "last", label=["<b>&", "B"]),
    }
    for command, result in commands.items():
        monkeypatch.setattr(sys, "argv", ["lossrun", *command])
        with suppress(SystemExit):
            main()
        # The command adds a hint about its own options to a comparison.
        printed = capsys.readouterr().out.replace("note: --curves shows the losses epoch by epoch\n", "")
        assert printed.rstrip() == repr(result) == str(result), command
        html = result._repr_html_()
        assert "<b>" not in html
        # Only the lines below headers are missing.
        assert {word for word in printed.split() if "──" not in word} <= words_of(html)
    few, many = (lossrun.predict(run, np.zeros((count, 3))) for count in (2, 5000))
    assert repr(few).splitlines()[1:] == rows_to_csv(few.rows()).splitlines()
    assert len(repr(many).splitlines()) == 13
    assert "5,000 rows" in repr(many)
    assert {"5,000", "prediction"} <= words_of(many._repr_html_())
    assert repr(run.history).startswith("<History of 6 rows: epoch, step, seed, ")
    last = words_of(run.history._repr_html_())
    assert {"train_loss", format_number(run.history.rows[-1]["train_loss"])} <= last
    assert {"finished", "test_rmse", "val_loss"} <= words_of(run._repr_html_())


def test_what_verify_finds_is_shown_too(tmp_path) -> None:
    run = lossrun.train(CONFIG, runs_dir=tmp_path)
    weights = next((run.path / "checkpoints").glob("best-*"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    found = lossrun.verify(run)
    assert found.problems
    assert repr(found).endswith("\n".join(found.problems))


def test_a_sweep_gives_its_final_runs_and_a_search_its_curves(tmp_path) -> None:
    sweep = lossrun.sweep(CONFIG, over="loss=mse,mae", overrides="epochs=1", runs_dir=tmp_path, jobs=1)
    assert [type(run) for run in sweep.final] == [api.Run, api.Run]
    assert len(sweep.final[0].history.to_pandas()) == 2
    assert isinstance(sweep.comparison, lossrun.Comparison)
    assert "Leaderboard" in repr(sweep) == str(sweep)
    assert "Leaderboard" in words_of(sweep._repr_html_())
    found = lossrun.find_lr(CONFIG, overrides="epochs=4", steps=9, jobs=1)
    assert f"suggestion: learning_rate {found.suggestion:g}" in repr(found) == str(found)


def test_a_sweep_that_was_stopped_continues(tmp_path) -> None:
    reading = from_mapping(CONFIG, tmp_path)
    planned = plan_sweep(read_sweep(reading, ["loss=mse,mae"]), tmp_path, tmp_path)
    begun = create(tmp_path, planned.name, planned.config, planned.cells, planned.facts)
    assert lossrun.load_sweep(begun.path).final == ()
    found = lossrun.resume_sweep(begun.name, runs_dir=tmp_path, jobs=1)
    assert len(found.final) == 2
    assert lossrun.resume_sweep(found, jobs=1).records() == found.records()
    for function in (lossrun.resume, lossrun.load, lossrun.evaluate, lossrun.verify):
        with pytest.raises(UsageError, match=r"is a sweep: lossrun.load_sweep shows"):
            function(begun.path)


@pytest.mark.parametrize("jobs", [0, -1, 2.5, True, "many"])
def test_a_number_of_workers_that_cannot_be_is_refused(tmp_path, jobs) -> None:
    with pytest.raises(UsageError, match="jobs"):
        lossrun.sweep(CONFIG, over="loss=mse,mae", runs_dir=tmp_path / "runs", jobs=jobs)
    with pytest.raises(UsageError, match="jobs"):
        lossrun.find_lr(CONFIG, jobs=jobs)
    assert not (tmp_path / "runs").exists()


def test_a_comparison_is_text_in_a_notebook_too(runs_dir, monkeypatch) -> None:
    comparison = lossrun.compare("mnist-*", runs_dir=runs_dir)
    text = str(comparison)
    # As in Jupyter, whose kernel leaves this function among the built-in ones; rich looks for the class.
    monkeypatch.setattr(builtins, "get_ipython", type("ZMQInteractiveShell", (), {}), raising=False)
    assert str(comparison) == text


def test_compare_takes_runs_and_patterns(runs_dir) -> None:
    moons = lossrun.load("moons", runs_dir=runs_dir)
    names = [run.name for run in lossrun.compare(moons, "mnist-*", runs_dir=runs_dir).runs]
    assert [name.partition("-")[2].partition("-")[2] for name in names] == ["moons", "mnist-adam", "mnist-sgd"]
    with pytest.raises(UsageError, match="two runs"):
        lossrun.compare("*-moons", runs_dir=runs_dir)


def test_the_types_say_what_comes_back() -> None:
    """py.typed stands in the package, so that mypy reads the annotations; these are the ones it reads."""
    assert Path(lossrun.__file__).with_name("py.typed").is_file()
    for function in (lossrun.train, lossrun.resume, lossrun.load):
        assert typing.get_type_hints(function)["return"] is api.Run
    assert typing.get_type_hints(api.Run)["history"] is api.RunHistory


def test_a_loaded_run_warns_of_nothing_and_writes_nothing(runs_dir) -> None:
    before = {path: path.stat().st_mtime_ns for path in runs_dir.rglob("*")}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lossrun.compare("mnist-*", runs_dir=runs_dir)
    assert {path: path.stat().st_mtime_ns for path in runs_dir.rglob("*")} == before


def test_a_run_says_in_a_line_what_it_is(runs_dir: Path) -> None:
    run = lossrun.load("moons", runs_dir=runs_dir)
    assert repr(run).startswith(f"<Run {str(run.path)!r}: finished, ")
    assert "\n" not in repr(run)
    assert len(repr(run)) < 200 + len(str(run.path))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a folder that is in use")
def test_a_current_folder_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(UsageError, match="the current folder no longer exists"):
        lossrun.train({"loss": "mse"})


def robust(outputs: Any, targets: Any) -> Any:
    """Return one value per sample; a config cannot hold this function."""


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: lossrun.train(None), "None: expected the path or the name of a config, or a mapping"),  # type: ignore[arg-type]
        (lambda: lossrun.load(["a", "b"]), r"pass several runs one by one, as in compare\(\*runs\)"),  # type: ignore[arg-type]
        (lambda: lossrun.load(3), "3: expected a run, its path or its name$"),  # type: ignore[arg-type]
        (lambda: lossrun.train({"loss": robust}), "save robust in a file such as mine.py, and write 'mine:robust'"),
        (lambda: lossrun.train({"loss": {"name": robust}}), "loss: name .*'mine:robust'"),
        (lambda: lossrun.train({"loss": torch.nn.MSELoss()}), "a config names a loss: write 'mse'"),
        (lambda: lossrun.train({"optimizer": torch.optim.Adam}), "a config names an optimizer: write 'adam'"),
        (lambda: lossrun.train({"model": torch.nn.Sequential()}), "save my_model in a file"),
        (lambda: lossrun.train({"schedule": object()}), "schedule: name .* is not a string; expected a schedule"),
        (lambda: lossrun.train("quickstart", overrides={"loss": "__main__:gone"}), "gone was defined in a notebook"),
        (lambda: lossrun.train(""), "'': the name is empty"),
        (lambda: lossrun.train("quickstart", runs_dir=""), "'': the name is empty"),
        (lambda: lossrun.train("quick\0start"), "a path has no character with the code 0"),
        (lambda: lossrun.train("quickstart", overrides=[3]), r"overrides=\[3\]: expected a text such as 'KEY=VALUE'"),  # type: ignore[list-item]
        (lambda: lossrun.sweep("quickstart", over={"loss": [robust]}), r"over\['loss'\]: .*function"),
        (lambda: lossrun.compare("a", "b", at="first"), "at='first': expected 'best' or 'last' or an integer$"),  # type: ignore[arg-type]
        (lambda: lossrun.compare("a", "b", margin=True), "margin=True: expected a number or None$"),
        (lambda: lossrun.find_lr(CONFIG, steps=0), "steps 0: expected a number of steps from 1 on"),
        (lambda: lossrun.find_lr(CONFIG, jobs=False), "jobs=False: expected an integer or 'auto' or None$"),
    ],
)
def test_what_a_config_or_a_run_cannot_be_is_answered(call: Callable[[], object], expected: str) -> None:
    with pytest.raises(LossrunError) as problem:
        call()
    assert re.search(expected, str(problem.value))


def test_every_argument_is_checked_before_anything_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has an annotation; what may be anything, or has one in quotes, is checked by the function itself."""
    monkeypatch.chdir(tmp_path)
    for name in api.__all__:
        function = getattr(api, name)
        if not isfunction(function):
            continue
        parameters = signature(function).parameters.values()
        needed = {one.name: "last" for one in parameters if one.default is one.empty and one.kind != one.VAR_POSITIONAL}
        for one in parameters:
            if isinstance(one.annotation, str) or one.annotation is Any:
                continue
            args, kwargs = ((object(),), {}) if one.kind == one.VAR_POSITIONAL else ((), {one.name: object()})
            with pytest.raises(UsageError, match=f"^{one.name}=<object object at .*>: expected "):
                function(*args, **{**needed, **kwargs})
    with pytest.raises(TypeError, match=r"train\(\) takes no epochs; .* write overrides=\{'epochs': \.\.\.\}"):
        lossrun.train("quickstart", epochs=3)  # type: ignore[call-arg]
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_takes_alternatives_as_text_or_as_a_mapping() -> None:
    over = {"loss": ["mse", "mae"], "learning_rate": {"log_range": [1e-3, 0.1], "points": 3}}
    assert options_of("loss=mse,mae") == ["loss=mse,mae"]
    plans = [
        plan_sweep(read_sweep(draft_of(CONFIG, ()), given), Path("runs"), Path())
        for given in (options_of(over), ["loss=mse,mae", "learning_rate=log:1e-3:0.1:3"])
    ]
    assert [cell.changes for cell in plans[0].cells] == [cell.changes for cell in plans[1].cells]
