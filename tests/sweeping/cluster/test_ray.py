"""A sweep on a real Ray cluster of three nodes on the loopback of this machine, two of which are killed.

What a node sees of the sweep depends on its current folder: the sweep is in `/proc/self/cwd/begun`. One of the nodes
that are killed shares the folder with the process that runs the sweep, the others have scratch folders of their own.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, NoReturn

import pytest

from lossrun.config import from_mapping
from lossrun.records import ledger
from lossrun.records.run_directory import RunDirectory
from lossrun.records.sweep_directory import SweepDirectory, read_plan
from lossrun.sweeping.course import run_sweep
from tests.sweeping.conftest import BASE
from tests.sweeping.test_course import losses, made

# Takes long until it is told otherwise, so that there is time to kill a node.
OWN = """
import os, ray, tempfile, time

def squared(outputs, targets):
    if ray.is_initialized():
        with open(os.environ["ASKED"], "a") as file:
            asked = ray.get_runtime_context().get_assigned_resources()["GPU"]
            print(asked, os.environ["CUDA_VISIBLE_DEVICES"], tempfile.gettempdir(), file=file)
        if not os.path.exists(os.environ["KILLED"]):
            time.sleep(0.15)
    return (outputs - targets).square().mean(dim=1)
"""
CONFIG = {**BASE, "loss": "own:squared", "epochs": 12, "checkpoint": "1 epoch"}
CONFIG["sweep"] = {"learning_rate": [1e-3, 3e-3, 1e-2, 3e-2], "tune": False}
# Ray takes the address of the host where it is told a loopback address.
LOOPBACK = """
import ray._private.services as services
services.get_node_ip_address = lambda *_, **__: "127.0.0.1"
"""
# A head and two more nodes, with a CPU each, and a GPU, as far as Ray knows. The first of the two is in the folder of
# the sweep. A line that is read kills these two, with their workers at once: they would notice the loss only after a
# while, and could finish their cells until then.
CLUSTER = f"""
import os, signal, sys
from contextlib import suppress
{LOOPBACK}
from ray.cluster_utils import Cluster
there = dict(node_ip_address="127.0.0.1", object_store_memory=80 * 2**20, num_cpus=1, num_gpus=1)
head, *others = sys.argv[1:]
os.chdir(head)
there["env_vars"] = {{"TMPDIR": head + "/scratch"}}
cluster = Cluster(initialize_head=True, head_node_args=dict(include_dashboard=False, **there))
nodes = []
for folder in others:
    os.chdir(folder)
    there["env_vars"] = {{"TMPDIR": folder + "/scratch"}}
    nodes.append(cluster.add_node(wait=False, **there))
cluster.wait_for_nodes()
print(cluster.address, flush=True)
for _ in sys.stdin:
    for node in nodes:
        raylet = node.all_processes["raylet"][0].process.pid
        workers = open(f"/proc/{{raylet}}/task/{{raylet}}/children").read().split()
        cluster.remove_node(node, allow_graceful=False)
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(int(worker), signal.SIGKILL)
    print("killed", flush=True)
cluster.shutdown()
"""
# Ray gives up on a node that has not started after 30 s, which may be too little on a busy machine.
STARTS = 3
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    # A killed node, which refuses the check at once, is noticed after a second instead of half a minute. One that only
    # answers late, because the machine is busy, is not taken for lost.
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "30000",
    "RAY_health_check_failure_threshold": "2",
}


@pytest.fixture
def environment(unavailable: Callable[[str], NoReturn]) -> Iterator[dict[str, str]]:
    if find_spec("ray") is None:
        unavailable('Ray is not installed: pip install "lossrun[ray]"')
    # Sockets of Ray have short paths only.
    folder = tempfile.mkdtemp(prefix="ray-")
    yield {**os.environ, **SETTINGS, "RAY_TMPDIR": folder}
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def cluster(environment: dict[str, str], folders: Sequence[Path]) -> Iterator[tuple[str, Callable[[], None]]]:
    """The address of its head, and what kills the other nodes. `folders`: the current folders of the nodes."""
    for folder in folders:
        (folder / "scratch").mkdir(parents=True)
    program = [sys.executable, "-c", CLUSTER, *map(str, folders)]
    for _ in range(STARTS):
        with subprocess.Popen(
            program,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            into, out = process.stdin, process.stdout

            def kill(into: IO[str] = into, out: IO[str] = out) -> None:
                into.write("kill\n")
                into.flush()
                assert out.readline() == "killed\n"

            if address := out.readline().strip():
                yield address, kill
                into.close()
                return
    raise AssertionError("the cluster did not start")


def started(folder: Path, environment: dict[str, str], *options: str) -> "subprocess.Popen[str]":
    program = f"{LOOPBACK}\nfrom lossrun.cli import main\nmain()"
    words = ["sweep", str(folder / "c.yaml"), "--data-dir", str(folder), "--quiet", *options]
    return subprocess.Popen(
        [sys.executable, "-c", program, *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def epochs_done(runs: Path) -> list[int]:
    """Of each cell that has begun."""
    return [len(path.read_bytes().splitlines()) for path in runs.glob("2*/*/history.jsonl")]


def refusal(process: "subprocess.Popen[str]") -> str:
    """The one message of a command that begins nothing."""
    out, err = process.communicate()
    assert process.returncode == 2, err
    assert err.count("error:") == 1
    assert out == ""
    return " ".join(err.split())


def test_no_cell_is_lost_with_two_nodes(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    asked, killed = tmp_path / "asked.txt", tmp_path / "killed"
    environment |= {"ASKED": str(asked), "KILLED": str(killed), "TMPDIR": str(tmp_path / "scratch")}
    (tmp_path / "c.yaml").write_text(json.dumps(CONFIG))
    folders = [tmp_path / "head", tmp_path, tmp_path / "node"]
    here = made(from_mapping(dict[str, Any](CONFIG), tmp_path), tmp_path / "here")
    # The same sweep without a cluster is run while the cluster starts, which is mostly waiting.
    pool = ThreadPoolExecutor()
    undisturbed = pool.submit(run_sweep, here, data_dir=tmp_path, jobs=1)
    with pool, cluster(environment, folders) as (address, kill_two_nodes):
        options = ("--ray", address, "--gpus", "0.5", "--runs-dir", "/proc/self/cwd/begun")
        process = started(tmp_path, environment, *options)
        # A node that starts late may begin its cell when another one has ended its first.
        while process.poll() is None and sum(2 <= count < 12 for count in epochs_done(tmp_path / "begun")) < 3:
            time.sleep(0.05)
        kill_two_nodes()  # while all of them are in the middle of a cell
        killed.touch()
        too_much = started(tmp_path, environment, "--ray", address, "--gpus", "2")
        assert f"--gpus 2: no node of the cluster at {address} has more than 1 GPUs" in refusal(too_much)
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert not (tmp_path / "runs").exists(), "something was begun by a command that was refused"
    (path,) = (tmp_path / "begun").glob("2*")
    sweep = SweepDirectory(path)
    assert out == f"/proc/self/cwd/begun/{sweep.name}\n"
    events = [event for cell in read_plan(sweep) for event in ledger.read(RunDirectory(sweep.run(cell)).ledger_path)]
    assert [event["event"] for event in events].count("finished") == 4
    resumed = [event["step"] for event in events if event["event"] == "resumed"]
    assert len(resumed) == 2, "not both cells of the nodes that were killed went on"
    assert min(resumed) > 0
    lines = {tuple(line.split(maxsplit=2)) for line in asked.read_text().splitlines()}
    assert {line[:2] for line in lines} == {("0.5", "0")}
    assert {line[2] for line in lines} == {str(folder / "scratch") for folder in folders}
    assert not any((folder / "begun").exists() for folder in (folders[0], folders[2]))
    undisturbed.result()
    assert losses(sweep) == losses(here)
