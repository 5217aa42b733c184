"""`lossrun export`: write a trained model and its history for other programs."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

import safetensors.torch

from lossrun.errors import RunError, UsageError, memory_errors
from lossrun.files import is_there, read_regular
from lossrun.inference import architecture
from lossrun.inference.program import PredictionModule, exported, to_onnx, to_torch
from lossrun.inference.tensorboard import write_history
from lossrun.inference.trained import BEST, find_trained, first_of_several, model
from lossrun.plugins.calling import own_code_errors
from lossrun.records import recorded
from lossrun.records.files import durable
from lossrun.report.layout.rows import rows_to_csv
from lossrun.training.process.isolation import isolated

Format: TypeAlias = Literal["safetensors", "torch", "onnx", "csv", "tensorboard"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
README: Final = "README.md"
HISTORY: Final = "history.csv"
EVENTS: Final = "events"
_REMEDY: Final = "name another folder with --output"


@dataclass(frozen=True, slots=True)
class Exported:
    """The files that were written, and notes about them."""

    files: tuple[Path, ...]
    notes: tuple[str, ...]


@own_code_errors("to export the run")
@memory_errors("to export the run", "close other programs, or use a machine with more memory")
@isolated()
def export(
    path: Path,
    folder: Path,
    formats: Sequence[str] = ("safetensors",),
    *,
    checkpoint: str = BEST,
    seed: int | None = None,
    data_dir: Path | None = None,
) -> Exported:
    """Write a run into a folder, in one or several formats. Nothing is overwritten.

    - safetensors: model.safetensors, model.json (layers, scaling, classes) and a README that says how to load them.
    - torch: model.pt2, a program of `torch.export` from samples in original units to predictions.
    - onnx: the same program as model.onnx.
    - csv: history.csv, all epochs of all seeds.
    - tensorboard: events/, the history as event files.

    Args:
        seed: The seed whose model to use; by default the first seed.

    Raises:
        UsageError: For an unknown format, one that needs another package, or one that cannot hold a user's model.
        RunError: If a file already exists with another content. `find_trained` and `model` raise further errors.
    """
    if unknown := [name for name in formats if name not in FORMATS]:
        raise UsageError(f"--format {unknown[0]}: unknown format; expected one of {', '.join(FORMATS)}")
    files: dict[str, bytes] = {}
    notes: list[str] = []
    if {"safetensors", "torch", "onnx"} & set(formats):
        files, notes = _model_files(path, formats, checkpoint, seed, data_dir)
    run = recorded.load(path)
    run.refuse_edits()
    if "csv" in formats:
        files[HISTORY] = rows_to_csv(run.history.rows).encode()
    events = folder / EVENTS
    there = [*(folder / name for name in files), *([events] if "tensorboard" in formats else [])]
    # What an export that was stopped has written is there already.
    missing = {folder / name: content for name, content in files.items() if not _holds(folder / name, content)}
    if taken := [file for file in there if (file in missing or file == events) and is_there(file)]:
        raise RunError(f"{taken[0]} already exists, and nothing is overwritten; choose another --output")
    with durable.refusals_of_the_disk(folder, _REMEDY):
        folder.mkdir(parents=True, exist_ok=True)
    durable.replace_all(missing.items(), remedy=_REMEDY)
    if "tensorboard" in formats:
        _write_events(run, events)
    return Exported(tuple(there), tuple(notes))


def _holds(path: Path, content: bytes) -> bool:
    """Return whether a file has this content."""
    try:
        return read_regular(path, len(content)) == content
    except OSError:
        return False


def _write_events(run: recorded.RecordedRun, folder: Path) -> None:
    """Write the event files in one step. A half of them could not be told from a whole."""
    hidden = durable.hidden(folder)
    try:
        with durable.refusals_of_the_disk(folder, _REMEDY):
            write_history(run, hidden)
            hidden.rename(folder)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise


def _model_files(
    path: Path, formats: Sequence[str], checkpoint: str, seed: int | None, data_dir: Path | None
) -> tuple[dict[str, bytes], list[str]]:
    trained = find_trained(path, data_dir, with_samples=False)
    chosen = model(trained, checkpoint, seed)
    data, name = trained.data(chosen.replica.seed), trained.config.model.name
    notes = [*trained.notes, *first_of_several(trained, seed)]
    if chosen.replica.mixed:
        notes.append("trained in bfloat16 and exported in float32: the last digits of its predictions differ")
    program = PredictionModule(
        chosen.replica, data, trained.output_spec, wide=trained.prepared(chosen.replica.seed).wide
    )
    files: dict[str, bytes] = {}
    if "safetensors" in formats:
        state = program.network.state_dict()
        named = {key.removeprefix(architecture.prefix(program)): value.contiguous() for key, value in state.items()}
        files[architecture.WEIGHTS] = safetensors.torch.save(named, metadata={"format": "pt"})
        files[architecture.ARCHITECTURE] = architecture.architecture(trained, chosen, program).encode()
        if trained.config.model.is_plugin:
            notes.append(f"{name} is your own: the weights are exported, its code is not")
    if {"torch", "onnx"} & set(formats):
        program_of_torch = exported(program, data.input_shape, name if trained.config.model.is_plugin else "")
        if "torch" in formats:
            files[architecture.PROGRAM] = to_torch(program_of_torch)
        if "onnx" in formats:
            files[architecture.ONNX] = to_onnx(program_of_torch, name)
    readme = architecture.readme(trained, chosen, program, formats)
    files[README] = readme.encode(errors="backslashreplace")
    return files, notes
