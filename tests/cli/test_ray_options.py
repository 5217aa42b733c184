"""What is refused of `--ray` before Ray is asked, and before anything is written."""

import socket
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from lossrun import train
from lossrun.errors import UsageError
from lossrun.sweeping.ray_cluster import Cluster, connect
from tests.cli.conftest import Run


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
    assert limits["max_retries"] > 0


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
