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
        Comparison,
        DatasetComparison,
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
        resume_sweep,
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
    "Comparison",
    "ConfigError",
    "DataError",
    "Dataset",
    "DatasetComparison",
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
    "resume_sweep",
    "sweep",
    "train",
    "verify",
]

# Where the names are that are neither errors nor in `lossrun.api`.
_HOMES = {"Dataset": "lossrun.data", "loss": "lossrun.components.losses.public"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'lossrun' has no attribute {name!r}")
    home = "lossrun.errors" if name.endswith("Error") else _HOMES.get(name, "lossrun.api")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return __all__
