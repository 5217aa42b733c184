"""The batch scripts of CLUSTERS.md, run as SLURM runs them: its commands are stand-ins, and the nodes are processes."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from lossrun.config import from_mapping
from lossrun.records import ledger
from lossrun.records.run_directory import RunDirectory
from lossrun.records.sweep_directory import SweepDirectory, read_plan
from lossrun.sweeping.course import run_sweep
from tests.sweeping.conftest import BASE
from tests.sweeping.test_course import losses, made

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="SLURM is for Linux")

TEXT: Final = (Path(__file__).parents[2] / "CLUSTERS.md").read_text(encoding="utf-8")
ARRAY, RAY = re.findall(r"^```sh\n(#!/bin/bash\n.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
NOTE: Final = 'echo "$(basename "$0") $*" >> "$LOG"\n'
# srun does not hand --cpus-per-task on from the job to its steps, since version 22.05.
STAND_INS: Final = {
    "srun": NOTE
    + """
for word in "$@"; do
  case "$word" in
    --ntasks=*) tasks=${word#*=} ;;
    --*) ;;
    *) break ;;
  esac
  shift
done
for task in $(seq "$tasks"); do SLURM_PROCID=$((task - 1)) "$@" & done
wait
""",
    "scontrol": NOTE,
    "hostname": 'echo "fe80::1 10.0.0.7 10.1.0.7"\n',
    # --block stays until it is ended.
    "ray": NOTE + 'case "$*" in *--block*) exec sleep 600 ;; *) exit "${RAY_CODE:-0}" ;; esac\n',
    # Takes long, and saves its state on SIGTERM; or ends at once.
    "work": NOTE
    + """
trap 'sleep 0.2; echo saved >> "$LOG"; exit 143' TERM
if [ -z "$CODE" ]; then sleep 600 & wait; fi
exit "$CODE"
""",
}


@dataclass
class Job:
    """A batch script in a session of its own; what is left of it is killed when it has ended, as SLURM does."""

    process: "subprocess.Popen[str]"
    log: Path

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def signal(self, number: int) -> None:
        """To the shell alone: `--signal=B:`."""
        self.process.send_signal(number)

    def ended(self) -> tuple[int, str]:
        """Its exit code, and what it has printed on standard error."""
        code = self.process.wait()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return code, self.process.communicate()[1]


Submit = Callable[..., Job]


@pytest.fixture
def submit(tmp_path: Path) -> Submit:
    """sbatch: a script, the words of its command, and further variables."""
    folder = tmp_path / "stand-ins"
    folder.mkdir()
    for name, text in STAND_INS.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}")
        (folder / name).chmod(0o755)

    def start(script: str, *words: str, **variables: str) -> Job:
        # Each job has a copy of its own: bash reads a script while it runs.
        path = Path(tempfile.mkstemp(".sbatch", dir=tmp_path)[1])
        path.write_text(script)
        log = tmp_path / "calls.txt"
        environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "LOG": str(log), **given(script)}
        process = subprocess.Popen(
            ["bash", str(path), *words],
            cwd=tmp_path,
            env={**environment, **variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return Job(process, log)

    return start


def options(script: str) -> dict[str, str]:
    """What the script asks of sbatch."""
    words = shlex.split(" ".join(re.findall(r"^#SBATCH (.*)$", script, re.MULTILINE)))
    return dict(word.removeprefix("--").partition("=")[::2] for word in words)


def given(script: str) -> dict[str, str]:
    """The variables that SLURM sets by these options."""
    asked = options(script)
    variables = {"SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n1", "SLURM_CPUS_PER_TASK": asked["cpus-per-task"]}
    return variables | ({"SLURM_NNODES": asked["nodes"]} if "nodes" in asked else {})


def wait_for(what: Callable[[], bool], job: Job) -> None:
    while not what():
        assert job.process.poll() is None, job.ended()
        time.sleep(0.02)


@pytest.mark.parametrize("script", [ARRAY, RAY], ids=["array", "ray"])
def test_it_asks_for_a_signal_in_time_and_may_be_queued_again(script: str) -> None:
    asked = options(script)
    assert asked["signal"] == "B:USR1@120"
    assert "requeue" in asked


def test_ray_is_started_on_every_node(submit: Submit) -> None:
    rest = "ray start --address=10.0.0.7:6379 --num-cpus=16 --block"
    job = submit(RAY, "work", "--runs-dir", "a folder")
    wait_for(lambda: len(job.calls) == 6, job)
    job.signal(signal.SIGTERM)
    assert job.ended()[0] == 143
    head, *others = job.calls
    assert head == "ray start --head --node-ip-address=10.0.0.7 --port=6379 --num-cpus=16 --include-dashboard=false"
    assert others.count(rest) == 3
    assert f"srun --nodes=3 --ntasks=3 --cpus-per-task=16 --exclude=n1 {rest}" in others
    assert "work --runs-dir a folder --ray=10.0.0.7:6379 --resume-or-start" in others


def test_a_job_of_one_node_is_its_head_alone(submit: Submit) -> None:
    job = submit(RAY, "work", CODE="0", SLURM_NNODES="1")
    assert job.ended()[0] == 0
    assert [call.split()[0] for call in job.calls] == ["ray", "work"]


def test_without_a_head_nothing_is_run(submit: Submit) -> None:
    job = submit(RAY, "work", CODE="0", RAY_CODE="3")
    assert job.ended()[0] == 3
    assert [call.split()[0] for call in job.calls] == ["ray"]


@pytest.mark.parametrize("script", [ARRAY, RAY], ids=["array", "ray"])
@pytest.mark.parametrize("code", ["1", "143"])
def test_the_code_of_the_command_is_that_of_the_job(submit: Submit, script: str, code: str) -> None:
    job = submit(script, "work", CODE=code, SLURM_ARRAY_TASK_ID="3")
    assert job.ended()[0] == int(code)
    assert not any(call.startswith("scontrol") for call in job.calls)


@pytest.mark.parametrize("script", [ARRAY, RAY], ids=["array", "ray"])
@pytest.mark.parametrize(("number", "again"), [(signal.SIGUSR1, True), (signal.SIGTERM, False)])
def test_the_command_saves_before_the_job_ends(submit: Submit, script: str, number: int, again: bool) -> None:
    job = submit(script, "work", SLURM_ARRAY_TASK_ID="3")
    wait_for(lambda: any(call.startswith("work") for call in job.calls), job)
    time.sleep(0.2)  # the shell sets its traps just after it has started the command
    job.signal(number)
    assert job.ended()[0] == 143
    assert "saved" in job.calls
    assert ("scontrol requeue 7" in job.calls) == again


# In a job it takes long until it is told otherwise, so that there is time for a signal.
OWN = """
import os, time

def squared(outputs, targets):
    if not os.path.exists(os.environ.get("FAST", ".")):
        time.sleep(0.05)
    return (outputs - targets).square().mean(dim=1)
"""
CONFIG: dict[str, Any] = {**BASE, "loss": "own:squared", "epochs": 6, "sweep": {"learning_rate": [1e-3, 1e-2]}}
CONFIG["sweep"]["tune"] = False


@pytest.mark.slow
def test_an_array_with_a_time_limit_finds_what_one_job_without_finds(submit: Submit, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "c.yaml").write_text(json.dumps(CONFIG))
    fast = tmp_path / "fast"
    script = ARRAY.replace("1-16", "1-2").replace("/16", "/2").replace("cpus-per-task=4", "cpus-per-task=1")
    words = [sys.executable, "-m", "lossrun", "sweep", "c.yaml", "--data-dir", str(tmp_path), "--quiet"]

    def task(number: int) -> Job:
        return submit(script, *words, SLURM_ARRAY_TASK_ID=str(number), FAST=str(fast))

    first = task(1)
    wait_for(lambda: any(path.read_bytes() for path in tmp_path.glob("runs/*/*/history.jsonl")), first)
    first.signal(signal.SIGUSR1)
    code, err = first.ended()
    assert code == 143, err
    assert "scontrol requeue 7" in first.calls
    fast.touch()
    for job in (task(2), task(1)):
        code, err = job.ended()
        assert code == 0, err
    (path,) = (tmp_path / "runs").iterdir()
    sweep = SweepDirectory(path)
    events = [event for cell in read_plan(sweep) for event in ledger.read(RunDirectory(sweep.run(cell)).ledger_path)]
    assert [event["event"] for event in events].count("finished") == 2
    assert [event["step"] > 0 for event in events if event["event"] == "resumed"] == [True]
    here = made(from_mapping(CONFIG, tmp_path), tmp_path / "here")
    run_sweep(here, data_dir=tmp_path, jobs=1)
    assert losses(sweep) == losses(here)
