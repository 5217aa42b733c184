"""Start and resume a stack: runs of a sweep that are trained as one computation.

Its members are ordinary run directories from the first step to the last, but their checkpoint is one file for all of
them, `stacks/<name>/step-...` in the folder of the sweep. Then `loop.py` trains.
"""

import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from lossrun.errors import CheckpointError, RunError, memory_errors
from lossrun.experiment import Experiment
from lossrun.lint.size import how_to_need_less
from lossrun.plugins.loading import own_files
from lossrun.records import checkpoints, history, ledger, recorded, run_directory
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.files import digests
from lossrun.records.history import Written
from lossrun.records.lock import writing
from lossrun.records.provenance import prepared as form
from lossrun.records.provenance.belonging import Belonging
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory, is_run, missing_files
from lossrun.records.sweep_directory import STACKS, stack_directory
from lossrun.training.good_states import fitted, parted
from lossrun.training.process.isolation import isolated
from lossrun.training.saving import save
from lossrun.training.session import Session
from lossrun.training.starting import kept_losses
from lossrun.training.starting.prepare import Prepared
from lossrun.training.starting.run_facts import environment_of
from lossrun.training.starting.start import session_of
from lossrun.training.state import cut_out, restore

MORE_MEMORY: Final = "close other programs, or resume on a machine with more memory"


def is_begun(sweep: Path, name: str) -> bool:
    """Return whether the stack has a checkpoint."""
    return bool(checkpoints.candidates(stack_directory(sweep, name)))


@contextmanager
def begin_stack(prepared: Prepared, sweep: Path, name: str, directories: Sequence[str]) -> Iterator[Session]:
    """Make the directories of all members, lock them, and save the stack at step 0.

    Raises RunError if writing fails, or if a member has been trained already and is damaged.
    """
    for directory in directories:
        _remove_what_never_began(sweep / directory)
    for directory in directories:
        _refuse_remains(sweep / directory)
    facts = {**environment_of(prepared, sweep), "stack": list(directories)}
    ids = [secrets.token_hex(8) for _ in directories]
    each = zip(prepared.experiments, directories, ids, strict=True)
    files = {directory: _first_files(experiment, {"id": one, **facts}) for experiment, directory, one in each}
    with ExitStack() as held_locks:
        with (
            memory_errors("to begin the runs", partial(how_to_need_less, prepared.config, prepared.experiment.facts)),
            isolated(),
        ):
            run_directory.create_together(sweep, files)
            for directory in directories:
                held_locks.enter_context(writing(sweep / directory))
            runs = [RunDirectory(sweep / directory) for directory in directories]
            session = session_of(prepared, runs, ids, stack_directory(sweep, name))
            save(session)
        yield session


def _first_files(experiment: Experiment, environment: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of a run before its first step, each by its path in the run directory."""
    config, preparation = experiment.config.to_mapping(), form.dumps(experiment.data)
    files = run_directory.file_contents(config, environment)
    facts = {"epochs": experiment.config.epochs, "preparation": digests.of_bytes(preparation)}
    started = ledger.started(config, files["config.yaml"], environment, **facts)
    return {
        **files,
        "preparation.json": preparation,
        **{f"source/{name}": path.read_bytes() for name, path in own_files(experiment.config).items()},
        "ledger.jsonl": ledger.lines([started]),
    }


def _remove_what_never_began(run: Path) -> None:
    """Remove the directory of a member if its stack was killed before the first checkpoint."""
    events = ledger.read(RunDirectory(run).ledger_path)
    if run.is_dir() and len(events) <= 1 and not checkpoints.candidates(RunDirectory(run).checkpoints):
        shutil.rmtree(run)


def _refuse_remains(run: Path) -> None:
    """Raise RunError for a run that has not ended, by its records, although its stack, which goes last, is gone."""
    if run.is_dir():
        files = [*missing_files(run), *(["ledger.jsonl"] if not RunDirectory(run).ledger_path.exists() else [])]
        lost = " and its ".join(files) or "last line in ledger.jsonl"
        raise RunError(f"{run} has lost its {lost}; restore it from a copy, or remove this folder to train it again")


def remove_unfinished(run: Path) -> None:
    """Remove the run of a member that its stack has not trained to the end, and that was not resumed alone.

    Raises LockedError if another process still writes it.
    """
    if not is_run(run):
        return
    found = recorded.load(run)
    if "stack" in found.environment and not left_stack(found):
        with writing(run):
            shutil.rmtree(run)


@contextmanager
def resume_stack(
    prepared: Prepared, sweep: Path, name: str, directories: Sequence[str], on_skip: Callable[[Path, str], None]
) -> Iterator[Session]:
    """Lock all members and restore the stack at its newest good checkpoint.

    Members that have ended, or were resumed alone, keep their places in the stack, and nothing is written for them.

    `on_skip(path, reason)` is called for each newer checkpoint that cannot be used. Raises CheckpointError if no
    checkpoint can be used.
    """
    folder = stack_directory(sweep, name)
    with ExitStack() as held_locks:
        for directory in directories:
            held_locks.enter_context(writing(sweep / directory))
        with memory_errors("to resume the runs", MORE_MEMORY), isolated():
            runs = [recorded.load(sweep / directory) for directory in directories]
            session = session_of(
                prepared,
                [RunDirectory(run.path) for run in runs],
                [run.environment.get("id") for run in runs],
                folder,
            )
            _, found = checkpoints.load_newest(
                folder,
                history_length=0,
                on_skip=on_skip,
                problem=lambda metadata: _problem(metadata, runs, directories),
            )
            found, good = parted(found)
            restore(session, found)
            now = {**environment_of(prepared, sweep), "stack": list(directories)}
            for member, run in zip(session.members, runs, strict=True):
                member.closed, member.good = left_stack(run), good.get(member.run.name)
                if not member.closed:
                    own = cut_out(found, member.run.name).metadata
                    history.restore_line_ends(member.run.history_path)
                    if history.cut(member.run.history_path, own["history_length"]):
                        member.history = Written(member.run.history_path)
            ledger.append_all(
                [
                    (member.run.ledger_path, [_resumed(session, member.config.to_mapping(), now, member.history)])
                    for member in session.members
                    if not member.closed
                ]
            )
            checkpoints.remove_after(folder, session.position.step)
            session.saved = time.perf_counter(), 0.0
        yield session


def _resumed(
    session: Session, config: Mapping[str, Any], environment: Mapping[str, Any], written: Written
) -> tuple[str, dict[str, Any]]:
    return "resumed", {
        "epoch": session.position.epoch,
        "step": session.position.step,
        "changes": {},
        "config": dict(config),
        "environment": dict(environment),
        "history": written.mark.facts(),
    }


def left_stack(run: RecordedRun) -> bool:
    """Return whether a member has ended or was resumed alone, so that its stack no longer writes it."""
    if run.ledger[-1]["event"] in ("finished", "diverged"):
        return True
    resumed = (event["environment"] for event in run.ledger if event["event"] == "resumed")
    return any("stack" not in environment for environment in resumed)


def _problem(metadata: Mapping[str, Any], runs: Sequence[RecordedRun], directories: Sequence[str]) -> str:
    """Return why the checkpoint of a stack cannot be used; "" if it can."""
    if [member["directory"] for member in metadata["members"]] != list(directories):
        return "its members are not those of the sweep's plan"
    for run, member in zip(runs, metadata["members"], strict=True):
        if left_stack(run):
            continue
        written = Written(RunDirectory(run.path).history_path)
        if written.length < member["history_length"]:
            return f"{run.path.name}: history.jsonl is shorter than when this checkpoint was saved"
        replicas = metadata["replicas"][member["first"] : member["first"] + member["count"]]
        problem = Belonging.to(run).problem(member) or kept_losses.problem(run, metadata, replicas)
        if problem:
            return f"{run.path.name}: {problem}"
    return ""


def detach_from_stack(run: RunDirectory) -> str:
    """Give a member of a stack its own checkpoint, with which it can be resumed alone.

    Returns a sentence about it for the user; "" if the member has a checkpoint already.

    Raises CheckpointError if the stack has no checkpoint that holds it.
    """
    if checkpoints.candidates(run.checkpoints):
        return ""
    for folder in sorted((run.path.parent / STACKS).glob("*")):
        for path in checkpoints.candidates(folder):
            try:
                own = _of_stack(path, run)
            except CheckpointError:
                continue
            checkpoints.save(run.checkpoints, own.metadata["step"], own, checkpoints.FEWEST_KEPT)
            return (
                f"{run.name} continues alone, outside its stack {folder.name}, so its results are not bit for bit "
                "those of the sweep"
            )
    return ""


def _of_stack(path: Path, run: RunDirectory) -> Checkpoint:
    whole, good = parted(checkpoints.read(path))
    own = cut_out(whole, run.name)
    has_diverged = any(replica["diverged_epoch"] is not None for replica in own.metadata["replicas"])
    ended = next(member["end"] for member in whole.metadata["members"] if member["directory"] == run.name)
    return fitted(good[run.name], run) if has_diverged and ended is not None and run.name in good else own
