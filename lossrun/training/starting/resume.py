"""Resume a run: restore its session at the newest good checkpoint, and report the changes.

Then `loop.py` trains. `resumable.py` reads the run before, without torch.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from lossrun.analysis.comparison.differences import yaml_text
from lossrun.components.schedules import PlateauState
from lossrun.config import Config
from lossrun.digits import reach
from lossrun.errors import CheckpointError, UsageError, memory_errors
from lossrun.records import best_weights, checkpoints, history, ledger
from lossrun.records.best_weights import in_old_files, recorded_best
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.history import Written
from lossrun.shell import run_command, set_options
from lossrun.training import build
from lossrun.training.criteria import criteria_of, renew
from lossrun.training.process import environment
from lossrun.training.process.isolation import isolated
from lossrun.training.session import Session, scheduled_rate
from lossrun.training.starting import kept_losses
from lossrun.training.starting.prepare import Prepared
from lossrun.training.starting.resumable import Resumable
from lossrun.training.starting.run_facts import environment_of
from lossrun.training.starting.stacks import MORE_MEMORY, detach_from_stack
from lossrun.training.starting.start import copy_own_files, session_of
from lossrun.training.state import keep_as_best, restore


@contextmanager
def resume_at(
    prepared: Prepared, resumable: Resumable, on_skip: Callable[[Path, str], None], note: Callable[[str], None]
) -> Iterator[Session]:
    """Restore a run, which `resuming` has locked, at its newest good checkpoint, and cut its history to the same step.

    `on_skip(path, reason)` is called for each newer checkpoint that cannot be used, `note` for other messages. Raises
    CheckpointError if no checkpoint can be used.
    """
    run = resumable.run
    if text := detach_from_stack(run):
        note(text)
    with ExitStack() as apart:
        apart.enter_context(memory_errors("to resume the run", MORE_MEMORY))
        apart.enter_context(isolated())
        history.restore_line_ends(run.history_path)
        session = session_of(prepared, [run], [resumable.belonging.run_id])
        length = session.lone.history.length

        def problem(metadata: Mapping[str, Any]) -> str:
            belonging = resumable.belonging.problem(metadata)
            return belonging or kept_losses.problem(resumable.recorded, metadata, metadata["replicas"])

        _, found = checkpoints.load_newest(run.checkpoints, history_length=length, on_skip=on_skip, problem=problem)
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
            session.lone.history = Written(run.history_path)
            note(
                f"history after step {session.position.step} removed ({removed} bytes); those epochs are trained again"
            )
        for text in (*renewed, *_taken_along(resumable.recorded.ledger, session.position.step)):
            note(text)
        if jump := _jump(reduced, session):
            note(jump)
        now = environment_of(prepared, run.path.parent)
        changed = environment.changes(dict(resumable.environment), now)
        if changed:
            listed = ", ".join(f"{key} {old} -> {new}" for key, (old, new) in changed.items())
            note(f"not bit for bit what an uninterrupted run would give: {listed}")
        copy_own_files(prepared, run)
        ledger.append(
            run.ledger_path,
            "resumed",
            epoch=session.position.epoch,
            step=session.position.step,
            changes=dict(resumable.changes),
            config=prepared.config.to_mapping(),
            environment=now,
            history=session.lone.history.mark.facts(),
        )
        # Newer checkpoints belong to rows that have been cut off.
        checkpoints.remove_after(run.checkpoints, session.position.step)
        apart.close()
        yield session


def _take_up_old_best_weights(session: Session, found: Checkpoint, note: Callable[[str], None]) -> None:
    """Take the best weights from the separate files of older versions, if they are still the best ones."""
    if best_weights.PREFIX_KEY in found.metadata:
        return
    expected = recorded_best(found)
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
    """Return sentences about earlier changes that were made after the step at which the run continues."""
    return [
        f"{key}: {yaml_text(new)} applies from step {step} on; it was {yaml_text(old)} until step {event['step']}, "
        "whose checkpoints are lost"
        for event in events
        if event["event"] == "resumed" and (event.get("step") or 0) > step
        for key, (old, new) in event.get("changes", {}).items()
        if key.partition(".")[0] in ("learning_rate", "schedule", "optimizer", "early_stopping")
    ]


def _nothing_to_train(session: Session, given: Sequence[str]) -> str:
    done, run = session.position.epoch - 1, session.run.path
    given = [option for option in given if option.partition("=")[0].strip() not in ("epochs", "early_stopping")]
    message = f"{session.run.name} is finished, and these changes leave nothing to train, so they were not recorded. "
    if done < session.config.epochs:
        lets = run_command("resume", run, set_=[*given, "early_stopping=null"])
        return f"{message}Early stopping ended it after epoch {done}. To continue it:\n  {lets}"
    further = run_command("resume", run, set_=[*given, f"epochs={2 * done}"])
    return f"{message}All of its {done} epochs are done. To train further:\n  {further}"


def _ends_within_an_epoch(session: Session) -> str:
    """Report that a run cannot end within an epoch: its weights would be compared with weights after whole epochs."""
    asked, begun = session.config.epochs, session.position.epoch
    enough = set_options(f"epochs={begun}")
    return (
        f"epochs={asked}, but epoch {begun} has begun: the newest checkpoint is of step {session.position.step}, "
        f"{session.step_in_epoch} steps into it; a run ends after a whole epoch, so expected at least {enough}"
    )


def _rates_by(config: Config, session: Session, checkpoint: Checkpoint) -> list[float]:
    """Return the learning rate of the next step by the config so far, for each seed."""
    scheduled = scheduled_rate(config, session.position.step, session.steps_per_epoch)
    rule, reductions = build.plateau(config.schedule), checkpoint.tensors.get("schedule.reduction")
    if rule is None or reductions is None:
        return [scheduled] * len(session.replicas)
    # The best value does not affect the rate.
    return [rule.rate(PlateauState(math.nan, reduction=float(value)), scheduled) for value in reductions.reshape(-1)]


def _jump(before: Sequence[float], session: Session) -> str:
    """Return a message if the changes move the learning rate of the next step; "" if they do not."""
    step = session.position.step
    for old, new in zip(before, session.rates(step), strict=True):
        if old != new:
            return f"the learning rate jumps from {reach(old, new)} at step {step}"
    return ""
