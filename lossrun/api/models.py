"""Use the trained models of runs from Python: evaluate, predict, export."""

import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lossrun.api.checking import checked
from lossrun.api.given import RunLike, expanded, optional, path_of
from lossrun.api.results import Verified, with_methods

if TYPE_CHECKING:
    from lossrun.inference.predicting import Predictions
    from lossrun.inference.scoring import Scores, Split


@checked
def evaluate(
    run: RunLike,
    *,
    split: "Split | None" = None,
    checkpoint: str | int = "best",
    per_sample: bool = False,
    runs_dir: str | PathLike[str] = "runs",
    data_dir: str | PathLike[str] | None = None,
) -> "Scores":
    """Score a run again. Nothing is written.

    Args:
        split: "train", "validation", or "test"; by default test, or validation if there is no test data.
        checkpoint: "best", "last", or a step.
        per_sample: Whether to return `rows` too, one for each sample and seed.
        data_dir: The folder of the datasets; by default the one that the run last used.

    Returns:
        The scores: `seeds` has the loss and every metric by name for each seed.

    Raises:
        UsageError: If the run has no such part or checkpoint.
        RunError: If there is no such run, or its files are damaged.
        DataError: If the data are missing or no longer the same.
    """
    from lossrun.inference.scoring import score

    path = path_of(run, runs_dir)
    return score(path, split=split, checkpoint=str(checkpoint), data_dir=optional(data_dir), per_sample=per_sample)


@checked
def predict(
    run: RunLike,
    inputs: Any,
    *,
    checkpoint: str | int = "best",
    seed: int | None = None,
    header: bool | None = None,
    runs_dir: str | PathLike[str] = "runs",
    data_dir: str | PathLike[str] | None = None,
) -> "Predictions":
    """Predict new samples with a run's model.

    Args:
        inputs: A csv, npz, or IDX file, or an array of samples in original units; they are prepared like the training
            data.
        seed: Whose model to use; by default the first seed's.
        header: Whether the first line of a table names its columns; by default as in the training table.

    Returns:
        The predictions: `arrays` and `columns`, in original units, with classes by name.

    Raises:
        RunError: If there is no such run, or its files are damaged.
        DataError: If the samples do not fit the training data.
    """
    from lossrun.inference.predicting import predict as predicted

    given = expanded(inputs) if isinstance(inputs, str | PathLike) else inputs
    path = path_of(run, runs_dir)
    return predicted(path, given, checkpoint=str(checkpoint), seed=seed, data_dir=optional(data_dir), header=header)


@checked
def export(
    run: RunLike,
    folder: str | PathLike[str],
    formats: str | Sequence[str] = ("safetensors",),
    *,
    checkpoint: str | int = "best",
    seed: int | None = None,
    runs_dir: str | PathLike[str] = "runs",
    data_dir: str | PathLike[str] | None = None,
) -> list[Path]:
    """Write a run's model or history for other programs, and return the files written.

    Notes of the command line become UserWarnings.

    Args:
        formats: safetensors, torch, onnx, csv, or tensorboard; one or several.

    Raises:
        RunError: If a file already exists; nothing is overwritten.
    """
    from lossrun.inference.exporting import export as exported

    path = path_of(run, runs_dir)
    named = [formats] if isinstance(formats, str) else formats
    written = exported(
        path, expanded(folder), named, checkpoint=str(checkpoint), seed=seed, data_dir=optional(data_dir)
    )
    for text in written.notes:
        warnings.warn(text, stacklevel=3)
    return list(written.files)


@checked
def verify(
    run: RunLike,
    *,
    whole: bool = False,
    runs_dir: str | PathLike[str] = "runs",
    data_dir: str | PathLike[str] | None = None,
) -> Verified:
    """Check that a run matches its records, as `lossrun verify` does. The run itself does not change.

    Args:
        whole: Whether to train the whole run again, not only the steps between its last two checkpoints.
        data_dir: The folder of the datasets; by default the one that the run last used.

    Returns:
        The checks: `passed`, and `problems` with a sentence for each mismatch.

    Raises:
        RunError: If a file cannot be trusted at all.
        DataError: If the data are missing or have changed.
    """
    from lossrun.inference.verifying import verified

    return with_methods(Verified, verified(path_of(run, runs_dir), whole=whole, data_dir=optional(data_dir)))
