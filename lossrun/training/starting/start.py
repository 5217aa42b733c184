"""Start a run: create its directory and its session from what was prepared (`prepare.py`).

Then `loop.py` trains. `resume.py` is the other way to start.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from shutil import disk_usage, rmtree

from lossrun.data.samples.hashing import hashes
from lossrun.errors import LossrunError, RunError, memory_errors
from lossrun.interrupts import leave_behind
from lossrun.lint.rules import RULES
from lossrun.lint.size import how_to_need_less, in_units, size_of
from lossrun.plugins.loading import own_files
from lossrun.records import checkpoints, ledger, run_directory
from lossrun.records.files import digests, durable
from lossrun.records.history import Written
from lossrun.records.lock import writing
from lossrun.records.provenance import prepared as form
from lossrun.records.run_directory import RunDirectory
from lossrun.shell import run_command
from lossrun.steps.evaluate import OutputSpec, Scorer, output_spec_of
from lossrun.steps.recorder import Recorder
from lossrun.steps.seed_group import LoneSeed, SeedGroup
from lossrun.training import build
from lossrun.training.epoch_sums import EpochSums
from lossrun.training.process.isolation import isolated
from lossrun.training.session import MemberRun, Session
from lossrun.training.starting.leading import NOWHERE, LeadingStep, follow
from lossrun.training.starting.prepare import Prepared
from lossrun.training.starting.run_facts import environment_of
from lossrun.training.state import capture


@contextmanager
def begin(prepared: Prepared, runs_dir: Path, directory: str | None = None) -> Iterator[Session]:
    """Create and lock the directory of a new run. Its state at step 0 is saved, so there is always something to resume.

    `directory`: the name of the directory; None for the time and the run's name.

    Raises RunError if writing fails, or if the disk has no room for the run's checkpoints; nothing is left behind then.
    """
    _refuse_full_disk(prepared, runs_dir)
    facts = {"id": secrets.token_hex(8), **environment_of(prepared, runs_dir)}
    config = prepared.config.to_mapping()
    files = run_directory.file_contents(config, facts)
    sessions: list[Session] = []

    def write_beginning(run: RunDirectory) -> None:
        session = session_of(prepared, [run], [facts["id"]])
        digest = _keep_what_prediction_needs(prepared, run)
        more = {"epochs": prepared.config.epochs, "preparation": digest}
        ledger.append_all([(run.ledger_path, [ledger.started(config, files["config.yaml"], facts, **more)])])
        session.step.publish()
        checkpoints.save(run.checkpoints, 0, capture(session), prepared.config.checkpoint.keep)
        sessions.append(session)

    with (
        memory_errors("to begin the run", partial(how_to_need_less, prepared.config, prepared.experiment.facts)),
        isolated(),
    ):
        run = run_directory.create(
            runs_dir,
            directory or prepared.config.run_name,
            files,
            begin=write_beginning,
            created=lambda path: leave_behind(f"continue with\n  {run_command('resume', path)}"),
            stamped=directory is None,
        )
    with ExitStack() as held:
        try:
            held.enter_context(writing(run.path))
        except LossrunError:
            rmtree(run.path, ignore_errors=True)
            raise
        (session,) = sessions
        session.lone.run, session.lone.history = run, Written(run.history_path)
        yield session


def _refuse_full_disk(prepared: Prepared, runs_dir: Path) -> None:
    """Raise RunError, before anything is written, if the checkpoints that every run writes would not fit. Two states
    and the best weights take about as many bytes as the weights take in memory."""
    needed = size_of(prepared.config, prepared.experiment.facts).weights
    there = next(folder for folder in (runs_dir.absolute(), *runs_dir.absolute().parents) if folder.is_dir())
    free = disk_usage(there).free
    if needed > free:
        raise RunError(
            f"{runs_dir}: the checkpoints of this run take at least {in_units(needed)}, and {in_units(free)} are free "
            "there; make room, name another --runs-dir, or make the model or the number of seeds smaller"
        )


def session_of(
    prepared: Prepared, runs: Sequence[RunDirectory], run_ids: Sequence[str | None], stack: Path | None = None
) -> Session:
    """Build the session of a run, or of a stack of runs, before its first step.

    `stack`: the folder of the stack's checkpoints.
    """
    facts, config = prepared.experiment.facts, prepared.config
    replicas, device = prepared.replicas, prepared.place.device
    spec = output_spec_of(config, facts)
    scorers = [scorer for group in prepared.groups for scorer in _scorers(group, spec, prepared.grouping.recorder)]
    members: list[MemberRun] = []
    for experiment, run, run_id in zip(prepared.experiments, runs, run_ids, strict=True):
        first = sum(len(member.replicas) for member in members)
        own = replicas[first : first + len(experiment.data)]
        lint = {warning.rule: warning.cure for warning in experiment.lint if RULES[warning.rule].explains}
        members.append(MemberRun(experiment.config, own, first, run, run_id, Written(run.history_path), lint))
    session = Session(
        members,
        facts,
        spec,
        replicas,
        prepared.grouping,
        prepared.groups,
        prepared.step,
        scorers,
        device,
        hashes(prepared.experiment.data),
        EpochSums.zero(config.steps_per_epoch(facts.train), len(replicas), device),
        build.plateau(config.schedule),
        stack,
        processes=prepared.processes.count if prepared.processes else 1,
    )
    session.stream.threads = prepared.threads
    if prepared.processes and prepared.processes.leads:
        session.step = LeadingStep(prepared.step, session, prepared.processes)
    return session


def meet(prepared: Prepared) -> None:
    """Wait for the other processes of the run, if there are any; in a follower, train until the leader leaves.

    Only the process that starts or resumes the run returns.

    Raises:
        LeaderLeftError: In a process that has followed, at the end.
    """
    if prepared.processes is None:
        return
    prepared.processes.meet(prepared.place.device)
    if not prepared.processes.leads:
        follow(session_of(prepared, [NOWHERE], [None]), prepared.processes)


def _keep_what_prediction_needs(prepared: Prepared, run: RunDirectory) -> str:
    """Write preparation.json and copies of the user's own modules, and return the digest of preparation.json."""
    copy_own_files(prepared, run)
    content = form.dumps(prepared.experiment.data)
    durable.write(run.preparation_path, content)
    return digests.of_bytes(content)


def copy_own_files(prepared: Prepared, run: RunDirectory) -> None:
    """Copy the user's own modules, as they are now, into the run."""
    if run.source.is_symlink():
        raise RunError(f"{run.source}: a link, which lossrun does not write through; expected a folder")
    for name, path in own_files(prepared.config).items():
        copy, content = run.source / name, path.read_bytes()
        if not copy.is_file() or copy.read_bytes() != content:
            durable.make_directory(copy.parent)
            durable.replace(copy, content)


def _scorers(group: SeedGroup, spec: OutputSpec, recorder: Recorder | None) -> list[Scorer]:
    """Return the scorers of a group on its validation data: one for each seed if each seed has its own data.

    Such a seed is not recorded, because its weights move when others leave the stack.
    """
    if (validation := group.replicas[0].parts.validation) is None:
        return []
    if all(replica.parts is group.replicas[0].parts for replica in group.replicas):
        return [Scorer(group, validation, spec, recorder)]
    each = [(replica, replica.parts.validation) for replica in group.replicas]
    return [Scorer(LoneSeed(replica), own, spec, None) for replica, own in each if own is not None]
