"""Worker processes, whatever program starts them."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import lossrun
from lossrun.errors import UsageError
from tests.sweeping.conftest import BASE

# At the top of a script and without `if __name__ == "__main__"`, as people write it. SIGTERM is ignored, as by a
# program that was started so.
SCRIPT = """
import signal
from lossrun.sweeping.pool import worker_pool

print("started")
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with worker_pool(1) as pool:
    print(pool.submit(abs, -3).result())
    print(pool.submit(signal.getsignal, signal.SIGTERM).result() == signal.SIG_DFL)
"""


@pytest.mark.slow
def test_a_script_without_a_main_guard_is_not_run_by_its_workers(tmp_path: Path) -> None:
    """And workers can be stopped by SIGTERM, although they inherit that it is ignored."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["started", "3", "True"], "")


@pytest.mark.parametrize("start", [lossrun.sweep, lossrun.find_lr])
def test_a_process_that_may_start_no_others_is_told_so_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: object
) -> None:
    monkeypatch.setattr("lossrun.sweeping.pool.current_process", lambda: SimpleNamespace(daemon=True))
    monkeypatch.chdir(tmp_path)
    options = {"over": "loss=mse,mae"} if start is lossrun.sweep else {}
    with pytest.raises(UsageError, match=r"this process is one of multiprocessing's daemonic ones, which may not"):
        start({**BASE}, **options)  # type: ignore[operator]
    assert not list(tmp_path.iterdir())
