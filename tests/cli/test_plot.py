"""`lossrun plot` as a person types it."""

import os
import subprocess
import sys

import pytest

from tests.cli.conftest import Run
from tests.conftest import write_run


def rows(epoch: int, seed: int) -> dict[str, float]:
    return {"train_loss": 2.0 / epoch, "val_loss": 1.0 / epoch + seed, "val_rmse": 4.0 / epoch + seed}


@pytest.fixture(autouse=True)
def runs(tmp_path):
    """runs/20261121-014500-slow and -014501-fast, as the command finds them."""
    write_run(tmp_path / "runs", "slow", rows=rows, config={"seeds": [0, 1]})
    write_run(tmp_path / "runs", "fast", rows=rows, config={"seeds": [0, 1], "learning_rate": 0.5})


def test_two_runs_are_drawn_and_named(lossrun: Run) -> None:
    result = lossrun("plot", "last", "last~1")
    assert result.code == 0
    assert result.out.startswith("val_rmse [targets]: lower is better")
    assert "● lr=0.5   ○ lr=0.1" in result.out
    assert max(map(len, result.out.splitlines())) <= 120


def test_metrics_and_axes_are_chosen(lossrun: Run) -> None:
    result = lossrun("plot", "last", "--metric", "loss", "--metric", "lr", "--x", "seconds", "--log")
    assert result.code == 0
    for said in ("loss (mse) of ", "logarithmic", "learning_rate of ", "wall time in seconds", "● validation"):
        assert said in result.out


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_file_is_drawn_in_place_of_the_picture(lossrun: Run, tmp_path, ending) -> None:
    result = lossrun("plot", "last", "last~1", "-o", f"curves.{ending}")
    assert (result.code, result.out) == (0, "")
    assert f"curves.{ending} written" in result.err
    assert (tmp_path / f"curves.{ending}").stat().st_size > 1000


def test_mistakes_end_with_2_and_say_what_to_do(lossrun: Run) -> None:
    for arguments, said in (
        (["last", "last"], "given twice"),
        (["last", "--metric", "accuracy"], "expected one of loss, "),
        (["last", "--metric", "test_rmse"], "`show` and `compare` show test metrics"),
        (["last", "--output", "curves.gif"], ".png, .svg, .pdf"),
    ):
        result = lossrun("plot", *arguments)
        assert result.code == 2, arguments
        assert said in result.err
        assert "Traceback" not in result.err


def test_without_matplotlib_it_says_how_to_get_it(lossrun: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = lossrun("plot", "last", "--output", "curves.png")
    assert result.code == 2
    assert 'pip install "lossrun[plot]"' in result.err
    assert lossrun("plot", "last").code == 0


def test_plain_terminals_get_ascii_and_the_picture_needs_no_heavy_package(tmp_path) -> None:
    program = (
        "import sys; from lossrun.cli import main\n"
        "sys.argv = ['lossrun', 'plot', 'last', 'last~1']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = 'torch', 'numpy', 'matplotlib'\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)\n"
    )
    plain = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "TERM": "dumb", "NO_COLOR": "1"}
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=os.environ | plain, capture_output=True, check=True
    )
    assert result.stdout.isascii()
    assert b"* lr=0.5   o lr=0.1" in result.stdout
    assert result.stderr.splitlines()[-1] == b"[]"
