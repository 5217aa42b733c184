"""What is refused of `--ray` before Ray is asked, and before anything is written."""

import math
import re
import socket
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lossrun import train
from lossrun.errors import UsageError
from lossrun.sweeping.cluster.connection import Cluster, connect
from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("address", "why"),
    [("ray://head:10001", "a sweep runs on a machine of the cluster"), ("local", "a sweep needs no Ray")],
)
def test_an_address_of_another_kind(address: str, why: str) -> None:
    with pytest.raises(UsageError, match=f"--ray {address}: .*{why}"):
        connect(address)


@pytest.mark.parametrize("address", ["head", "head:x", "auto:"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(UsageError, match=r"expected auto, or an address such as 10\.0\.0\.1:6379"):
        connect(address)


def test_an_address_that_nobody_answers_at() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for silent in (port, 99999):
        with pytest.raises(UsageError, match="no program answers there"):
            connect(f"127.0.0.1:{silent}")


def test_an_address_at_which_something_else_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as web:

        def answer() -> None:
            connection, _ = web.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(UsageError, match="the program that answers there is not a Ray head"):
            connect(f"127.0.0.1:{web.getsockname()[1]}")
        answering.join()


@pytest.mark.parametrize(("cpus", "gpus", "threads"), [(1, 0, 1), (4, 0.5, 4), (0.5, 2, 1)])
def test_what_is_asked_of_ray_for_each_task(
    monkeypatch: pytest.MonkeyPatch, cpus: float, gpus: float, threads: int
) -> None:
    asked: list[dict[str, float]] = []
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(remote=lambda **limits: asked.append(limits) or str))
    with Cluster("head:6379", cpus, gpus).workers(8) as tasks:
        assert tasks.threads == threads
    ((limits,)) = asked
    assert (limits["num_cpus"], limits["num_gpus"]) == (cpus, gpus)
    assert limits["max_retries"] == 0  # a task that is lost is submitted again, with its newest state


def node(cpus: float, gpus: float, *, alive: bool = True) -> dict[str, Any]:
    return {"Alive": alive, "Resources": {"CPU": cpus} | ({"GPU": gpus} if gpus else {})}


@pytest.mark.parametrize(
    ("cpus", "gpus", "text"),
    [
        (4, 0, ""),
        (1, 0.25, ""),
        (2, 2, ""),
        (5, 0, "--cpus 5: no node of the cluster at auto has more than 4 CPUs"),
        (math.nan, 0, "--cpus nan: no node of the cluster at auto has more than 4 CPUs"),
        (1, 3, "--gpus 3: no node of the cluster at auto has more than 2 GPUs"),
        (4, 1, "--cpus 4 --gpus 1: no node of the cluster at auto has as many CPUs and GPUs together"),
        (1, 1.5, "--gpus 1.5: Ray gives a task a part of one GPU, or whole ones"),
    ],
)
def test_a_task_has_to_fit_onto_a_node(monkeypatch: pytest.MonkeyPatch, cpus: float, gpus: float, text: str) -> None:
    left: list[str] = []
    there = [node(4, 0), node(2, 2), node(64, 8, alive=False)]
    fake = SimpleNamespace(init=lambda **_: None, nodes=lambda: there, shutdown=lambda: left.append("left"))
    monkeypatch.setitem(sys.modules, "ray", fake)
    if not text:
        assert connect("auto", cpus, gpus) == Cluster("auto", cpus, gpus)
        assert not left
        return
    with pytest.raises(UsageError, match=re.escape(text)):
        connect("auto", cpus, gpus)
    assert left or gpus == 1.5, "it is still connected"


def test_without_a_cluster_it_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_: object) -> None:
        raise ConnectionError("Could not find any running Ray instance.\nStart one.")

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init))
    with pytest.raises(
        UsageError, match=r"--ray auto: there is no cluster .* any running Ray instance.*ray start --head"
    ):
        connect("auto")


def test_another_version_of_ray_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_: object) -> None:
        raise RuntimeError(
            "Version mismatch: The cluster was started with:\n    Ray: 2.1\n    Python: 3.12\nThis one: 2.2"
        )

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init))
    with pytest.raises(UsageError, match=r"Version mismatch: .* Ray: 2\.1 Python: 3\.12 This one: 2\.2"):
        connect("auto")


def test_a_cluster_that_the_environment_names_is_tried_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(UsageError, match="no program answers there"):
        connect("auto")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            ["--ray", "auto"],
            "Ray is not installed (import of ray halted; None in sys.modules); it comes with: pip install",
        ),
        (["--ray", "auto", "--shard", "1/2"], "--ray and --shard both divide the cells"),
        (["--cpus", "2"], "--cpus 2 is about the tasks of --ray, which is missing"),
        (["--gpus", "0.5"], "--gpus 0.5 is about the tasks of --ray, which is missing"),
    ],
)
def test_nothing_is_begun(
    lossrun: Run, config: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], text: str
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    ended = lossrun("sweep", str(config), "--over", "learning_rate=0.1,0.2", *options)
    assert ended.code == 2
    assert text in ended.err
    assert not Path("runs").exists()


def test_a_sweep_is_not_started_by_torchrun(lossrun: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    ended = lossrun("sweep", str(config), "--over", "learning_rate=0.1,0.2")
    assert (ended.code, ended.err.count("start it once, without torchrun")) == (2, 1)
    with pytest.raises(UsageError, match="`torchrun -m lossrun train CONFIG` trains in several"):
        train(config)
