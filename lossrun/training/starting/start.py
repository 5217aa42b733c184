"""How a run starts: replicas are built and checked, and a new run directory is made for them.

Then `loop.py` trains. `resume.py` is the other way to start.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage, rmtree
from typing import Any, Final

import torch

from lossrun.catalog.declaration import Layer
from lossrun.config import Config
from lossrun.data import Data
from lossrun.data.samples.dataset import class_amounts
from lossrun.data.samples.hashing import hashes
from lossrun.errors import LossrunError, RunError, UsageError, memory_told
from lossrun.experiment import Experiment
from lossrun.lint.rules import RULES
from lossrun.lint.size import how_to_need_less, in_units, size_of
from lossrun.plugins.loading import own_files
from lossrun.processes import Processes
from lossrun.records import checkpoints, ledger, run_directory
from lossrun.records.files import digests, durable
from lossrun.records.history import Written
from lossrun.records.lock import writing
from lossrun.records.provenance import prepared as form
from lossrun.records.provenance.whereabouts import starting_points
from lossrun.records.run_directory import RunDirectory
from lossrun.steps.evaluate import Scorer, reading_of
from lossrun.steps.replica import Replica
from lossrun.steps.samples import Parts
from lossrun.steps.seed_group import SeedGroup
from lossrun.steps.step import Step
from lossrun.training import build
from lossrun.training.epoch_sums import EpochSums
from lossrun.training.grouping import Grouping, choose_grouping, may_be_side_by_side, seed_groups, training_step
from lossrun.training.preflight.first_batch import check_first_batch, check_recording, own_layers
from lossrun.training.preflight.hidden_state import check_hidden_state
from lossrun.training.process import environment
from lossrun.training.process.isolation import isolated
from lossrun.training.process.threads import threads_of
from lossrun.training.session import MemberRun, Session
from lossrun.training.starting.leading import NOWHERE, LeadingStep, follow
from lossrun.training.starting.resumable import Resumable
from lossrun.training.state import capture

MOST_COUNTED: Final = 1000  # more classes than these are not counted in run.json


@dataclass(frozen=True, slots=True)
class Prepared:
    """Replicas ready for their first step; nothing is written yet.

    Attributes:
        experiments: One for each run that is to be trained; several are a stack.
        replicas: Their seeds, run by run.
        threads: How many threads they are trained with on the CPU.
        layers: Those of a user's own model.
        processes: Those that train the run together, if there are several.
    """

    experiments: Sequence[Experiment]
    place: build.Workplace
    replicas: Sequence[Replica]
    grouping: Grouping
    groups: Sequence[SeedGroup]
    step: Step
    threads: int
    layers: tuple[Layer, ...] = ()
    processes: Processes | None = None

    @property
    def experiment(self) -> Experiment:
        """The only one, or one for all, where it is about what they share."""
        return self.experiments[0]

    @property
    def config(self) -> Config:
        return self.experiment.config


def prepare(experiment: Experiment, resumable: Resumable | None = None, processes: Processes | None = None) -> Prepared:
    """Build every seed and try one on a batch.

    `resumable`: the run that is to go on. `processes`: those that train it together, if there are several.

    Raises UsageError for what cannot be built or does not fit.
    """
    return prepare_stack([experiment], resumable.environment if resumable else None, resumable, processes)


@isolated()
def prepare_stack(
    experiments: Sequence[Experiment],
    environment: Mapping[str, Any] | None = None,
    resumable: Resumable | None = None,
    processes: Processes | None = None,
) -> Prepared:
    """Build every seed of several runs on the same data, which are alike but for seeds, rates and weight decays.

    Args:
        environment: What was recorded of their last part, where they go on.
        resumable: The run that is to go on, if it is a run by itself.
        processes: Those that train it together, if there are several.

    Raises UsageError for what cannot be built or does not fit.
    """
    less = how_to_need_less(experiments[0].config, experiments[0].facts)
    with memory_told("to build the model and try a batch", less, UsageError):
        return _prepared(experiments, environment or {}, resumable, processes)


def _prepared(
    experiments: Sequence[Experiment],
    recorded: Mapping[str, Any],
    resumable: Resumable | None,
    processes: Processes | None,
) -> Prepared:
    config, facts = experiments[0].config, experiments[0].facts
    place = build.workplace(config, experiments[0].reading.directory, processes)
    shared: dict[int, Parts] = {}
    replicas: list[Replica] = []
    for experiment in experiments:
        for seed, data in experiment.data.items():
            if id(data) not in shared:
                shared[id(data)] = build.parts(data, place)
            replicas.append(build.replica(experiment.config, facts, seed, shared[id(data)], place))
    # With a split for each seed, a column that one seed has may be ruled out by another one's targets.
    for replica in {id(replica.parts): replica for replica in reversed(replicas)}.values():
        check_first_batch(replica, config, facts)
    if not recorded:  # a run that goes on was tried when it began
        first = next(iter(experiments[0].data))
        check_hidden_state(lambda: build.replica(config, facts, first, replicas[0].parts, place), config)
    layers = tuple(own_layers(replicas[0], config))
    anew = resumable is not None and resumable.changes_early_stopping
    configs = [experiment.config for experiment in experiments]
    grouping = choose_grouping(configs, facts, replicas, place, recorded.get("chunks"), stops_anew=anew)
    groups = seed_groups(grouping, replicas, config, place)
    if grouping.recorder and (config.model.is_plugin or config.loss.is_plugin):
        check_recording(groups[0], grouping.recorder, config)
    draws = config.model.is_plugin or replicas[0].draws
    apart = len(groups) if may_be_side_by_side(grouping, config, place, own_randomness=draws) else 1
    threads = threads_of(config, facts, max(grouping.sizes), recorded.get("threads"), seeds_apart=apart)
    at_once = min(apart, torch.get_num_threads()) if threads == 1 else 1
    step = training_step(grouping, groups, own_randomness=draws, at_once=at_once)
    return Prepared(experiments, place, replicas, grouping, groups, step, threads, layers, processes)


@contextmanager
def begin(prepared: Prepared, runs_dir: Path, directory: str | None = None) -> Iterator[Session]:
    """A new run, its directory made and locked. Its state at step 0 is saved: there is always something to resume.

    `directory`: the name of the directory; None for the time and the run's name.

    Raises RunError where the disk refuses, or has no room for the run's checkpoints; nothing is left behind then.
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

    with memory_told("to begin the run", how_to_need_less(prepared.config, prepared.experiment.facts)), isolated():
        run = run_directory.create(
            runs_dir,
            directory or prepared.config.run_name,
            files,
            begin=write_beginning,
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
    """Before anything is written. The state of step 0, a full one and the best weights are sure to come: numbers for
    each weight are as many as memory holds."""
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
    """Put together the session of a run before its first step, or that of a stack of runs.

    `stack`: the folder of the stack's checkpoints.
    """
    facts, config = prepared.experiment.facts, prepared.config
    replicas, device = prepared.replicas, prepared.place.device
    reading = reading_of(config, facts)
    scorers = [
        Scorer(group, validation, reading, prepared.grouping.recorder)
        for group in prepared.groups
        if (validation := group.replicas[0].parts.validation) is not None
    ]
    members: list[MemberRun] = []
    for experiment, run, run_id in zip(prepared.experiments, runs, run_ids, strict=True):
        first = sum(len(member.replicas) for member in members)
        own = replicas[first : first + len(experiment.data)]
        lint = {warning.rule: warning.cure for warning in experiment.lint if RULES[warning.rule].explains}
        members.append(MemberRun(experiment.config, own, first, run, run_id, Written(run.history_path), lint))
    session = Session(
        members,
        facts,
        reading,
        replicas,
        prepared.grouping,
        prepared.groups,
        prepared.step,
        scorers,
        device,
        hashes(prepared.experiment.data),
        EpochSums.zero(0, len(replicas), device),
        build.plateau(config.schedule),
        stack,
        processes=prepared.processes.count if prepared.processes else 1,
    )
    session.stream.threads = prepared.threads
    session.sums = EpochSums.zero(session.steps_per_epoch, len(replicas), device)
    if prepared.processes and prepared.processes.leads:
        session.step = LeadingStep(prepared.step, session, prepared.processes)
    return session


def meet(prepared: Prepared) -> None:
    """Wait for the other processes of the run, if there are any; where another one leads, train with it.

    So only the process that begins the run, or goes on with it, comes back from here.

    Raises:
        LeaderLeftError: In a process that has followed, at the end.
    """
    if prepared.processes is None:
        return
    prepared.processes.meet(prepared.place.device)
    if not prepared.processes.leads:
        follow(session_of(prepared, [NOWHERE], [None]), prepared.processes)


def _keep_what_prediction_needs(prepared: Prepared, run: RunDirectory) -> str:
    """Write how the data were prepared, and copies of the user's own modules; the digest of the former."""
    copy_own_files(prepared, run)
    content = form.dumps(prepared.experiment.data)
    durable.write(run.preparation_path, content)
    return digests.of_bytes(content)


def copy_own_files(prepared: Prepared, run: RunDirectory) -> None:
    """Copy the user's own modules, as they are now, into the run."""
    for name, path in own_files(prepared.config).items():
        copy, content = run.source / name, path.read_bytes()
        if not copy.is_file() or copy.read_bytes() != content:
            durable.make_directory(copy.parent)
            durable.replace(copy, content)


def environment_of(prepared: Prepared, runs_dir: Path) -> dict[str, Any]:
    """What run.json and the ledger keep of the machine, the versions and the data."""
    return {
        **starting_points(runs_dir, prepared.experiment.reading.directory, prepared.experiment.data_dir),
        **environment.environment(prepared.place.device, prepared.experiment.reading, prepared.threads),
        "processes": prepared.processes.count if prepared.processes else 1,
        "step": prepared.step.kind,
        "chunks": list(prepared.grouping.sizes),
        "task": prepared.experiment.facts.task,
        "data": hashes(prepared.experiment.data),
        "samples": _sizes(prepared.experiment.data),
        "class_counts": _class_counts(prepared.experiment.data),
        "classes": list(prepared.experiment.facts.classes[:MOST_COUNTED]),
    }


def _class_counts(data: Mapping[int, Data]) -> dict[str, Any]:
    """What the samples of each class, and all of them together, count for in the parts that are scored.

    A list, one for each seed, if the seeds' splits differ. {} for regression and for very many classes.
    """
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
    """The number of samples in each part; a list, one for each seed, if the seeds' splits differ in size."""
    found = {
        part: [len(samples) if (samples := getattr(one, part)) else 0 for one in data.values()]
        for part in ("train", "validation", "test")
    }
    return {part: counts if len(set(counts)) > 1 else counts[0] for part, counts in found.items()}
