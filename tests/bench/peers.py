"""The frameworks that are measured, and how to run each.

A measurement takes (task, epochs, seed, folder of the arrays), trains the task as the framework's users write it, and
returns `seconds` of every epoch, validation included, and `score`, the validation accuracy or mean squared error after
the last one. All start from the distribution that torch draws initial weights from and evaluate in batches of 1024.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.bench.machine import installed
from tests.bench.run_child import run
from tests.bench.tasks import TASKS


@dataclass(frozen=True, slots=True)
class Peer:
    """`measurement`: what to `ask`. `modules`: what must be installed. `environment`: what the child's needs."""

    measurement: str
    modules: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


PEERS: Final[dict[str, Peer]] = {
    "lossrun": Peer("peers:lossrun", ("torch",)),
    "torch": Peer("torch_peers:in_memory", ("torch",)),
    "torch-dataloader": Peer("torch_peers:dataloader", ("torch",)),
    "lightning": Peer("torch_peers:lightning", ("lightning",)),
    "keras-jax": Peer("keras_peer:fit", ("keras", "jax"), {"KERAS_BACKEND": "jax"}),
    "keras-torch": Peer("keras_peer:fit", ("keras", "torch"), {"KERAS_BACKEND": "torch"}),
}


def available(names: Sequence[str]) -> list[str]:
    """lossrun, and those of `names` that are installed; prints the names of the others."""
    for name in names:
        if not installed(*PEERS[name].modules):
            print(f"{name} is left out: it needs {' and '.join(PEERS[name].modules)}, not all of them installed")
    return ["lossrun", *(name for name in names if name != "lossrun" and installed(*PEERS[name].modules))]


def lossrun(task: str, epochs: int, seed: int, folder: str) -> dict[str, Any]:
    """The `seconds` column: training, evaluation and saving the best weights."""
    chosen = TASKS[task]
    measured = run(chosen.config(epochs) | {"seed": seed})
    assert measured["parameters"] == chosen.parameters, measured["parameters"]
    return {"seconds": measured["seconds"], "score": measured["last"][f"val_{chosen.score}"]}
