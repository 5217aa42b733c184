"""`lossrun compare --html` as a person types it."""

import os
import subprocess
import sys

from tests.cli.conftest import Run

WITHOUT_TORCH = """
import sys
from lossrun.cli import app
try:
    app()
finally:
    assert "torch" not in sys.modules
"""


def test_trained_runs_become_a_page_without_torch(lossrun: Run, config, tmp_path) -> None:
    for loss in ("mse", "mae"):
        assert lossrun("train", str(config), "--quiet", "--set", f"loss={loss}").code == 0
    arguments = ["compare", "last~1", "last", "--html", "report.html"]
    # Another process: in this one torch is imported already.
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *arguments],
        cwd=tmp_path,
        env=os.environ | {"COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "note: report.html written" in done.stderr
    assert "test_rmse" in done.stdout
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    for said in (
        "<h1>Which loss is better on synthetic_regression?</h1>",
        f"lossrun train {config} --quiet --set loss=mae",
        "20 test samples, sorted by absolute error",
        "learning_rate",
    ):
        assert said in text


def test_a_page_that_cannot_be_written_ends_with_4(lossrun: Run, config) -> None:
    for rate in ("0.1", "0.2"):
        lossrun("train", str(config), "--quiet", "--set", f"learning_rate={rate}")
    result = lossrun("compare", "last~1", "last", "--html", "nowhere/report.html")
    assert result.code == 4
    assert "cannot write nowhere/report.html" in result.err
