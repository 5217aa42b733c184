"""Pipes that their reader closes, and a screen that accepts no more output."""

import subprocess
import sys
from pathlib import Path

import pytest

from lossrun.records import recorded


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and /dev/full of Unix")
def test_a_screen_that_goes_away_does_not_end_the_run(config: Path, tmp_path: Path) -> None:
    lossrun = f"{sys.executable} -m lossrun"

    def shell(command: str) -> int:
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, check=False, text=True)
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr
        return done.returncode

    assert shell(f"set -o pipefail; {lossrun} train config.yaml --set epochs=30 | head -1") == 0
    assert shell(f"{lossrun} train config.yaml > /dev/full") == 0
    assert shell(f"{lossrun} train config.yaml >&-") == 0
    assert [recorded.load(run).status for run in (tmp_path / "runs").iterdir()] == ["finished"] * 3
    assert shell(f"{lossrun} ls > /dev/full") == 4
    assert shell(f"set -o pipefail; {lossrun} script config.yaml --as pytorch | true") == 141
    assert shell(f"{lossrun} manual >&-") == 0
