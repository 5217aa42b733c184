"""The command line of sweeps. What sweeps do is tested in tests/sweeping."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

import pytest

from lossrun.records.lock import writing
from tests.cli.conftest import Run
from tests.crash import in_process

CONFIG = """\
dataset: {name: synthetic_regression, samples: 60, features: 3}
model: {name: mlp, hidden: [4]}
loss: mse
optimizer: sgd
learning_rate: 0.01
epochs: 2
seeds: 3
checkpoint: 100 epochs
"""
BLOCK = "sweep: {loss: [mse, mae], learning_rate: [0.01, 0.1]}\n"


@pytest.fixture
def sweep_yaml(tmp_path: Path) -> Path:
    path = tmp_path / "sweep.yaml"
    path.write_text(CONFIG + BLOCK)
    return path


def test_one_command_tunes_trains_and_compares(lossrun: Run, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    result = lossrun(
        "sweep", "c.yaml", "--over", "loss=mse,mae", "--over", "learning_rate=0.01,0.1", "--set", "epochs=3"
    )
    assert result.code == 0, result.err
    for part in ("Tuning", "Leaderboard", "loss=mse learning_rate=", "loss=mae learning_rate=", "test_rmse"):
        assert part in result.out
    assert "each pair was tuned over 2 values of learning_rate on 2 seeds, by validation rmse" in result.out
    (directory,) = (tmp_path / "runs").iterdir()
    assert len([path for path in directory.iterdir() if path.is_dir()]) == 4 + 2

    name = re.sub(r"^\d{8}-\d{6}-", "", directory.name)
    assert lossrun("compare", name).out == result.out
    listed = lossrun("ls").out
    assert directory.name in listed
    assert "6/6" in listed
    rows = list(csv.DictReader(io.StringIO(lossrun("compare", name, "--format", "csv").out)))
    assert all(row["label"] in result.out for row in rows)
    assert len({row["label"] for row in rows}) == 2
    for options in (["--metric", "mae"], ["--format", "md"], ["--at", "last"]):
        assert "as tuned by this sweep (learning_rate 0." in lossrun("compare", name, *options).out
    for format_ in ("md", "latex"):
        assert "each pair was tuned over 2 values of learning" in lossrun("compare", name, "--format", format_).out
    again = lossrun("resume", directory.name)
    assert again.code == 0
    assert again.out == result.out
    assert lossrun("resume", directory.name, "--set", "epochs=9").code == 2


# A loss, and one that fails on every batch.
MINE = """
def own(outputs, targets, gamma=2.0):
    return (outputs - targets).square().mean(dim=1)

def broken(outputs, targets):
    return outputs.no_such_method()
"""


def test_a_dry_run_of_a_share_shows_its_cells(sweep_yaml: Path, lossrun: Run) -> None:
    shares = [lossrun("sweep", str(sweep_yaml), "--dry-run", "--shard", f"{number}/3") for number in (1, 2, 3)]
    cells = [re.findall(r"^tune-\d+", share.out, re.MULTILINE) for share in shares]
    whole = lossrun("sweep", str(sweep_yaml), "--dry-run").out
    assert sorted(cell for share in cells for cell in share) == re.findall(r"^tune-\d+", whole, re.MULTILINE)
    assert [share.code for share in shares] == [0, 0, 0]


def test_a_dry_run_makes_nothing(sweep_yaml: Path, lossrun: Run) -> None:
    result = lossrun("sweep", str(sweep_yaml), "--dry-run", "--jobs", "1")
    assert result.code == 0
    assert "tuning: 4 cells, 8 trainings; then the best of each of 2 pairs on seeds 0 to 2" in result.out
    assert re.search(r"^roughly [\d.]+ m?s on 1 worker and [\d.]+ kB on disk", result.out, re.MULTILINE)
    assert not Path("runs").exists()


def test_a_dry_run_tells_what_is_planned_on_the_way(sweep_yaml: Path, lossrun: Run) -> None:
    pytest.importorskip("optuna")
    ranged = ("--over", "learning_rate=log:1e-3:0.1", "--set", "sweep.samples=12", "--set", "sweep.sampler=tpe")
    drawn = lossrun("sweep", str(sweep_yaml), *ranged, "--dry-run")
    assert "2 more values for each pair, drawn where the first ones did well; then" in drawn.out
    over = ("--over", "learning_rate=log:1e-3:0.1:9", "--set", "sweep.halving={factor: 3}", "--set", "epochs=9")
    halved = lossrun("sweep", str(sweep_yaml), *over, "--dry-run")
    assert "each for 1 epoch, the best of them for 3 and 9 epochs; then" in halved.out


def test_train_points_to_sweep(sweep_yaml: Path, lossrun: Run) -> None:
    refused = lossrun("train", str(sweep_yaml))
    assert refused.code == 2
    assert f"lossrun sweep {sweep_yaml}" in refused.err
    assert lossrun("train", str(sweep_yaml), "--set", "sweep=null", "--quiet").code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "nothing to sweep over"),
        (("--over", "los=mse,mae"), "did you mean loss"),
        (
            ("--over", "loss=mse,mae", "--over", "learning_rate=log:1e-4:1:1000", "--over", "batch_size=lin:1:100:100"),
            "--over loss=mse,mae: sweep: 2 x 1,000 x 100 = 200,000 cells",
        ),
        (
            ("--over", "learning_rate=0.1,0.2", "--over", "folds=2,3", "--set", "seeds=null"),
            "--over folds=2,3: sweep.folds",
        ),
        (("--over", "loss=mse,hubber"), "did you mean huber"),
        (("--over", "learning_rate=log:1:0.1:3"), "the smaller one first"),
        (("--over", "learning_rate=0.1,0.2", "--set", "dataset.validation=0"), "set dataset.validation above 0"),
        (("--over", "loss=mse,cross_entropy"), "cross_entropy"),
        (("--over", "loss=mse,nope:focal"), "loss=nope:focal: nope:focal: there is no module nope"),
        (
            ("--over", "optimizer=sgd,adam", "--set", "loss={name: mine:own, gama: 3}"),
            "error: loss mine:own: there is no",
        ),
        (("--over", "optimizer=sgd,adam", "--set", "loss=mine:broken"), "mine:broken failed on a first batch"),
        (("--over", "loss=mse,mae", "--set", "device=mps"), "device: mps is not available here"),
        (("--over", "loss=mse,mae", "--cpus", "2"), "--cpus 2 is about the tasks of --ray"),
    ],
)
def test_a_mistake_is_told_before_anything_is_made(
    lossrun: Run, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "mine.py").write_text(MINE)
    result = lossrun("sweep", "c.yaml", *options)
    assert result.code == 2
    assert message in " ".join(result.err.split())
    assert result.err.count("error:") == 1
    assert "Traceback" not in result.err
    assert not (tmp_path / "runs").exists()


def test_the_first_failure_ends_a_sweep_that_is_told_so(lossrun: Run, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "mine.py").write_text(MINE)
    stopped = lossrun("sweep", "c.yaml", "--over", "loss=mine:broken,mse,mae", "--fail-fast", "--jobs", "1")
    assert stopped.code == 1
    (directory,) = (tmp_path / "runs").iterdir()
    assert not list(directory.glob("final-*"))
    assert f"to run the others: lossrun resume {directory.name}" in " ".join(stopped.err.split())
    resumed = lossrun("resume", directory.name)
    assert resumed.code == 1, "one of its cells has failed"
    assert "mine:broken failed on a first batch" in " ".join(resumed.err.split())
    assert sorted(path.name for path in directory.glob("final-*")) == ["final-0002-mse", "final-0003-mae"]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "- mse\n- mae\n", "5\n", "mse\n"])
def test_a_file_that_is_no_config_is_refused_as_check_refuses_it(lossrun: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    checked, swept = lossrun("check", "c.yaml"), lossrun("sweep", "c.yaml", "--over", "loss=mse,mae")
    assert (swept.code, swept.err) == (checked.code, checked.err) == (2, swept.err)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("{los: [mse, mae]}", "there is no key los; did you mean loss?"),
        ("{loss: [mse, hubber]}", "did you mean huber?"),
        ("{loss: [mse, cross_entropy], optimizer: [sgd, adam]}", "error: loss=cross_entropy: c.yaml:"),
        ("{learning_rate: [0.1, 1], tune: {metric: val_accuracy}}", "there is no val_accuracy"),
    ],
)
def test_check_refuses_what_sweep_refuses(lossrun: Run, tmp_path: Path, block: str, message: str) -> None:
    (tmp_path / "c.yaml").write_text(f"{CONFIG}sweep: {block}\n")
    checked, swept = (lossrun(command, "c.yaml") for command in ("check", "sweep"))
    assert checked.code == swept.code == 2
    assert message in checked.err
    assert checked.err == swept.err


def test_mistakes_of_the_config_and_of_its_sweep_block_are_told_together(lossrun: Run, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"{CONFIG.replace('loss: mse', 'loss: mze')}sweep: {{loss: [mae, hubber]}}\n")
    for command in ("check", "sweep"):
        err = lossrun(command, "c.yaml").err
        assert err.count("error:") == 2
        assert "'mze'" in err
        assert "'hubber'" in err


def test_check_says_what_the_sweep_block_trains(lossrun: Run, sweep_yaml: Path) -> None:
    err = " ".join(lossrun("check", str(sweep_yaml)).err.split())
    assert "the sweep block: tuning: 4 cells, 8 trainings; then the best of each of 2 pairs on seeds 0 to 2" in err
    assert f"no problems found. Next: lossrun sweep {sweep_yaml}" in err


def test_a_damaged_plan_is_refused_and_listed_as_such(lossrun: Run, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    assert lossrun("sweep", "c.yaml", "--over", "loss=mse,mae", "--quiet").code == 0
    (directory,) = (tmp_path / "runs").iterdir()
    plan = directory / "plan.jsonl"
    lines = plan.read_text().splitlines()
    cell = json.loads(lines[0])
    cell["config"]["learning_rate"] = 5.0
    plan.write_text("\n".join([json.dumps(cell), *lines[1:], ""]))
    for command in ("compare", "resume"):
        refused = lossrun(command, directory.name)
        assert refused.code == 4
        assert "does not match" in refused.err
    assert "damaged" in lossrun("ls").out


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a config and a sweep of it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "c.yaml").write_text(CONFIG)
    command = ["sweep", "c.yaml", "--over", "loss=mse,mae", "--set", "name=Größe ☃", "--quiet"]
    assert in_process.run(command, folder).code == 0
    return folder


@pytest.fixture
def swept(made_once: Path, lossrun: Run, tmp_path: Path) -> Path:
    shutil.copytree(made_once, tmp_path, dirs_exist_ok=True)
    (directory,) = (tmp_path / "runs").iterdir()
    return directory


@pytest.mark.parametrize("command", ["show", "evaluate", "export -o out", "predict --input x.csv"])
def test_a_sweep_where_a_run_is_needed_is_told(lossrun: Run, swept: Path, command: str) -> None:
    name, *options = command.split()
    for spec in (str(swept), swept.name, "Größe ☃"):
        refused = lossrun(name, spec, *options)
        assert refused.code == 2
        assert "is a sweep" in refused.err
        assert f"lossrun compare {swept.name}" in refused.err
        assert "final-0002-mae" in refused.err


@pytest.mark.parametrize("command", ["show", "evaluate", "plot"])
def test_a_cell_is_a_run_by_its_path(lossrun: Run, swept: Path, command: str) -> None:
    assert lossrun(command, str(swept / "final-0001-mse")).code == 0


@pytest.mark.parametrize("command", ["compare", "resume"])
def test_an_incomplete_last_line_of_the_ledger_is_told(lossrun: Run, swept: Path, command: str) -> None:
    before = lossrun("compare", str(swept)).out
    with (swept / "ledger.jsonl").open("a") as file:
        file.write('{"event": "tun')
    result = lossrun(command, str(swept))
    assert "warning: ledger.jsonl ends in an incomplete line, which is ignored" in result.err
    assert (result.code, result.out) == (0, before)


@pytest.mark.parametrize("lost", ["config.yaml", "run.json", "ledger.jsonl", "last line in ledger.jsonl"])
def test_what_a_cell_has_lost_is_named_and_it_can_be_trained_again(lossrun: Run, swept: Path, lost: str) -> None:
    cell, before = swept / "final-0002-mae", lossrun("compare", str(swept)).out
    ledger = (cell / "ledger.jsonl").read_text().splitlines(keepends=True)
    (cell / lost.split()[-1]).unlink()
    if lost.startswith("last"):
        (cell / "ledger.jsonl").write_text("".join(ledger[:-1]))
    refused = lossrun("resume", str(swept), "--jobs", "1")
    assert (refused.code, f"final-0002-mae has lost its {lost}; " in refused.err) == (4, True)
    shutil.rmtree(cell)
    assert lossrun("resume", str(swept), "--jobs", "1").code == 0
    assert lossrun("compare", str(swept)).out == before


def test_rm_removes_a_sweep_whole_and_gc_leaves_it_alone(lossrun: Run, swept: Path) -> None:
    files = sorted(swept.rglob("*"))
    lossrun("gc", "--yes")
    assert sorted(swept.rglob("*")) == files
    refused = lossrun("rm", "Größe ☃")
    assert refused.code == 2
    assert "sweep of 2 runs" in refused.err
    assert swept.is_dir()
    assert lossrun("rm", "Größe ☃", "--yes").code == 0
    assert list(swept.parent.iterdir()) == []


def test_the_curves_of_a_sweep_are_drawn_everywhere(lossrun: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "c.yaml").write_text(CONFIG)
    made = lossrun("sweep", "c.yaml", "--over", "loss=mse,mae", "--over", "learning_rate=0.01,0.1,0.2", "--quiet")
    assert made.code == 0
    assert "val_rmse in tuning" in lossrun("plot", "sweep-synthetic_regression").out
    for name in ("a.png", "a.svg"):
        assert lossrun("plot", "sweep-synthetic_regression", "-o", name).code == 0
        assert Path(name).stat().st_size > 1000
    result = lossrun("compare", "sweep-synthetic_regression", "--html", "page.html")
    assert result.code == 0
    assert result.out.startswith("Leaderboard")
    page = Path("page.html").read_text()
    assert page.count("Each pair was tuned over 3 values of learning_rate on 2 seeds, by validation rmse;") == 1
    assert "val_rmse in tuning against learning_rate" in page
    assert page.count('class="point"') >= 6


def test_different_datasets_are_never_compared(lossrun: Run, tmp_path: Path) -> None:
    """Corrupt training targets make no other held-out data: with and without them is compared on each dataset."""
    (tmp_path / "c.yaml").write_text(CONFIG.replace("features: 3", "features: 5"))
    over = (
        "dataset.kind=linear,friedman1",
        "loss=mse,mae",
        "dataset.corrupt.outliers=0,0.1",
        "learning_rate=0.01,0.1,0.2",
    )
    options = [word for one in over for word in ("--over", one)]
    assert lossrun("sweep", "c.yaml", *options, "--quiet").code == 0
    shown = lossrun("compare", "last", "--html", "page.html")
    assert shown.code == 0
    assert "not comparable" not in shown.out
    for kind in ("linear", "friedman1"):
        assert shown.out.count(f"On dataset.kind={kind}\n") == 2  # the final runs, and their tuning
    assert shown.out.count("Leaderboard by") == shown.out.count("by loss and dataset.corrupt.outliers") == 2
    page = Path("page.html").read_text()
    for kind in ("linear", "friedman1"):
        assert f">On dataset.kind={kind}</h1>" in page
    assert (
        page.count('class="heat"') == page.count("Best val_rmse in tuning, by loss and dataset.corrupt.outliers") == 2
    )
    assert page.count("<h2") == page.count('id="verdicts') / 2 * len(set(re.findall(r'<h2 id="([a-z]+)-', page)))
    listed = list(csv.DictReader(io.StringIO(lossrun("compare", "last", "--format", "csv").out)))
    found = json.loads(lossrun("compare", "last", "--format", "json").out)
    assert [part["dataset"] for part in found] == list(dict.fromkeys(row["dataset"] for row in listed))
    for part in found:
        assert part["comparable"]
        of = {row["label"] for row in listed if row["dataset"] == part["dataset"]}
        assert of == {run["label"] for run in part["runs"]}
        assert not any(part["dataset"] in label for label in of)  # the same for all of them
    each = list(csv.DictReader(io.StringIO(lossrun("compare", "last", "--format", "csv", "--per-seed").out)))
    assert {row["dataset"] for row in each} == {"dataset.kind=linear", "dataset.kind=friedman1"}
    for options in (["--format", "md"], ["--format", "latex"], ["--metric", "mae"], ["--at", "1"]):
        parts = re.split(r"On dataset.kind=(\w+)\n", lossrun("compare", "last", *options).out)
        for kind, part in zip(("linear", "friedman1"), (parts[2], parts[4]), strict=True):
            assert set(re.findall(r"final-\d+-([a-z0-9]+)-", part)) == {kind}
            assert len(set(re.findall(r"final-\d+", part))) == 4
    assert lossrun("compare", "last", "--label", "A=mine").code == 2
    refused = lossrun("compare", "last", "--require", "better")
    assert refused.code == 2
    again = re.search(r"`lossrun (compare .*)`", refused.err)
    assert again
    compared = lossrun(*again[1].split())
    assert compared.code == 0
    assert "friedman1" not in compared.out
    assert lossrun("plot", "last").out.count("by loss and dataset.corrupt.outliers") == 2
    assert lossrun("plot", "last", "-o", "a.png").code == 2


def test_a_sweep_without_a_curve_is_told_when_it_is_to_be_plotted(lossrun: Run, swept: Path) -> None:
    refused = lossrun("plot", swept.name)
    assert refused.code == 2
    assert "no curve to plot" in refused.err


def test_last_and_the_beginning_of_a_name_mean_a_sweep_too(lossrun: Run, swept: Path) -> None:
    result = lossrun("compare", "Größe ☃").out
    for spec in ("last", "gr", swept.name[:12]):
        shown = lossrun("compare", spec)
        assert (shown.code, shown.out) == (0, result)
        assert shown.err == f"note: {spec} is the sweep {swept.name}\n"
    assert lossrun("train", "c.yaml", "--quiet").code == 0
    assert "at least two" in lossrun("compare", "last").err
    assert lossrun("compare", "last~1").out == result
    assert lossrun("show", "last").code == 0
    assert "last~2" in lossrun("compare", "last~2").err
    assert lossrun("resume", "last~1").out == result
    missed = lossrun("compare", "grosse")
    assert missed.code == 4
    assert "no run or sweep grosse" in missed.err
    assert lossrun("rm", "last~1", "--yes").code == 0
    assert not swept.exists()


def test_ls_opens_a_sweep(lossrun: Run, swept: Path) -> None:
    opened = lossrun("ls", "last")
    assert opened.code == 0
    assert opened.out.startswith(f"{swept.name}: finished, all 2 cells have ended, over loss")
    assert opened.out.index("final-0001-mse") < opened.out.index("final-0002-mae")
    rows = list(csv.DictReader(io.StringIO(lossrun("ls", swept.name, "--where", "loss=mae", "--format", "csv").out)))
    assert [row["run"] for row in rows] == ["final-0002-mae"]
    assert f"lossrun ls {swept.name}" in lossrun("ls").out
    assert lossrun("train", "c.yaml", "--quiet").code == 0
    (run,) = (path.name for path in swept.parent.iterdir() if path != swept)
    # A cell is named after its sweep, and so are all final runs, which a command that takes runs suggests.
    for name in (swept.name, str(swept)):
        assert "final-0002-mae" in lossrun("show", f"{name}/final-0002").out
        together = lossrun("compare", "last", name)
        assert together.code == 2
        finals = re.search(r"or '(.*)', all of its final runs", together.err)
        assert finals
        assert lossrun("compare", finals[1], "last", "--format", "csv").out.count("final-0001-mse,") > 1
    assert lossrun("show", f"{swept.name}/tune-0001").code == 4
    refused = lossrun("ls", run)
    assert refused.code == 2
    assert "is a run" in refused.err
    assert lossrun("ls", "nothing").code == 4


def test_a_share_says_what_is_missing(sweep_yaml: Path, lossrun: Run) -> None:
    first = lossrun("sweep", str(sweep_yaml), "--shard", "1/2")
    assert first.code == 0, first.err
    assert "2 cells of other shards have not ended, the first is tune-0003" in first.err
    assert "--shard 1/2" in first.err
    (directory,) = Path("runs").iterdir()
    assert "waiting" in lossrun("ls").out
    with writing(directory / "shards" / "1-of-2"):
        assert "running" in lossrun("ls").out
    second = lossrun("resume", directory.name, "--shard", "2/2")
    assert second.code == 0, second.err
    assert "1 cell of other shards has not ended, the first is final-0001" in second.err
    last = lossrun("sweep", str(sweep_yaml), "--shard", "1/2")
    assert last.code == 0, last.err
    assert last.out.startswith("Leaderboard")
    assert "finished" in lossrun("ls").out
    assert lossrun("sweep", str(sweep_yaml), "--shard", "3/2").code == 2


def test_jobs_are_auto_or_a_number(sweep_yaml: Path, lossrun: Run) -> None:
    for wrong in ("0", "-1", "many", "1.5"):
        refused = lossrun("sweep", str(sweep_yaml), f"--jobs={wrong}", "--dry-run")
        assert refused.code == 2
        assert "auto" in refused.err
    assert lossrun("train", str(sweep_yaml), "--set", "sweep=null", "--quiet").code == 0
    refused = lossrun("resume", "last", "--jobs", "1")
    assert (refused.code, "--jobs is about the cells of a sweep" in refused.err) == (2, True)
    for right in ("auto", "3"):
        assert lossrun("sweep", str(sweep_yaml), "--jobs", right, "--dry-run").code == 0
