"""Which loss, which optimizer, which learning rate: train from YAML, resume exactly, compare honestly.

    import lossrun
    run = lossrun.train("config.yaml")
    lossrun.compare(run, lossrun.load("runs/..."))

Names are imported when they are first used, so that `import lossrun` stays free of torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lossrun.version import __version__

if TYPE_CHECKING:
    from lossrun.api import Run, compare, evaluate, export, load, predict, resume, train
    from lossrun.components.public import loss
    from lossrun.data import Dataset

__all__ = [
    "Dataset",
    "Run",
    "__version__",
    "compare",
    "evaluate",
    "export",
    "load",
    "loss",
    "predict",
    "resume",
    "train",
]

_HOMES = {
    "Dataset": "lossrun.data",
    "Run": "lossrun.api",
    "compare": "lossrun.api",
    "evaluate": "lossrun.api",
    "export": "lossrun.api",
    "load": "lossrun.api",
    "loss": "lossrun.components.public",
    "predict": "lossrun.api",
    "resume": "lossrun.api",
    "train": "lossrun.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lossrun' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
