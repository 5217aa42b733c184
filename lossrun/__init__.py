"""Which loss, which optimizer, which learning rate: train from YAML, resume exactly, compare honestly.

    import lossrun
    run = lossrun.train("config.yaml")
    lossrun.compare(run, lossrun.load("runs/..."))

Every error that lossrun raises on purpose is a `lossrun.LossrunError`; `lossrun.errors` draws the tree.
Names are imported when they are first used, so that `import lossrun` stays free of torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lossrun.version import __version__

if TYPE_CHECKING:
    from lossrun.api import (
        Run,
        Sweep,
        compare,
        evaluate,
        export,
        find_lr,
        load,
        load_sweep,
        predict,
        resume,
        sweep,
        train,
        verify,
    )
    from lossrun.components.losses.public import loss
    from lossrun.data import Dataset
    from lossrun.errors import (
        AbsentDataError,
        CheckpointError,
        ConfigError,
        DataError,
        DivergedError,
        HungUpError,
        LockedError,
        LossrunError,
        LostProcessError,
        OtherBetterError,
        OutOfMemoryError,
        RunError,
        StoppedError,
        TerminatedError,
        UndecidedError,
        UsageError,
    )

__all__ = [
    "AbsentDataError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "Dataset",
    "DivergedError",
    "HungUpError",
    "LockedError",
    "LossrunError",
    "LostProcessError",
    "OtherBetterError",
    "OutOfMemoryError",
    "Run",
    "RunError",
    "StoppedError",
    "Sweep",
    "TerminatedError",
    "UndecidedError",
    "UsageError",
    "__version__",
    "compare",
    "evaluate",
    "export",
    "find_lr",
    "load",
    "load_sweep",
    "loss",
    "predict",
    "resume",
    "sweep",
    "train",
    "verify",
]

_NAMES = {
    "lossrun.api": (
        "Run",
        "Sweep",
        "compare",
        "evaluate",
        "export",
        "find_lr",
        "load",
        "load_sweep",
        "predict",
        "resume",
        "sweep",
        "train",
        "verify",
    ),
    "lossrun.components.losses.public": ("loss",),
    "lossrun.data": ("Dataset",),
    "lossrun.errors": (
        "AbsentDataError",
        "CheckpointError",
        "ConfigError",
        "DataError",
        "DivergedError",
        "HungUpError",
        "LockedError",
        "LossrunError",
        "LostProcessError",
        "OtherBetterError",
        "OutOfMemoryError",
        "RunError",
        "StoppedError",
        "TerminatedError",
        "UndecidedError",
        "UsageError",
    ),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lossrun' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
