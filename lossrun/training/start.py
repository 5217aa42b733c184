"""How a session comes to be: a new run, or an old one at its newest good checkpoint."""

import math
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage, rmtree
from typing import Any, Final

from lossrun.analysis.differences import yaml_text
from lossrun.catalog.declaration import Layer
from lossrun.components.schedules import PlateauState
from lossrun.config import Config
from lossrun.config.plugins import own_files
from lossrun.data import Data
from lossrun.data.dataset import class_amounts
from lossrun.data.hashing import hashes
from lossrun.errors import CheckpointError, LossrunError, RunError, UsageError, memory_told
from lossrun.lint import Examined
from lossrun.lint.size import in_units, size_of
from lossrun.records import best_weights, checkpoints, digests, durable, history, ledger, run_directory
from lossrun.records import prepared as form
from lossrun.records.best_weights import in_old_files, said_by
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.history import Written
from lossrun.records.lock import writing
from lossrun.records.run_directory import RunDirectory
from lossrun.shell import option_set, run_command
from lossrun.training import build, environment
from lossrun.training.chunk import Chunk
from lossrun.training.criteria import criteria_of, renew
from lossrun.training.evaluate import Scorer, reading_of
from lossrun.training.isolation import isolated
from lossrun.training.plan import Plan, chunks_of, plan, step_of
from lossrun.training.replica import Parts, Replica
from lossrun.training.resumable import Resumable
from lossrun.training.session import EpochSums, Session, scheduled_rate
from lossrun.training.state import capture, keep_as_best, restore
from lossrun.training.step import Step
from lossrun.training.trial import own_layers, try_batch, try_recording

MOST_COUNTED: Final = 1000  # classes whose samples are counted in run.json
_SMALLER: Final = "make the model, batch_size or the number of seeds smaller"
_ELSEWHERE: Final = "end other programs, or go on where there is more"


@dataclass(frozen=True, slots=True)
class Prepared:
    """Replicas ready for their first step; nothing is written yet. `layers`: of a user's own model."""

    examined: Examined
    place: build.Workplace
    replicas: Sequence[Replica]
    plan: Plan
    chunks: Sequence[Chunk]
    step: Step
    layers: tuple[Layer, ...] = ()

    @property
    def config(self) -> Config:
        return self.examined.config


@memory_told("to build the model and try a batch", _SMALLER, UsageError)
@isolated()
def prepare(examined: Examined, resumable: Resumable | None = None) -> Prepared:
    """Build every seed and try one on a batch. `resumable`: the run that is to go on.

    Raises UsageError for what cannot be built or does not fit.
    """
    config, facts = examined.config, examined.facts
    place = build.workplace(config, examined.reading.directory)
    shared: dict[int, Parts] = {}
    for data in examined.data.values():
        if id(data) not in shared:
            shared[id(data)] = build.parts(data, place)
    replicas = [build.replica(config, facts, seed, shared[id(data)], place) for seed, data in examined.data.items()]
    # With a split for each seed, a column that one seed has may be ruled out by another one's targets.
    for replica in {id(replica.parts): replica for replica in reversed(replicas)}.values():
        try_batch(replica, config, facts)
    planned = plan(config, facts, replicas, place, resumable)
    chunks = chunks_of(planned, replicas, config, place)
    if planned.recorder and (config.model.is_plugin or config.loss.is_plugin):
        try_recording(chunks[0], planned.recorder, config)
    step = step_of(planned, chunks, own_randomness=config.model.is_plugin or replicas[0].draws)
    return Prepared(examined, place, replicas, planned, chunks, step, tuple(own_layers(replicas[0], config)))


@contextmanager
def begin(prepared: Prepared, runs_dir: Path) -> Iterator[Session]:
    """A new run, its directory made and locked. Its state at step 0 is saved: there is always something to resume.

    Raises RunError where the disk refuses, or has no room for the run's checkpoints; nothing is left behind then.
    """
    _refuse_full_disk(prepared, runs_dir)
    facts = {"id": secrets.token_hex(8), **_environment(prepared, runs_dir)}
    config = prepared.config.to_mapping()
    sessions: list[Session] = []

    def write_beginning(run: RunDirectory) -> None:
        session = _session(prepared, run, facts["id"])
        digest = _keep_what_prediction_needs(prepared, run)
        ledger.start(run.ledger_path, config, facts, epochs=prepared.config.epochs, preparation=digest)
        checkpoints.save(run.checkpoints, 0, capture(session), prepared.config.checkpoint.keep)
        sessions.append(session)

    with memory_told("to begin the run", _SMALLER), isolated():
        run = run_directory.create(
            runs_dir, prepared.config.run_name, config=config, environment=facts, begin=write_beginning
        )
    with ExitStack() as held:
        try:
            held.enter_context(writing(run.path))
        except LossrunError:
            rmtree(run.path, ignore_errors=True)
            raise
        (session,) = sessions
        session.run, session.history = run, Written(run.history_path)
        yield session


def _refuse_full_disk(prepared: Prepared, runs_dir: Path) -> None:
    """Before anything is written. The state of step 0, a full one and the best weights are sure to come: numbers for
    each weight are as many as memory holds."""
    needed = size_of(prepared.config, prepared.examined.facts).weights
    there = next(folder for folder in (runs_dir.absolute(), *runs_dir.absolute().parents) if folder.is_dir())
    free = disk_usage(there).free
    if needed > free:
        raise RunError(
            f"{runs_dir}: the checkpoints of this run take at least {in_units(needed)}, and {in_units(free)} are free "
            "there; make room, name another --runs-dir, or make the model or the number of seeds smaller"
        )


@contextmanager
def resume_at(
    prepared: Prepared, resumable: Resumable, on_skip: Callable[[Path, str], None], note: Callable[[str], None]
) -> Iterator[Session]:
    """The run, which `resuming` has locked, at its newest good checkpoint, its history cut back to there.

    `on_skip(path, reason)` hears of each newer checkpoint that cannot be used, `note` of what else deserves a line.
    Raises CheckpointError where none can be used.
    """
    run = resumable.run
    with ExitStack() as apart:
        apart.enter_context(memory_told("to go on with the run", _ELSEWHERE))
        apart.enter_context(isolated())
        history.restore_line_ends(run.history_path)
        session = _session(prepared, run, resumable.belonging.run_id)
        length = session.history.length
        _, found = checkpoints.load_newest(
            run.checkpoints, history_length=length, on_skip=on_skip, problem=resumable.belonging.problem
        )
        restore(session, found)
        _take_up_old_best_weights(session, found, note)
        reduced = _rates_by(resumable.before, session, found)
        renewed = renew(session, criteria_of(found.metadata, resumable.before, session.facts))
        if resumable.finished and resumable.changes and not session.training:
            raise UsageError(_nothing_to_train(session, resumable.options))
        if not session.training and session.step_in_epoch > 0:
            raise UsageError(_ends_within_an_epoch(session))
        removed = history.cut(run.history_path, found.metadata["history_length"])
        if removed:
            session.history = Written(run.history_path)
            note(
                f"history after step {session.position.step} removed ({removed} bytes); those epochs are trained again"
            )
        for text in (*renewed, *_taken_along(resumable.recorded.ledger, session.position.step)):
            note(text)
        if jump := _jump(reduced, session):
            note(jump)
        now = _environment(prepared, run.path.parent)
        changed = environment.changes(dict(resumable.environment), now)
        if changed:
            listed = ", ".join(f"{key} {old} -> {new}" for key, (old, new) in changed.items())
            note(f"not bit for bit what an uninterrupted run would give: {listed}")
        _copy_own_files(prepared, run)
        ledger.append(
            run.ledger_path,
            "resumed",
            epoch=session.position.epoch,
            step=session.position.step,
            changes=dict(resumable.changes),
            config=prepared.config.to_mapping(),
            environment=now,
            history=session.history.mark.facts(),
        )
        # They speak of rows that have been cut off.
        checkpoints.remove_after(run.checkpoints, session.position.step)
        apart.close()
        yield session


def _take_up_old_best_weights(session: Session, found: Checkpoint, note: Callable[[str], None]) -> None:
    """Older versions kept the best weights in files of their own, which may be those of epochs given up since."""
    if best_weights.PREFIX_KEY in found.metadata:
        return
    expected = said_by(found)
    for replica in session.replicas:
        try:
            old = in_old_files(session.run, {replica.seed: expected[replica.seed]})
        except CheckpointError as error:
            note(str(error))
            old = {}
        if replica.seed in old:
            keep_as_best(replica, old[replica.seed].tensors)
        elif replica.best.epoch:
            note(f"seed {replica.seed}: its best weights so far are lost; the best epoch is chosen from now on")
            replica.best.value, replica.best.epoch, replica.best.step = math.nan, 0, 0


def _taken_along(events: Sequence[Mapping[str, Any]], step: int) -> list[str]:
    """What to say of earlier changes that were made after the step from which the run goes on."""
    return [
        f"{key}: {yaml_text(new)} holds from step {step} on; it had been {yaml_text(old)} until step {event['step']}, "
        "whose checkpoints are lost"
        for event in events
        if event["event"] == "resumed" and (event.get("step") or 0) > step
        for key, (old, new) in event.get("changes", {}).items()
        if key.partition(".")[0] in ("learning_rate", "schedule", "optimizer", "early_stopping")
    ]


def _nothing_to_train(session: Session, given: Sequence[str]) -> str:
    done, run = session.position.epoch - 1, session.run.path
    given = [option for option in given if option.partition("=")[0].strip() not in ("epochs", "early_stopping")]
    message = f"{session.run.name} is finished, and these changes leave nothing to train; nothing is recorded of them. "
    if done < session.config.epochs:
        lets = run_command("resume", run, set_=[*given, "early_stopping=null"])
        return f"{message}Early stopping ended it after epoch {done}. To let it go on:\n  {lets}"
    further = run_command("resume", run, set_=[*given, f"epochs={2 * done}"])
    return f"{message}All of its {done} epochs are done. To train further:\n  {further}"


def _ends_within_an_epoch(session: Session) -> str:
    """Its weights belong to no epoch: called the last, they would be compared with those of whole ones."""
    asked, begun = session.config.epochs, session.position.epoch
    enough = option_set("epochs", str(begun))
    return (
        f"epochs={asked}, but epoch {begun} has begun: the newest checkpoint is of step {session.position.step}, "
        f"{session.step_in_epoch} steps into it; a run ends with a whole epoch: {enough} or more"
    )


def _rates_by(config: Config, session: Session, checkpoint: Checkpoint) -> list[float]:
    """The learning rate of the very next step by the config that the run was trained by so far, per seed."""
    scheduled = scheduled_rate(config, session.position.step, session.steps_per_epoch)
    rule, reductions = build.plateau(config.schedule), checkpoint.tensors.get("schedule.reduction")
    if rule is None or reductions is None:
        return [scheduled] * len(session.replicas)
    # The best value has no say in the rate.
    return [rule.rate(PlateauState(math.nan, reduction=float(value)), scheduled) for value in reductions.reshape(-1)]


def _jump(before: Sequence[float], session: Session) -> str:
    """What to say where the changes move the learning rate of the very next step."""
    step = session.position.step
    for old, new in zip(before, session.rates(step), strict=True):
        if old != new:
            return f"the learning rate jumps from {old:g} to {new:g} at step {step}"
    return ""


def _session(prepared: Prepared, run: RunDirectory, run_id: str | None) -> Session:
    facts, config = prepared.examined.facts, prepared.config
    replicas, device = prepared.replicas, prepared.place.device
    reading = reading_of(config, facts)
    scorers = [
        Scorer(chunk, validation, reading, prepared.plan.recorder)
        for chunk in prepared.chunks
        if (validation := chunk.replicas[0].parts.validation) is not None
    ]
    session = Session(
        config,
        facts,
        reading,
        replicas,
        prepared.plan,
        prepared.chunks,
        prepared.step,
        scorers,
        device,
        run,
        run_id,
        Written(run.history_path),
        hashes(prepared.examined.data),
        EpochSums.zero(0, len(replicas), device),
        build.plateau(config.schedule),
    )
    session.sums = EpochSums.zero(session.steps_per_epoch, len(replicas), device)
    return session


def _from(runs_dir: Path, folder: Path) -> str | None:
    """The way to a folder that may move along with the runs; None to another drive."""
    try:
        return os.path.relpath(folder.resolve(), runs_dir.resolve())
    except ValueError:
        return None


def _keep_what_prediction_needs(prepared: Prepared, run: RunDirectory) -> str:
    """Write the form of the data and copies of the user's own modules; the digest of the first."""
    _copy_own_files(prepared, run)
    content = form.dumps(prepared.examined.data)
    durable.write(run.preparation_path, content)
    return digests.of_bytes(content)


def _copy_own_files(prepared: Prepared, run: RunDirectory) -> None:
    """Keep the user's own modules as they are now."""
    for name, path in own_files(prepared.config).items():
        copy, content = run.source / name, path.read_bytes()
        if not copy.is_file() or copy.read_bytes() != content:
            copy.parent.mkdir(parents=True, exist_ok=True)
            durable.replace(copy, content)


def _environment(prepared: Prepared, runs_dir: Path) -> dict[str, Any]:
    return {
        "from_runs_dir": _from(runs_dir, prepared.examined.reading.directory),
        "data_from_runs_dir": _from(runs_dir, prepared.examined.data_dir),
        **environment.environment(prepared.place.device, prepared.examined.reading, prepared.examined.data_dir),
        "step": prepared.step.kind,
        "chunks": list(prepared.plan.sizes),
        "task": prepared.examined.facts.task,
        "data": hashes(prepared.examined.data),
        "samples": _sizes(prepared.examined.data),
        "class_counts": _class_counts(prepared.examined.data),
        "classes": list(prepared.examined.facts.classes[:MOST_COUNTED]),
    }


def _class_counts(data: Mapping[int, Data]) -> dict[str, Any]:
    """What the samples of each class count for in the parts that are scored, and all of them together; where the seeds'
    splits differ in it, of each seed. {} for regression, and for more classes than anybody reads."""
    first = next(iter(data.values()))
    if first.task == "regression" or first.target_size > MOST_COUNTED:
        return {}
    found: dict[str, Any] = {}
    for part in ("validation", "test"):
        each = []
        for one in data.values():
            samples = getattr(one, part)
            counts, total = class_amounts(samples, one.task, one.target_size) if samples else ([], 0)
            each.append({"counts": counts, "total": total})
        found[part] = each[0] if all(counts == each[0] for counts in each) else each
    return found


def _sizes(data: Mapping[int, Data]) -> dict[str, int | list[int]]:
    """Samples in each part; where the seeds' splits differ in size, of each seed."""
    found = {
        part: [len(samples) if (samples := getattr(one, part)) else 0 for one in data.values()]
        for part in ("train", "validation", "test")
    }
    return {part: counts if len(set(counts)) > 1 else counts[0] for part, counts in found.items()}
