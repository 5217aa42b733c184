"""A sweep on a real Ray cluster of two nodes, both on the loopback of this machine, one of which is killed."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

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
import os, ray, time

def squared(outputs, targets):
    if ray.is_initialized():
        with open(os.environ["ASKED"], "a") as file:
            print(ray.get_runtime_context().get_assigned_resources()["GPU"], file=file)
        if not os.path.exists(os.environ["KILLED"]):
            time.sleep(0.1)
    return (outputs - targets).square().mean(dim=1)
"""
CONFIG = {**BASE, "loss": "own:squared", "epochs": 12, "checkpoint": "1 epoch"}
CONFIG["sweep"] = {"learning_rate": [1e-3, 3e-3, 1e-2, 3e-2], "tune": False}
# Ray takes the address of the host where it is told a loopback address.
LOOPBACK = """
import ray._private.services as services
services.get_node_ip_address = lambda *_, **__: "127.0.0.1"
"""
# Two nodes with a CPU each, and a GPU, as far as Ray knows. A line that is read kills the one that is not the head,
# with its workers at once: they would notice the loss only after a while, and could finish their cells until then.
CLUSTER = f"""
import os, signal, sys
from contextlib import suppress
{LOOPBACK}
from ray.cluster_utils import Cluster
there = dict(node_ip_address="127.0.0.1", object_store_memory=80 * 2**20, num_cpus=1, num_gpus=1)
cluster = Cluster(initialize_head=True, head_node_args=dict(include_dashboard=False, **there))
node = cluster.add_node(**there)
print(cluster.address, flush=True)
raylet = node.all_processes["raylet"][0].process.pid
for _ in sys.stdin:
    workers = open(f"/proc/{{raylet}}/task/{{raylet}}/children").read().split()
    cluster.remove_node(node, allow_graceful=False)
    for worker in workers:
        with suppress(ProcessLookupError):
            os.kill(int(worker), signal.SIGKILL)
    print("killed", flush=True)
cluster.shutdown()
"""
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    # A lost node is noticed after a second instead of half a minute.
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "500",
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
def cluster(environment: dict[str, str]) -> Iterator[tuple[str, Callable[[], None]]]:
    """The address of its head, and what kills a node."""
    program = [sys.executable, "-c", CLUSTER]
    with subprocess.Popen(
        program, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        into, out = process.stdin, process.stdout

        def kill() -> None:
            into.write("kill\n")
            into.flush()
            assert out.readline() == "killed\n"

        yield out.readline().strip(), kill
        into.close()


def started(folder: Path, environment: dict[str, str], *options: str) -> "subprocess.Popen[str]":
    program = f"{LOOPBACK}\nfrom lossrun.cli import main\nmain()"
    words = ["sweep", "c.yaml", "--data-dir", str(folder), "--quiet", *options]
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


def test_no_cell_is_lost_with_a_node(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    asked, killed = tmp_path / "asked.txt", tmp_path / "killed"
    environment |= {"ASKED": str(asked), "KILLED": str(killed)}
    (tmp_path / "c.yaml").write_text(json.dumps(CONFIG))

    # As long as there is no cluster: one message, and nothing is begun.
    process = started(tmp_path, environment, "--ray", "auto")
    _, err = process.communicate()
    assert process.returncode == 2
    assert err.count("error:") == 1
    assert "--ray auto: there is no cluster to connect to" in err
    assert not (tmp_path / "runs").exists()

    with cluster(environment) as (address, kill_a_node):
        process = started(tmp_path, environment, "--ray", address, "--gpus", "0.5")
        while process.poll() is None and sum(count >= 2 for count in epochs_done(tmp_path / "runs")) < 2:
            time.sleep(0.05)
        kill_a_node()  # while both are in the middle of a cell
        killed.touch()
        out, err = process.communicate()
    assert process.returncode == 0, err
    (path,) = (tmp_path / "runs").glob("2*")
    sweep = SweepDirectory(path)
    assert out == f"{Path('runs') / sweep.name}\n"
    events = [event for cell in read_plan(sweep) for event in ledger.read(RunDirectory(sweep.run(cell)).ledger_path)]
    assert [event["event"] for event in events].count("finished") == 4
    resumed = [event["step"] for event in events if event["event"] == "resumed"]
    assert resumed, "no cell was in progress on the node that was killed"
    assert min(resumed) > 0
    assert set(asked.read_text().split()) == {"0.5"}
    here = made(from_mapping(dict[str, Any](CONFIG), tmp_path), tmp_path / "here")
    run_sweep(here, data_dir=tmp_path, jobs=1)
    assert losses(sweep) == losses(here)
